//! Functions that read and write JSON.

use std::ffi::c_char;

use super::error::mlflow_gateway_error;
use super::export_status::export_status;
use super::handle;
use super::status::{MLFLOW_GATEWAY_NO_VALUE, MLFLOW_GATEWAY_OK, mlflow_gateway_status};
use super::string;
use crate::client::{self, JsonKind};

/// null
pub const MLFLOW_GATEWAY_JSON_NULL: i32 = 1;
/// true or false
pub const MLFLOW_GATEWAY_JSON_BOOL: i32 = 2;
/// a number
pub const MLFLOW_GATEWAY_JSON_NUMBER: i32 = 3;
/// a string
pub const MLFLOW_GATEWAY_JSON_STRING: i32 = 4;
/// an array
pub const MLFLOW_GATEWAY_JSON_ARRAY: i32 = 5;
/// an object
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

/// Read a value from a JSON document:
///
///     char *city = NULL;
///     int32_t kind;
///     if (mlflow_gateway_json_get(arguments, len, "/city", &kind, &city, NULL, &error) == MLFLOW_GATEWAY_OK &&
///         kind == MLFLOW_GATEWAY_JSON_STRING)
///         puts(city);
///     mlflow_gateway_string_free(city);
///
/// `pointer` is a JSON pointer (RFC 6901), for example "/choices/0/message". "" is the whole document. Of duplicate
/// names the last one counts.
/// `kind` receives one of the MLFLOW_GATEWAY_JSON_ numbers. It may be NULL.
/// `text` receives the value: a string unescaped, anything else as written. Lone surrogates become U+FFFD. The
/// caller frees it; may be NULL.
///
/// Returns _NO_VALUE if there is no such value. The whole document must be valid JSON; the message names the offset
/// of the first error. Nesting is not limited.
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
    export_status!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (json, pointer) =
            unsafe { (string::sized(json, json_len, "json")?, string::required(pointer, "pointer")?) };
        let Some(value) = client::json_find(json, pointer)? else { return Ok(MLFLOW_GATEWAY_NO_VALUE) };
        let string = client::json_text(value)?;
        // SAFETY: as above. The text is written first, since there may be no memory for it.
        unsafe {
            string::write_optional_copy(&string, text, text_len)?;
            handle::write_optional(kind, kind_number(value.kind()));
        }
        Ok(MLFLOW_GATEWAY_OK)
    })
}

/// Count the elements of an array or the members of an object. Duplicate names count once.
///
/// Returns _NO_VALUE if there is no array or object at `pointer`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_json_count(
    json: *const c_char,
    json_len: usize,
    pointer: *const c_char,
    count: *mut usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (json, pointer, output) = unsafe {
            (
                string::sized(json, json_len, "json")?,
                string::required(pointer, "pointer")?,
                handle::output(count, "count")?,
            )
        };
        let Some(value) = client::json_find(json, pointer)? else { return Ok(MLFLOW_GATEWAY_NO_VALUE) };
        let Some(count) = client::json_count(value)? else { return Ok(MLFLOW_GATEWAY_NO_VALUE) };
        output.write(count);
        Ok(MLFLOW_GATEWAY_OK)
    })
}

/// Write a string as JSON, with quotes and escapes.
///
/// `json` receives the JSON string. The caller frees it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_json_quote(
    text: *const c_char,
    text_len: usize,
    json: *mut *mut c_char,
    json_len: *mut usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        unsafe {
            let (text, output) = (string::sized(text, text_len, "text")?, handle::output(json, "json")?);
            string::write_copy(&client::json_quote(text)?, output, json_len)
        }
    })
}
