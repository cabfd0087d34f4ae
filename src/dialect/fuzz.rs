//! What the fuzz targets see of the dialects.

pub use super::{
    ALL, Answer, Change, Chunk, DISCOVERED, Dialect, Event, EventReader, JsonFault, JsonKind, JsonPointer, JsonValue,
    Kind, Lookup, Malformed, Refusal, Task, Usage, Vectors, quoted, token, token_endpoint,
};
