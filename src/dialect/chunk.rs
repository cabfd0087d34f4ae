//! The events of a stream: OpenAI's chunks, alike in all dialects that stream.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::{Malformed, malformed, parse};
use super::json::{Lenient, Text, Words};
use super::objects::{Few, LenientObject, Object};
use super::refusal::Refusal;
use super::tools::{self, ToolCall};
use super::usage::{OpenAiUsage, Usage};

/// The data of the event that ends a stream: Databricks sends it, and MLflow from 3.18 on.
const DONE: &[u8] = b"[DONE]";

/// As much of an error is understood.
const MAX_ERROR: usize = 64 * 1024;

/// What one event says.
#[derive(Debug)]
pub enum Event<'a> {
    Chunk(Chunk<'a>),
    /// A chunk that only adds a text to a candidate that has begun.
    Text(u64, &'a str),
    /// The model or the gateway failed in the middle of its answer.
    Error(Refusal),
    /// The answer is complete.
    Done,
}

/// Pieces of the candidates, and what is known of the whole.
#[derive(Debug, Default)]
pub struct Chunk<'a> {
    pub model: Option<Text<'a>>,
    pub usage: Option<Usage>,
    pub pieces: Vec<Piece<'a>>,
}

/// What a chunk adds to one candidate.
#[derive(Debug)]
pub struct Piece<'a> {
    pub candidate: u64,
    pub role: Option<Text<'a>>,
    pub text: Option<Text<'a>>,
    pub finish_reason: Option<Text<'a>>,
    pub tool_calls: Vec<ToolCall<'a>>,
}

/// Understands the data of an event. An object that says nothing of all this is an empty chunk: servers send such to
/// keep a connection alive.
pub(super) fn event(data: &[u8]) -> Result<Event<'_>, Malformed> {
    let data = data.trim_ascii();
    if data == DONE {
        return Ok(Event::Done);
    }
    if data.is_empty() {
        return Ok(Event::Chunk(Chunk::default()));
    }
    let raw: RawChunk = parse(data)?;
    let is_error = raw.error_code.is_some() || raw.detail.is_some() || raw.object.is("error");
    if raw.error.is_some() || (raw.choices.is_none() && is_error) {
        // A tree is made of it, so there has to be an end to it; no error says so much.
        return Ok(Event::Error(Refusal::read(200, &data[..data.len().min(MAX_ERROR)])));
    }
    let choices = raw.choices.map(|choices| choices.0).unwrap_or_default();
    let pieces = choices.into_iter().enumerate().map(piece).collect::<Result<_, _>>();
    let pieces = pieces.map_err(|error| malformed(&error, data))?;
    Ok(Event::Chunk(Chunk { model: raw.model.text(), usage: raw.usage.0.map(Usage::from), pieces }))
}

fn piece<'a>((place, choice): (usize, RawChoice<'a>)) -> Result<Piece<'a>, serde_json::Error> {
    let delta = choice.delta.map(|delta| delta.0).unwrap_or_default();
    let calls = delta.tool_calls.map(tools::all).transpose()?.flatten();
    Ok(Piece {
        candidate: choice.index.count().unwrap_or(place as u64),
        role: delta.role.text(),
        text: delta.content.map(|words| words.0).or(choice.text),
        finish_reason: choice.finish_reason.text(),
        tool_calls: calls.map(|calls| calls.calls).unwrap_or_default(),
    })
}

#[derive(Deserialize)]
struct RawChunk<'a> {
    #[serde(borrow, default)]
    choices: Option<Few<RawChoice<'a>>>,
    #[serde(borrow, default)]
    model: Lenient<'a>,
    #[serde(default)]
    usage: LenientObject<OpenAiUsage>,
    #[serde(borrow, default)]
    object: Lenient<'a>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error_code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    detail: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawChoice<'a> {
    #[serde(borrow, default)]
    index: Lenient<'a>,
    /// Of a chat.
    #[serde(borrow, default)]
    delta: Option<Object<RawDelta<'a>>>,
    /// Of completions.
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    finish_reason: Lenient<'a>,
}

#[derive(Default, Deserialize)]
struct RawDelta<'a> {
    #[serde(borrow, default)]
    role: Lenient<'a>,
    #[serde(borrow, default)]
    content: Option<Words<'a>>,
    #[serde(borrow, default)]
    tool_calls: Option<&'a RawValue>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(json: &str) -> Chunk<'_> {
        match event(json.as_bytes()) {
            Ok(Event::Chunk(chunk)) => chunk,
            other => panic!("{json}: {other:?}"),
        }
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
        assert_eq!(text.pieces[0].text, Some(Text(" a\n".into())));
        let usage = chunk(r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":null,"total_tokens":0}}"#);
        let expected = Usage { input_tokens: Some(3), output_tokens: None, total_tokens: Some(0) };
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
        assert_eq!(chunk(r#"{"choices":[{"text":"a"}],"usage":7}"#).pieces[0].text, Some(Text("a".into())));
        for json in ["", " \n ", "{}", r#"{"type":"ping"}"#, r#"{"error":null}"#] {
            assert!(chunk(json).pieces.is_empty(), "{json}");
        }
        assert!(matches!(event(b"[DONE]"), Ok(Event::Done)));
        assert!(matches!(event(b" [DONE]\n"), Ok(Event::Done)));
    }

    #[test]
    fn what_is_no_chunk_is_said_to_be_none() {
        let many = format!(r#"{{"choices":[{}]}}"#, vec!["{}"; 1025].join(","));
        assert!(matches!(event(many.as_bytes()), Err(Malformed::WrongShape(..))));
        assert!(matches!(event(br#"{"choices":[[0,{"content":"x"},null,"stop"]]}"#), Err(Malformed::WrongShape(..))));
        for json in ["[]", "null", "1", "\"a\"", r#"{"choices":[1]}"#, r#"{"choices":[{"delta":{"content":[1]}}]}"#] {
            assert!(matches!(event(json.as_bytes()), Err(Malformed::WrongShape(..))), "{json}");
        }
        for json in ["[DONE", "{", "data", r#"{"choices":[]}{}"#] {
            assert!(matches!(event(json.as_bytes()), Err(Malformed::NotJson(..))), "{json}");
        }
        assert!(matches!(event(b"{\"choices\":[{\"text\":\"\xff\"}]}"), Err(Malformed::NotJson(..))));
    }
}
