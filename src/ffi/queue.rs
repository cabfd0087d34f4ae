//! The queue object.

use std::ffi::{c_char, c_int};
use std::sync::Arc;
use std::time::Duration;

use super::catch_panic::catch_panic;
use super::completion::{self, mlflow_gateway_completion};
use super::error::mlflow_gateway_error;
use super::export_status::export_status;
use super::export_value::export_value;
use super::gateway::mlflow_gateway;
use super::handle;
use super::request::mlflow_gateway_request;
use super::status::{
    MLFLOW_GATEWAY_OK, MLFLOW_GATEWAY_PENDING, MLFLOW_GATEWAY_QUEUE_END, MLFLOW_GATEWAY_QUEUE_FULL,
    mlflow_gateway_status,
};
use super::string;
use crate::client::{Error, Fetched, Queue, QueueCount, Status, Submission};

/// As mlflow_gateway_send().
pub const MLFLOW_GATEWAY_SUBMIT_SEND: i32 = 1;
/// As mlflow_gateway_stream_open() and mlflow_gateway_stream_next().
pub const MLFLOW_GATEWAY_SUBMIT_STREAM: i32 = 2;
/// As mlflow_gateway_embed().
pub const MLFLOW_GATEWAY_SUBMIT_EMBED: i32 = 3;

/// Requests that wait to be sent.
pub const MLFLOW_GATEWAY_QUEUE_COUNT_WAITING: i32 = 1;
/// Requests that are being sent, or whose DONE was not fetched.
pub const MLFLOW_GATEWAY_QUEUE_COUNT_IN_FLIGHT: i32 = 2;
/// Completions that mlflow_gateway_queue_next() can return now.
pub const MLFLOW_GATEWAY_QUEUE_COUNT_UNFETCHED: i32 = 3;
/// How many requests may be in flight now: max_in_flight, or what the option adaptive found.
pub const MLFLOW_GATEWAY_QUEUE_COUNT_LIMIT: i32 = 4;

/// A queue: sends many requests at once, on threads of its own.
pub struct mlflow_gateway_queue(Queue);

/// Create a queue for many requests at once. Submit requests, then fetch their completions, from one thread or from
/// several:
///
///     for (uint64_t i = 0; i < count; i++)
///         mlflow_gateway_queue_submit(queue, requests[i], MLFLOW_GATEWAY_SUBMIT_SEND, i, &error);
///     mlflow_gateway_queue_close(queue);
///     while (mlflow_gateway_queue_next(queue, -1, &completion, &error) == MLFLOW_GATEWAY_OK) {
///         print(mlflow_gateway_completion_tag(completion), mlflow_gateway_completion_response(completion));
///         mlflow_gateway_completion_destroy(completion);
///     }
///
/// Without mlflow_gateway_queue_close(), the last mlflow_gateway_queue_next() would wait forever.
///
/// `queue` receives the queue. The caller owns it. It keeps its handle.
///
/// A queue belongs to the process that created it: in the child of a fork() it can only be destroyed. Once a queue
/// has sent a request, the library stays loaded after dlclose().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_queue_create(
    gateway: *mut mlflow_gateway,
    queue: *mut *mut mlflow_gateway_queue,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (gateway, output) = unsafe { (handle::retain(gateway, "gateway")?, handle::output(queue, "queue")?) };
        let queue = Queue::create(Arc::clone(gateway.gateway()), |work| catch_panic(work));
        output.write(handle::create(mlflow_gateway_queue(queue)));
        Ok(())
    })
}

/// Set an option of a queue, at any time. docs/options.md describes every option.
///
///   name                 values                default  limits
///   max_in_flight        1 to 4096             8        requests in flight, until their DONE is fetched
///   max_queued           1 to 1000000          1024     requests that wait
///   max_events           1 to 65536            64       events of a stream that are not destroyed yet
///   requests_per_second  0 to 1000000          0        requests a second; may be a fraction; 0: no limit
///   tokens_per_minute    0 to 1000000000000    0        tokens a minute, input and output; 0: no limit
///   adaptive             true, false           false    finds the best max_in_flight, at most the one that is set,
///                                                       or else 4096
///
/// After a response with HTTP status 429 nothing is sent to that route until the time that the gateway asks to
/// wait, or a growing time, is over; then requests are sent at the rate that the gateway accepted.
///
/// Fails with _UNKNOWN_OPTION or _INVALID_OPTION_VALUE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_queue_set_option(
    queue: *mut mlflow_gateway_queue,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let queue = unsafe { handle::retain(queue, "queue")? };
        // SAFETY: as above.
        let (name, value) = unsafe { (string::required(name, "name")?, string::required(value, "value")?) };
        queue.0.set_option(name, value)
    })
}

/// Submit a request. It does not wait: a request that cannot be sent yet is kept.
///
/// `request` and the settings of the handle are used as they are now. timeout_ms begins when the request is sent,
/// not when it is submitted.
/// `how` is one of the MLFLOW_GATEWAY_SUBMIT_ numbers.
/// `tag` is returned with each completion of this request. Tags need not be unique.
///
/// Returns _QUEUE_FULL if max_queued requests wait: fetch completions, then submit it again. Fails with
/// _INVALID_ARGUMENT if the queue was closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_queue_submit(
    queue: *mut mlflow_gateway_queue,
    request: *const mlflow_gateway_request,
    how: i32,
    tag: u64,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (queue, request) = unsafe { (handle::retain(queue, "queue")?, handle::retain(request, "request")?) };
        let submission = match how {
            MLFLOW_GATEWAY_SUBMIT_SEND => Submission::Send,
            MLFLOW_GATEWAY_SUBMIT_STREAM => Submission::Stream,
            MLFLOW_GATEWAY_SUBMIT_EMBED => Submission::Embed,
            _ => {
                let problem = format!("the argument how is {how}; it is 1 (send), 2 (stream) or 3 (embed)");
                return Err(Error::new(Status::InvalidArgument, problem));
            }
        };
        let is_queued = queue.0.submit(request.request(), submission, tag)?;
        Ok(if is_queued { MLFLOW_GATEWAY_OK } else { MLFLOW_GATEWAY_QUEUE_FULL })
    })
}

/// Fetch the next completion. Log callbacks run on this thread.
///
/// `timeout_ms` is how long to wait: 0 does not wait, a negative number waits without limit.
/// `completion` receives the completion. The caller owns it. It stays valid when the queue is destroyed.
///
/// OK says that there is a completion, not that its request succeeded: see mlflow_gateway_completion_status().
/// Returns _PENDING if there is none in time, and _QUEUE_END if the queue is closed and everything was fetched.
/// Several threads may fetch, but then the events of one stream may be processed out of order.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_queue_next(
    queue: *mut mlflow_gateway_queue,
    timeout_ms: i64,
    completion: *mut *mut mlflow_gateway_completion,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (queue, output) = unsafe { (handle::retain(queue, "queue")?, handle::output(completion, "completion")?) };
        let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
        Ok(match queue.0.next(timeout)? {
            Fetched::Completion(completion) => {
                output.write(completion::create(completion));
                MLFLOW_GATEWAY_OK
            }
            Fetched::Pending => MLFLOW_GATEWAY_PENDING,
            Fetched::End => MLFLOW_GATEWAY_QUEUE_END,
        })
    })
}

/// Return a descriptor for an event loop (poll, epoll, libuv ...). It is readable exactly while
/// mlflow_gateway_queue_next() would return OK or QUEUE_END at once. Never read, write or close it. With an
/// edge-triggered loop, fetch until PENDING.
///
/// `fd` receives the descriptor, which the queue owns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_queue_fd(
    queue: *mut mlflow_gateway_queue,
    fd: *mut c_int,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        let (queue, output) = unsafe { (handle::retain(queue, "queue")?, handle::output(fd, "fd")?) };
        output.write(queue.0.descriptor()?);
        Ok(())
    })
}

/// Return a count. `kind` is one of the MLFLOW_GATEWAY_QUEUE_COUNT_ numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_queue_count(queue: *const mlflow_gateway_queue, kind: i32) -> usize {
    export_value!(0, {
        // SAFETY: the caller passes NULL or a queue that was not destroyed.
        let Some(queue) = (unsafe { queue.as_ref() }) else { return 0 };
        queue.0.count(match kind {
            MLFLOW_GATEWAY_QUEUE_COUNT_WAITING => QueueCount::Waiting,
            MLFLOW_GATEWAY_QUEUE_COUNT_IN_FLIGHT => QueueCount::InFlight,
            MLFLOW_GATEWAY_QUEUE_COUNT_UNFETCHED => QueueCount::Unfetched,
            MLFLOW_GATEWAY_QUEUE_COUNT_LIMIT => QueueCount::Limit,
            _ => return 0,
        })
    })
}

/// Cancel all unfinished requests of a tag, and return how many. Only their DONE completions follow, with the
/// status CANCELLED unless a response was complete already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_queue_cancel(queue: *mut mlflow_gateway_queue, tag: u64) -> usize {
    export_value!(0, {
        // SAFETY: the caller passes NULL or a queue that was not destroyed.
        unsafe { queue.as_ref() }.map_or(0, |queue| queue.0.cancel(tag))
    })
}

/// Close a queue: no request can be submitted any more. Those that were submitted are completed, then
/// mlflow_gateway_queue_next() returns QUEUE_END.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_queue_close(queue: *mut mlflow_gateway_queue) {
    export_value!((), {
        // SAFETY: the caller passes NULL or a queue that was not destroyed.
        if let Some(queue) = unsafe { queue.as_ref() } {
            queue.0.close();
        }
    })
}

/// Destroy a queue. Requests that are not complete are cancelled, completions that were not fetched are discarded,
/// and the threads of the queue end. Log callbacks run on this thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_queue_destroy(queue: *mut mlflow_gateway_queue) {
    export_value!((), {
        // SAFETY: the caller passes NULL or a queue that was not destroyed.
        unsafe { handle::destroy(queue) }
    })
}
