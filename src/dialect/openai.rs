//! Answers in OpenAI's shapes, which all gateways from MLflow 2.9 on give.

use serde::Deserialize;

use super::Task;
use super::answer::{self, Answer, Malformed, Message};
use super::json::{Lenient, Text};
use super::objects::{Few, LenientObject, Object};
use super::question::Names;
use super::usage::{OpenAiUsage, Usage};
use super::vectors::{self, VectorNames, Vectors, VectorsAnswer};

pub(super) const NAMES: Names = Names { candidate_count: "n", inputs: "input" };

pub(super) fn decode(task: Task, body: &[u8]) -> Result<Answer<'_>, Malformed> {
    let Choices { choices, model, usage } = answer::parse(body)?;
    let candidates = choices.0.into_iter().map(|choice| {
        answer::candidate(task, choice.message.map(|message| message.0), choice.text, choice.finish_reason)
    });
    answer::of(body, model.text(), usage.0.map(Usage::from).unwrap_or_default(), candidates)
}

pub(super) fn decode_vectors(body: &[u8], expected: usize, to: &mut Vectors) -> Result<VectorsAnswer, Malformed> {
    vectors::decode(body, expected, to, &VectorNames { list: "data", metadata: None })
}

#[derive(Deserialize)]
struct Choices<'a> {
    #[serde(borrow)]
    choices: Few<Choice<'a>>,
    #[serde(borrow, default)]
    model: Lenient<'a>,
    #[serde(default)]
    usage: LenientObject<OpenAiUsage>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    message: Option<Object<Message<'a>>>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    finish_reason: Lenient<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_text(task: Task, body: &str) -> Result<Option<String>, Malformed> {
        let answer = decode(task, body.as_bytes())?;
        Ok(answer.candidates.into_iter().next().unwrap().text.map(|text| text.0.into_owned()))
    }

    #[test]
    fn reads_what_3_17_2_answers() {
        let body = r#"{"id":null,"object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":" Paris","finish_reason":"stop"}],
            "usage":{"prompt_tokens":null,"completion_tokens":null,"total_tokens":null}}"#;
        assert_eq!(first_text(Task::Completions, body), Ok(Some(" Paris".to_owned())));
        let answer = decode(Task::Completions, body.as_bytes()).unwrap();
        assert_eq!((answer.usage, answer.model), (Usage::default(), Some(Text("m".into()))));
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
        assert_eq!((calls.json, calls.calls.len()), (r#"[{"id":"1"}]"#, 1));
        assert_eq!(first_text(Task::Chat, r#"{"choices":[{"message":{"content":null}}]}"#), Ok(None));
    }

    #[test]
    fn each_wrong_answer_is_told_apart() {
        use Malformed::*;
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
        let Malformed::NotJson(_, shown) = first_text(Task::Chat, &"é\n".repeat(500)).unwrap_err() else { panic!() };
        assert_eq!(shown.chars().count(), 121);
        assert!(shown.ends_with('…') && !shown.contains('\n'));
    }
}
