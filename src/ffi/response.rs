//! The response object.

use std::ffi::{CStr, c_char};
use std::ptr;

use super::export_value::export_value;
use super::handle;
use super::string::borrow;
use super::usage::tokens;
use crate::client::{Candidate, Response, Stream, ToolCall};
use crate::sync::Exclusive;

/// How long the request waited in a queue before its start; -1 without a queue. Not part of TOTAL.
pub const MLFLOW_GATEWAY_TIME_QUEUED: i32 = 1;
/// Connection ready, new or reused.
pub const MLFLOW_GATEWAY_TIME_CONNECTED: i32 = 2;
/// First byte of the response.
pub const MLFLOW_GATEWAY_TIME_FIRST_BYTE: i32 = 3;
/// First text, reasoning, refusal or tool call of a stream.
pub const MLFLOW_GATEWAY_TIME_FIRST_TOKEN: i32 = 4;
/// First text of a stream.
pub const MLFLOW_GATEWAY_TIME_FIRST_TEXT: i32 = 5;
/// End of the response.
pub const MLFLOW_GATEWAY_TIME_TOTAL: i32 = 6;

/// A response: one or more candidates (alternative replies). Immutable, except that of a stream.
#[expect(clippy::large_enum_variant, reason = "the small one is a part of a stream, which is larger")]
pub enum mlflow_gateway_response {
    /// One that the caller owns.
    Own(Response),
    /// The response of a stream, which gathers it. The pointer is into the stream object, as is this one.
    OfStream(*const Exclusive<Stream>),
}

// Any number of threads may read a response at once.
const _: () = {
    const fn may_be_shared<T: Sync>() {}
    may_be_shared::<Response>();
};

/// Creates a response object, which C destroys by mlflow_gateway_response_destroy().
pub(super) fn create(response: Response) -> *mut mlflow_gateway_response {
    Box::into_raw(Box::new(mlflow_gateway_response::Own(response)))
}

/// # Safety
/// The pointer is NULL, or came from this library and was not destroyed. If it is that of a stream, no thread is in
/// mlflow_gateway_stream_next() or mlflow_gateway_stream_take_response() with that stream.
pub(super) unsafe fn get<'a>(response: *const mlflow_gateway_response) -> Option<&'a Response> {
    // SAFETY: guaranteed by the caller.
    match unsafe { response.as_ref() }? {
        mlflow_gateway_response::Own(response) => Some(response),
        // SAFETY: the stream lives as long as its response, and the caller guarantees that no thread changes it.
        mlflow_gateway_response::OfStream(stream) => unsafe { (**stream).get() }.map(Stream::response),
    }
}

/// # Safety
/// As [`get`].
unsafe fn get_candidate<'a>(response: *const mlflow_gateway_response, candidate: usize) -> Option<&'a Candidate> {
    // SAFETY: guaranteed by the caller.
    unsafe { get(response) }?.candidates().get(candidate)
}

/// # Safety
/// As [`get`].
unsafe fn get_call<'a>(
    response: *const mlflow_gateway_response,
    candidate: usize,
    tool_call: usize,
) -> Option<&'a ToolCall> {
    // SAFETY: guaranteed by the caller.
    unsafe { get_candidate(response, candidate) }?.tool_calls().get(tool_call)
}

/// Return the number of candidates (parameter "n").
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_candidate_count(response: *const mlflow_gateway_response) -> usize {
    export_value!(0, {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        unsafe { get(response) }.map_or(0, |response| response.candidates().len())
    })
}

/// Return the text of a candidate. NULL if there is none, for example with tool calls.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_text(
    response: *const mlflow_gateway_response,
    candidate: usize,
    len: *mut usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { borrow(get_candidate(response, candidate).and_then(Candidate::text), len) }
    })
}

/// Return the reasoning of a candidate, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_reasoning(
    response: *const mlflow_gateway_response,
    candidate: usize,
    len: *mut usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { borrow(get_candidate(response, candidate).and_then(Candidate::reasoning), len) }
    })
}

/// Return the refusal of a candidate, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_refusal(
    response: *const mlflow_gateway_response,
    candidate: usize,
    len: *mut usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { borrow(get_candidate(response, candidate).and_then(Candidate::refusal), len) }
    })
}

/// Return the role of a candidate, "assistant". NULL if not reported, as for completions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_role(
    response: *const mlflow_gateway_response,
    candidate: usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { borrow(get_candidate(response, candidate).and_then(Candidate::role), ptr::null_mut()) }
    })
}

/// Return the finish reason of a candidate: "stop", "length", "tool_calls", "content_filter" or another one. NULL
/// if not reported.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_finish_reason(
    response: *const mlflow_gateway_response,
    candidate: usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { borrow(get_candidate(response, candidate).and_then(Candidate::finish_reason), ptr::null_mut()) }
    })
}

/// Return the number of tool calls of a candidate. MLflow 2.10 to 3.5 leave tool calls out of streams.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_tool_call_count(
    response: *const mlflow_gateway_response,
    candidate: usize,
) -> usize {
    export_value!(0, {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { get_candidate(response, candidate) }.map_or(0, |candidate| candidate.tool_calls().len())
    })
}

/// Return the id of a tool call, to be passed to mlflow_gateway_request_add_tool_result(). NULL if not reported.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_tool_call_id(
    response: *const mlflow_gateway_response,
    candidate: usize,
    tool_call: usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { borrow(get_call(response, candidate, tool_call).and_then(ToolCall::id), ptr::null_mut()) }
    })
}

/// Return the name of the tool. NULL if not reported.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_tool_call_name(
    response: *const mlflow_gateway_response,
    candidate: usize,
    tool_call: usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { borrow(get_call(response, candidate, tool_call).and_then(ToolCall::name), ptr::null_mut()) }
    })
}

/// Return the arguments of a tool call as the model wrote them: JSON, but not necessarily valid. "{}" if there are
/// none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_tool_call_arguments(
    response: *const mlflow_gateway_response,
    candidate: usize,
    tool_call: usize,
    len: *mut usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { borrow(get_call(response, candidate, tool_call).map(ToolCall::arguments), len) }
    })
}

/// Return the message of a candidate as a JSON object, to store it and to append it to a request later
/// (mlflow_gateway_request_add_message_json()).
///
/// Of a whole response it is the message as received, provider fields included. Of a completion it is an assistant
/// message with the text. Of a stream it is composed of what was gathered. Empty arguments of tool calls become
/// "{}". NULL if nothing was gathered.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_message_json(
    response: *const mlflow_gateway_response,
    candidate: usize,
    len: *mut usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: each pointer is NULL or valid for its type, as the header requires.
        unsafe { borrow(get_candidate(response, candidate).and_then(Candidate::message_json), len) }
    })
}

/// Return the id of the response, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_id(response: *const mlflow_gateway_response) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        unsafe { borrow(get(response).and_then(Response::id), ptr::null_mut()) }
    })
}

/// Return the name of the model, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_model(response: *const mlflow_gateway_response) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        unsafe { borrow(get(response).and_then(Response::model), ptr::null_mut()) }
    })
}

/// Return a token count, -1 if not reported (0 is a real count).
///
/// `kind` is one of the MLFLOW_GATEWAY_TOKENS_ numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_tokens(response: *const mlflow_gateway_response, kind: i32) -> i64 {
    export_value!(-1, {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        tokens(unsafe { get(response) }.map(Response::usage), kind)
    })
}

/// Return the HTTP status, 200 to 299.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_http_status(response: *const mlflow_gateway_response) -> i32 {
    export_value!(0, {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        unsafe { get(response) }.map_or(0, |response| i32::from(response.http_status()))
    })
}

/// Return the first response header of that name (case-insensitive). Bytes that are not UTF-8 become U+FFFD.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_header(
    response: *const mlflow_gateway_response,
    name: *const c_char,
) -> *const c_char {
    export_value!(ptr::null(), {
        if name.is_null() {
            return ptr::null();
        }
        // SAFETY: each pointer is valid for its type, as the header requires.
        let name = unsafe { CStr::from_ptr(name) }.to_str().unwrap_or_default();
        // SAFETY: as above.
        unsafe { borrow(get(response).and_then(|response| response.header(name)), ptr::null_mut()) }
    })
}

/// Return how many times the request was sent, including the repetition after an idle connection broke.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_attempts(response: *const mlflow_gateway_response) -> usize {
    export_value!(0, {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        unsafe { get(response) }.map_or(0, |response| response.attempts() as usize)
    })
}

/// Return the number of retries, including those that could not be sent, redirects, and attempts in another dialect
/// or with a new token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_retry_count(response: *const mlflow_gateway_response) -> usize {
    export_value!(0, {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        unsafe { get(response) }.map_or(0, |response| response.retry_reasons().len())
    })
}

/// Return why a retry was made, for example "HTTP status 503".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_retry_reason(
    response: *const mlflow_gateway_response,
    retry: usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        unsafe { borrow(get(response).and_then(|response| response.retry_reasons().get(retry)), ptr::null_mut()) }
    })
}

/// Return a time in microseconds from the start of the call to a point of its last attempt, -1 if not known. QUEUED
/// is the time before the start.
///
/// `kind` is one of the MLFLOW_GATEWAY_TIME_ numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_time_us(response: *const mlflow_gateway_response, kind: i32) -> i64 {
    export_value!(-1, {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        let times = unsafe { get(response) }.map(Response::times);
        let time = times.and_then(|times| match kind {
            MLFLOW_GATEWAY_TIME_QUEUED => times.queued,
            MLFLOW_GATEWAY_TIME_CONNECTED => times.connected,
            MLFLOW_GATEWAY_TIME_FIRST_BYTE => times.first_byte,
            MLFLOW_GATEWAY_TIME_FIRST_TOKEN => times.first_token,
            MLFLOW_GATEWAY_TIME_FIRST_TEXT => times.first_text,
            MLFLOW_GATEWAY_TIME_TOTAL => times.total,
            // The library has no queue in which a request waits.
            _ => None,
        });
        time.map_or(-1, |time| i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
    })
}

/// Return the body as received. It may have any encoding. NULL for a stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_body(
    response: *const mlflow_gateway_response,
    len: *mut usize,
) -> *const c_char {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        let body = unsafe { get(response) }.and_then(Response::body_with_nul);
        // SAFETY: the caller passes NULL or a pointer that is valid for writes.
        unsafe { handle::write_optional(len, body.map_or(0, |body| body.len() - 1)) };
        body.map_or(ptr::null(), |body| body.as_ptr().cast())
    })
}

/// Destroy a response. Do not pass the result of mlflow_gateway_stream_response().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_destroy(response: *mut mlflow_gateway_response) {
    export_value!((), {
        if !response.is_null() {
            // SAFETY: the response came from `create` and was not destroyed before.
            drop(unsafe { Box::from_raw(response) });
        }
    })
}
