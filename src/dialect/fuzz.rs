//! What the fuzz targets see of the dialects.

pub use super::{
    ALL, Answer, Change, Chunk, DISCOVERED, Details, Dialect, Event, EventReader, JsonFault, JsonKind, JsonPointer,
    JsonValue, Kind, Lookup, Malformed, Piece, Refusal, Task, Usage, Vectors, details, empty_arguments, messages,
    quoted, token, token_endpoint,
};
