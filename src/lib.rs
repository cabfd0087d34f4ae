//! Asks an MLflow AI Gateway for completions, chats and embeddings, natively.
//!
//! The crate's product is a C library, `libmlflow_ai_gateway`, whose header is `include/mlflow_ai_gateway.h`.
//! Below the C functions lies a blocking Rust client, which Rust programs may use as it is.
//!
//! | module | what it holds |
//! |---|---|
//! | [`client`] | the safe client: handle, settings, discovery, calls, errors |
//! | `dialect` | one file per family of MLflow gateways: request JSON out, answer JSON in; no I/O |
//! | `http` | the only part that knows HTTP: agent, connections, deadlines |
//! | `sync` | locks, shared work and cancelling, which stay sound over a fork |
//! | [`ffi`] | the C functions: thin shims over [`client`] |
//!
//! A call goes one way through them: ffi, client, dialect (encode), http, dialect (decode), client, ffi.

#![cfg_attr(fuzzing, allow(missing_docs))]

pub mod client;
mod dialect;
pub mod ffi;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod http;
mod sync;
