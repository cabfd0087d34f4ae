//! How the families of MLflow gateways speak: paths, request JSON out, answer JSON in. Pure functions, no I/O.

mod agent;
mod answer;
mod chunk;
mod databricks;
mod deployments;
mod floats;
#[cfg(fuzzing)]
pub mod fuzz;
mod gateway;
mod json;
mod media;
mod message;
mod number_lists;
mod oauth;
mod object_writer;
mod objects;
mod on_demand;
mod openai;
mod params;
mod pattern;
mod pointer;
mod question;
mod reasoning;
mod refusal;
mod routes;
mod scanner;
mod split_pairs;
mod strings;
mod tools;
mod tracking;
mod tree;
mod usage;
mod vectors;

use std::borrow::Cow;
use std::fmt;

pub use answer::{Answer, Candidate, Malformed, beginning};
pub use chunk::{Chunk, Event, Piece, is_done};
pub use media::Media;
pub use message::{Message, MessageProblem, Part};
pub use oauth::{METADATA_PATH, TOKEN_QUESTION, token, token_endpoint};
pub use on_demand::{Details, details, empty_arguments, messages};
pub use openai::chat_answer;
pub use params::{ParamProblem, Params};
pub use pattern::EventReader;
pub use pointer::{JsonKind, JsonPointer, JsonValue, PointerFault};
pub use question::{Body, Names, Question};
pub use reasoning::ReasoningForm;
pub use refusal::{Kind, Refusal};
pub use routes::{Change, Lookup, Order, Page, Route, Verb};
pub use scanner::JsonFault;
pub use strings::{Fragment, Text, quoted};
pub use tools::{Extras, ToolCall};
pub use usage::Usage;
pub use vectors::{Vectors, VectorsAnswer};

/// What a route is for, named as in MLflow's `route_type` and `endpoint_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Completions,
    Chat,
    Embeddings,
}

impl Task {
    pub fn as_str(self) -> &'static str {
        match self {
            Task::Completions => "llm/v1/completions",
            Task::Chat => "llm/v1/chat",
            Task::Embeddings => "llm/v1/embeddings",
        }
    }

    fn of_type(route_type: &str) -> Option<Task> {
        // Databricks' agents that are asked as chats are.
        if matches!(route_type, "agent/v1/chat" | "agent/v2/chat") {
            return Some(Task::Chat);
        }
        [Task::Completions, Task::Chat, Task::Embeddings].into_iter().find(|task| task.as_str() == route_type)
    }
}

impl PartialEq for dyn Dialect {
    fn eq(&self, other: &dyn Dialect) -> bool {
        self.name() == other.name()
    }
}

/// A family of MLflow gateways. What it does not say otherwise is as most of them do it: in OpenAI's shapes.
pub trait Dialect: fmt::Debug + Sync {
    /// The value of the option `dialect` that forces it.
    fn name(&self) -> &'static str;

    /// Where to ask about one route.
    fn route_path(&self, route: &str) -> String;

    /// What the answer from there says.
    fn route(&self, name: &str, body: &[u8]) -> Lookup;

    /// Where to ask for the list of all routes, or the part of it that an earlier part named.
    fn list_path(&self, page: Option<&str>) -> String;

    /// What the answer from there says; `None` if it is no such answer.
    fn list(&self, body: &[u8]) -> Option<Page>;

    /// Where to ask for a list that tells more, but that not everybody may see.
    fn details_path(&self) -> Option<&'static str> {
        None
    }

    /// What the answer from there says; `None` if it is no such answer.
    fn details(&self, _body: &[u8]) -> Option<Page> {
        None
    }

    /// Whether a route that is not there is one that is forbidden, to those who may not see all.
    fn refuses_unknown_routes(&self) -> bool {
        false
    }

    /// Where to ask whether the server is well.
    fn health_path(&self, _route: &str) -> String {
        "/health".to_owned()
    }

    /// What the answer from there says; `None` if it is no such answer.
    fn is_healthy(&self, body: &[u8]) -> Option<bool> {
        if body.trim_ascii().eq_ignore_ascii_case(b"ok") {
            return Some(true);
        }
        Some(routes::object(body)?["status"].as_str()? == "OK")
    }

    /// How to ask for a change; `None` if such servers cannot be asked for it.
    fn order(&self, change: Change) -> Option<Order>;

    /// The limits in the answer to [`Change::GetLimits`].
    fn limits(&self, body: String) -> String {
        body
    }

    /// Where to send a question.
    fn invocations_path(&self, route: &str) -> String;

    /// What a route is asked for of which the server does not tell what it is for.
    fn task_for(&self, likely: Task) -> Task {
        likely
    }

    /// Whether a route is for one task alone.
    fn has_one_task(&self) -> bool {
        true
    }

    /// What it calls the things that all dialects have.
    fn names(&self) -> Names {
        openai::NAMES
    }

    /// The request's JSON for a question to a route of this task.
    fn encode(&self, question: Question, task: Task, params: &Params, is_streamed: bool) -> Vec<u8> {
        question::encode(question, task, params, is_streamed, self.names())
    }

    /// What a successful answer from a route of this task, which gives text, says.
    fn decode<'a>(&self, task: Task, body: &'a [u8]) -> Result<Answer<'a>, Malformed> {
        openai::decode(task, body)
    }

    /// Adds the vectors of a successful answer, about `expected` of them, to `to`. A failure adds none.
    fn decode_vectors(&self, body: &[u8], expected: usize, to: &mut Vectors) -> Result<VectorsAnswer, Malformed> {
        openai::decode_vectors(body, expected, to)
    }

    /// Whether answers can be had as streams.
    fn streams(&self) -> bool {
        true
    }

    /// What the data of one event of a stream says.
    fn decode_event<'a>(&self, data: &'a [u8]) -> Result<Event<'a>, Malformed> {
        chunk::event(data)
    }
}

/// All families, in the order in which a server is asked for them: a later one serves the older one's paths, too.
pub static ALL: [&dyn Dialect; 4] =
    [&deployments::Deployments, &gateway::Gateway, &tracking::Tracking, &databricks::Databricks];

/// What a URI says that names Databricks instead of a server.
pub static DATABRICKS: &dyn Dialect = &databricks::Databricks;

/// A name as one segment of a path. That of most routes is one as it is.
fn segment(name: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if name.bytes().all(is_plain) {
        return Cow::Borrowed(name);
    }
    let escaped =
        name.bytes().map(|byte| if is_plain(byte) { char::from(byte).into() } else { format!("%{byte:02X}") });
    Cow::Owned(escaped.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment() {
        assert_eq!(segment("gpt-4.1_mini~x"), "gpt-4.1_mini~x");
        assert_eq!(segment("a/b?c d%é"), "a%2Fb%3Fc%20d%25%C3%A9");
    }

    #[test]
    fn health_is_told_in_two_ways() {
        let told = ALL.map(|dialect| dialect.is_healthy(b"OK\n"));
        assert_eq!(told, [Some(true), Some(true), Some(true), None]);
        let healthy = |body: &[u8]| ALL[0].is_healthy(body);
        assert_eq!(healthy(br#"{"status":"OK"}"#), Some(true));
        assert_eq!(healthy(br#"{"status":"DOWN"}"#), Some(false));
        assert_eq!((healthy(b"<html>"), healthy(b"")), (None, None));
    }

    #[test]
    fn each_dialect_has_its_paths() {
        let paths: Vec<_> = ALL.iter().map(|d| (d.name(), d.route_path("a b"), d.invocations_path("a b"))).collect();
        assert_eq!(paths[0], ("deployments", "/api/2.0/endpoints/a%20b".into(), "/endpoints/a%20b/invocations".into()));
        assert_eq!(paths[1], ("gateway", "/api/2.0/gateway/routes/a%20b".into(), "/gateway/a%20b/invocations".into()));
        assert_eq!(paths[2].2, "/gateway/a%20b/mlflow/invocations");
        let path = "/serving-endpoints/a%20b/invocations";
        assert_eq!(paths[3], ("databricks", "/api/2.0/serving-endpoints/a%20b".into(), path.into()));
    }
}
