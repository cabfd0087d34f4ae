//! The C functions: one file for each C object, and shared helpers. `include/mlflow_ai_gateway.h` is
//! generated from here, and its documentation is the comments of the items here.
#![allow(non_camel_case_types, reason = "these are the names that C programs use")]
#![allow(clippy::missing_safety_doc, reason = "the header states once the rules for all functions")]
#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::todo,
    clippy::unreachable,
    clippy::unwrap_used
)]

pub mod cancel;
mod catch_panic;
pub mod completion;
pub mod embeddings;
pub mod error;
pub mod event;
mod export_status;
mod export_value;
pub mod gateway;
mod handle;
pub mod json;
pub mod log;
mod pthread_cancel;
pub mod queue;
pub mod request;
pub mod response;
pub mod routes;
pub mod send;
mod setters;
pub mod status;
pub mod stream;
pub mod string;
pub mod usage;
pub mod version;
