//! The error object.

use std::ffi::{CString, c_char, c_int};
use std::ptr;

use super::export_value::export_value;
use super::handle;
use super::status::mlflow_gateway_status;
use super::string;
use crate::client::Error;

/// Why a function failed. Immutable. The caller owns it.
pub struct mlflow_gateway_error {
    error: Error,
    message: CString,
    gateway_code: Option<CString>,
    headers: Vec<(String, CString)>,
    body: Option<Vec<u8>>,
    retry_reasons: Vec<CString>,
}

impl mlflow_gateway_error {
    fn new(error: Error) -> mlflow_gateway_error {
        let body = error.body().map(|body| [body, b"\0"].concat());
        let gateway_code = error.gateway_code().map(c_string);
        let retry_reasons = error.retry_reasons().iter().map(|why| c_string(why)).collect();
        let headers = error.headers().map(|(name, value)| (name.to_owned(), c_string(value))).collect();
        mlflow_gateway_error { message: c_string(error.message()), gateway_code, headers, body, retry_reasons, error }
    }
}

/// Creates an error object, which C destroys by mlflow_gateway_error_destroy().
pub(super) fn create(error: Error) -> *mut mlflow_gateway_error {
    Box::into_raw(Box::new(mlflow_gateway_error::new(error)))
}

/// Return the status of the error; MLFLOW_GATEWAY_OK for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_status(error: *const mlflow_gateway_error) -> mlflow_gateway_status {
    export_value!(0, {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        unsafe { error.as_ref() }.map_or(0, |error| error.error.status() as mlflow_gateway_status)
    })
}

/// Return the error message, one line: what failed (method and URL), why (in the gateway's words), and what to do.
/// Credentials are masked. "" for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_message(error: *const mlflow_gateway_error) -> *const c_char {
    export_value!(c"".as_ptr(), {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        unsafe { error.as_ref() }.map_or(c"".as_ptr(), |error| error.message.as_ptr())
    })
}

/// Return the HTTP status of the response, or 0 without a response. It is 200 for a stream that failed later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_http_status(error: *const mlflow_gateway_error) -> i32 {
    export_value!(0, {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        unsafe { error.as_ref() }.and_then(|error| error.error.http_status()).map_or(0, i32::from)
    })
}

/// Return the error code of the gateway or the model provider, for example "RESOURCE_DOES_NOT_EXIST", or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_gateway_code(error: *const mlflow_gateway_error) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        let code = unsafe { error.as_ref() }.and_then(|error| error.gateway_code.as_ref());
        code.map_or(ptr::null(), |code| code.as_ptr())
    })
}

/// Return 1 if the same request may succeed later, else 0.
///
/// It is 1 after a rate limit, a fault of the gateway or the provider (HTTP 408, 425, 5xx except 501), a timeout, a
/// lost or failed connection, or a truncated stream. The library has made its own retries by then. A request that
/// was sent may have been processed, and may be billed again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_is_retryable(error: *const mlflow_gateway_error) -> c_int {
    export_value!(0, {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        unsafe { error.as_ref() }.map_or(0, |error| error.error.is_retryable().into())
    })
}

/// Return how many milliseconds the gateway asks to wait (header Retry-After), or -1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_retry_after_ms(error: *const mlflow_gateway_error) -> i64 {
    export_value!(-1, {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        let wait = unsafe { error.as_ref() }.and_then(|error| error.error.retry_after());
        wait.map_or(-1, |wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
    })
}

/// Return how many times the request was sent, at least in part. For embeddings, this is the count of the batch
/// that failed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_attempts(error: *const mlflow_gateway_error) -> usize {
    export_value!(0, {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        unsafe { error.as_ref() }.map_or(0, |error| error.error.attempts() as usize)
    })
}

/// Return the number of retries, including those that could not be sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_retry_count(error: *const mlflow_gateway_error) -> usize {
    export_value!(0, {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        unsafe { error.as_ref() }.map_or(0, |error| error.retry_reasons.len())
    })
}

/// Return why a retry was made, for example "HTTP status 503". The last failure is the error itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_retry_reason(
    error: *const mlflow_gateway_error,
    retry: usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        let reason = unsafe { error.as_ref() }.and_then(|error| error.retry_reasons.get(retry));
        reason.map_or(ptr::null(), |reason| reason.as_ptr())
    })
}

/// Return the first response header of that name (case-insensitive), for example "x-request-id". Credentials are
/// masked. "Set-Cookie" is not kept.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_header(
    error: *const mlflow_gateway_error,
    name: *const c_char,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (error, name) = unsafe { (error.as_ref(), string::optional(name, "name")) };
        let (Some(error), Ok(Some(name))) = (error, name) else { return ptr::null() };
        let found = error.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map_or(ptr::null(), |(_, value)| value.as_ptr())
    })
}

/// Return the body of the response, or the failed event of a stream. It is cut after 64 KiB, and credentials are
/// masked. It may have any encoding. NULL without a response.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_body(
    error: *const mlflow_gateway_error,
    len: *mut usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        let body = unsafe { error.as_ref() }.and_then(|error| error.body.as_ref());
        // SAFETY: the caller passes NULL or a pointer that is valid for writes.
        unsafe { handle::write_optional(len, body.map_or(0, |body| body.len() - 1)) };
        body.map_or(ptr::null(), |body| body.as_ptr().cast())
    })
}

/// Destroy an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_destroy(error: *mut mlflow_gateway_error) {
    export_value!((), {
        if !error.is_null() {
            // SAFETY: the error came from `create` and was not destroyed before.
            drop(unsafe { Box::from_raw(error) });
        }
    })
}

/// Copies a string for C, which would end at a NUL byte: these become U+2400.
fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{2400}")).unwrap_or_default()
}
