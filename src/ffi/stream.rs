//! The stream object.

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::{Arc, Weak};

use super::error::mlflow_gateway_error;
use super::event::mlflow_gateway_event;
use super::export_status::export_status;
use super::export_value::export_value;
use super::gateway::mlflow_gateway;
use super::handle;
use super::request::mlflow_gateway_request;
use super::response::{self, mlflow_gateway_response};
use super::send::call_arguments;
use super::status::{MLFLOW_GATEWAY_OK, MLFLOW_GATEWAY_STREAM_END, mlflow_gateway_status};
use crate::client::{Error, Status, Stream};
use crate::sync::Exclusive;

/// A response that arrives as a sequence of events.
pub struct mlflow_gateway_stream {
    stream: Exclusive<Stream>,
    /// The last event that was returned. It points into the stream.
    event: UnsafeCell<mlflow_gateway_event>,
    /// The response object of the stream, which points to `stream`.
    response: mlflow_gateway_response,
}

const _: () = {
    const fn may_be_sent<T: Send>() {}
    may_be_sent::<Stream>();
};

// SAFETY: the stream may be used by any thread, and `Exclusive` lets one thread at a time use it and the event. `response`
// never changes.
unsafe impl Sync for mlflow_gateway_stream {}
// SAFETY: as above.
unsafe impl Send for mlflow_gateway_stream {}

impl mlflow_gateway_stream {
    fn create(stream: Stream) -> *mut mlflow_gateway_stream {
        let shared = Arc::new_cyclic(|object: &Weak<mlflow_gateway_stream>| mlflow_gateway_stream {
            stream: Exclusive::new(stream),
            event: UnsafeCell::new(mlflow_gateway_event::NONE),
            // SAFETY: the object is allocated, though not initialized, and the projection reads nothing.
            response: mlflow_gateway_response::OfStream(unsafe { &raw const (*object.as_ptr()).stream }),
        });
        Arc::into_raw(shared).cast_mut()
    }
}

/// The error of a forked child whose parent was reading the stream.
#[cold]
fn lost() -> Error {
    let problem = "another process was reading the stream when this process was forked; the stream continues there";
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
    export_status!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let call = unsafe { call_arguments(gateway, request, stream, "stream")? };
        let stream = call.gateway.gateway().stream(call.request.request())?;
        call.output.write(mlflow_gateway_stream::create(stream));
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
    export_status!(error, guard, {
        // SAFETY: the caller passes NULL or what the types say.
        let (shared, output) = unsafe { (handle::retain(stream, "stream")?, handle::output(event, "event")?) };
        let next = shared.stream.with(|stream| {
            let Some(next) = stream.next(&|| guard.hold())? else { return Ok(MLFLOW_GATEWAY_STREAM_END) };
            // SAFETY: this thread uses the stream exclusively, and the caller no longer uses the last event.
            unsafe { shared.event.get().write(mlflow_gateway_event::of(&next)) };
            output.write(shared.event.get());
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
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or a stream that was not destroyed.
        unsafe { stream.as_ref() }.map_or(ptr::null(), |stream| &raw const stream.response)
    })
}

/// End a stream and return what was gathered. The caller owns it. NULL if it was taken already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_stream_take_response(
    stream: *mut mlflow_gateway_stream,
) -> *mut mlflow_gateway_response {
    export_value!(ptr::null_mut(), {
        // SAFETY: the caller passes NULL or a stream that was not destroyed.
        let Some(shared) = (unsafe { stream.as_ref() }) else { return ptr::null_mut() };
        shared.stream.with(Stream::take_response).flatten().map_or(ptr::null_mut(), response::create)
    })
}

/// Destroy a stream. If it is not complete, the connection is closed, so that the gateway stops, too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_stream_destroy(stream: *mut mlflow_gateway_stream) {
    export_value!((), {
        // SAFETY: the caller passes NULL or a stream that was not destroyed.
        unsafe { handle::destroy(stream) }
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
    export_status!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let (gateway, request) = unsafe { (handle::retain(gateway, "gateway")?, handle::retain(request, "request")?) };
        let on_event = on_event.ok_or_else(|| handle::null_argument("on_event"))?;
        let mut stream = gateway.gateway().stream(request.request())?;
        let outcome = stream.for_each(|event| {
            let event = mlflow_gateway_event::of(&event);
            // SAFETY: the caller passes a function of this type and its `user_data`.
            unsafe { on_event(&raw const event, user_data) == 0 }
        });
        // SAFETY: the caller passes NULL or a pointer that is valid for writes.
        if let Some(output) = unsafe { handle::optional_output(response) } {
            output.write(response::create(stream.into_response()));
        }
        outcome
    })
}
