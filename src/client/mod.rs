//! The blocking client: a handle, its settings, and calls.
#![deny(unsafe_code)]

mod admin;
mod assistant_message;
mod attempts;
mod auth;
mod call;
mod candidate;
mod completion;
mod configure;
mod context;
mod discovery;
mod embed;
mod environment;
mod error;
mod exchange;
#[cfg(fuzzing)]
pub mod fuzz;
mod gateway;
mod gathered;
mod health;
mod http_request;
mod json;
mod log;
mod nul_string;
mod oauth;
mod option_parser;
mod options;
mod pacer;
mod pacing;
mod pem_files;
mod plan;
mod prepared_call;
mod probe;
mod queue;
mod raw;
mod report;
mod request;
mod response;
mod response_body;
mod response_headers;
mod retry;
mod route_list;
mod routes;
mod send;
mod settings;
mod stream;
mod stream_deadline;
mod stream_event;
mod suggestions;
mod target;
mod timings;
mod token_cache;
mod tool_call;

pub use candidate::Candidate;
pub use configure::Configure;
pub use embed::Embeddings;
pub use error::{Error, Status};
pub use gateway::Gateway;
pub use json::{JsonKind, JsonValue, json_count, json_find, json_quote, json_text};
pub use log::{LogLevel, LogSink};
pub use nul_string::NulString;
pub use queue::{CatchPanic, Completion, CompletionKind, Done, Fetched, OwnedEvent, Queue, QueueCount, Submission};
pub use request::Request;
pub use response::Response;
pub use routes::{Route, Routes};
pub use stream::Stream;
pub use stream_event::{Event, EventKind};
pub use timings::Times;
pub use tool_call::ToolCall;

pub use crate::dialect::Usage;
pub use crate::sync::CancelToken;
pub(crate) use crate::sync::is_library_thread;

/// LangChain's `_llm_type` for language models behind an MLflow gateway.
pub const LLM_TYPE: &std::ffi::CStr = c"mlflow-ai-gateway";
