//! What came of a question.

use std::sync::OnceLock;
use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::error::Error;
use super::retry::Attempts;
use super::text::NulText;
use crate::dialect::{self, Answer, Piece, Text, ToolCalls, Usage};
use crate::http::{Reply, header_fields};

/// The answer to one question, or what is gathered of a stream so far.
#[derive(Debug, Default)]
pub struct Response {
    pub(super) http_status: u16,
    pub(super) headers: Vec<(String, NulText)>,
    attempts: u32,
    retry_reasons: Vec<NulText>,
    pub(super) elapsed: Duration,
    /// With a NUL byte behind it.
    pub(super) json: Option<Vec<u8>>,
    pub(super) model: Option<NulText>,
    pub(super) usage: Usage,
    pub(super) candidates: Vec<Candidate>,
}

/// One of the texts that the model was asked for.
#[derive(Debug, Default)]
pub struct Candidate {
    pub(super) text: Option<NulText>,
    pub(super) role: Option<NulText>,
    pub(super) finish_reason: Option<NulText>,
    pub(super) tool_calls: Vec<ToolCall>,
    /// The calls as the model wrote them; of a stream, as they were put together when they were asked for.
    tool_calls_json: OnceLock<NulText>,
}

/// A tool that the model wants to be called.
#[derive(Debug)]
pub struct ToolCall {
    /// Which call of the stream's message its fragments belong to.
    index: u64,
    pub(super) id: Option<NulText>,
    kind: Option<NulText>,
    pub(super) name: Option<NulText>,
    pub(super) arguments: NulText,
    has_arguments: bool,
    extras: Extras,
    function_extras: Extras,
}

/// Fields that only the model provider understands: names, and their JSON.
#[derive(Debug, Default)]
struct Extras(Vec<(NulText, NulText)>);

/// What a fragment of a tool call adds.
pub(super) struct Growth {
    /// So many bytes more are kept.
    pub bytes: usize,
    /// So many fields that only the provider understands the call has now.
    pub extras: usize,
}

/// What the arguments are of a tool that needs none: MLflow does not take an empty text back.
const NO_ARGUMENTS: &str = "{}";

impl Response {
    /// Of a whole answer.
    pub(super) fn of(reply: &Reply, answer: &Answer) -> Result<Response, Error> {
        let candidates = answer.candidates.iter().map(Candidate::of).collect::<Result<_, _>>()?;
        Ok(Response {
            model: name(answer.model.as_ref())?,
            usage: answer.usage,
            candidates,
            ..Response::of_head(reply.status, &reply.head)?
        })
    }

    /// Of a stream that begins.
    pub(super) fn of_head(http_status: u16, head: &[u8]) -> Result<Response, Error> {
        let headers = header_fields(head)
            .map(|(name, value)| Ok((name.to_owned(), NulText::of(&String::from_utf8_lossy(value))?)))
            .collect::<Result<_, Error>>()?;
        Ok(Response { http_status, headers, ..Response::default() })
    }

    pub(super) fn with_json(mut self, mut body: Vec<u8>) -> Result<Response, Error> {
        body.try_reserve_exact(1).map_err(|_| super::text::no_memory(body.len()))?;
        body.push(0);
        self.json = Some(body);
        Ok(self)
    }

    pub(super) fn note_attempts(&mut self, attempts: &Attempts) -> Result<(), Error> {
        self.attempts = attempts.sent;
        self.retry_reasons = attempts.reasons.iter().map(|why| NulText::of(why)).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// The same for an error.
    pub(super) fn told_attempts(&self) -> Attempts {
        let reasons = self.retry_reasons.iter().map(|why| why.as_str().to_owned()).collect();
        Attempts { sent: self.attempts, reasons, retries: 0 }
    }

    /// Adds what a stream's event says of the whole.
    pub(super) fn note(&mut self, model: Option<&Text>, usage: Option<Usage>) -> Result<(), Error> {
        if self.model.is_none() {
            self.model = name(model)?;
        }
        self.usage = usage.unwrap_or(self.usage);
        Ok(())
    }

    /// The candidates, the first one first.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The model that answered, as the gateway names it.
    pub fn model(&self) -> Option<&NulText> {
        self.model.as_ref()
    }

    /// Tokens of the question; `None` if the gateway does not say.
    pub fn input_tokens(&self) -> Option<u64> {
        self.usage.input_tokens
    }

    /// Tokens of the answer; `None` if the gateway does not say.
    pub fn output_tokens(&self) -> Option<u64> {
        self.usage.output_tokens
    }

    /// Tokens of both; `None` if the gateway does not say.
    pub fn total_tokens(&self) -> Option<u64> {
        self.usage.total_tokens
    }

    /// The HTTP status, which is a success.
    pub fn http_status(&self) -> u16 {
        self.http_status
    }

    /// A header of the answer, the first one of that name, without regard to case.
    pub fn header(&self, name: &str) -> Option<&NulText> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    /// How often the question was sent.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Why it was asked again, in a few words for each time.
    pub fn retry_reasons(&self) -> &[NulText] {
        &self.retry_reasons
    }

    /// How long it took, from the call to the end of the answer; of a stream that is not over, to its head.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The body as it came; `None` for a stream.
    pub fn json(&self) -> Option<&[u8]> {
        self.json.as_ref().map(|json| &json[..json.len() - 1])
    }
}

impl Candidate {
    fn of(answered: &dialect::Candidate) -> Result<Candidate, Error> {
        let mut candidate = Candidate {
            text: copy(answered.text.as_ref())?,
            role: name(answered.role.as_ref())?,
            finish_reason: name(answered.finish_reason.as_ref())?,
            ..Candidate::default()
        };
        if let Some(tool_calls) = &answered.tool_calls {
            for (place, call) in (0..).zip(&tool_calls.calls) {
                candidate.tool_calls.push(ToolCall::of(place, call)?);
            }
            candidate.tool_calls_json = OnceLock::from(with_arguments(tool_calls)?);
        }
        Ok(candidate)
    }

    /// Adds what a stream's event says, but for the text and the calls of tools.
    pub(super) fn note(&mut self, piece: &Piece) -> Result<(), Error> {
        if self.role.is_none() {
            self.role = name(piece.role.as_ref())?;
        }
        if piece.finish_reason.is_some() {
            self.finish_reason = name(piece.finish_reason.as_ref())?;
        }
        Ok(())
    }

    pub(super) fn push_text(&mut self, more: &str) -> Result<(), Error> {
        match &mut self.text {
            Some(text) => text.push(more),
            None => {
                self.text = Some(NulText::of(more)?);
                Ok(())
            }
        }
    }

    pub(super) fn forget_texts(&mut self) {
        self.text = None;
        self.tool_calls = Vec::new();
    }

    /// Adds a fragment to the call that it belongs to: the last of its index, or without one the last of all. One that
    /// names another id, or where there is neither id nor index another tool, begins a call of its own.
    pub(super) fn push_tool_call(&mut self, fragment: &dialect::ToolCall) -> Result<Growth, Error> {
        self.tool_calls_json = OnceLock::new();
        let last = self.tool_calls.last().map_or(0, |call| call.index);
        let index = fragment.index.unwrap_or(last);
        let place = self.tool_calls.partition_point(|call| call.index <= index);
        let known = self.tool_calls[..place].last_mut().filter(|call| call.index == index);
        match known {
            Some(call) if !call.is_another(fragment) => call.push(fragment),
            _ => {
                let call = ToolCall::of(index, fragment)?;
                let bytes = call.arguments.as_str().len() + call.extras.size() + call.function_extras.size();
                let growth = call.growth(bytes);
                self.tool_calls.insert(place, call);
                Ok(growth)
            }
        }
    }

    /// The text, which may be empty; `None` where the model gave none, for example because it asks for a tool instead.
    pub fn text(&self) -> Option<&NulText> {
        self.text.as_ref()
    }

    /// Who speaks: `assistant`. `None` of a completion.
    pub fn role(&self) -> Option<&NulText> {
        self.role.as_ref()
    }

    /// Why the model ended, for example `stop` or `length`.
    pub fn finish_reason(&self) -> Option<&NulText> {
        self.finish_reason.as_ref()
    }

    /// The tools that the model wants to be called.
    pub fn tool_calls(&self) -> &[ToolCall] {
        &self.tool_calls
    }

    /// The same as a JSON list in OpenAI's form, to be put into the next request's message of the assistant.
    pub fn tool_calls_json(&self) -> Option<&NulText> {
        if self.tool_calls.is_empty() {
            return None;
        }
        if let Some(json) = self.tool_calls_json.get() {
            return Some(json);
        }
        let json = serde_json::to_string(&self.tool_calls).ok()?;
        let json = NulText::of(&json).ok()?;
        Some(self.tool_calls_json.get_or_init(|| json))
    }
}

impl ToolCall {
    fn of(index: u64, call: &dialect::ToolCall) -> Result<ToolCall, Error> {
        let arguments = call.arguments.as_ref().map(|text| text.0.as_ref()).filter(|arguments| !arguments.is_empty());
        let mut made = ToolCall {
            index,
            id: name(call.id.as_ref())?,
            kind: name(call.kind.as_ref())?,
            name: name(call.name.as_ref())?,
            arguments: NulText::of(arguments.unwrap_or(NO_ARGUMENTS))?,
            has_arguments: arguments.is_some(),
            extras: Extras::default(),
            function_extras: Extras::default(),
        };
        made.extras.put(&call.extras)?;
        made.function_extras.put(&call.function_extras)?;
        Ok(made)
    }

    /// Whether a fragment is of another call, though it may have the same index.
    fn is_another(&self, fragment: &dialect::ToolCall) -> bool {
        let differs = |known: &Option<NulText>, named: &Option<Text>| match (known, named) {
            (Some(known), Some(named)) => known.as_str() != named.0,
            _ => false,
        };
        let is_nameless = fragment.id.is_none() && fragment.index.is_none();
        // Between the objects of one text there would be a comma.
        let begins = fragment.arguments.as_ref().is_some_and(|arguments| arguments.0.starts_with('{'));
        let begins_anew = begins && self.has_arguments && self.arguments.as_str().ends_with('}');
        differs(&self.id, &fragment.id)
            || (self.id.is_none() && fragment.id.is_some() && fragment.index.is_none())
            || (is_nameless && differs(&self.name, &fragment.name))
            || (fragment.id.is_none() && fragment.name.is_some() && begins_anew)
    }

    /// Ids, types and names come whole, with the first fragment; some servers repeat them. Arguments come in parts. Of
    /// any other field the last value counts.
    fn push(&mut self, fragment: &dialect::ToolCall) -> Result<Growth, Error> {
        for (known, named) in
            [(&mut self.id, &fragment.id), (&mut self.kind, &fragment.kind), (&mut self.name, &fragment.name)]
        {
            if known.is_none() {
                *known = name(named.as_ref())?;
            }
        }
        let mut more = self.extras.put(&fragment.extras)? + self.function_extras.put(&fragment.function_extras)?;
        if let Some(arguments) = fragment.arguments.as_ref().filter(|arguments| !arguments.0.is_empty()) {
            if !std::mem::replace(&mut self.has_arguments, true) {
                self.arguments = NulText::of("")?;
            }
            self.arguments.push(&arguments.0)?;
            more += arguments.0.len();
        }
        Ok(self.growth(more))
    }

    fn growth(&self, bytes: usize) -> Growth {
        Growth { bytes, extras: self.extras.0.len() + self.function_extras.0.len() }
    }

    /// What the tool's answer has to name.
    pub fn id(&self) -> Option<&NulText> {
        self.id.as_ref()
    }

    /// The tool.
    pub fn name(&self) -> Option<&NulText> {
        self.name.as_ref()
    }

    /// JSON, as the model wrote it, which may be wrong; `{}` if it wrote none.
    pub fn arguments(&self) -> &NulText {
        &self.arguments
    }
}

impl Extras {
    /// Sets these fields, in place of those of the same names, and returns how many bytes more are kept.
    fn put(&mut self, fields: &dialect::Extras) -> Result<usize, Error> {
        let before = self.size();
        for (name, json) in fields {
            let value = NulText::of(json)?;
            match self.0.iter().position(|(known, _)| known.as_str() == name) {
                Some(at) => self.0[at].1 = value,
                None => self.0.push((NulText::of(name)?, value)),
            }
        }
        Ok(self.size().saturating_sub(before))
    }

    fn size(&self) -> usize {
        self.0.iter().map(|(name, json)| name.as_str().len() + json.as_str().len()).sum()
    }

    fn write_to<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.0.iter().try_for_each(|(name, json)| {
            let json: &RawValue = serde_json::from_str(json.as_str()).map_err(serde::ser::Error::custom)?;
            map.serialize_entry(name.as_str(), json)
        })
    }
}

/// The function of a call, as OpenAI writes it.
struct Function<'a>(&'a ToolCall);

/// Tool calls as they came, but with arguments for those that have none.
fn with_arguments(calls: &ToolCalls) -> Result<NulText, Error> {
    let (mut json, mut copied) = (NulText::of("")?, 0);
    for empty in &calls.empty {
        json.push(&calls.json[copied..empty.start])?;
        json.push(&format!("\"{NO_ARGUMENTS}\""))?;
        copied = empty.end;
    }
    json.push(&calls.json[copied..])?;
    Ok(json)
}

/// As OpenAI writes it.
impl Serialize for ToolCall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut call = serializer.serialize_map(None)?;
        call.serialize_entry("id", &self.id.as_ref().map(NulText::as_str))?;
        call.serialize_entry("type", self.kind.as_ref().map_or("function", NulText::as_str))?;
        call.serialize_entry("function", &Function(self))?;
        self.extras.write_to(&mut call)?;
        call.end()
    }
}

impl Serialize for Function<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut function = serializer.serialize_map(None)?;
        function.serialize_entry("name", &self.0.name.as_ref().map(NulText::as_str))?;
        function.serialize_entry("arguments", self.0.arguments.as_str())?;
        self.0.function_extras.write_to(&mut function)?;
        function.end()
    }
}

fn name(text: Option<&Text>) -> Result<Option<NulText>, Error> {
    text.map(|text| NulText::of_name(&text.0)).transpose()
}

fn copy(text: Option<&Text>) -> Result<Option<NulText>, Error> {
    text.map(|text| NulText::of(&text.0)).transpose()
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

    #[test]
    fn fragments_are_put_together_by_index() {
        let mut candidate = Candidate::default();
        assert!(candidate.tool_calls_json().is_none());
        for fragment in [
            fragment(Some(1), Some("b"), "{"),
            fragment(Some(0), Some("a"), "["),
            fragment(Some(1), None, "}"),
            fragment(Some(0), Some("a"), "]"),
        ] {
            candidate.push_tool_call(&fragment).unwrap();
            candidate.tool_calls_json().unwrap();
        }
        assert_eq!(
            candidate.tool_calls_json().unwrap().as_str(),
            r#"[{"id":"a","type":"function","function":{"name":"f","arguments":"[]"}},{"id":"b","type":"function","function":{"name":"f","arguments":"{}"}}]"#
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
            candidate.tool_calls_json().unwrap().as_str(),
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
