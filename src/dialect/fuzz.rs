//! What the fuzz targets see of the dialects.

pub use super::{
    ALL, Answer, Change, Chunk, Details, Dialect, Event, EventReader, Kind, Lookup, Malformed, Piece, Refusal, Task,
    Usage, Vectors, details, empty_arguments, messages, token, token_endpoint,
};
