//! Private functions for the fuzz targets (`fuzz/`), compiled only with `--cfg fuzzing`. Each module exports its own in
//! a file `fuzz.rs`.
#![allow(missing_docs, reason = "no documentation is made of it")]

pub use crate::client::fuzz as client;
pub use crate::dialect::fuzz as dialect;
pub use crate::http::fuzz as http;
