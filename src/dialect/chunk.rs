//! Chunks of a stream, in OpenAI's format.

use std::borrow::Cow;

use serde::de::MapAccess;

use super::error_response::ErrorResponse;
use super::json::{Lenient, Truthy, field, string_or_null, without_place};
use super::message_content::MessageContent;
use super::objects::{BoundedList, Fields, LenientObject, Object, read_once};
use super::reader::{self, Raw};
use super::reasoning::{Reasoning, ReasoningFields};
use super::response::{DecodeError, parse, wrong_shape};
use super::strings::{Fragment, Text};
use super::tools::{self, ToolCall};
use super::usage::{Usage, UsageFields};

/// The data of the event that ends a stream. Databricks sends it, and MLflow from 3.18 on.
pub(super) const DONE: &[u8] = b"[DONE]";

/// One event of a stream.
#[derive(Debug)]
pub enum Event<'a> {
    Chunk(Chunk<'a>),
    /// A chunk that only appends text to a candidate that has begun: the candidate's index, and the text.
    Text(u64, Cow<'a, str>),
    /// A complete item of an agent, whose text may have been streamed before.
    Item(Delta<'a>),
    /// A chunk that only appends reasoning to a candidate that has begun.
    Reasoning(u64, Cow<'a, str>),
    /// An error of the model or the gateway that ends the stream.
    Error(ErrorResponse),
    /// The end of a complete stream.
    Done,
}

/// What one chunk adds to a response.
#[derive(Debug, Default)]
pub struct Chunk<'a> {
    pub id: Option<Text<'a>>,
    pub model: Option<Text<'a>>,
    pub usage: Option<Usage>,
    pub deltas: Vec<Delta<'a>>,
}

/// What a chunk adds to one candidate.
#[derive(Debug, Default)]
pub struct Delta<'a> {
    pub candidate: u64,
    pub role: Option<Text<'a>>,
    pub text: Option<Fragment<'a>>,
    pub reasoning: Option<Reasoning<'a>>,
    pub refusal: Option<Fragment<'a>>,
    pub finish_reason: Option<Text<'a>>,
    pub tool_calls: Vec<ToolCall<'a>>,
}

/// Returns whether the data of an event marks the end of a complete stream.
pub fn is_done(data: &[u8]) -> bool {
    data.trim_ascii() == DONE
}

/// The fields of a chunk before its choices are decoded.
#[derive(Default)]
pub(super) struct RawChunk<'a> {
    choices: Option<Option<BoundedList<RawChoice<'a>>>>,
    /// The delta of an agent on Databricks, which sends no choices.
    pub delta: Option<Raw<'a>>,
    /// The item of an event of the Responses API.
    pub item: Option<Raw<'a>>,
    /// The type of an event of the Responses API.
    pub kind: Lenient<'a>,
    id: Lenient<'a>,
    model: Lenient<'a>,
    usage: LenientObject<UsageFields>,
    error: Truthy,
}

impl<'de> Fields<'de> for RawChunk<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "choices" => read_once(&mut self.choices, "choices", map)?,
            "id" => self.id = map.next_value()?,
            "model" => self.model = map.next_value()?,
            "usage" => self.usage = map.next_value()?,
            "error" => self.error = map.next_value()?,
            "delta" => self.delta = map.next_value()?,
            "item" => self.item = map.next_value()?,
            "type" => self.kind = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'a> RawChunk<'a> {
    /// Returns whether it is neither a chunk with choices nor an error.
    pub fn lacks_choices(&self) -> bool {
        !self.error.0 && !matches!(self.choices, Some(Some(_)))
    }

    /// Decodes the choices. An object with none of the fields is an empty chunk: servers send such to keep a connection
    /// alive.
    pub fn decode(self, data: &'a [u8]) -> Result<Event<'a>, DecodeError> {
        let choices = match self.choices.flatten() {
            _ if self.error.0 => return Ok(Event::Error(ErrorResponse::in_success(data))),
            Some(BoundedList(choices)) => choices,
            // An agent's chunk has the fields of a choice. The delta of other events may be anything.
            None if self.delta.is_some_and(|delta| delta.get().starts_with('{')) => vec![parse::<RawChoice>(data)?],
            None if ErrorResponse::is_in(data) => return Ok(Event::Error(ErrorResponse::in_success(data))),
            None => Vec::new(),
        };
        let deltas = choices
            .into_iter()
            .enumerate()
            .map(|(at, choice)| choice.decode(at).map_err(|why| wrong_shape(format!("choices[{at}]{why}"), data)));
        let deltas = deltas.collect::<Result<_, _>>()?;
        let usage = self.usage.0.map(Usage::from).filter(Usage::is_known);
        Ok(Event::Chunk(Chunk { id: self.id.name(), model: self.model.name(), usage, deltas }))
    }
}

#[derive(Default)]
struct RawChoice<'a> {
    index: Lenient<'a>,
    /// Sent by chats.
    delta: Option<Option<Object<RawDelta<'a>>>>,
    message: Option<Raw<'a>>,
    /// Sent by completions.
    text: Option<Raw<'a>>,
    finish_reason: Lenient<'a>,
}

impl<'de> Fields<'de> for RawChoice<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "index" => self.index = map.next_value()?,
            "delta" => read_once(&mut self.delta, "delta", map)?,
            "message" => read_once(&mut self.message, "message", map)?,
            "text" => read_once(&mut self.text, "text", map)?,
            "finish_reason" => self.finish_reason = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'a> RawChoice<'a> {
    /// Decodes the choice at this place in the list. An error starts with the place of the wrong field.
    fn decode(self, place: usize) -> Result<Delta<'a>, String> {
        // Some servers send a message instead of a delta.
        let Object(delta) = match self.delta.flatten() {
            Some(delta) => delta,
            None => field(".message", self.message, parse_message)?.flatten().unwrap_or_default(),
        };
        let content = field(".delta.content", delta.content, MessageContent::from_json)?.unwrap_or_default();
        // Agents stream the results of tools, too, which are not text of the model.
        let content_text = content.text.filter(|_| !delta.role.is("tool"));
        let text = field(".text", self.text, string_or_null)?.flatten();
        let calls = field(".delta.tool_calls", delta.tool_calls, tools::parse_list)?.flatten();
        Ok(Delta {
            candidate: self.index.count().unwrap_or(place as u64),
            role: delta.role.name(),
            text: content_text.or(text),
            reasoning: delta.reasoning.first().or(content.reasoning),
            refusal: delta.refusal.and_then(|json| Fragment::from_json(json.get())).or(content.refusal),
            finish_reason: self.finish_reason.name(),
            tool_calls: calls.map(|calls| calls.calls).unwrap_or_default(),
        })
    }
}

fn parse_message(json: &str) -> Result<Option<Object<RawDelta<'_>>>, String> {
    reader::from_str(json).map_err(|error| without_place(&error))
}

#[derive(Default)]
struct RawDelta<'a> {
    role: Lenient<'a>,
    content: Option<Raw<'a>>,
    tool_calls: Option<Raw<'a>>,
    refusal: Option<Raw<'a>>,
    reasoning: ReasoningFields<'a>,
}

impl<'de> Fields<'de> for RawDelta<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "role" => self.role = map.next_value()?,
            "content" => read_once(&mut self.content, "content", map)?,
            "tool_calls" => read_once(&mut self.tool_calls, "tool_calls", map)?,
            "refusal" => self.refusal = Some(map.next_value()?),
            name => return self.reasoning.read(name, map),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::openai::decode_event;
    use super::super::reasoning::ReasoningForm;
    use super::*;

    fn chunk(json: &str) -> Chunk<'_> {
        match decode_event(json.as_bytes()) {
            Ok(Event::Chunk(chunk)) => chunk,
            other => panic!("{json}: {other:?}"),
        }
    }

    fn text_of<'a>(chunk: &'a Chunk) -> Option<&'a str> {
        chunk.deltas[0].text.as_ref().map(|fragment| fragment.text.0.as_ref())
    }

    #[test]
    fn reasoning_and_refusals_are_read() {
        let of = |delta: &str| {
            let json = format!(r#"{{"id":"x","choices":[{{"delta":{delta}}}]}}"#);
            let delta = chunk(&json).deltas.remove(0);
            let refusal = delta.refusal.map(|refusal| refusal.text.0.into_owned());
            (delta.reasoning.map(|it| (it.form, it.text.text.0.into_owned())), refusal)
        };
        let hm = |form| (Some((form, "hm".to_owned())), None);
        assert_eq!(of(r#"{"content":null,"reasoning_content":"hm"}"#), hm(ReasoningForm::ReasoningContent));
        assert_eq!(of(r#"{"reasoning":"hm","content":""}"#), hm(ReasoningForm::Reasoning));
        assert_eq!(of(r#"{"reasoning_content":"","reasoning":"hm","thinking":"no"}"#), hm(ReasoningForm::Reasoning));
        let parts = r#"{"content":[{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]}]}"#;
        assert_eq!(of(parts), hm(ReasoningForm::Parts));
        assert_eq!(of(r#"{"refusal":"no","reasoning":{"effort":1}}"#), (None, Some("no".to_owned())));
        assert_eq!(of(r#"{"refusal":null,"reasoning_content":null}"#), (None, None));
    }

    #[test]
    fn chunks_of_mlflow_3_17_2_are_read() {
        let first = r#"{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"finish_reason":null,"delta":{"role":"assistant","content":null,"tool_calls":null}}],"usage":null}"#;
        let first = chunk(first);
        assert_eq!(first.model, Some(Text("m".into())));
        assert_eq!(first.usage, None);
        let delta = &first.deltas[0];
        assert_eq!((delta.candidate, &delta.role, &delta.text), (0, &Some(Text("assistant".into())), &None));
        let last = chunk(r#"{"choices":[{"index":1,"finish_reason":"stop","delta":{}}]}"#);
        assert_eq!((last.deltas[0].candidate, &last.deltas[0].finish_reason), (1, &Some(Text("stop".into()))));
        let text = chunk(r#"{"choices":[{"text":" a\n","finish_reason":null}]}"#);
        assert_eq!(text_of(&text), Some(" a\n"));
        let usage = chunk(r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":null,"total_tokens":0}}"#);
        let expected = Usage { input: Some(3), total: Some(0), ..Usage::default() };
        assert_eq!(usage.usage, Some(expected));
    }

    #[test]
    fn fragments_of_tool_calls_are_read() {
        let json =
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{\"a\""}}]}}]}"#;
        let chunk = chunk(json);
        let call = &chunk.deltas[0].tool_calls[0];
        assert_eq!((call.index, &call.arguments), (Some(1), &Some(Text("{\"a\"".into()))));
    }

    #[test]
    fn error_is_distinguished_from_keep_alive_event() {
        for (json, message) in [
            (r#"{"error":{"message":"no luck","type":"ClientConnectorError"}}"#, "no luck"),
            (r#"{"error":"plain"}"#, "plain"),
            (r#"{"error_code":"X","message":"m"}"#, "m"),
            (r#"{"detail":"d"}"#, "d"),
            (r#"{"object":"error","message":"boom","code":400}"#, "boom"),
            (r#"{"choices":[{"delta":{"content":""},"finish_reason":"error"}],"error":{"message":"m"}}"#, "m"),
        ] {
            let Ok(Event::Error(error)) = decode_event(json.as_bytes()) else { panic!("{json}") };
            assert_eq!(error.message.as_deref(), Some(message));
        }
        assert_eq!(text_of(&chunk(r#"{"choices":[{"text":"a"}],"usage":7}"#)), Some("a"));
        for json in ["", " \n ", "{}", r#"{"type":"ping"}"#, r#"{"error":null}"#] {
            assert!(chunk(json).deltas.is_empty(), "{json}");
        }
        assert!(matches!(decode_event(b"[DONE]"), Ok(Event::Done)));
        assert!(matches!(decode_event(b" [DONE]\n"), Ok(Event::Done)));
    }

    #[test]
    fn responses_api_agent_sends_deltas_and_then_items() {
        let delta = r#"{"type":"response.output_text.delta","item_id":"m","delta":"a\n"}"#;
        assert_eq!(chunk(delta).deltas[0].text, Some(Fragment::from(Cow::from("a\n"))));
        let item = r#"{"type":"response.output_item.done","item":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"ab"}]}}"#;
        let Ok(Event::Item(delta)) = decode_event(item.as_bytes()) else { panic!() };
        assert_eq!(delta.text, Some(Fragment::from(Cow::from("ab"))));
        let tool_call =
            r#"{"type":"response.output_item.done","item":{"type":"function_call","name":"f","arguments":"{}"}}"#;
        assert!(chunk(tool_call).deltas.is_empty());
        for end in ["response.completed", "response.incomplete"] {
            let data = format!(r#"{{"type":"{end}","response":{{"output":[]}}}}"#);
            assert!(matches!(decode_event(data.as_bytes()), Ok(Event::Done)));
        }
        let failed = br#"{"type":"response.failed","response":{"error":{"message":"m"}}}"#;
        assert!(matches!(decode_event(failed), Ok(Event::Error(_))));
        let wrong = br#"{"type":"response.output_text.delta","delta":{"text":"a"}}"#;
        assert!(matches!(decode_event(wrong), Err(DecodeError::WrongShape(..))));
        assert!(chunk(r#"{"type":"response.created","response":{}}"#).deltas.is_empty());
    }

    #[test]
    fn event_that_is_not_a_chunk_is_refused() {
        let many = format!(r#"{{"choices":[{}]}}"#, vec!["{}"; 1025].join(","));
        assert!(matches!(decode_event(many.as_bytes()), Err(DecodeError::WrongShape(..))));
        assert!(matches!(
            decode_event(br#"{"choices":[[0,{"content":"x"},null,"stop"]]}"#),
            Err(DecodeError::WrongShape(..))
        ));
        for json in ["[]", "null", "1", "\"a\"", r#"{"choices":[1]}"#, r#"{"choices":[{"delta":{"content":[1]}}]}"#] {
            assert!(matches!(decode_event(json.as_bytes()), Err(DecodeError::WrongShape(..))), "{json}");
        }
        for json in ["[DONE", "{", "data", r#"{"choices":[]}{}"#] {
            assert!(matches!(decode_event(json.as_bytes()), Err(DecodeError::NotJson(..))), "{json}");
        }
        assert!(matches!(decode_event(b"{\"choices\":[{\"text\":\"\xff\"}]}"), Err(DecodeError::NotJson(..))));
    }
}
