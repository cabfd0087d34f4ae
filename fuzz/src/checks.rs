//! The promises of the header for every call: a known status, an error object if and only if the call failed, an
//! output if and only if it succeeded, and valid strings.

use std::ffi::{CStr, c_char};
use std::sync::OnceLock;
use std::{ptr, slice};

use mlflow_ai_gateway::ffi::error::*;
use mlflow_ai_gateway::ffi::status::*;

use crate::script::Call;

/// The statuses that a function may return.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It sends no request.
    Local,
    /// It sends requests.
    Remote,
    /// It may return the end of a stream.
    Stream,
    /// It sends no request, and may return that there is no such value.
    Json,
    /// It submits to a queue, which may be full.
    Submit,
    /// It fetches from a queue, which may have nothing or be at its end.
    Fetch,
}

/// The value of an output before the call. It points nowhere.
fn untouched<T>() -> *mut T {
    ptr::without_provenance_mut(1)
}

/// Returns whether each call and its status are printed to stderr.
fn is_traced() -> bool {
    static IS_TRACED: OnceLock<bool> = OnceLock::new();
    *IS_TRACED.get_or_init(|| std::env::var_os("FUZZ_TRACE").is_some())
}

/// Calls a function with an error output, checks its status, and returns it.
pub fn status(
    call: &Call,
    kind: Kind,
    function: impl FnOnce(*mut *mut mlflow_gateway_error) -> mlflow_gateway_status,
) -> mlflow_gateway_status {
    let mut error = untouched();
    let output = if call.has_error_output() { &raw mut error } else { ptr::null_mut() };
    let status = function(output);
    // SAFETY: the name is static.
    let name = unsafe { CStr::from_ptr(mlflow_gateway_status_name(status)) };
    if is_traced() {
        eprintln!("{call}: {}", name.to_string_lossy());
    }
    assert_ne!(name, c"MLFLOW_GATEWAY_UNKNOWN", "the status {status}");
    assert!(!(20..80).contains(&status) || matches!(kind, Kind::Remote | Kind::Stream), "{name:?} without a request");
    assert!(!(80..100).contains(&status), "{name:?}");
    let is_failure = (1..100).contains(&status);
    assert!(status != MLFLOW_GATEWAY_STREAM_END || kind == Kind::Stream, "{name:?}");
    assert!(status != MLFLOW_GATEWAY_NO_VALUE || kind == Kind::Json, "{name:?}");
    assert!(status != MLFLOW_GATEWAY_QUEUE_FULL || kind == Kind::Submit, "{name:?}");
    let is_empty = matches!(status, MLFLOW_GATEWAY_PENDING | MLFLOW_GATEWAY_QUEUE_END);
    assert!(!is_empty || kind == Kind::Fetch, "{name:?}");
    if !is_failure || output.is_null() {
        assert_eq!(error, untouched(), "an error object with {name:?}");
    } else {
        assert_ne!(error, untouched(), "no error object with {name:?}");
        // SAFETY: the call returned it, and it was not destroyed.
        unsafe { check_error(error, status) };
    }
    status
}

/// Like [`status`], for a function that creates an object. Returns `None` if it failed.
pub fn create<T>(
    call: &Call,
    kind: Kind,
    function: impl FnOnce(*mut *mut T, *mut *mut mlflow_gateway_error) -> mlflow_gateway_status,
) -> Option<*mut T> {
    let mut object = untouched();
    let output = if call.has_outputs() { &raw mut object } else { ptr::null_mut() };
    match status(call, kind, |error| function(output, error)) {
        MLFLOW_GATEWAY_OK => {
            assert!(!object.is_null() && object != untouched(), "no object with MLFLOW_GATEWAY_OK");
            Some(object)
        }
        status => {
            assert_eq!(object, untouched(), "an object with status {status}");
            None
        }
    }
}

/// Checks an error, and destroys it.
///
/// # Safety
/// The error must not be destroyed yet.
pub unsafe fn check_error(error: *mut mlflow_gateway_error, status: mlflow_gateway_status) {
    // SAFETY: the caller guarantees it; strings live as long as the error.
    unsafe {
        assert_eq!(mlflow_gateway_error_status(error), status);
        let message = terminated(mlflow_gateway_error_message(error)).expect("an error has a message");
        if is_traced() {
            eprintln!("    {message}");
        }
        assert!(!message.is_empty() && !message.contains(char::is_control), "{message:?}");
        terminated(mlflow_gateway_error_gateway_code(error));
        assert!((0..1000).contains(&mlflow_gateway_error_http_status(error)));
        assert!(mlflow_gateway_error_retry_after_ms(error) >= -1);
        assert!(mlflow_gateway_error_attempts(error) < 1000);
        let retries = mlflow_gateway_error_retry_count(error);
        for retry in 0..retries {
            let reason = terminated(mlflow_gateway_error_retry_reason(error, retry)).expect("a retry has a reason");
            assert!(!reason.is_empty() && !reason.contains(char::is_control), "{reason:?}");
        }
        assert!(mlflow_gateway_error_retry_reason(error, retries).is_null());
        let is_retryable = mlflow_gateway_error_is_retryable(error);
        assert!(is_retryable == 0 || is_retryable == 1 && (20..80).contains(&status));
        assert!(mlflow_gateway_error_header(error, ptr::null()).is_null());
        assert!(mlflow_gateway_error_header(error, c"SET-cookie".as_ptr()).is_null());
        for name in [c"Content-Length", c"x-a", c""] {
            terminated(mlflow_gateway_error_header(error, name.as_ptr()));
        }
        let mut len = usize::MAX;
        let body = mlflow_gateway_error_body(error, &mut len);
        assert_eq!(body, mlflow_gateway_error_body(error, ptr::null_mut()));
        if body.is_null() {
            assert_eq!(len, 0);
        } else {
            assert_eq!(*body.add(len), 0);
            assert!(len <= 64 * 1024 + 1024, "{len} bytes of a body are kept");
        }
        mlflow_gateway_error_destroy(error);
    }
}

/// Checks a NUL-terminated string.
///
/// # Safety
/// It must be NULL, or live for `'a`.
pub unsafe fn terminated<'a>(text: *const c_char) -> Option<&'a str> {
    // SAFETY: the caller guarantees it.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_str().expect("it is UTF-8"))
}

/// Checks a string with a length.
///
/// # Safety
/// It must be NULL, or live for `'a`.
pub unsafe fn sized<'a>(text: *const c_char, len: usize) -> Option<&'a str> {
    // SAFETY: the caller guarantees it.
    let bytes = unsafe { bytes(text, len) };
    bytes.map(|bytes| std::str::from_utf8(bytes).expect("it is UTF-8"))
}

/// Checks bytes with a length.
///
/// # Safety
/// As for [`sized`].
pub unsafe fn bytes<'a>(bytes: *const c_char, len: usize) -> Option<&'a [u8]> {
    if bytes.is_null() {
        assert_eq!(len, 0);
        return None;
    }
    // SAFETY: the caller and the library guarantee it. The address sanitizer checks the latter.
    let bytes = unsafe { slice::from_raw_parts(bytes.cast::<u8>(), len + 1) };
    assert_eq!(bytes[len], 0, "a NUL byte follows");
    Some(&bytes[..len])
}
