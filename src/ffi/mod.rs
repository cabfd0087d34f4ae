//! The C functions: one file per C object, and the plumbing that they share. `include/mlflow_ai_gateway.h` is
//! generated from here, and its documentation is the comments of the items here.
#![allow(non_camel_case_types, reason = "these are the names that C programs see")]
#![allow(clippy::missing_safety_doc, reason = "the header says once for all functions what a C program has to keep to")]
#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::todo,
    clippy::unreachable,
    clippy::unwrap_used
)]

pub mod cancel;
mod cancellation;
pub mod embeddings;
pub mod error;
pub mod event;
mod export;
pub mod gateway;
mod handle;
pub mod json;
pub mod log;
pub mod request;
pub mod response;
pub mod routes;
pub mod status;
pub mod stream;
mod text;
pub mod usage;
pub mod version;
