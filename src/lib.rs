//! Calls MLflow AI gateways, Databricks and OpenAI-compatible servers: completions, chat, streams, tools, embeddings.
//!
//! The crate's product is a C library, `libmlflow_ai_gateway`, whose header is `include/mlflow_ai_gateway.h`.
//! The C functions are shims over a blocking Rust client, which Rust programs can use, too.
//!
//! | module | contents |
//! |---|---|
//! | [`client`] | the safe client: handle, settings, discovery, calls, errors |
//! | `dialect` | the HTTP API of each family of servers: encodes requests, decodes responses; no I/O |
//! | `http` | connections, HTTP/1.1, TLS, proxies, server-sent events, deadlines |
//! | `sync` | locks, single flight, cancel tokens and waiting, which stay correct across fork() |
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
