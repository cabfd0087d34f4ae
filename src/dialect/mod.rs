//! Dialects: the HTTP API of each family of MLflow gateways. Paths, request JSON out, response JSON in; no I/O.

mod chunk;
mod content;
mod databricks;
mod deployments;
mod embeddings;
mod error_response;
mod excerpt;
mod floats;
#[cfg(fuzzing)]
pub mod fuzz;
mod gateway;
mod json;
mod media;
mod message;
mod message_content;
mod message_list;
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
mod responses_api;
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

pub use chunk::{Chunk, Delta, Event, is_done};
pub use content::{Body, Content, FieldNames};
pub use embeddings::{EmbeddingArray, EmbeddingsResponse};
pub use error_response::{ErrorKind, ErrorResponse};
pub use excerpt::excerpt;
pub use media::{InvalidMessage, Media};
pub use message::{Message, Part};
pub use oauth::{METADATA_PATH, TOKEN_REQUEST_BODY, parse_token, parse_token_endpoint};
pub use on_demand::{ResponseDetails, find_empty_arguments, read_details, read_messages};
pub use openai::decode_chat;
pub use params::{InvalidParam, Params};
pub use pattern::EventReader;
pub use pointer::{JsonKind, JsonPointer, JsonValue, PointerError};
pub use reasoning::ReasoningForm;
pub use response::{Candidate, DecodeError, ModelResponse};
pub use routes::{Change, ChangeMethod, ChangeRequest, Page, Route, RouteLookup};
pub use scanner::JsonError;
pub use strings::{Fragment, Text, quote};
pub use tools::{Extras, ToolCall};
pub use usage::Usage;

/// The task of a route, named as in MLflow's `route_type` and `endpoint_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Completions,
    Chat,
    Embeddings,
    /// Databricks' agents that take a list of inputs instead of messages.
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

    fn from_route_type(route_type: &str) -> Option<Task> {
        // Databricks' agents with the request format of a chat.
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

/// The HTTP API of one family of MLflow gateways. The default methods implement what most of them share: OpenAI's
/// formats.
pub trait Dialect: fmt::Debug + Sync {
    /// Returns the name, which is also the value of the option `dialect` that selects it.
    fn name(&self) -> &'static str;

    /// Returns the path of the description of one route.
    fn route_path(&self, route: &str) -> String;

    /// Returns a second path to request a route's description from after the first responded with this error; `None` if
    /// there is none.
    fn fallback_route_path(&self, _route: &str, _error: &ErrorResponse) -> Option<String> {
        None
    }

    /// Parses the response from [`route_path`](Self::route_path) or
    /// [`fallback_route_path`](Self::fallback_route_path).
    fn parse_route(&self, name: &str, body: &[u8]) -> RouteLookup;

    /// Returns the path of the list of routes, or of the page of it with this token.
    fn list_path(&self, page_token: Option<&str>) -> String;

    /// Parses the response from [`list_path`](Self::list_path); `None` if it has another format.
    fn parse_list(&self, body: &[u8]) -> Option<Page>;

    /// Returns the path of a list with more details, which may require more permissions.
    fn details_path(&self) -> Option<&'static str> {
        None
    }

    /// Parses the response from [`details_path`](Self::details_path); `None` if it has another format.
    fn parse_details(&self, _body: &[u8]) -> Option<Page> {
        None
    }

    /// Returns whether a request to a route that does not exist fails with "forbidden" instead of "not found".
    fn forbids_unknown_routes(&self) -> bool {
        false
    }

    /// Returns the path that reports the health of the server, or of a route if the dialect reports that.
    fn health_path(&self, _route: Option<&str>) -> String {
        "/health".to_owned()
    }

    /// Returns whether some servers of this dialect have no paths for routes and health.
    fn may_lack_route_list(&self) -> bool {
        false
    }

    /// Parses the response from [`health_path`](Self::health_path): whether the server is healthy; `None` if the
    /// response has another format.
    fn parse_health(&self, body: &[u8]) -> Option<bool> {
        if body.trim_ascii().eq_ignore_ascii_case(b"ok") {
            return Some(true);
        }
        Some(routes::parse_object(body)?["status"].as_str()? == "OK")
    }

    /// Returns the request that makes a change; `None` if the dialect does not support it.
    fn change_request(&self, change: Change) -> Option<ChangeRequest>;

    /// Returns the limits from the response to [`Change::GetLimits`].
    fn parse_limits(&self, body: String) -> String {
        body
    }

    /// Returns the path for model requests to a route of this task.
    fn invocations_path(&self, route: &str, task: Task) -> String;

    /// Returns the task to send a prompt with if the server does not report the task of the route.
    fn prompt_task(&self, _route: &str) -> Task {
        Task::Completions
    }

    /// Returns the task itself if the route may support it, or the one to use instead.
    fn supported_task(&self, _route: &str, task: Task) -> Task {
        task
    }

    /// Returns whether a route supports a single task.
    fn has_single_task(&self, _route: &str) -> bool {
        true
    }

    /// Returns the value of the body's `model` field, if the dialect requires the field.
    fn model<'a>(&self, _route: &'a str) -> Option<&'a str> {
        None
    }

    /// Returns the names of the request fields that differ between dialects.
    fn field_names(&self) -> FieldNames {
        openai::FIELD_NAMES
    }

    /// Encodes the request body for a route of this task.
    fn encode(&self, content: Content, route: &str, task: Task, params: &Params, is_streamed: bool) -> Vec<u8> {
        let encoding = content::Encoding { task, is_streamed, names: self.field_names(), model: self.model(route) };
        content::encode(content, params, encoding)
    }

    /// Decodes a successful response from a route of this task, which is not [`Task::Embeddings`].
    fn decode<'a>(&self, task: Task, body: &'a [u8]) -> Result<ModelResponse<'a>, DecodeError> {
        openai::decode(task, body)
    }

    /// Appends the embeddings of a successful response to `to`. `expected` is their probable number. Appends none if it
    /// fails.
    fn decode_embeddings(
        &self,
        body: &[u8],
        expected: usize,
        to: &mut EmbeddingArray,
    ) -> Result<EmbeddingsResponse, DecodeError> {
        openai::decode_embeddings(body, expected, to)
    }

    /// Returns whether servers can stream responses.
    fn supports_streaming(&self) -> bool {
        true
    }

    /// Decodes the data of one event of a stream.
    fn decode_event<'a>(&self, data: &'a [u8]) -> Result<Event<'a>, DecodeError> {
        openai::decode_event(data)
    }
}

/// All dialects.
pub static ALL: [&dyn Dialect; 5] =
    [&deployments::Deployments, &gateway::Gateway, &tracking::Tracking, &databricks::Databricks, &openai_api::OpenAi];

/// The dialects to try with a server, in this order: servers of a later one may serve the paths of an earlier one, too.
pub static DISCOVERED: [&dyn Dialect; 4] =
    [&deployments::Deployments, &gateway::Gateway, &tracking::Tracking, &databricks::Databricks];

/// The dialect of a URI that names a Databricks profile instead of a server.
pub static DATABRICKS: &dyn Dialect = &databricks::Databricks;

/// The dialect of a URI that ends in the version of OpenAI's API.
pub static OPENAI: &dyn Dialect = &openai_api::OpenAi;

/// The bytes that need no escape in a path (RFC 3986, 2.3).
const UNRESERVED: [bool; 256] = {
    let (mut unreserved, mut byte) = ([false; 256], 0);
    while byte < 256 {
        let character = byte as u8;
        unreserved[byte] = character.is_ascii_alphanumeric() || matches!(character, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    unreserved
};

/// Escapes a name as one segment of a path. Most names need no escapes.
fn path_segment(name: &str) -> Cow<'_, str> {
    let is_unreserved = |byte: u8| UNRESERVED[usize::from(byte)];
    if name.bytes().all(is_unreserved) {
        return Cow::Borrowed(name);
    }
    let escaped =
        name.bytes().map(|byte| if is_unreserved(byte) { char::from(byte).into() } else { format!("%{byte:02X}") });
    Cow::Owned(escaped.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn route_name_is_escaped_as_one_path_segment() {
        assert_eq!(path_segment("gpt-4.1_mini~x"), "gpt-4.1_mini~x");
        assert_eq!(path_segment("a/b?c d%é"), "a%2Fb%3Fc%20d%25%C3%A9");
    }

    #[test]
    fn health_is_parsed_from_text_and_json() {
        let parsed = DISCOVERED.map(|dialect| dialect.parse_health(b"OK\n"));
        assert_eq!(parsed, [Some(true), Some(true), Some(true), None]);
        let healthy = |body: &[u8]| ALL[0].parse_health(body);
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
