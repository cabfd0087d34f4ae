//! How the families of MLflow gateways speak: paths, request JSON out, answer JSON in. Pure functions, no I/O.

mod agent;
mod chunk;
mod content;
mod databricks;
mod deployments;
mod embeddings;
mod error_response;
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
mod openai_api;
mod params;
mod pattern;
mod pointer;
mod reader;
mod reasoning;
mod response;
mod responses;
mod routes;
mod scanner;
mod split_pairs;
mod strings;
mod tools;
mod tracking;
mod tree;
mod usage;

use std::borrow::Cow;
use std::fmt;

pub use chunk::{Chunk, Event, Piece, is_done};
pub use content::{Body, Content, FieldNames};
pub use embeddings::{EmbeddingArray, EmbeddingsResponse};
pub use error_response::{ErrorKind, ErrorResponse};
pub use media::Media;
pub use message::{InvalidMessage, Message, Part};
pub use oauth::{METADATA_PATH, TOKEN_QUESTION, token, token_endpoint};
pub use on_demand::{ResponseDetails, details, empty_arguments, messages};
pub use openai::chat_answer;
pub use params::{InvalidParam, Params};
pub use pattern::EventReader;
pub use pointer::{JsonKind, JsonPointer, JsonValue, PointerError};
pub use reasoning::ReasoningForm;
pub use response::{Candidate, DecodeError, ModelResponse, beginning};
pub use routes::{Change, ChangeMethod, ChangeRequest, Page, Route, RouteLookup};
pub use scanner::JsonError;
pub use strings::{Fragment, Text, quoted};
pub use tools::{Extras, ToolCall};
pub use usage::Usage;

/// What a route is for, named as in MLflow's `route_type` and `endpoint_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Completions,
    Chat,
    Embeddings,
    /// Of Databricks' agents that take a list of inputs where others take messages.
    Responses,
}

impl Task {
    pub fn as_str(self) -> &'static str {
        match self {
            Task::Completions => "llm/v1/completions",
            Task::Chat => "llm/v1/chat",
            Task::Embeddings => "llm/v1/embeddings",
            Task::Responses => "agent/v1/responses",
        }
    }

    fn of_type(route_type: &str) -> Option<Task> {
        // Databricks' agents that are asked as chats are.
        if matches!(route_type, "agent/v1/chat" | "agent/v2/chat") {
            return Some(Task::Chat);
        }
        let all = [Task::Completions, Task::Chat, Task::Embeddings, Task::Responses];
        all.into_iter().find(|task| task.as_str() == route_type)
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

    /// Where else to ask about a route after this refusal; `None` if there is no other place.
    fn other_route_path(&self, _route: &str, _refusal: &ErrorResponse) -> Option<String> {
        None
    }

    /// What the response from either place says.
    fn route(&self, name: &str, body: &[u8]) -> RouteLookup;

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

    /// Where to ask whether the server is well, or on some servers whether a route of it is.
    fn health_path(&self, _route: Option<&str>) -> String {
        "/health".to_owned()
    }

    /// Whether servers of this dialect may lack the paths that tell of their routes and of their health.
    fn may_lack_lists(&self) -> bool {
        false
    }

    /// What the answer from there says; `None` if it is no such answer.
    fn is_healthy(&self, body: &[u8]) -> Option<bool> {
        if body.trim_ascii().eq_ignore_ascii_case(b"ok") {
            return Some(true);
        }
        Some(routes::object(body)?["status"].as_str()? == "OK")
    }

    /// How to ask for a change; `None` if such servers cannot be asked for it.
    fn order(&self, change: Change) -> Option<ChangeRequest>;

    /// The limits in the answer to [`Change::GetLimits`].
    fn limits(&self, body: String) -> String {
        body
    }

    /// Where to send a request to a route of this task.
    fn invocations_path(&self, route: &str, task: Task) -> String;

    /// What a prompt becomes on a route of which the server does not tell what it is for.
    fn prompt_task(&self, _route: &str) -> Task {
        Task::Completions
    }

    /// What a route can do in place of this task.
    fn task_for(&self, _route: &str, likely: Task) -> Task {
        likely
    }

    /// Whether a route is for one task alone.
    fn has_one_task(&self, _route: &str) -> bool {
        true
    }

    /// The model that the body has to name.
    fn model<'a>(&self, _route: &'a str) -> Option<&'a str> {
        None
    }

    /// What it calls the things that all dialects have.
    fn names(&self) -> FieldNames {
        openai::NAMES
    }

    /// The request's JSON for a question to a route of this task.
    fn encode(&self, question: Content, route: &str, task: Task, params: &Params, is_streamed: bool) -> Vec<u8> {
        let body = content::Encoding { task, is_streamed, names: self.names(), model: self.model(route) };
        content::encode(question, params, body)
    }

    /// What a successful answer from a route of this task, which gives text, says.
    fn decode<'a>(&self, task: Task, body: &'a [u8]) -> Result<ModelResponse<'a>, DecodeError> {
        openai::decode(task, body)
    }

    /// Adds the vectors of a successful answer, about `expected` of them, to `to`. A failure adds none.
    fn decode_vectors(
        &self,
        body: &[u8],
        expected: usize,
        to: &mut EmbeddingArray,
    ) -> Result<EmbeddingsResponse, DecodeError> {
        openai::decode_vectors(body, expected, to)
    }

    /// Whether answers can be had as streams.
    fn streams(&self) -> bool {
        true
    }

    /// What the data of one event of a stream says.
    fn decode_event<'a>(&self, data: &'a [u8]) -> Result<Event<'a>, DecodeError> {
        chunk::event(data)
    }
}

/// All families.
pub static ALL: [&dyn Dialect; 5] =
    [&deployments::Deployments, &gateway::Gateway, &tracking::Tracking, &databricks::Databricks, &openai_api::OpenAi];

/// Those that a server can be asked for, in the order in which it is: a later one serves the older one's paths, too.
pub static DISCOVERED: [&dyn Dialect; 4] =
    [&deployments::Deployments, &gateway::Gateway, &tracking::Tracking, &databricks::Databricks];

/// What a URI says that names Databricks instead of a server.
pub static DATABRICKS: &dyn Dialect = &databricks::Databricks;

/// What a URI says that ends in the version of OpenAI's API.
pub static OPENAI: &dyn Dialect = &openai_api::OpenAi;

/// Which bytes stand for themselves in a path (RFC 3986, 2.3).
const PLAIN: [bool; 256] = {
    let (mut plain, mut byte) = ([false; 256], 0);
    while byte < 256 {
        let character = byte as u8;
        plain[byte] = character.is_ascii_alphanumeric() || matches!(character, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    plain
};

/// A name as one segment of a path. That of most routes is one as it is.
fn segment(name: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| PLAIN[usize::from(byte)];
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
        let told = DISCOVERED.map(|dialect| dialect.is_healthy(b"OK\n"));
        assert_eq!(told, [Some(true), Some(true), Some(true), None]);
        let healthy = |body: &[u8]| ALL[0].is_healthy(body);
        assert_eq!(healthy(br#"{"status":"OK"}"#), Some(true));
        assert_eq!(healthy(br#"{"status":"DOWN"}"#), Some(false));
        assert_eq!((healthy(b"<html>"), healthy(b"")), (None, None));
    }

    #[test]
    fn each_dialect_has_its_paths() {
        let of = |d: &&dyn Dialect| (d.name(), d.route_path("a b"), d.invocations_path("a b", Task::Chat));
        let paths: Vec<_> = DISCOVERED.iter().map(of).collect();
        assert_eq!(paths[0], ("deployments", "/api/2.0/endpoints/a%20b".into(), "/endpoints/a%20b/invocations".into()));
        assert_eq!(paths[1], ("gateway", "/api/2.0/gateway/routes/a%20b".into(), "/gateway/a%20b/invocations".into()));
        assert_eq!(paths[2].2, "/gateway/a%20b/mlflow/invocations");
        let path = "/serving-endpoints/a%20b/invocations";
        assert_eq!(paths[3], ("databricks", "/api/2.0/serving-endpoints/a%20b".into(), path.into()));
    }
}
