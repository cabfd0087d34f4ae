//! The AI Gateway of MLflow 2.5 to 2.8: `candidates`.

use serde::Deserialize;

use super::answer::{self, Answer, Candidate, Malformed, Message};
use super::json::Text;
use super::{Dialect, Params, Task, question, segment};

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
        Task::of_type(&serde_json::from_slice::<Route>(body).ok()?.route_type.0)
    }

    fn invocations_path(&self, route: &str) -> String {
        format!("/gateway/{}/invocations", segment(route))
    }

    fn encode_prompt(&self, task: Task, prompt: &str, params: &Params) -> Vec<u8> {
        question::prompt(task, prompt, params, "candidate_count")
    }

    fn decode<'a>(&self, task: Task, body: &'a [u8]) -> Result<Answer<'a>, Malformed> {
        if task == Task::Chat {
            let chat: Candidates<Chat> = answer::parse(body)?;
            answer::of(chat.candidates.into_iter().map(|candidate| candidate.message.into()))
        } else {
            let completions: Candidates<Completion> = answer::parse(body)?;
            answer::of(completions.candidates.into_iter().map(|candidate| Candidate::of_text(candidate.text)))
        }
    }
}

#[derive(Deserialize)]
struct Candidates<T> {
    candidates: Vec<T>,
}

#[derive(Deserialize)]
struct Chat<'a> {
    #[serde(borrow)]
    message: Message<'a>,
}

#[derive(Deserialize)]
struct Completion<'a> {
    #[serde(borrow)]
    text: Text<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_2_8_1_answers() {
        let body = br#"{"candidates":[{"text":"a \"b\"","metadata":{"finish_reason":"length"}},{"text":"c","metadata":null}],
            "metadata":{"input_tokens":35,"output_tokens":8,"total_tokens":43,"model":"m","route_type":"llm/v1/completions"}}"#;
        assert_eq!(texts(Gateway.decode(Task::Completions, body)), ["a \"b\"", "c"]);
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
