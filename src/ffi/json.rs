//! Reading and writing JSON.

use std::ffi::c_char;

use super::error::mlflow_gateway_error;
use super::export::export;
use super::handle;
use super::status::{MLFLOW_GATEWAY_NO_VALUE, MLFLOW_GATEWAY_OK, mlflow_gateway_status};
use super::text;
use crate::client::{self, JsonKind};

/// `null`.
pub const MLFLOW_GATEWAY_JSON_NULL: i32 = 1;
/// `true` or `false`.
pub const MLFLOW_GATEWAY_JSON_BOOL: i32 = 2;
/// A number.
pub const MLFLOW_GATEWAY_JSON_NUMBER: i32 = 3;
/// A string.
pub const MLFLOW_GATEWAY_JSON_STRING: i32 = 4;
/// An array.
pub const MLFLOW_GATEWAY_JSON_ARRAY: i32 = 5;
/// An object.
pub const MLFLOW_GATEWAY_JSON_OBJECT: i32 = 6;

fn kind_number(kind: JsonKind) -> i32 {
    match kind {
        JsonKind::Null => MLFLOW_GATEWAY_JSON_NULL,
        JsonKind::Bool => MLFLOW_GATEWAY_JSON_BOOL,
        JsonKind::Number => MLFLOW_GATEWAY_JSON_NUMBER,
        JsonKind::String => MLFLOW_GATEWAY_JSON_STRING,
        JsonKind::Array => MLFLOW_GATEWAY_JSON_ARRAY,
        JsonKind::Object => MLFLOW_GATEWAY_JSON_OBJECT,
    }
}

/// Read a value from a JSON document, for example from the body of a response or the arguments of a tool call:
///
///     char *city = NULL;
///     int32_t kind;
///     if (mlflow_gateway_json_get(arguments, len, "/city", &kind, &city, NULL, &error) == MLFLOW_GATEWAY_OK &&
///         kind == MLFLOW_GATEWAY_JSON_STRING)
///         puts(city);
///     mlflow_gateway_string_free(city);
///
/// `json` is the document: `json_len` bytes of UTF-8, or NUL-terminated with MLFLOW_GATEWAY_NUL_TERMINATED as the
/// length. All of it must be valid JSON. Nesting is not limited and takes no stack.
/// `pointer` is a JSON pointer (RFC 6901): "/choices/0/message" is the member "message" of the first element of the
/// member "choices"; "" is the whole document; "~1" and "~0" in a name stand for "/" and "~". If an object has several
/// members of one name, the last one counts.
/// `kind` receives one of the MLFLOW_GATEWAY_JSON_ numbers. It may be NULL.
/// `text` receives the value: what a string says, without quotes and escapes; any other value as it is written in the
/// document. Half of a surrogate pair becomes U+FFFD. A string may contain NUL bytes; use the length. The caller frees
/// it with mlflow_gateway_string_free(). It may be NULL.
/// `text_len` receives the length of the text in bytes without the NUL. It may be NULL.
///
/// Returns MLFLOW_GATEWAY_OK; _NO_VALUE, without an error object, if the document has no such value;
/// _INVALID_ARGUMENT, also if `json` is not JSON (the message names the offset of the first wrong byte) or `pointer` is
/// not a JSON pointer; or _OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_json_get(
    json: *const c_char,
    json_len: usize,
    pointer: *const c_char,
    kind: *mut i32,
    text: *mut *mut c_char,
    text_len: *mut usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(status error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (json, pointer) = unsafe { (text::sized(json, json_len, "json")?, text::required(pointer, "pointer")?) };
        let Some(value) = client::json_find(json, pointer)? else { return Ok(MLFLOW_GATEWAY_NO_VALUE) };
        let said = client::json_text(value)?;
        // SAFETY: as above. The text comes first, since there may be no memory for it.
        unsafe {
            if let Ok(place) = handle::check_place(text, "text") {
                text::give(&said, place, text_len)?;
            } else if !text_len.is_null() {
                text_len.write(said.len());
            }
            if !kind.is_null() {
                kind.write(kind_number(value.kind()));
            }
        }
        Ok(MLFLOW_GATEWAY_OK)
    })
}

/// Count the elements of an array, or the members of an object, in a JSON document. Members of one name count once.
///
/// `json`, `json_len` and `pointer` are as for mlflow_gateway_json_get().
/// `count` receives the number.
///
/// Returns MLFLOW_GATEWAY_OK; _NO_VALUE, without an error object, if the document has no array and no object there; or
/// what mlflow_gateway_json_get() returns on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_json_count(
    json: *const c_char,
    json_len: usize,
    pointer: *const c_char,
    count: *mut usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(status error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (json, pointer, place) = unsafe {
            (
                text::sized(json, json_len, "json")?,
                text::required(pointer, "pointer")?,
                handle::check_place(count, "count")?,
            )
        };
        let Some(value) = client::json_find(json, pointer)? else { return Ok(MLFLOW_GATEWAY_NO_VALUE) };
        let Some(count) = client::json_count(value)? else { return Ok(MLFLOW_GATEWAY_NO_VALUE) };
        place.write(count);
        Ok(MLFLOW_GATEWAY_OK)
    })
}

/// Write a string as JSON, with quotes and escapes, for programs that put JSON together themselves.
///
/// `text` is `text_len` bytes of UTF-8, or NUL-terminated with MLFLOW_GATEWAY_NUL_TERMINATED as the length.
/// `json` receives the JSON string. The caller frees it with mlflow_gateway_string_free().
/// `json_len` receives its length in bytes without the NUL. It may be NULL.
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT or _OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_json_quote(
    text: *const c_char,
    text_len: usize,
    json: *mut *mut c_char,
    json_len: *mut usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        unsafe {
            let (text, place) = (text::sized(text, text_len, "text")?, handle::check_place(json, "json")?);
            text::give(&client::json_quote(text)?, place, json_len)
        }
    })
}
