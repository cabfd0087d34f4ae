//! The events of a stream: OpenAI's chunks, alike in all dialects that stream.

use std::borrow::Cow;

use serde::de::MapAccess;

use super::error_response::ErrorResponse;
use super::json::{Lenient, MessageContent, Truth, field, string_or_null, without_place};
use super::objects::{Few, Fields, LenientObject, Object, once};
use super::reader::{self, Raw};
use super::reasoning::{Reasoning, ReasoningFields};
use super::response::{DecodeError, parse, wrong};
use super::responses;
use super::strings::{Fragment, Text};
use super::tools::{self, ToolCall};
use super::usage::{Usage, UsageFields};

/// The data of the event that ends a stream: Databricks sends it, and MLflow from 3.18 on.
const DONE: &[u8] = b"[DONE]";

/// What one event says.
#[derive(Debug)]
pub enum Event<'a> {
    Chunk(Chunk<'a>),
    /// A chunk that only adds a text to a candidate that has begun.
    Text(u64, Cow<'a, str>),
    /// A whole item of an agent, whose text may have come in pieces before.
    Item(Piece<'a>),
    /// A chunk that only adds reasoning to it.
    Reasoning(u64, Cow<'a, str>),
    /// The model or the gateway failed in the middle of its answer.
    Error(ErrorResponse),
    /// The answer is complete.
    Done,
}

/// Pieces of the candidates, and what is known of the whole.
#[derive(Debug, Default)]
pub struct Chunk<'a> {
    pub id: Option<Text<'a>>,
    pub model: Option<Text<'a>>,
    pub usage: Option<Usage>,
    pub pieces: Vec<Piece<'a>>,
}

/// What a chunk adds to one candidate.
#[derive(Debug, Default)]
pub struct Piece<'a> {
    pub candidate: u64,
    pub role: Option<Text<'a>>,
    pub text: Option<Fragment<'a>>,
    pub reasoning: Option<Reasoning<'a>>,
    pub refusal: Option<Fragment<'a>>,
    pub finish_reason: Option<Text<'a>>,
    pub tool_calls: Vec<ToolCall<'a>>,
}

/// Whether the data of an event says that the stream is complete.
pub fn is_done(data: &[u8]) -> bool {
    data.trim_ascii() == DONE
}

/// Understands the data of an event. An object that says nothing of all this is an empty chunk: servers send such to
/// keep a connection alive.
pub(super) fn event(data: &[u8]) -> Result<Event<'_>, DecodeError> {
    let data = data.trim_ascii();
    if data == DONE {
        return Ok(Event::Done);
    }
    if data.is_empty() {
        return Ok(Event::Chunk(Chunk::default()));
    }
    let RawChunk { choices, agent, item, kind, id, model, usage, error } = parse(data)?;
    let choices = choices.flatten();
    if choices.is_none() && !error.0 {
        if let Some(event) = responses::event(&kind, agent, item, data) {
            return event;
        }
    }
    let choices = match choices {
        _ if error.0 => return Ok(Event::Error(ErrorResponse::in_success(data))),
        Some(Few(choices)) => choices,
        // What an agent sends is a choice in itself; the delta of others may be anything.
        None if agent.is_some_and(|delta| delta.get().starts_with('{')) => vec![parse::<RawChoice>(data)?],
        None if ErrorResponse::is_in(data) => return Ok(Event::Error(ErrorResponse::in_success(data))),
        None => Vec::new(),
    };
    let pieces = choices
        .into_iter()
        .enumerate()
        .map(|(at, choice)| piece(at, choice).map_err(|why| wrong(format!("choices[{at}]{why}"), data)));
    let pieces = pieces.collect::<Result<_, _>>()?;
    let usage = usage.0.map(Usage::from).filter(Usage::is_known);
    Ok(Event::Chunk(Chunk { id: id.name(), model: model.name(), usage, pieces }))
}

fn piece(place: usize, choice: RawChoice<'_>) -> Result<Piece<'_>, String> {
    // Some servers write a message where others write a delta.
    let Object(delta) = match choice.delta.flatten() {
        Some(delta) => delta,
        None => field(".message", choice.message, message)?.flatten().unwrap_or_default(),
    };
    // The results of tools, which an agent shows as well, are not the model's words.
    let content = field(".delta.content", delta.content, MessageContent::of_json)?.unwrap_or_default();
    let words = content.text.filter(|_| !delta.role.is("tool"));
    let text = field(".text", choice.text, string_or_null)?.flatten();
    let calls = field(".delta.tool_calls", delta.tool_calls, tools::all)?.flatten();
    Ok(Piece {
        candidate: choice.index.count().unwrap_or(place as u64),
        role: delta.role.name(),
        text: words.or(text),
        reasoning: delta.reasoning.first().or(content.reasoning),
        refusal: delta.refusal.and_then(|json| Fragment::of_json(json.get())).or(content.refusal),
        finish_reason: choice.finish_reason.name(),
        tool_calls: calls.map(|calls| calls.calls).unwrap_or_default(),
    })
}

fn message(json: &str) -> Result<Option<Object<RawDelta<'_>>>, String> {
    reader::from_str(json).map_err(|error| without_place(&error))
}

#[derive(Default)]
struct RawChunk<'a> {
    choices: Option<Option<Few<RawChoice<'a>>>>,
    /// The delta of an agent on Databricks, which has no choices.
    agent: Option<Raw<'a>>,
    item: Option<Raw<'a>>,
    /// The type of an event of an agent.
    kind: Lenient<'a>,
    id: Lenient<'a>,
    model: Lenient<'a>,
    usage: LenientObject<UsageFields>,
    error: Truth,
}

impl<'de> Fields<'de> for RawChunk<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "choices" => once(&mut self.choices, "choices", map)?,
            "id" => self.id = map.next_value()?,
            "model" => self.model = map.next_value()?,
            "usage" => self.usage = map.next_value()?,
            "error" => self.error = map.next_value()?,
            "delta" => self.agent = map.next_value()?,
            "item" => self.item = map.next_value()?,
            "type" => self.kind = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[derive(Default)]
struct RawChoice<'a> {
    index: Lenient<'a>,
    /// Of a chat.
    delta: Option<Option<Object<RawDelta<'a>>>>,
    message: Option<Raw<'a>>,
    /// Of completions.
    text: Option<Raw<'a>>,
    finish_reason: Lenient<'a>,
}

impl<'de> Fields<'de> for RawChoice<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "index" => self.index = map.next_value()?,
            "delta" => once(&mut self.delta, "delta", map)?,
            "message" => once(&mut self.message, "message", map)?,
            "text" => once(&mut self.text, "text", map)?,
            "finish_reason" => self.finish_reason = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
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
            "content" => once(&mut self.content, "content", map)?,
            "tool_calls" => once(&mut self.tool_calls, "tool_calls", map)?,
            "refusal" => self.refusal = Some(map.next_value()?),
            name => return self.reasoning.read(name, map),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::reasoning::ReasoningForm;
    use super::*;

    fn chunk(json: &str) -> Chunk<'_> {
        match event(json.as_bytes()) {
            Ok(Event::Chunk(chunk)) => chunk,
            other => panic!("{json}: {other:?}"),
        }
    }

    fn text_of<'a>(chunk: &'a Chunk) -> Option<&'a str> {
        chunk.pieces[0].text.as_ref().map(|fragment| fragment.text.0.as_ref())
    }

    #[test]
    fn reads_reasoning_and_refusals() {
        let of = |delta: &str| {
            let json = format!(r#"{{"id":"x","choices":[{{"delta":{delta}}}]}}"#);
            let piece = chunk(&json).pieces.remove(0);
            let refusal = piece.refusal.map(|refusal| refusal.text.0.into_owned());
            (piece.reasoning.map(|it| (it.form, it.text.text.0.into_owned())), refusal)
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
    fn reads_what_3_17_2_sends() {
        let first = r#"{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"finish_reason":null,"delta":{"role":"assistant","content":null,"tool_calls":null}}],"usage":null}"#;
        let first = chunk(first);
        assert_eq!(first.model, Some(Text("m".into())));
        assert_eq!(first.usage, None);
        let piece = &first.pieces[0];
        assert_eq!((piece.candidate, &piece.role, &piece.text), (0, &Some(Text("assistant".into())), &None));
        let last = chunk(r#"{"choices":[{"index":1,"finish_reason":"stop","delta":{}}]}"#);
        assert_eq!((last.pieces[0].candidate, &last.pieces[0].finish_reason), (1, &Some(Text("stop".into()))));
        let text = chunk(r#"{"choices":[{"text":" a\n","finish_reason":null}]}"#);
        assert_eq!(text_of(&text), Some(" a\n"));
        let usage = chunk(r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":null,"total_tokens":0}}"#);
        let expected = Usage { input: Some(3), total: Some(0), ..Usage::default() };
        assert_eq!(usage.usage, Some(expected));
    }

    #[test]
    fn reads_fragments_of_tool_calls() {
        let json =
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{\"a\""}}]}}]}"#;
        let chunk = chunk(json);
        let call = &chunk.pieces[0].tool_calls[0];
        assert_eq!((call.index, &call.arguments), (Some(1), &Some(Text("{\"a\"".into()))));
    }

    #[test]
    fn tells_errors_from_what_says_nothing() {
        for (json, words) in [
            (r#"{"error":{"message":"no luck","type":"ClientConnectorError"}}"#, "no luck"),
            (r#"{"error":"plain"}"#, "plain"),
            (r#"{"error_code":"X","message":"m"}"#, "m"),
            (r#"{"detail":"d"}"#, "d"),
            (r#"{"object":"error","message":"boom","code":400}"#, "boom"),
            (r#"{"choices":[{"delta":{"content":""},"finish_reason":"error"}],"error":{"message":"m"}}"#, "m"),
        ] {
            let Ok(Event::Error(refusal)) = event(json.as_bytes()) else { panic!("{json}") };
            assert_eq!(refusal.words.as_deref(), Some(words));
        }
        assert_eq!(text_of(&chunk(r#"{"choices":[{"text":"a"}],"usage":7}"#)), Some("a"));
        for json in ["", " \n ", "{}", r#"{"type":"ping"}"#, r#"{"error":null}"#] {
            assert!(chunk(json).pieces.is_empty(), "{json}");
        }
        assert!(matches!(event(b"[DONE]"), Ok(Event::Done)));
        assert!(matches!(event(b" [DONE]\n"), Ok(Event::Done)));
    }

    #[test]
    fn agent_of_responses_sends_pieces_and_then_items() {
        let delta = r#"{"type":"response.output_text.delta","item_id":"m","delta":"a\n"}"#;
        assert_eq!(chunk(delta).pieces[0].text, Some(Fragment::from(Cow::from("a\n"))));
        let item = r#"{"type":"response.output_item.done","item":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"ab"}]}}"#;
        let Ok(Event::Item(piece)) = event(item.as_bytes()) else { panic!() };
        assert_eq!(piece.text, Some(Fragment::from(Cow::from("ab"))));
        let work =
            r#"{"type":"response.output_item.done","item":{"type":"function_call","name":"f","arguments":"{}"}}"#;
        assert!(chunk(work).pieces.is_empty());
        for end in ["response.completed", "response.incomplete"] {
            let data = format!(r#"{{"type":"{end}","response":{{"output":[]}}}}"#);
            assert!(matches!(event(data.as_bytes()), Ok(Event::Done)));
        }
        let failed = br#"{"type":"response.failed","response":{"error":{"message":"m"}}}"#;
        assert!(matches!(event(failed), Ok(Event::Error(_))));
        let wrong = br#"{"type":"response.output_text.delta","delta":{"text":"a"}}"#;
        assert!(matches!(event(wrong), Err(DecodeError::WrongShape(..))));
        assert!(chunk(r#"{"type":"response.created","response":{}}"#).pieces.is_empty());
    }

    #[test]
    fn what_is_no_chunk_is_said_to_be_none() {
        let many = format!(r#"{{"choices":[{}]}}"#, vec!["{}"; 1025].join(","));
        assert!(matches!(event(many.as_bytes()), Err(DecodeError::WrongShape(..))));
        assert!(matches!(event(br#"{"choices":[[0,{"content":"x"},null,"stop"]]}"#), Err(DecodeError::WrongShape(..))));
        for json in ["[]", "null", "1", "\"a\"", r#"{"choices":[1]}"#, r#"{"choices":[{"delta":{"content":[1]}}]}"#] {
            assert!(matches!(event(json.as_bytes()), Err(DecodeError::WrongShape(..))), "{json}");
        }
        for json in ["[DONE", "{", "data", r#"{"choices":[]}{}"#] {
            assert!(matches!(event(json.as_bytes()), Err(DecodeError::NotJson(..))), "{json}");
        }
        assert!(matches!(event(b"{\"choices\":[{\"text\":\"\xff\"}]}"), Err(DecodeError::NotJson(..))));
    }
}
