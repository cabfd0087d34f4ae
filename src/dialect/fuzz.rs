//! What the fuzz targets see of the dialects.

pub use super::{
    ALL, Change, Chunk, DISCOVERED, DecodeError, Dialect, EmbeddingArray, ErrorKind, ErrorResponse, Event, EventReader,
    JsonError, JsonKind, JsonPointer, JsonValue, ModelResponse, Piece, ResponseDetails, RouteLookup, Task, Usage,
    details, empty_arguments, messages, quoted, token, token_endpoint,
};
