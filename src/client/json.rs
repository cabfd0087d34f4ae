//! Reads values from JSON, such as a response's body, and writes strings as JSON.

use std::borrow::Cow;

use super::error::{Error, Status};
use super::nul_string::no_memory;
use crate::dialect::{JsonError, JsonPointer, PointerError, quote};

pub use crate::dialect::{JsonKind, JsonValue};

/// The value of a JSON document that a JSON pointer (RFC 6901) points to; `None` if there is none.
pub fn json_find<'a>(json: &'a str, pointer: &str) -> Result<Option<JsonValue<'a>>, Error> {
    let pointer = JsonPointer::parse(pointer).map_err(|fault| {
        let why = match fault {
            PointerError::NoSlash => "it must be empty or begin with \"/\"".to_owned(),
            PointerError::Escape(at) => format!("0 or 1 must follow the \"~\" at offset {at}"),
        };
        Error::new(Status::InvalidArgument, format!("the argument pointer is not a JSON pointer (RFC 6901): {why}"))
    })?;
    pointer.find(json).map_err(|fault| refused(fault, json))
}

/// The text of a value: what a string says, and any other value as it is written.
pub fn json_text(value: JsonValue<'_>) -> Result<Cow<'_, str>, Error> {
    value.text().map_err(|fault| refused(fault, ""))
}

/// How many elements an array has, or members with different names an object; `None` for other values.
pub fn json_count(value: JsonValue<'_>) -> Result<Option<usize>, Error> {
    value.count().map_err(|fault| refused(fault, ""))
}

/// A text as a JSON string, with its quotes.
pub fn json_quote(text: &str) -> Result<String, Error> {
    quote(text).ok_or_else(|| no_memory(text.len()))
}

fn refused(fault: JsonError, json: &str) -> Error {
    let why = match fault {
        JsonError::At(at) if at == json.len() => format!("it ends too early, at offset {at}"),
        JsonError::At(at) => format!("the byte at offset {at} is wrong"),
        JsonError::NoMemory(len) => return no_memory(len),
    };
    Error::new(Status::InvalidArgument, format!("the argument json is not JSON: {why}"))
}
