//! The blocking client: a handle, its settings, and calls.
#![deny(unsafe_code)]

mod answers;
mod auth;
mod body;
mod call;
mod candidate;
mod discovery;
mod embed;
mod environment;
mod error;
mod event;
#[cfg(fuzzing)]
pub mod fuzz;
mod gateway;
mod gathered;
mod ini;
mod issuer;
mod json;
mod log;
mod manage;
mod message;
mod options;
mod raw;
mod report;
mod request;
mod response;
mod retry;
mod routes;
mod settings;
mod stream;
mod suggest;
mod text;
mod times;
mod tokens;
mod tool_call;
mod transact;

pub use candidate::Candidate;
pub use embed::Embeddings;
pub use error::{Error, Status};
pub use event::{Event, EventKind};
pub use gateway::Gateway;
pub use json::{JsonKind, JsonValue, json_count, json_find, json_quote, json_text};
pub use log::{LogLevel, LogSink};
pub use request::Request;
pub use response::Response;
pub use routes::{Route, Routes};
pub use stream::Stream;
pub use text::NulText;
pub use times::Times;
pub use tool_call::ToolCall;

pub use crate::dialect::Usage;
pub use crate::sync::CancelToken;
pub(crate) use crate::sync::is_our_thread;

/// What MLflow's users know this kind of language model by: LangChain's `_llm_type`.
pub const LLM_TYPE: &std::ffi::CStr = c"mlflow-ai-gateway";
