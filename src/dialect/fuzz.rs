//! What the fuzz targets see of the dialects.

pub use super::{
    ALL, Answer, Change, Chunk, DISCOVERED, Dialect, Event, EventReader, Kind, Lookup, Malformed, Refusal, Task, Usage,
    Vectors, token, token_endpoint,
};
