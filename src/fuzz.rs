//! The way in for the fuzz targets (`fuzz/`), which exercise what is private. It is there under `--cfg fuzzing` alone.
//!
//! What each part of the library lends to them is in a file `fuzz.rs` of its own.
#![allow(missing_docs, reason = "no documentation is made of it")]

pub use crate::client::fuzz as client;
pub use crate::dialect::fuzz as dialect;
pub use crate::http::fuzz as http;
