//! Answers in OpenAI's shapes, which all gateways from MLflow 2.9 on give.

use serde::de::MapAccess;

use super::content::FieldNames;
use super::embeddings::{self, EmbeddingArray, EmbeddingFields, EmbeddingsResponse};
use super::json::{Lenient, Truth};
use super::objects::{Few, Fields, Object, once};
use super::reader::Raw;
use super::response::{self, DecodeError, Message, ModelResponse};
use super::{Task, agent};

pub(super) const NAMES: FieldNames = FieldNames { candidate_count: "n", inputs: "input" };

pub(super) fn decode(task: Task, body: &[u8]) -> Result<ModelResponse<'_>, DecodeError> {
    understood(response::parse(body)?, task, body)
}

fn understood<'a>(whole: Choices<'a>, task: Task, body: &'a [u8]) -> Result<ModelResponse<'a>, DecodeError> {
    let Choices { choices, error, messages, output, finish_reason } = whole;
    response::check_error(&error, body)?;
    let Some(Few(choices)) = choices.flatten() else {
        let agents = messages
            .or(output)
            .filter(|_| matches!(task, Task::Chat | Task::Responses))
            .ok_or_else(|| response::instead(body, "missing field `choices`"))?;
        let candidate =
            agent::candidate(agents.get(), finish_reason.name()).map_err(|why| response::wrong(why, body))?;
        return Ok(ModelResponse { candidates: vec![candidate] });
    };
    let candidates = choices.into_iter().map(|choice| {
        let message = choice.message.flatten().map(|Object(message)| message);
        response::candidate(task, message, choice.text, choice.finish_reason)
    });
    response::of(body, "choices", candidates)
}

/// What a body says that is in a chat's shape, whatever server sent it; `None` of any other body.
pub fn chat_answer(body: &[u8]) -> Option<ModelResponse<'_>> {
    // Without choices it may be in the shape of an agent, which others share.
    let whole: Choices = response::parse(body).ok()?;
    whole.choices.as_ref()?.as_ref()?;
    understood(whole, Task::Chat, body).ok()
}

pub(super) fn decode_vectors(
    body: &[u8],
    expected: usize,
    to: &mut EmbeddingArray,
) -> Result<EmbeddingsResponse, DecodeError> {
    embeddings::decode(body, expected, to, &EmbeddingFields { list: "data", metadata: None })
}

#[derive(Default)]
struct Choices<'a> {
    choices: Option<Option<Few<Choice<'a>>>>,
    error: Truth,
    messages: Option<Raw<'a>>,
    output: Option<Raw<'a>>,
    /// Of an agent.
    finish_reason: Lenient<'a>,
}

impl<'de> Fields<'de> for Choices<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "choices" => once(&mut self.choices, "choices", map)?,
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
            "message" => once(&mut self.message, "message", map)?,
            "text" => once(&mut self.text, "text", map)?,
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
        let answer = decode(task, body.as_bytes())?;
        Ok(answer.candidates.into_iter().next().unwrap().text.map(|text| text.0.into_owned()))
    }

    #[test]
    fn reads_what_3_17_2_answers() {
        let body = r#"{"id":null,"object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":" Paris","finish_reason":"stop"}],
            "usage":{"prompt_tokens":null,"completion_tokens":null,"total_tokens":null}}"#;
        assert_eq!(first_text(Task::Completions, body), Ok(Some(" Paris".to_owned())));
        let answer = decode(Task::Completions, body.as_bytes()).unwrap();
        assert_eq!(answer.candidates[0].finish_reason, Some(Text("stop".into())));
        let body = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"h\u00e9","tool_calls":null}}]}"#;
        assert_eq!(first_text(Task::Chat, body), Ok(Some("hé".to_owned())));
    }

    #[test]
    fn a_chat_may_have_no_text() {
        let body = r#"{"choices":[{"message":{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]},"finish_reason":"tool_calls"}]}"#;
        let answer = decode(Task::Chat, body.as_bytes()).unwrap();
        let candidate = &answer.candidates[0];
        assert!(candidate.text.is_none());
        assert_eq!(candidate.finish_reason, Some(Text("tool_calls".into())));
        let calls = candidate.tool_calls.as_ref().unwrap();
        assert_eq!(calls.calls.len(), 1);
        assert_eq!(first_text(Task::Chat, r#"{"choices":[{"message":{"content":null}}]}"#), Ok(None));
    }

    #[test]
    fn each_wrong_answer_is_told_apart() {
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
    fn a_wrong_answer_is_shown_in_short() {
        let DecodeError::NotJson(_, shown) = first_text(Task::Chat, &"é\n".repeat(500)).unwrap_err() else { panic!() };
        assert_eq!(shown.chars().count(), 121);
        assert!(shown.ends_with('…') && !shown.contains('\n'));
    }
}
