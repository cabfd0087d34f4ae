//! A candidate of a response: read from a whole response, or gathered from a stream.

use std::sync::Arc;

use super::assistant_message::{self, AssistantMessage};
use super::error::Error;
use super::nul_string::{NulString, copy, name};
use super::response_body::Body;
use super::stream_event::EventKind;
use super::tool_call::{Growth, ToolCall};
use crate::dialect::{self, Delta, ReasoningForm, Text};
use crate::sync::SetOnce;

/// One of the completions that the model generated.
#[derive(Debug, Default)]
pub struct Candidate {
    pub(super) text: Option<NulString>,
    reasoning: Option<NulString>,
    reasoning_form: ReasoningForm,
    reasoning_signature: Option<NulString>,
    refusal: Option<NulString>,
    pub(super) role: Option<NulString>,
    pub(super) finish_reason: Option<NulString>,
    /// In the order of their first fragments.
    pub(super) tool_calls: Vec<ToolCall>,
    /// Whether text and arguments are discarded.
    discards_text: bool,
    /// The body of a whole response, and the index of this candidate in it.
    body: Option<(Arc<Body>, usize)>,
    /// Written on first use.
    message_json: SetOnce<NulString>,
}

impl Candidate {
    pub(super) fn of(decoded: &dialect::Candidate) -> Result<Candidate, Error> {
        let mut candidate = Candidate {
            text: copy(decoded.text.as_ref())?,
            reasoning: copy(decoded.reasoning.as_ref().map(|reasoning| &reasoning.text.text))?,
            refusal: copy(decoded.refusal.as_ref())?,
            role: name(decoded.role.as_ref())?,
            finish_reason: name(decoded.finish_reason.as_ref())?,
            ..Candidate::default()
        };
        if let Some(tool_calls) = &decoded.tool_calls {
            for (index, call) in (0..).zip(&tool_calls.calls) {
                candidate.tool_calls.push(ToolCall::of(index, call, true)?);
            }
        }
        Ok(candidate)
    }

    pub(super) fn of_stream(keeps_text: bool) -> Candidate {
        Candidate { discards_text: !keeps_text, ..Candidate::default() }
    }

    pub(super) fn set_body(&mut self, body: &Arc<Body>, index: usize) {
        self.body = Some((Arc::clone(body), index));
    }

    /// Adds the role and the finish reason of a stream's delta. Returns whether the finish reason is new: some servers
    /// repeat it.
    pub(super) fn add_role_and_finish_reason(&mut self, delta: &Delta) -> Result<bool, Error> {
        if self.role.is_none() {
            self.role = name(delta.role.as_ref())?;
            self.message_json.clear();
        }
        let Some(reason) = &delta.finish_reason else { return Ok(false) };
        let before = self.finish_reason.replace(NulString::of_name(&reason.0)?);
        Ok(before.is_none_or(|before| before.as_str() != reason.0))
    }

    /// Appends to the text, the reasoning or the refusal. Returns the offset of the appended string.
    pub(super) fn push(&mut self, kind: EventKind, more: &str) -> Result<usize, Error> {
        self.message_json.clear();
        let to = match kind {
            EventKind::Reasoning => &mut self.reasoning,
            EventKind::Refusal => &mut self.refusal,
            _ => &mut self.text,
        };
        match to {
            Some(text) => {
                let start = text.as_str().len();
                text.push(more)?;
                Ok(start)
            }
            None => {
                *to = Some(NulString::of(more)?);
                Ok(0)
            }
        }
    }

    /// Returns the text or the reasoning from an offset on, with a NUL terminator.
    pub(super) fn with_nul_from(&self, kind: EventKind, start: usize) -> Option<&str> {
        let text = if kind == EventKind::Reasoning { &self.reasoning } else { &self.text };
        text.as_ref()?.with_nul().get(start..)
    }

    pub(super) fn set_reasoning_form(&mut self, form: ReasoningForm) {
        self.reasoning_form = form;
    }

    pub(super) fn set_signature(&mut self, signature: &Text) -> Result<(), Error> {
        self.reasoning_signature = Some(NulString::of(&signature.0)?);
        Ok(())
    }

    /// Drops the text and the body, and hides the tool calls: fragments and events still refer to them.
    pub(super) fn discard_text(&mut self) {
        self.message_json.clear();
        (self.text, self.reasoning, self.refusal) = (None, None, None);
        self.body = None;
        self.discards_text = true;
    }

    /// Appends a fragment to the last call of its index, or without an index to the last call. A fragment with another
    /// ID, or with neither ID nor index but another name, begins a new call. Returns the position of the call.
    pub(super) fn push_tool_call(&mut self, fragment: &dialect::ToolCall) -> Result<(usize, Growth), Error> {
        self.message_json.clear();
        let keeps_arguments = !self.discards_text;
        let position = match fragment.index {
            Some(index) => self.tool_calls.iter().rposition(|call| call.index == index),
            None => self.tool_calls.len().checked_sub(1),
        };
        if let Some(position) = position.filter(|position| !self.tool_calls[*position].is_other_call(fragment)) {
            return Ok((position, self.tool_calls[position].push(fragment, keeps_arguments)?));
        }
        let last = self.tool_calls.last().map_or(0, |call| call.index);
        let call = ToolCall::of(fragment.index.unwrap_or(last), fragment, keeps_arguments)?;
        let growth = call.size();
        self.tool_calls.push(call);
        Ok((self.tool_calls.len() - 1, growth))
    }

    /// Returns the text, which may be empty; `None` if the model wrote none, for example because it calls a tool.
    pub fn text(&self) -> Option<&NulString> {
        self.text.as_ref()
    }

    /// Returns the reasoning that precedes the text.
    pub fn reasoning(&self) -> Option<&NulString> {
        self.reasoning.as_ref()
    }

    /// Returns the text with which the model refuses.
    pub fn refusal(&self) -> Option<&NulString> {
        self.refusal.as_ref()
    }

    /// Returns the role, `assistant`; `None` for a completion of a prompt.
    pub fn role(&self) -> Option<&NulString> {
        self.role.as_ref()
    }

    /// Returns the finish reason, for example `stop` or `length`.
    pub fn finish_reason(&self) -> Option<&NulString> {
        self.finish_reason.as_ref()
    }

    /// Returns the tool calls.
    pub fn tool_calls(&self) -> &[ToolCall] {
        if self.discards_text { &[] } else { &self.tool_calls }
    }

    /// Returns the assistant's message as JSON, to be added to the next request: as received in a whole response, or as
    /// gathered from a stream. Null or empty arguments of tool calls become `{}`. `None` if nothing was gathered, or if
    /// memory is exhausted.
    pub fn message_json(&self) -> Option<&NulString> {
        if let Some(json) = self.message_json.get() {
            return Some(json);
        }
        let received = self.body.as_ref().and_then(|(body, index)| body.message(*index));
        let json = match received {
            Some(message) => assistant_message::with_arguments(message),
            None => self.message().to_json()?,
        };
        Some(self.message_json.get_or_set(json.ok()?))
    }

    fn message(&self) -> AssistantMessage<'_> {
        AssistantMessage {
            role: self.role.as_ref().map(NulString::as_str),
            text: self.text.as_ref().map(NulString::as_str),
            reasoning: self.reasoning.as_ref().map(NulString::as_str),
            reasoning_form: self.reasoning_form,
            reasoning_signature: self.reasoning_signature.as_ref().map(NulString::as_str),
            refusal: self.refusal.as_ref().map(NulString::as_str),
            tool_calls: self.tool_calls(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Id = Option<&'static str>;

    fn fragment(index: Option<u64>, id: Id, arguments: &'static str) -> dialect::ToolCall<'static> {
        named(index, id, "f", arguments)
    }

    fn named(index: Option<u64>, id: Id, name: &'static str, arguments: &'static str) -> dialect::ToolCall<'static> {
        let id = id.map(|id| Text(id.into()));
        let (name, arguments) = (Some(Text(name.into())), Some(Text(arguments.into())));
        dialect::ToolCall { index, id, name, arguments, ..dialect::ToolCall::default() }
    }

    fn arguments(fragments: &[dialect::ToolCall]) -> Vec<String> {
        let mut candidate = Candidate::default();
        for fragment in fragments {
            candidate.push_tool_call(fragment).unwrap();
        }
        candidate.tool_calls().iter().map(|call| call.arguments().as_str().to_owned()).collect()
    }

    /// Returns the tool calls of the written message.
    fn tool_calls_json(candidate: &Candidate) -> &str {
        let message = candidate.message_json().unwrap().as_str();
        let calls = message.strip_prefix(r#"{"role":"assistant","content":null,"tool_calls":"#).unwrap();
        calls.strip_suffix('}').unwrap()
    }

    #[test]
    fn message_of_a_stream_is_written_from_gathered_text() {
        let mut candidate = Candidate::default();
        candidate.push(EventKind::Text, "a\"").unwrap();
        assert_eq!(candidate.message_json().unwrap().as_str(), r#"{"role":"assistant","content":"a\""}"#);
        candidate.push(EventKind::Text, "\0é").unwrap();
        assert_eq!(candidate.message_json().unwrap().as_str(), r#"{"role":"assistant","content":"a\"\u0000é"}"#);
        candidate.push(EventKind::Refusal, "no").unwrap();
        candidate.push(EventKind::Reasoning, "hm").unwrap();
        let message = r#"{"role":"assistant","content":"a\"\u0000é","reasoning_content":"hm","refusal":"no"}"#;
        assert_eq!(candidate.message_json().unwrap().as_str(), message);
        candidate.set_reasoning_form(ReasoningForm::Parts);
        candidate.set_signature(&Text("s".into())).unwrap();
        candidate.push(EventKind::Reasoning, "!").unwrap();
        let summary = r#"{"type":"reasoning","summary":[{"type":"summary_text","text":"hm!","signature":"s"}]}"#;
        let text = r#"{"type":"text","text":"a\"\u0000é"}"#;
        let message = format!(r#"{{"role":"assistant","content":[{summary},{text}],"refusal":"no"}}"#);
        assert_eq!(candidate.message_json().unwrap().as_str(), message);
        candidate.discard_text();
        assert!(candidate.message_json().is_none());
    }

    #[test]
    fn tool_calls_are_distinguished_without_gather_stream() {
        let mut candidate = Candidate::of_stream(false);
        let mut which = |fragment| candidate.push_tool_call(&fragment).unwrap().0;
        assert_eq!(which(fragment(Some(0), Some("a"), r#"{"x":"#)), 0);
        assert_eq!(which(fragment(Some(1), Some("b"), "{}")), 1);
        assert_eq!(which(fragment(Some(0), None, "1}")), 0);
        assert_eq!(which(named(Some(0), None, "f", r#"{"x":2}"#)), 2);
        assert_eq!(candidate.tool_calls[0].id().unwrap().as_str(), "a");
        assert_eq!(candidate.tool_calls[0].arguments().as_str(), "{}");
        assert!(candidate.tool_calls().is_empty() && candidate.message_json().is_none());
    }

    #[test]
    fn message_of_a_whole_response_is_the_received_one() {
        let message =
            r#"{ "role":"assistant","x":[1.50 ,"\u0041"],"tool_calls":[{"function":{"arguments": ""},"s":"é"}]}"#;
        let json = format!(r#"{{"choices":[{{"text":"t"}},{{"message":{message}}}]}}"#);
        let body = Arc::new(Body::of(json.into_bytes()).unwrap());
        let message_json = |index| {
            let mut candidate = Candidate::default();
            candidate.push(EventKind::Text, "t").unwrap();
            candidate.set_body(&body, index);
            candidate.message_json().unwrap().as_str().to_owned()
        };
        assert_eq!(message_json(0), r#"{"role":"assistant","content":"t"}"#);
        assert_eq!(message_json(1), message.replace(r#""arguments": """#, r#""arguments": "{}""#));
    }

    #[test]
    fn fragments_are_merged_by_index() {
        let mut candidate = Candidate::default();
        assert!(candidate.message_json().is_none());
        for fragment in [
            fragment(Some(1), Some("b"), "{"),
            fragment(Some(0), Some("a"), "["),
            fragment(Some(1), None, "}"),
            fragment(Some(0), Some("a"), "]"),
        ] {
            candidate.push_tool_call(&fragment).unwrap();
            candidate.message_json().unwrap();
        }
        assert_eq!(
            tool_calls_json(&candidate),
            r#"[{"id":"b","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"a","type":"function","function":{"name":"f","arguments":"[]"}}]"#
        );
    }

    #[test]
    fn fragments_without_index_are_merged_until_the_id_changes() {
        let fragments = [
            fragment(None, Some("a"), "1"),
            fragment(None, None, "2"),
            fragment(None, Some("b"), "3"),
            fragment(None, None, "4"),
            fragment(None, Some("b"), "5"),
        ];
        assert_eq!(arguments(&fragments), ["12", "345"]);
    }

    #[test]
    fn second_object_of_arguments_begins_another_call() {
        let whole = |name| named(None, None, name, r#"{"q":1}"#);
        assert_eq!(arguments(&[whole("f"), whole("f")]), [r#"{"q":1}"#; 2]);
        let more = dialect::ToolCall { name: None, ..whole("f") };
        assert_eq!(arguments(&[whole("f"), more]), [r#"{"q":1}{"q":1}"#]);
        assert_eq!(
            arguments(&[named(None, None, "f", r#"{"a":{}"#), named(None, None, "f", ",1}")]),
            [r#"{"a":{},1}"#]
        );
    }

    #[test]
    fn missing_arguments_are_an_empty_object() {
        assert_eq!(arguments(&[fragment(None, Some("a"), "")]), ["{}"]);
        assert_eq!(arguments(&[fragment(None, Some("a"), ""), fragment(None, None, "1")]), ["1"]);
        let none = dialect::ToolCall { arguments: None, ..fragment(None, Some("a"), "") };
        assert_eq!(arguments(&[none]), ["{}"]);
    }

    #[test]
    fn last_value_of_an_extra_field_counts() {
        let with = |extras: dialect::Extras<'static>| dialect::ToolCall { extras, ..fragment(Some(0), Some("a"), "") };
        let mut candidate = Candidate::default();
        for extras in [vec![("s".into(), r#""1""#), ("t".into(), "[1 , 2]")], vec![("s".into(), r#""2""#)], vec![]] {
            candidate.push_tool_call(&with(extras)).unwrap();
        }
        assert_eq!(
            tool_calls_json(&candidate),
            r#"[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"},"s":"2","t":[1 , 2]}]"#
        );
    }

    #[test]
    fn fragments_with_another_id_or_name_are_not_merged() {
        let one_index =
            [fragment(Some(0), Some("a"), "1"), fragment(Some(0), Some("b"), "2"), fragment(Some(0), None, "3")];
        assert_eq!(arguments(&one_index), ["1", "23"]);
        let no_ids = [named(None, None, "f", "1"), named(None, None, "g", "2"), named(None, None, "g", "3")];
        assert_eq!(arguments(&no_ids), ["1", "23"]);
    }
}
