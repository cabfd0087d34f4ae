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
use crate::client::{Error, Response, Status, Stream};
use crate::sync::Exclusive;

/// A response that arrives as a sequence of events.
pub struct mlflow_gateway_stream {
    stream: Exclusive<Stream>,
    /// What was handed out last. It points into the stream.
    event: UnsafeCell<mlflow_gateway_event>,
    /// What C gets as the stream's response: it points back here.
    response: mlflow_gateway_response,
}

const _: () = {
    const fn may_be_sent<T: Send>() {}
    may_be_sent::<Stream>();
};

// SAFETY: the stream itself may be used by any thread, and `Exclusive` lets one at a time use it, and with it the event.
// `response` never changes.
unsafe impl Sync for mlflow_gateway_stream {}
// SAFETY: as above.
unsafe impl Send for mlflow_gateway_stream {}

impl mlflow_gateway_stream {
    fn give(stream: Stream) -> *mut mlflow_gateway_stream {
        let shared = Arc::new_cyclic(|itself: &Weak<mlflow_gateway_stream>| mlflow_gateway_stream {
            stream: Exclusive::new(stream),
            event: UnsafeCell::new(mlflow_gateway_event::NONE),
            response: mlflow_gateway_response::OfStream(itself.as_ptr()),
        });
        Arc::into_raw(shared).cast_mut()
    }

    /// # Safety
    /// No thread is in [`mlflow_gateway_stream_next`] or [`mlflow_gateway_stream_take_response`] with this stream.
    pub(super) unsafe fn gathered(&self) -> Option<&Response> {
        // SAFETY: as promised by the caller, nobody changes it meanwhile.
        unsafe { self.stream.get() }.map(Stream::response)
    }
}

/// In the child of a fork, of a stream that its parent was reading.
#[cold]
fn lost() -> Error {
    let problem = "the stream was read by another process when this one was forked from it, and goes on there";
    Error::new(Status::InvalidArgument, problem)
}

/// Receives one event. `event` is valid until the callback returns. `user_data` is passed through. Return 0 to
/// continue, or any other value to stop the stream.
pub type mlflow_gateway_on_event =
    Option<unsafe extern "C" fn(event: *const mlflow_gateway_event, user_data: *mut c_void) -> c_int>;

/// Send a request and wait until the response begins. Then fetch its events with mlflow_gateway_stream_next(). A
/// gateway that does not stream although a stream was requested returns the same kinds of events.
///
/// The option timeout_ms applies until the first event; then stream_timeout_ms, also measured from the start of the
/// call, and idle_timeout_ms between two events. A stream that has begun is never retried.
///
/// `stream` receives the stream. The caller owns it.
///
/// Fails with _UNSUPPORTED on gateways of MLflow 2.5 to 2.8, which cannot stream.
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

/// Wait for the next event. Only one thread at a time may call it for a stream. To end a stream from another
/// thread, cancel it, wait for this function to return, and destroy the stream.
///
/// `event` receives the event. It is valid until this function is called again or the stream is ended.
///
/// Returns _STREAM_END when the response is complete. Fails with _STREAM_TRUNCATED, _STREAM_ERROR, _TIMEOUT and
/// others. A stream that has ended returns the same status each time. In the child of a fork() it is
/// _INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_stream_next(
    stream: *mut mlflow_gateway_stream,
    event: *mut *const mlflow_gateway_event,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(status error, guard, {
        // SAFETY: the caller passes NULL or what the types say.
        let (shared, place) = unsafe { (handle::hold(stream, "stream")?, handle::check_place(event, "event")?) };
        let next = shared.stream.with(|stream| {
            let Some(next) = stream.next(&|| guard.hold())? else { return Ok(MLFLOW_GATEWAY_STREAM_END) };
            // SAFETY: the lock is held, and nobody uses the last event any more.
            unsafe { shared.event.get().write(mlflow_gateway_event::of(&next)) };
            place.write(shared.event.get());
            Ok(MLFLOW_GATEWAY_OK)
        });
        next.unwrap_or_else(|| Err(lost()))
    })
}

/// Return what was gathered so far: text, reasoning, refusal, tool calls, finish reasons and token counts. With
/// gather_stream=false there are only finish reasons and token counts. It stays readable when the stream has
/// failed.
///
/// The stream owns it. Strings read from it are valid until the next call of mlflow_gateway_stream_next() or
/// mlflow_gateway_stream_take_response().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_stream_response(
    stream: *const mlflow_gateway_stream,
) -> *const mlflow_gateway_response {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or a stream that was not destroyed.
        unsafe { stream.as_ref() }.map_or(ptr::null(), |stream| &raw const stream.response)
    })
}

/// End a stream and return what was gathered. The caller owns it. NULL if it was taken already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_stream_take_response(
    stream: *mut mlflow_gateway_stream,
) -> *mut mlflow_gateway_response {
    export!(or ptr::null_mut(), {
        // SAFETY: the caller passes NULL or a stream that was not destroyed.
        let Some(shared) = (unsafe { stream.as_ref() }) else { return ptr::null_mut() };
        shared.stream.with(Stream::take_response).flatten().map_or(ptr::null_mut(), response::give)
    })
}

/// Destroy a stream. If it is not complete, the connection is closed, so that the gateway stops, too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_stream_destroy(stream: *mut mlflow_gateway_stream) {
    export!(or(), {
        // SAFETY: the caller passes NULL or a stream that was not destroyed.
        unsafe { handle::end(stream) }
    })
}

/// Send a request and pass each event of the response to a callback.
///
/// `on_event` runs on this thread. If it returns nonzero, the stream stops at once: the connection is closed, and
/// the status is _CANCELLED. That event is gathered.
/// `response` receives what was gathered, also on failure if the stream had begun. The caller owns it. It may be
/// NULL.
///
/// Fails like mlflow_gateway_stream_open() and mlflow_gateway_stream_next().
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
