//! The AI Gateway of MLflow 2.5 to 2.8: `candidates`.

use serde::Deserialize;

use super::answer::{self, Answer, Malformed, Message};
use super::json::{Count, Lenient, Text};
use super::objects::{Few, LenientObject, Object};
use super::question::Names;
use super::usage::Usage;
use super::vectors::{self, VectorNames, Vectors, VectorsAnswer};
use super::{Dialect, Task, segment};

#[derive(Debug)]
pub struct Gateway;

impl Dialect for Gateway {
    fn name(&self) -> &'static str {
        "gateway"
    }

    fn route_path(&self, route: &str) -> String {
        format!("/api/2.0/gateway/routes/{}", segment(route))
    }

    fn route_task(&self, body: &[u8]) -> Option<Task> {
        #[derive(Deserialize)]
        struct Route<'a> {
            #[serde(borrow)]
            route_type: Text<'a>,
        }
        Task::of_type(&answer::parse::<Route>(body).ok()?.route_type.0)
    }

    fn invocations_path(&self, route: &str) -> String {
        ["/gateway/", &segment(route), "/invocations"].concat()
    }

    fn names(&self) -> Names {
        Names { candidate_count: "candidate_count", inputs: "text" }
    }

    fn decode<'a>(&self, task: Task, body: &'a [u8]) -> Result<Answer<'a>, Malformed> {
        let Candidates { candidates, metadata } = answer::parse(body)?;
        let (model, usage) = metadata.0.unwrap_or_default().understood();
        let candidates = candidates.0.into_iter().map(|one: Candidate| {
            let finish_reason = one.metadata.0.map(|ending| ending.finish_reason).unwrap_or_default();
            answer::candidate(task, one.message.map(|message| message.0), one.text, finish_reason)
        });
        answer::of(body, model, usage, candidates)
    }

    fn decode_vectors(&self, body: &[u8], expected: usize, to: &mut Vectors) -> Result<VectorsAnswer, Malformed> {
        vectors::decode(body, expected, to, &VectorNames { list: "embeddings", metadata: Some("metadata") })
    }

    fn streams(&self) -> bool {
        false
    }
}

#[derive(Deserialize)]
struct Candidates<'a> {
    #[serde(borrow)]
    candidates: Few<Candidate<'a>>,
    #[serde(borrow, default)]
    metadata: LenientObject<Metadata<'a>>,
}

#[derive(Deserialize)]
struct Candidate<'a> {
    #[serde(borrow, default)]
    message: Option<Object<Message<'a>>>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    metadata: LenientObject<Ending<'a>>,
}

/// What is said of one candidate.
#[derive(Deserialize)]
struct Ending<'a> {
    #[serde(borrow, default)]
    finish_reason: Lenient<'a>,
}

/// What is said of the whole answer.
#[derive(Default, Deserialize)]
pub(super) struct Metadata<'a> {
    #[serde(borrow, default)]
    model: Lenient<'a>,
    #[serde(default)]
    input_tokens: Count,
    #[serde(default)]
    output_tokens: Count,
    #[serde(default)]
    total_tokens: Count,
}

impl<'a> Metadata<'a> {
    pub fn understood(self) -> (Option<Text<'a>>, Usage) {
        let usage = Usage {
            input_tokens: self.input_tokens.0,
            output_tokens: self.output_tokens.0,
            total_tokens: self.total_tokens.0,
        };
        (self.model.text(), usage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_2_8_1_answers() {
        let body = br#"{"candidates":[{"text":"a \"b\"","metadata":{"finish_reason":"length"}},{"text":"c","metadata":null}],
            "metadata":{"input_tokens":35,"output_tokens":8,"total_tokens":43,"model":"m","route_type":"llm/v1/completions"}}"#;
        assert_eq!(texts(Gateway.decode(Task::Completions, body)), ["a \"b\"", "c"]);
        let answer = Gateway.decode(Task::Completions, body).unwrap();
        let usage = Usage { input_tokens: Some(35), output_tokens: Some(8), total_tokens: Some(43) };
        assert_eq!((answer.usage, answer.model), (usage, Some(Text("m".into()))));
        let reasons: Vec<_> = answer.candidates.into_iter().map(|candidate| candidate.finish_reason).collect();
        assert_eq!(reasons, [Some(Text("length".into())), None]);
        let body = br#"{"candidates":[{"message":{"role":"assistant","content":"hi"},"metadata":{}}],"metadata":{}}"#;
        assert_eq!(texts(Gateway.decode(Task::Chat, body)), ["hi"]);
    }

    #[test]
    fn tells_what_a_route_is_for() {
        let route = br#"{"name":"c","route_type":"llm/v1/chat","model":{"name":"m","provider":"openai"},"route_url":"/gateway/c/invocations"}"#;
        assert_eq!(Gateway.route_task(route), Some(Task::Chat));
        assert_eq!(Gateway.route_task(br#"{"name":"c","endpoint_type":"llm/v1/chat"}"#), None);
        assert_eq!(Gateway.route_task(b"<html>"), None);
        assert_eq!(Gateway.route_task(br#"{"route_type":"llm/v9/song"}"#), None);
    }

    fn texts(answer: Result<Answer, Malformed>) -> Vec<String> {
        answer.unwrap().candidates.into_iter().map(|candidate| candidate.text.unwrap().0.into_owned()).collect()
    }
}
