//! What the header promises of every call: a status that there is, an error object if and only if it is a failure, an
//! output if and only if it is none, and texts that are texts.

use std::ffi::{CStr, c_char};
use std::sync::OnceLock;
use std::{ptr, slice};

use mlflow_ai_gateway::ffi::error::*;
use mlflow_ai_gateway::ffi::status::*;

use crate::script::Call;

/// What a function may come to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It asks no gateway.
    Local,
    Asking,
    /// It may say that a stream is over.
    Stream,
    /// It asks no gateway, and may say that there is no such value.
    Json,
}

/// What a place holds before something is written to it. Nothing is there.
fn untouched<T>() -> *mut T {
    ptr::without_provenance_mut(1)
}

/// Whether each call and what it came to is written to stderr, to see what an input does.
fn is_traced() -> bool {
    static IS_TRACED: OnceLock<bool> = OnceLock::new();
    *IS_TRACED.get_or_init(|| std::env::var_os("FUZZ_TRACE").is_some())
}

/// Calls a function with a place for an error, and returns its status.
pub fn status(
    call: &Call,
    kind: Kind,
    function: impl FnOnce(*mut *mut mlflow_gateway_error) -> mlflow_gateway_status,
) -> mlflow_gateway_status {
    let mut error = untouched();
    let place = if call.has_place_for_error() { &raw mut error } else { ptr::null_mut() };
    let status = function(place);
    // SAFETY: the text lives for ever.
    let name = unsafe { CStr::from_ptr(mlflow_gateway_status_name(status)) };
    if is_traced() {
        eprintln!("{call}: {}", name.to_string_lossy());
    }
    assert_ne!(name, c"MLFLOW_GATEWAY_UNKNOWN", "the status {status}");
    assert!(!(20..80).contains(&status) || !matches!(kind, Kind::Local | Kind::Json), "{name:?} without a gateway");
    assert!(!(80..100).contains(&status), "{name:?}");
    let is_failure = (1..100).contains(&status);
    assert!(status != MLFLOW_GATEWAY_STREAM_END || kind == Kind::Stream, "{name:?}");
    assert!(status != MLFLOW_GATEWAY_NO_VALUE || kind == Kind::Json, "{name:?}");
    if !is_failure || place.is_null() {
        assert_eq!(error, untouched(), "an error object with {name:?}");
    } else {
        assert_ne!(error, untouched(), "no error object with {name:?}");
        // SAFETY: it was just given out.
        unsafe { check_error(error, status) };
    }
    status
}

/// As [`status`], of a function that gives something out; it is `None` if it failed.
pub fn made<T>(
    call: &Call,
    kind: Kind,
    function: impl FnOnce(*mut *mut T, *mut *mut mlflow_gateway_error) -> mlflow_gateway_status,
) -> Option<*mut T> {
    let mut made = untouched();
    let place = if call.has_places() { &raw mut made } else { ptr::null_mut() };
    match status(call, kind, |error| function(place, error)) {
        MLFLOW_GATEWAY_OK => {
            assert!(!made.is_null() && made != untouched(), "nothing was given out");
            Some(made)
        }
        status => {
            assert_eq!(made, untouched(), "something was given out with status {status}");
            None
        }
    }
}

/// # Safety
/// The error was given out and not destroyed.
unsafe fn check_error(error: *mut mlflow_gateway_error, status: mlflow_gateway_status) {
    // SAFETY: as promised by the caller; what is lent lives as long as the error.
    unsafe {
        assert_eq!(mlflow_gateway_error_status(error), status);
        let message = terminated(mlflow_gateway_error_message(error)).expect("there is always a message");
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
            let reason = terminated(mlflow_gateway_error_retry_reason(error, retry)).expect("there is a reason");
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

/// A text that ends at its NUL byte.
///
/// # Safety
/// It is NULL, or lives on.
pub unsafe fn terminated<'a>(text: *const c_char) -> Option<&'a str> {
    // SAFETY: as promised by the caller.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_str().expect("it is UTF-8"))
}

/// A text with a length.
///
/// # Safety
/// It is NULL, or lives on.
pub unsafe fn sized<'a>(text: *const c_char, len: usize) -> Option<&'a str> {
    // SAFETY: as promised by the caller.
    let bytes = unsafe { bytes(text, len) };
    bytes.map(|bytes| std::str::from_utf8(bytes).expect("it is UTF-8"))
}

/// Bytes of any kind, with a length.
///
/// # Safety
/// As [`sized`].
pub unsafe fn bytes<'a>(bytes: *const c_char, len: usize) -> Option<&'a [u8]> {
    if bytes.is_null() {
        assert_eq!(len, 0);
        return None;
    }
    // SAFETY: as promised by the caller and by the library, which may be wrong: so the address sanitizer looks at it.
    let bytes = unsafe { slice::from_raw_parts(bytes.cast::<u8>(), len + 1) };
    assert_eq!(bytes[len], 0, "a NUL byte follows");
    Some(&bytes[..len])
}
