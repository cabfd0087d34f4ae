//! The blocking client: a handle, its settings, and calls.
#![deny(unsafe_code)]

mod call;
mod discovery;
mod error;
mod gateway;
mod options;
mod report;
mod settings;

pub use error::{Error, Status};
pub use gateway::Gateway;

/// What MLflow's users know this kind of language model by: LangChain's `_llm_type`.
pub const LLM_TYPE: &std::ffi::CStr = c"mlflow-ai-gateway";
