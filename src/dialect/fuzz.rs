//! The dialects' items for the fuzz targets.

pub use super::{
    ALL, Change, Chunk, DISCOVERED, DecodeError, Delta, Dialect, EmbeddingArray, ErrorKind, ErrorResponse, Event,
    EventReader, JsonError, JsonKind, JsonPointer, JsonValue, ModelResponse, ResponseDetails, RouteLookup, Task, Usage,
    find_empty_arguments, parse_token, parse_token_endpoint, quote, read_details, read_messages,
};
