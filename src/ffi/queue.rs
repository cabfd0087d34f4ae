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

/// As by mlflow_gateway_send().
pub const MLFLOW_GATEWAY_SUBMIT_SEND: i32 = 1;
/// As by mlflow_gateway_stream_open(): one EVENT for each event, then DONE.
pub const MLFLOW_GATEWAY_SUBMIT_STREAM: i32 = 2;
/// As by mlflow_gateway_embed().
pub const MLFLOW_GATEWAY_SUBMIT_EMBED: i32 = 3;

/// Requests that wait to be sent.
pub const MLFLOW_GATEWAY_QUEUE_COUNT_WAITING: i32 = 1;
/// Requests in flight: those that are being sent.
pub const MLFLOW_GATEWAY_QUEUE_COUNT_IN_FLIGHT: i32 = 2;
/// Completions that mlflow_gateway_queue_next() can return now.
pub const MLFLOW_GATEWAY_QUEUE_COUNT_UNFETCHED: i32 = 3;
/// How many may be in flight: max_in_flight, or what the option adaptive has found.
pub const MLFLOW_GATEWAY_QUEUE_COUNT_LIMIT: i32 = 4;

/// A queue: sends many requests at once, on threads of its own.
pub struct mlflow_gateway_queue(Queue);

/// Create a queue, which sends many requests at once, on threads of its own:
///
///     mlflow_gateway_queue_create(gateway, &queue, &error);
///     for (uint64_t i = 0; i < count; i++)
///         mlflow_gateway_queue_submit(queue, requests[i], MLFLOW_GATEWAY_SUBMIT_SEND, i, &error);
///     mlflow_gateway_queue_close(queue);
///     while (mlflow_gateway_queue_next(queue, -1, &completion, &error) == MLFLOW_GATEWAY_OK) {
///         responses[mlflow_gateway_completion_tag(completion)] = mlflow_gateway_completion_take_response(completion);
///         mlflow_gateway_completion_destroy(completion);
///     }
///     mlflow_gateway_queue_destroy(queue);
///
/// Without mlflow_gateway_queue_close(), the last mlflow_gateway_queue_next() would wait forever. A program with more
/// requests than max_queued fetches completions when mlflow_gateway_queue_submit() returns MLFLOW_GATEWAY_QUEUE_FULL.
///
/// `queue` receives the queue. The caller owns it.
///
/// A queue belongs to the process that created it: in the child of a fork(), only destroy it.
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
///   name                 values              default  limits
///   max_in_flight        1 to 4096           8        requests in flight, and as many whose DONE was not fetched
///   max_queued           1 to 1000000        1024     requests that wait
///   max_events           1 to 65536          64       events of a stream that are not destroyed
///   requests_per_second  0 to 1000000        0        requests sent; may be a fraction; 0: no limit
///   tokens_per_minute    0 to 1000000000000  0        tokens of requests and responses; 0: no limit
///   adaptive             true, false         false    finds the best max_in_flight, at most the one set, or else 4096
///
/// After HTTP status 429, nothing is sent to that route for the time that the gateway requires, or else for a growing
/// time.
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

/// Submit a request. It does not wait: a request that cannot be sent yet waits in the queue.
///
/// `request` and the settings of the handle are copied.
/// `how` is one of the MLFLOW_GATEWAY_SUBMIT_ numbers.
/// `tag` is any number, for example an index or a pointer. Each completion of the request has it. Tags need not be
/// unique.
///
/// An invalid request fails here, if the queue is not full. Any other failure is the status of its completion.
///
/// Returns _QUEUE_FULL if max_queued requests wait: fetch completions, then submit it again.
///
/// Fails with _INVALID_ARGUMENT if the queue is closed.
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

/// Fetch the next completion. Log callbacks of the queue's requests run on this thread.
///
/// `timeout_ms` is how long to wait: 0 does not wait, a negative number waits without limit.
/// `completion` receives the completion. The caller owns it.
///
/// OK reports that there is a completion, not that its request succeeded: see mlflow_gateway_completion_status().
/// Several threads may fetch, but two events of one stream may then be processed at the same time.
///
/// Returns _PENDING if none arrived in time, and _QUEUE_END if the queue is closed and all completions were fetched.
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
/// mlflow_gateway_queue_next() would return OK or QUEUE_END without waiting. With an edge-triggered loop, fetch until
/// PENDING.
///
/// `fd` receives the descriptor, which the queue owns. Never read, write or close it.
///
/// Fails with _OUT_OF_MEMORY if the process cannot open another descriptor.
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

/// Cancel all unfinished requests of a tag, and return their number. Of each, only DONE remains to be fetched, with the
/// status CANCELLED unless the response was already complete.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_queue_cancel(queue: *mut mlflow_gateway_queue, tag: u64) -> usize {
    export_value!(0, {
        // SAFETY: the caller passes NULL or a queue that was not destroyed.
        unsafe { queue.as_ref() }.map_or(0, |queue| queue.0.cancel(tag))
    })
}

/// Close a queue: it accepts no more requests. When all completions were fetched, mlflow_gateway_queue_next() returns
/// QUEUE_END.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_queue_close(queue: *mut mlflow_gateway_queue) {
    export_value!((), {
        // SAFETY: the caller passes NULL or a queue that was not destroyed.
        if let Some(queue) = unsafe { queue.as_ref() } {
            queue.0.close();
        }
    })
}

/// Destroy a queue. Unfinished requests are cancelled, and completions that were not fetched are discarded. Log
/// callbacks run on this thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_queue_destroy(queue: *mut mlflow_gateway_queue) {
    export_value!((), {
        // SAFETY: the caller passes NULL or a queue that was not destroyed.
        unsafe { handle::destroy(queue) }
    })
}
