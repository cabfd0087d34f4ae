//! Responses and events in OpenAI's format, which all gateways from MLflow 2.9 on send; and those of agents, which may
//! be served by any of them.

use serde::de::MapAccess;

use super::chunk::{self, Chunk, Event, RawChunk};
use super::content::FieldNames;
use super::embeddings::{self, EmbeddingArray, EmbeddingFields, EmbeddingsResponse};
use super::json::{Lenient, Truthy};
use super::objects::{BoundedList, Fields, Object, read_once};
use super::reader::Raw;
use super::response::{self, DecodeError, Message, ModelResponse};
use super::{Task, message_list, responses_api};

pub(super) const FIELD_NAMES: FieldNames = FieldNames { candidate_count: "n", inputs: "input" };

/// Returns the path for requests of this task, below the base path of OpenAI's API.
pub(super) fn endpoint_path(task: Task) -> &'static str {
    match task {
        Task::Chat | Task::Responses => "/chat/completions",
        Task::Completions => "/completions",
        Task::Embeddings => "/embeddings",
    }
}

pub(super) fn decode(task: Task, body: &[u8]) -> Result<ModelResponse<'_>, DecodeError> {
    decode_choices(response::parse(body)?, task, body)
}

fn decode_choices<'a>(choices: Choices<'a>, task: Task, body: &'a [u8]) -> Result<ModelResponse<'a>, DecodeError> {
    let Choices { choices, error, messages, output, finish_reason } = choices;
    response::check_error(&error, body)?;
    let Some(BoundedList(choices)) = choices.flatten() else {
        let list = messages
            .or(output)
            .filter(|_| matches!(task, Task::Chat | Task::Responses))
            .ok_or_else(|| response::missing_field(body, "missing field `choices`"))?;
        let candidate = message_list::candidate(list.get(), finish_reason.name())
            .map_err(|why| response::wrong_shape(why, body))?;
        return Ok(ModelResponse { candidates: vec![candidate] });
    };
    let candidates = choices.into_iter().map(|choice| {
        let message = choice.message.flatten().map(|Object(message)| message);
        response::candidate(task, message, choice.text, choice.finish_reason)
    });
    response::with_candidates(body, "choices", candidates)
}

/// Decodes a body of any server that has the format of a chat response; `None` if it has another format.
pub fn decode_chat(body: &[u8]) -> Option<ModelResponse<'_>> {
    // The format without choices is too general to be recognized.
    let choices: Choices = response::parse(body).ok()?;
    choices.choices.as_ref()?.as_ref()?;
    decode_choices(choices, Task::Chat, body).ok()
}

pub(super) fn decode_embeddings(
    body: &[u8],
    expected: usize,
    to: &mut EmbeddingArray,
) -> Result<EmbeddingsResponse, DecodeError> {
    embeddings::decode(body, expected, to, &EmbeddingFields { list: "data", metadata: None })
}

pub(super) fn decode_event(data: &[u8]) -> Result<Event<'_>, DecodeError> {
    let data = data.trim_ascii();
    if data == chunk::DONE {
        return Ok(Event::Done);
    }
    if data.is_empty() {
        return Ok(Event::Chunk(Chunk::default()));
    }
    let chunk: RawChunk = response::parse(data)?;
    if chunk.lacks_choices() {
        if let Some(event) = responses_api::decode_event(&chunk.kind, chunk.delta, chunk.item, data) {
            return event;
        }
    }
    chunk.decode(data)
}

#[derive(Default)]
struct Choices<'a> {
    choices: Option<Option<BoundedList<Choice<'a>>>>,
    error: Truthy,
    messages: Option<Raw<'a>>,
    output: Option<Raw<'a>>,
    /// Sent by agents.
    finish_reason: Lenient<'a>,
}

impl<'de> Fields<'de> for Choices<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "choices" => read_once(&mut self.choices, "choices", map)?,
            "error" => self.error = map.next_value()?,
            "messages" => self.messages = map.next_value()?,
            "output" => self.output = map.next_value()?,
            "finish_reason" => self.finish_reason = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[derive(Default)]
struct Choice<'a> {
    message: Option<Option<Object<Message<'a>>>>,
    text: Option<Raw<'a>>,
    finish_reason: Lenient<'a>,
}

impl<'de> Fields<'de> for Choice<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "message" => read_once(&mut self.message, "message", map)?,
            "text" => read_once(&mut self.text, "text", map)?,
            "finish_reason" => self.finish_reason = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::strings::Text;
    use super::*;

    fn first_text(task: Task, body: &str) -> Result<Option<String>, DecodeError> {
        let response = decode(task, body.as_bytes())?;
        Ok(response.candidates.into_iter().next().unwrap().text.map(|text| text.0.into_owned()))
    }

    #[test]
    fn responses_of_mlflow_3_17_2_are_decoded() {
        let body = r#"{"id":null,"object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":" Paris","finish_reason":"stop"}],
            "usage":{"prompt_tokens":null,"completion_tokens":null,"total_tokens":null}}"#;
        assert_eq!(first_text(Task::Completions, body), Ok(Some(" Paris".to_owned())));
        let response = decode(Task::Completions, body.as_bytes()).unwrap();
        assert_eq!(response.candidates[0].finish_reason, Some(Text("stop".into())));
        let body = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"h\u00e9","tool_calls":null}}]}"#;
        assert_eq!(first_text(Task::Chat, body), Ok(Some("hé".to_owned())));
    }

    #[test]
    fn chat_response_may_have_no_text() {
        let body = r#"{"choices":[{"message":{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]},"finish_reason":"tool_calls"}]}"#;
        let response = decode(Task::Chat, body.as_bytes()).unwrap();
        let candidate = &response.candidates[0];
        assert!(candidate.text.is_none());
        assert_eq!(candidate.finish_reason, Some(Text("tool_calls".into())));
        let calls = candidate.tool_calls.as_ref().unwrap();
        assert_eq!(calls.calls.len(), 1);
        assert_eq!(first_text(Task::Chat, r#"{"choices":[{"message":{"content":null}}]}"#), Ok(None));
    }

    #[test]
    fn each_kind_of_wrong_response_has_its_error() {
        use DecodeError::*;
        let of = |body: &str| first_text(Task::Completions, body).unwrap_err();
        assert_eq!(of(" <!doctype html><p>hello"), Html);
        assert!(matches!(of(""), NotJson(..)));
        assert!(matches!(of("{\"choices\":[{\"text\":\"Par"), NotJson(..)));
        assert!(matches!(of("hello"), NotJson(..)));
        assert!(matches!(of("{\"choices\":[]} trailing"), NotJson(..)));
        let not_utf8 = decode(Task::Chat, b"{\"x\":\"\xff\"}").unwrap_err();
        assert!(matches!(not_utf8, NotJson(why, _) if why.contains("offset 6")));
        assert_eq!(of(r#"{"choices":[]}"#), NoCandidates);
        for body in [
            "null",
            "[]",
            r#"[[{"text":"x"}]]"#,
            "{}",
            r#"{"candidates":[{"text":"x"}]}"#,
            r#"{"choices":null}"#,
            r#"{"choices":[{}]}"#,
            r#"{"choices":[{"text":null}]}"#,
            r#"{"choices":[{"message":{"content":"x"}}]}"#,
            r#"{"choices":[{"text":"a"}],"choices":[]}"#,
        ] {
            assert!(matches!(of(body), WrongShape(..)), "{body}: {:?}", of(body));
        }
        assert!(first_text(Task::Chat, r#"{"choices":[{"message":{"role":"assistant"}}]}"#).is_err());
        assert!(first_text(Task::Chat, r#"{"choices":[{"text":"x"}]}"#).is_err());
    }

    #[test]
    fn wrong_response_is_quoted_as_an_excerpt() {
        let DecodeError::NotJson(_, excerpt) = first_text(Task::Chat, &"é\n".repeat(500)).unwrap_err() else {
            panic!()
        };
        assert_eq!(excerpt.chars().count(), 121);
        assert!(excerpt.ends_with('…') && !excerpt.contains('\n'));
    }
}
