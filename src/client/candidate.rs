//! A candidate of a response, whole or gathered from a stream.

use std::sync::Arc;

use super::error::Error;
use super::message;
use super::nul_string::{NulString, copy, name};
use super::response_body::Body;
use super::stream_event::EventKind;
use super::tool_call::{Growth, ToolCall};
use crate::dialect::{self, Delta, ReasoningForm, Text};
use crate::sync::SetOnce;

/// One of the texts that the model was asked for.
#[derive(Debug, Default)]
pub struct Candidate {
    pub(super) text: Option<NulString>,
    reasoning: Option<NulString>,
    reasoning_form: ReasoningForm,
    reasoning_signature: Option<NulString>,
    refusal: Option<NulString>,
    pub(super) role: Option<NulString>,
    pub(super) finish_reason: Option<NulString>,
    /// In the order in which they begin.
    pub(super) tool_calls: Vec<ToolCall>,
    /// Whether texts and arguments are not kept.
    is_bare: bool,
    /// The whole response in which this is a candidate, and which.
    whole: Option<(Arc<Body>, usize)>,
    /// Written when it is asked for.
    message_json: SetOnce<NulString>,
}

impl Candidate {
    pub(super) fn of(answered: &dialect::Candidate) -> Result<Candidate, Error> {
        let mut candidate = Candidate {
            text: copy(answered.text.as_ref())?,
            reasoning: copy(answered.reasoning.as_ref().map(|reasoning| &reasoning.text.text))?,
            refusal: copy(answered.refusal.as_ref())?,
            role: name(answered.role.as_ref())?,
            finish_reason: name(answered.finish_reason.as_ref())?,
            ..Candidate::default()
        };
        if let Some(tool_calls) = &answered.tool_calls {
            for (place, call) in (0..).zip(&tool_calls.calls) {
                candidate.tool_calls.push(ToolCall::of(place, call, true)?);
            }
        }
        Ok(candidate)
    }

    pub(super) fn of_stream(keeps_texts: bool) -> Candidate {
        Candidate { is_bare: !keeps_texts, ..Candidate::default() }
    }

    pub(super) fn set_whole(&mut self, body: &Arc<Body>, candidate: usize) {
        self.whole = Some((Arc::clone(body), candidate));
    }

    /// Adds what a stream's event says, except for the texts and the tool calls; says whether it is why the candidate
    /// ended, which some servers say twice.
    pub(super) fn note(&mut self, piece: &Delta) -> Result<bool, Error> {
        if self.role.is_none() {
            self.role = name(piece.role.as_ref())?;
            self.message_json.clear();
        }
        let Some(reason) = &piece.finish_reason else { return Ok(false) };
        let before = self.finish_reason.replace(NulString::of_name(&reason.0)?);
        Ok(before.is_none_or(|before| before.as_str() != reason.0))
    }

    /// Adds to the text, the reasoning or the refusal; returns where it begins there.
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

    /// The end of the text or the reasoning, with a NUL byte behind it.
    pub(super) fn end_of(&self, kind: EventKind, start: usize) -> Option<&str> {
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

    /// Keeps what ended it, and what tells its tool calls apart.
    pub(super) fn forget_texts(&mut self) {
        self.message_json.clear();
        (self.text, self.reasoning, self.refusal) = (None, None, None);
        self.whole = None;
        self.is_bare = true;
    }

    /// Adds a fragment to the call that it belongs to: the last of its index, or without one the last of all. One that
    /// names another id, or where there is neither id nor index another tool, begins a call of its own. Returns which
    /// call it is.
    pub(super) fn push_tool_call(&mut self, fragment: &dialect::ToolCall) -> Result<(usize, Growth), Error> {
        self.message_json.clear();
        let keeps_arguments = !self.is_bare;
        let place = match fragment.index {
            Some(index) => self.tool_calls.iter().rposition(|call| call.index == index),
            None => self.tool_calls.len().checked_sub(1),
        };
        if let Some(place) = place.filter(|place| !self.tool_calls[*place].is_another(fragment)) {
            return Ok((place, self.tool_calls[place].push(fragment, keeps_arguments)?));
        }
        let last = self.tool_calls.last().map_or(0, |call| call.index);
        let call = ToolCall::of(fragment.index.unwrap_or(last), fragment, keeps_arguments)?;
        let growth = call.size();
        self.tool_calls.push(call);
        Ok((self.tool_calls.len() - 1, growth))
    }

    /// The text, which may be empty; `None` where the model gave none, for example because it asks for a tool instead.
    pub fn text(&self) -> Option<&NulString> {
        self.text.as_ref()
    }

    /// What the model wrote before its answer.
    pub fn reasoning(&self) -> Option<&NulString> {
        self.reasoning.as_ref()
    }

    /// Where the provider writes the reasoning.
    pub(super) fn reasoning_form(&self) -> ReasoningForm {
        self.reasoning_form
    }

    pub(super) fn reasoning_signature(&self) -> Option<&NulString> {
        self.reasoning_signature.as_ref()
    }

    /// Why the model refuses, in its own words.
    pub fn refusal(&self) -> Option<&NulString> {
        self.refusal.as_ref()
    }

    /// Who speaks: `assistant`. `None` of a completion.
    pub fn role(&self) -> Option<&NulString> {
        self.role.as_ref()
    }

    /// Why the model ended, for example `stop` or `length`.
    pub fn finish_reason(&self) -> Option<&NulString> {
        self.finish_reason.as_ref()
    }

    /// The tools that the model wants to be called.
    pub fn tool_calls(&self) -> &[ToolCall] {
        if self.is_bare { &[] } else { &self.tool_calls }
    }

    /// The message of the assistant as JSON, to be put into the next request: of a whole response as it came, of a
    /// stream as it was gathered. Arguments of tool calls that are null or empty are `{}`. `None` if nothing was
    /// gathered, or if there is no memory for it.
    pub fn message_json(&self) -> Option<&NulString> {
        if let Some(json) = self.message_json.get() {
            return Some(json);
        }
        let whole = self.whole.as_ref().and_then(|(body, candidate)| body.message(*candidate));
        let json = match whole {
            Some(message) => message::with_arguments(message),
            None => message::write(self)?,
        };
        let json = json.ok()?;
        Some(self.message_json.get_or_set(json))
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

    /// The tool calls of the message as it is written.
    fn calls_of(candidate: &Candidate) -> &str {
        let message = candidate.message_json().unwrap().as_str();
        let calls = message.strip_prefix(r#"{"role":"assistant","content":null,"tool_calls":"#).unwrap();
        calls.strip_suffix('}').unwrap()
    }

    #[test]
    fn message_of_a_stream_is_written_from_what_was_gathered() {
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
        candidate.forget_texts();
        assert!(candidate.message_json().is_none());
    }

    #[test]
    fn calls_that_are_not_gathered_are_told_apart_all_the_same() {
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
    fn message_of_a_whole_response_is_the_one_that_came() {
        let message =
            r#"{ "role":"assistant","x":[1.50 ,"\u0041"],"tool_calls":[{"function":{"arguments": ""},"s":"é"}]}"#;
        let json = format!(r#"{{"choices":[{{"text":"t"}},{{"message":{message}}}]}}"#);
        let body = Arc::new(Body::of(json.into_bytes()).unwrap());
        let of = |place| {
            let mut candidate = Candidate::default();
            candidate.push(EventKind::Text, "t").unwrap();
            candidate.set_whole(&body, place);
            candidate.message_json().unwrap().as_str().to_owned()
        };
        assert_eq!(of(0), r#"{"role":"assistant","content":"t"}"#);
        assert_eq!(of(1), message.replace(r#""arguments": """#, r#""arguments": "{}""#));
    }

    #[test]
    fn fragments_are_put_together_by_index() {
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
            calls_of(&candidate),
            r#"[{"id":"b","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"a","type":"function","function":{"name":"f","arguments":"[]"}}]"#
        );
    }

    #[test]
    fn fragments_without_an_index_follow_each_other() {
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
    fn object_behind_an_object_is_another_call() {
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
    fn no_arguments_are_an_empty_object_until_some_come() {
        assert_eq!(arguments(&[fragment(None, Some("a"), "")]), ["{}"]);
        assert_eq!(arguments(&[fragment(None, Some("a"), ""), fragment(None, None, "1")]), ["1"]);
        let none = dialect::ToolCall { arguments: None, ..fragment(None, Some("a"), "") };
        assert_eq!(arguments(&[none]), ["{}"]);
    }

    #[test]
    fn last_value_of_a_providers_field_counts() {
        let with = |extras: dialect::Extras<'static>| dialect::ToolCall { extras, ..fragment(Some(0), Some("a"), "") };
        let mut candidate = Candidate::default();
        for extras in [vec![("s".into(), r#""1""#), ("t".into(), "[1 , 2]")], vec![("s".into(), r#""2""#)], vec![]] {
            candidate.push_tool_call(&with(extras)).unwrap();
        }
        assert_eq!(
            calls_of(&candidate),
            r#"[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"},"s":"2","t":[1 , 2]}]"#
        );
    }

    #[test]
    fn calls_that_are_not_the_same_are_not_merged() {
        let one_index =
            [fragment(Some(0), Some("a"), "1"), fragment(Some(0), Some("b"), "2"), fragment(Some(0), None, "3")];
        assert_eq!(arguments(&one_index), ["1", "23"]);
        let no_ids = [named(None, None, "f", "1"), named(None, None, "g", "2"), named(None, None, "g", "3")];
        assert_eq!(arguments(&no_ids), ["1", "23"]);
    }
}
