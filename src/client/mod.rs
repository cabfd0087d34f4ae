//! The blocking client: a handle, its settings, and calls.
#![deny(unsafe_code)]

mod answers;
mod call;
mod discovery;
mod embed;
mod error;
mod gateway;
mod options;
mod report;
mod request;
mod response;
mod settings;
mod stream;
mod text;

pub use embed::Embeddings;
pub use error::{Error, Status};
pub use gateway::Gateway;
pub use request::Request;
pub use response::{Candidate, Response, ToolCall};
pub use stream::{Delta, Stream};
pub use text::NulText;

pub(crate) use crate::http::is_our_thread;

/// What MLflow's users know this kind of language model by: LangChain's `_llm_type`.
pub const LLM_TYPE: &std::ffi::CStr = c"mlflow-ai-gateway";
