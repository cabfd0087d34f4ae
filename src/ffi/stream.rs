//! The stream object.

use std::cell::UnsafeCell;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::{Arc, Weak};

use super::error::mlflow_gateway_error;
use super::export::export;
use super::gateway::mlflow_gateway;
use super::handle;
use super::request::{asking, mlflow_gateway_request};
use super::response::{self, mlflow_gateway_response};
use super::status::{MLFLOW_GATEWAY_OK, MLFLOW_GATEWAY_STREAM_END, mlflow_gateway_status};
use crate::client::{Error, Response, Stream};
use crate::sync::Lock;

/// An answer that comes in deltas, as the model makes it.
pub struct mlflow_gateway_stream {
    lock: Lock<()>,
    /// Not inside of the lock, since what was gathered is read without it.
    stream: UnsafeCell<Stream>,
    /// What C gets as the stream's response: it points back here.
    response: mlflow_gateway_response,
}

const _: () = {
    const fn may_be_sent<T: Send>() {}
    may_be_sent::<Stream>();
};

// SAFETY: the stream itself may be used by any thread, and `with` lets one at a time use it. `response` never changes.
unsafe impl Sync for mlflow_gateway_stream {}
// SAFETY: as above.
unsafe impl Send for mlflow_gateway_stream {}

impl mlflow_gateway_stream {
    fn give(stream: Stream) -> *mut mlflow_gateway_stream {
        let shared = Arc::new_cyclic(|itself: &Weak<mlflow_gateway_stream>| mlflow_gateway_stream {
            lock: Lock::new(()),
            stream: UnsafeCell::new(stream),
            response: mlflow_gateway_response::OfStream(itself.as_ptr()),
        });
        Arc::into_raw(shared).cast_mut()
    }

    /// # Safety
    /// No thread is in [`mlflow_gateway_stream_next`] with this stream.
    pub(super) unsafe fn gathered(&self) -> &Response {
        // SAFETY: as promised by the caller, nobody changes it meanwhile.
        unsafe { &*self.stream.get() }.response()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Stream) -> T) -> T {
        let _alone = self.lock.lock();
        // SAFETY: the lock is held, and nobody else makes a reference to the stream.
        work(unsafe { &mut *self.stream.get() })
    }
}

/// Takes a delta: `text` is `len` bytes of UTF-8, NUL-terminated, which live until the callback returns; `candidate`
/// says to which candidate it belongs, counted from 0; `user_data` is what was given to mlflow_gateway_stream_call().
/// Returns 0 to go on; anything else stops the answer. It runs on the thread that made the call, and must return to it:
/// neither longjmp() nor a C++ exception may pass through this library.
pub type mlflow_gateway_on_delta =
    Option<unsafe extern "C" fn(text: *const c_char, len: usize, candidate: usize, user_data: *mut c_void) -> c_int>;

/// Sends a request, and waits only until the gateway begins to answer. The deltas are then fetched with
/// mlflow_gateway_stream_next(). A gateway that answers all at once, though it was asked for a stream, gives one delta
/// for each candidate that has a text.
/// Only texts come as deltas: calls of tools are read from mlflow_gateway_stream_response() at the end. The option
/// timeout_ms applies until the first event, then idle_timeout_ms and stream_timeout_ms.
///
/// `request` holds a prompt, messages or a whole body, as for mlflow_gateway_send().
/// `stream` receives the stream; the caller destroys it with mlflow_gateway_stream_destroy().
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _UNSUPPORTED (a route that is not for this, or a gateway of MLflow 2.5
/// to 2.8, which cannot stream), or any status from 20 to 99.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_stream_open(
    gateway: *mut mlflow_gateway,
    request: *const mlflow_gateway_request,
    stream: *mut *mut mlflow_gateway_stream,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let asked = unsafe { asking(gateway, request, stream, "stream")? };
        let stream = asked.gateway.gateway().stream(asked.request.request())?;
        asked.place.write(mlflow_gateway_stream::give(stream));
        Ok(())
    })
}

/// Waits for the next delta.
///
/// `text` receives it: UTF-8, not empty, NUL-terminated, and never a part of a character. It belongs to the stream and
/// lives until the next call of this function or of mlflow_gateway_stream_destroy(), whichever thread makes it.
/// `len` receives its length in bytes without the NUL; it may be NULL.
/// `candidate` receives the number of the candidate that it belongs to, counted from 0; it may be NULL.
///
/// A stream that was opened before a fork() goes on in the parent, and is _INVALID_ARGUMENT in the child.
///
/// Returns MLFLOW_GATEWAY_OK with a delta. Without one, and with nothing written:
/// MLFLOW_GATEWAY_STREAM_END if the answer is complete, which is no error and gives no error object;
/// _STREAM_TRUNCATED if the stream ended before the answer did; _STREAM_ERROR if the gateway said in the middle of it
/// that it failed, or _RATE_LIMITED, _BUDGET_EXCEEDED or _GUARDRAIL_BLOCKED if it said that this is why; or _TIMEOUT,
/// _BAD_RESPONSE, _RESPONSE_TOO_LARGE or another status from 20 to 99. A stream that is over returns the same each
/// time. _INVALID_ARGUMENT neither ends it nor loses a delta.
/// Nothing is ever asked again once a stream has begun.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_stream_next(
    stream: *mut mlflow_gateway_stream,
    text: *mut *const c_char,
    len: *mut usize,
    candidate: *mut usize,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(status error, guard, {
        // SAFETY: the caller passes NULL or what the types say.
        let (stream, place) = unsafe { (handle::hold(stream, "stream")?, handle::check_place(text, "text")?) };
        stream.with(|stream| {
            let Some(delta) = stream.next(&|| guard.hold())? else { return Ok(MLFLOW_GATEWAY_STREAM_END) };
            place.write(delta.with_nul().as_ptr().cast());
            for (place, value) in [(len, delta.text().len()), (candidate, delta.candidate)] {
                if !place.is_null() {
                    // SAFETY: the caller passes NULL or a place for a number.
                    unsafe { place.write(value) };
                }
            }
            Ok(MLFLOW_GATEWAY_OK)
        })
    })
}

/// Returns what was gathered so far: the whole texts, finish reasons, calls of tools, and the tokens, which come last.
/// With the option gather_stream set to false there are no texts and calls of tools in it. It stays readable when the
/// stream has failed. NULL if `stream` is NULL.
///
/// It belongs to the stream and is not to be destroyed. It is the same object for all of the stream's life; its texts
/// live until the next call of mlflow_gateway_stream_next(), and no other thread may be in that function while they are
/// read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_stream_response(
    stream: *const mlflow_gateway_stream,
) -> *const mlflow_gateway_response {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or a stream that was not destroyed.
        unsafe { stream.as_ref() }.map_or(ptr::null(), |stream| &raw const stream.response)
    })
}

/// Destroys a stream. One that is not over is cut off: its connection is closed, so that the gateway stops as well.
/// NULL is allowed and does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_stream_destroy(stream: *mut mlflow_gateway_stream) {
    export!(or(), {
        // SAFETY: the caller passes NULL or a stream that was not destroyed.
        unsafe { handle::end(stream) }
    })
}

/// Sends a request and hands each delta to a callback, as mlflow_gateway_stream_open() and
/// mlflow_gateway_stream_next() would give it, until the answer is complete.
///
/// `on_delta` is called on this thread with each delta. If it returns another number than 0, the answer is stopped at
/// once: the connection is closed, and the function returns MLFLOW_GATEWAY_CANCELLED. That delta is gathered, too.
/// `user_data` is given to the callback as it is; it may be NULL.
/// `response` may be NULL; else it receives what was gathered, also when the function fails after the stream has begun
/// (in which it differs from all other outputs), and is not written to when it fails before. The caller destroys it
/// with mlflow_gateway_response_destroy().
///
/// Returns MLFLOW_GATEWAY_OK if the answer is complete; _CANCELLED; what mlflow_gateway_stream_open() returns; or what
/// mlflow_gateway_stream_next() returns for a failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_stream_call(
    gateway: *mut mlflow_gateway,
    request: *const mlflow_gateway_request,
    on_delta: mlflow_gateway_on_delta,
    user_data: *mut c_void,
    response: *mut *mut mlflow_gateway_response,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, request) = unsafe { (handle::hold(gateway, "gateway")?, handle::hold(request, "request")?) };
        let on_delta = on_delta.ok_or_else(|| handle::null("on_delta"))?;
        let mut stream = gateway.gateway().stream(request.request())?;
        let verdict: Result<(), Error> = stream.for_each(|delta| {
            let text = delta.with_nul();
            // SAFETY: the caller passes a function of this type, which may read the text and gets its own `user_data`.
            unsafe { on_delta(text.as_ptr().cast(), text.len() - 1, delta.candidate, user_data) == 0 }
        });
        if !response.is_null() {
            // SAFETY: the caller passes NULL or a place for a response.
            unsafe { response.write(response::give(stream.into_response())) };
        }
        verdict
    })
}
