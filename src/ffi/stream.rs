//! The stream object.

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::{Arc, Weak};

use super::error::mlflow_gateway_error;
use super::event::mlflow_gateway_event;
use super::export::export;
use super::gateway::mlflow_gateway;
use super::handle;
use super::request::{asking, mlflow_gateway_request};
use super::response::{self, mlflow_gateway_response};
use super::status::{MLFLOW_GATEWAY_OK, MLFLOW_GATEWAY_STREAM_END, mlflow_gateway_status};
use crate::client::{Error, Response, Stream};
use crate::sync::Lock;

/// A response that comes in events, as the model makes it.
pub struct mlflow_gateway_stream {
    lock: Lock<()>,
    /// Not inside of the lock, since what was gathered is read without it.
    stream: UnsafeCell<Stream>,
    /// What was handed out last. It points into the stream.
    event: UnsafeCell<mlflow_gateway_event>,
    /// What C gets as the stream's response: it points back here.
    response: mlflow_gateway_response,
}

const _: () = {
    const fn may_be_sent<T: Send>() {}
    may_be_sent::<Stream>();
};

// SAFETY: the stream itself may be used by any thread, and `with` lets one at a time use it and the event. `response`
// never changes.
unsafe impl Sync for mlflow_gateway_stream {}
// SAFETY: as above.
unsafe impl Send for mlflow_gateway_stream {}

impl mlflow_gateway_stream {
    fn give(stream: Stream) -> *mut mlflow_gateway_stream {
        let shared = Arc::new_cyclic(|itself: &Weak<mlflow_gateway_stream>| mlflow_gateway_stream {
            lock: Lock::new(()),
            stream: UnsafeCell::new(stream),
            event: UnsafeCell::new(mlflow_gateway_event::NONE),
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

/// Take an event, which lives until the callback returns. `user_data` is what was given to
/// mlflow_gateway_stream_call(). Return 0 to go on; any other number stops the response. The callback runs on the
/// thread that made the call, and must return to it: neither longjmp() nor a C++ exception may pass through this
/// library.
pub type mlflow_gateway_on_event =
    Option<unsafe extern "C" fn(event: *const mlflow_gateway_event, user_data: *mut c_void) -> c_int>;

/// Send a request, and wait only until the response begins. Fetch its events with mlflow_gateway_stream_next(). A
/// gateway that answers as a whole, although a stream was requested, gives the same kinds of events. The option
/// timeout_ms applies until the first event, then idle_timeout_ms and stream_timeout_ms.
///
/// `request` holds a prompt, messages or a whole body, as for mlflow_gateway_send().
/// `stream` receives the stream; destroy it with mlflow_gateway_stream_destroy().
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _UNSUPPORTED (a route that is not for this, or a gateway of MLflow
/// 2.5 to 2.8, which cannot stream), or any status from 20 to 99.
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

/// Wait for the next event.
///
/// `event` receives it. The event belongs to the stream, and lives until the next call of this function, of
/// mlflow_gateway_stream_take_response() or of mlflow_gateway_stream_destroy(), whichever thread makes it.
///
/// Call this function from one thread at a time. To end a stream from another thread, cancel it, wait until this
/// function has returned, and destroy the stream.
/// A stream that was opened before a fork() goes on in the parent, and is _INVALID_ARGUMENT in the child.
///
/// Returns MLFLOW_GATEWAY_OK with an event. Returns another status without one, and with nothing written:
/// MLFLOW_GATEWAY_STREAM_END if the response is complete, which is no error and gives no error object;
/// _STREAM_TRUNCATED if the stream ended before the response did; _STREAM_ERROR if the gateway reported a failure in
/// the middle of it, or _RATE_LIMITED, _BUDGET_EXCEEDED or _GUARDRAIL_BLOCKED if it reported that as the reason; or
/// _TIMEOUT, _BAD_RESPONSE, _RESPONSE_TOO_LARGE or another status from 20 to 99. A stream that is over returns the
/// same each time. _INVALID_ARGUMENT neither ends it nor loses an event.
/// Nothing is retried once a stream has begun.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_stream_next(
    stream: *mut mlflow_gateway_stream,
    event: *mut *const mlflow_gateway_event,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(status error, guard, {
        // SAFETY: the caller passes NULL or what the types say.
        let (shared, place) = unsafe { (handle::hold(stream, "stream")?, handle::check_place(event, "event")?) };
        shared.with(|stream| {
            let Some(next) = stream.next(&|| guard.hold())? else { return Ok(MLFLOW_GATEWAY_STREAM_END) };
            // SAFETY: the lock is held, and nobody uses the last event any more.
            unsafe { shared.event.get().write(mlflow_gateway_event::of(&next)) };
            place.write(shared.event.get());
            Ok(MLFLOW_GATEWAY_OK)
        })
    })
}

/// Return what was gathered so far: texts, reasoning, refusals, finish reasons, tool calls, and the tokens, which
/// come last. With the option gather_stream set to false, texts, reasoning, refusals and tool calls are left out. It
/// stays readable after the stream has failed. Return NULL if `stream` is NULL.
///
/// The response belongs to the stream: do not destroy it. It is the same object for all of the stream's life; its
/// strings live until the next call of mlflow_gateway_stream_next(). No other thread may be in that function while
/// they are read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_stream_response(
    stream: *const mlflow_gateway_stream,
) -> *const mlflow_gateway_response {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or a stream that was not destroyed.
        unsafe { stream.as_ref() }.map_or(ptr::null(), |stream| &raw const stream.response)
    })
}

/// Give what was gathered so far to the caller, and end the stream: if the response is not complete, its connection
/// is closed, and mlflow_gateway_stream_next() returns MLFLOW_GATEWAY_CANCELLED from then on. The response that
/// mlflow_gateway_stream_response() returns is empty afterwards.
///
/// Return a response that the caller destroys with mlflow_gateway_response_destroy(). It outlives the stream. Return
/// NULL if it was taken before, or if `stream` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_stream_take_response(
    stream: *mut mlflow_gateway_stream,
) -> *mut mlflow_gateway_response {
    export!(or ptr::null_mut(), {
        // SAFETY: the caller passes NULL or a stream that was not destroyed.
        let Some(shared) = (unsafe { stream.as_ref() }) else { return ptr::null_mut() };
        shared.with(|stream| stream.take_response().map_or(ptr::null_mut(), response::give))
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

/// Send a request and hand each event to a callback, as mlflow_gateway_stream_open() and
/// mlflow_gateway_stream_next() would give it, until the response is complete.
///
/// `on_event` is called on this thread with each event. If it returns another number than 0, the response is stopped
/// at once: the connection is closed, and the function returns MLFLOW_GATEWAY_CANCELLED. That event is gathered,
/// too.
/// `user_data` is given to the callback as it is; it may be NULL.
/// `response` may be NULL. Otherwise it receives what was gathered, also if the function fails after the stream has
/// begun (in which it differs from all other outputs), and is not written to if it fails before. Destroy it with
/// mlflow_gateway_response_destroy().
///
/// Returns MLFLOW_GATEWAY_OK if the response is complete; _CANCELLED; what mlflow_gateway_stream_open() returns; or
/// what mlflow_gateway_stream_next() returns for a failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_stream_call(
    gateway: *mut mlflow_gateway,
    request: *const mlflow_gateway_request,
    on_event: mlflow_gateway_on_event,
    user_data: *mut c_void,
    response: *mut *mut mlflow_gateway_response,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, request) = unsafe { (handle::hold(gateway, "gateway")?, handle::hold(request, "request")?) };
        let on_event = on_event.ok_or_else(|| handle::null("on_event"))?;
        let mut stream = gateway.gateway().stream(request.request())?;
        let verdict: Result<(), Error> = stream.for_each(|event| {
            let event = mlflow_gateway_event::of(&event);
            // SAFETY: the caller passes a function of this type, which may read the event and gets its own `user_data`.
            unsafe { on_event(&raw const event, user_data) == 0 }
        });
        if !response.is_null() {
            // SAFETY: the caller passes NULL or a place for a response.
            unsafe { response.write(response::give(stream.into_response())) };
        }
        verdict
    })
}
