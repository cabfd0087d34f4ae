//! The JSON functions of the C API: find values in a document, and quote strings.

use std::borrow::Cow;

use super::error::{Error, Status};
use crate::dialect::{JsonError, JsonPointer, PointerError, quote};

pub use crate::dialect::{JsonKind, JsonValue};

/// Returns the value of a JSON document that a JSON pointer (RFC 6901) points to; `None` if there is none.
pub fn json_find<'a>(json: &'a str, pointer: &str) -> Result<Option<JsonValue<'a>>, Error> {
    let pointer = JsonPointer::parse(pointer).map_err(|error| {
        let why = match error {
            PointerError::NoSlash => "it must be empty or begin with \"/\"".to_owned(),
            PointerError::Escape(at) => format!("0 or 1 must follow the \"~\" at offset {at}"),
        };
        Error::new(Status::InvalidArgument, format!("the argument pointer is not a JSON pointer (RFC 6901): {why}"))
    })?;
    pointer.find(json).map_err(|error| invalid_json(error, json))
}

/// Returns a string unescaped, and any other value as it is in the document.
pub fn json_text(value: JsonValue<'_>) -> Result<Cow<'_, str>, Error> {
    value.text().map_err(|error| invalid_json(error, ""))
}

/// Returns the number of elements of an array, or of distinct names of an object; `None` for other values.
pub fn json_count(value: JsonValue<'_>) -> Result<Option<usize>, Error> {
    value.count().map_err(|error| invalid_json(error, ""))
}

/// Returns a JSON string literal, with its quotes.
pub fn json_quote(text: &str) -> Result<String, Error> {
    quote(text).ok_or_else(|| Error::out_of_memory(text.len()))
}

fn invalid_json(error: JsonError, json: &str) -> Error {
    let why = match error {
        JsonError::At(at) if at == json.len() => format!("it ends too early, at offset {at}"),
        JsonError::At(at) => format!("the byte at offset {at} is wrong"),
        JsonError::NoMemory(len) => return Error::out_of_memory(len),
    };
    Error::new(Status::InvalidArgument, format!("the argument json is not JSON: {why}"))
}
