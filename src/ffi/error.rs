//! The error object.

use std::ffi::{CString, c_char, c_int};
use std::ptr;

use super::export::export;
use super::status::mlflow_gateway_status;
use super::text;
use crate::client::Error;

/// Why a function failed. It belongs to the caller, who destroys it with mlflow_gateway_error_destroy().
pub struct mlflow_gateway_error {
    error: Error,
    message: CString,
    gateway_code: Option<CString>,
    headers: Vec<(String, CString)>,
    body: Option<Vec<u8>>,
    retry_reasons: Vec<CString>,
}

impl mlflow_gateway_error {
    pub(super) fn new(error: Error) -> mlflow_gateway_error {
        let body = error.body().map(|body| [body, b"\0"].concat());
        let gateway_code = error.gateway_code().map(c_string);
        let retry_reasons = error.retry_reasons().iter().map(|why| c_string(why)).collect();
        let headers = error.headers().map(|(name, value)| (name.to_owned(), c_string(value))).collect();
        mlflow_gateway_error { message: c_string(error.message()), gateway_code, headers, body, retry_reasons, error }
    }
}

/// Returns the status that came with the error; MLFLOW_GATEWAY_OK if `error` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_status(error: *const mlflow_gateway_error) -> mlflow_gateway_status {
    export!(or 0, {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        unsafe { error.as_ref() }.map_or(0, |error| error.error.status() as mlflow_gateway_status)
    })
}

/// Returns what was tried, what came back and what to do, as one line of UTF-8 for a person. No credentials are in it:
/// where the gateway repeats them, or the value of a header that was set, they are masked. The text belongs to the error
/// object and lives as long; "" if `error` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_message(error: *const mlflow_gateway_error) -> *const c_char {
    export!(or c"".as_ptr(), {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        unsafe { error.as_ref() }.map_or(c"".as_ptr(), |error| error.message.as_ptr())
    })
}

/// Returns the HTTP status of the gateway's answer, for example 404; 0 if there was no answer or `error` is NULL. Of a
/// stream that began and then failed it is a success, 200.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_http_status(error: *const mlflow_gateway_error) -> i32 {
    export!(or 0, {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        unsafe { error.as_ref() }.and_then(|error| error.error.http_status()).map_or(0, i32::from)
    })
}

/// Returns the gateway's or the model provider's own name for the error, for example "RESOURCE_DOES_NOT_EXIST", in
/// UTF-8; NULL if it gave none or `error` is NULL. The text belongs to the error object and lives as long.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_gateway_code(error: *const mlflow_gateway_error) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        let code = unsafe { error.as_ref() }.and_then(|error| error.gateway_code.as_ref());
        code.map_or(ptr::null(), |code| code.as_ptr())
    })
}

/// Return whether the same request may succeed later, as 1 or 0: after a rate limit, a fault of the gateway or of the
/// model provider (HTTP status 408, 425, 500 to 599 except 501), a lost connection, a timeout, a stream that broke off,
/// or a gateway that could not be reached. 0 after a used-up budget, a guardrail, a cancellation, or a request that the
/// gateway does not accept; and if `error` is NULL. The library has made its own retries by then (option max_retries). A
/// request that was sent may have been processed, and be paid for twice.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_is_retryable(error: *const mlflow_gateway_error) -> c_int {
    export!(or 0, {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        unsafe { error.as_ref() }.map_or(0, |error| error.error.is_retryable().into())
    })
}

/// Returns how many milliseconds the gateway asks to wait before the next call (its header Retry-After); -1 if it did
/// not say, or `error` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_retry_after_ms(error: *const mlflow_gateway_error) -> i64 {
    export!(or - 1, {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        let wait = unsafe { error.as_ref() }.and_then(|error| error.error.retry_after());
        wait.map_or(-1, |wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
    })
}

/// Returns how often the question was sent, or begun to be sent: 0 if it was not, or `error` is NULL. Where many vectors
/// were asked for in several requests, it is that of the request which failed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_attempts(error: *const mlflow_gateway_error) -> usize {
    export!(or 0, {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        unsafe { error.as_ref() }.map_or(0, |error| error.error.attempts() as usize)
    })
}

/// Returns how often something was asked again before the function gave up, whether it could be sent or not; 0 if it was
/// not, or `error` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_retry_count(error: *const mlflow_gateway_error) -> usize {
    export!(or 0, {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        unsafe { error.as_ref() }.map_or(0, |error| error.retry_reasons.len())
    })
}

/// Returns why it was asked again the first (`retry` 0), second ... time, in a few words of UTF-8: for example "HTTP
/// status 503". The last failure is the error itself. NULL if it was not asked as often, or `error` is NULL. The text
/// belongs to the error object and lives as long.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_retry_reason(
    error: *const mlflow_gateway_error,
    retry: usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        let reason = unsafe { error.as_ref() }.and_then(|error| error.retry_reasons.get(retry));
        reason.map_or(ptr::null(), |reason| reason.as_ptr())
    })
}

/// Return the value of a header of the response that reported the failure, for example "x-request-id" or
/// "x-ratelimit-remaining-requests": that of the first header of this name, in any case. Credentials are masked.
/// "Set-Cookie" may be one, and is not kept. NULL if there was no response or no such header, or if `error` or `name` is
/// NULL. The string belongs to the error object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_header(
    error: *const mlflow_gateway_error,
    name: *const c_char,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or what the types say.
        let (error, name) = unsafe { (error.as_ref(), text::optional(name, "name")) };
        let (Some(error), Ok(Some(name))) = (error, name) else { return ptr::null() };
        let found = error.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map_or(ptr::null(), |(_, value)| value.as_ptr())
    })
}

/// Returns the body of the gateway's answer as it came, but with credentials masked and cut after 64 KiB, or of a stream
/// that failed the event that was the reason ("" if there was none), and writes its length in bytes to `len`, which may
/// be NULL. It can be of any encoding and hold NUL bytes; a NUL byte follows it. NULL, and a length of 0, if there was
/// no answer or `error` is NULL. The bytes belong to the error object and live as long.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_body(
    error: *const mlflow_gateway_error,
    len: *mut usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or an error that was not destroyed.
        let body = unsafe { error.as_ref() }.and_then(|error| error.body.as_ref());
        if !len.is_null() {
            // SAFETY: the caller passes NULL or a place for a length.
            unsafe { len.write(body.map_or(0, |body| body.len() - 1)) };
        }
        body.map_or(ptr::null(), |body| body.as_ptr().cast())
    })
}

/// Destroys an error object and the texts that belong to it. NULL is allowed and does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_error_destroy(error: *mut mlflow_gateway_error) {
    export!(or(), {
        if !error.is_null() {
            // SAFETY: the error came from Box::into_raw in export.rs and was not destroyed before.
            drop(unsafe { Box::from_raw(error) });
        }
    })
}

/// A text that ends at a NUL byte in C must not lose what comes behind one.
fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{2400}")).unwrap_or_default()
}
