//! The response object.

use std::ffi::{CStr, c_char};
use std::ptr;

use super::error::mlflow_gateway_error;
use super::export::export;
use super::gateway::mlflow_gateway;
use super::request::{asking, mlflow_gateway_request};
use super::status::mlflow_gateway_status;
use super::stream::mlflow_gateway_stream;
use super::text::{self, lend};
use super::usage::tokens;
use crate::client::{Candidate, Response, ToolCall};

/// The time that a request waited in a queue before the call began.
pub const MLFLOW_GATEWAY_TIME_QUEUED: i32 = 1;
/// The connection was ready: the idle one that was used, or a new one, with TLS and through the proxy.
pub const MLFLOW_GATEWAY_TIME_CONNECTED: i32 = 2;
/// The first byte of the response came.
pub const MLFLOW_GATEWAY_TIME_FIRST_BYTE: i32 = 3;
/// The first event of a stream came that is a text, reasoning, a refusal or a tool call.
pub const MLFLOW_GATEWAY_TIME_FIRST_TOKEN: i32 = 4;
/// The first event of a stream came that is a text.
pub const MLFLOW_GATEWAY_TIME_FIRST_TEXT: i32 = 5;
/// The response was complete, or the stream failed.
pub const MLFLOW_GATEWAY_TIME_TOTAL: i32 = 6;

/// What came of a request: the texts, and what is known of them. It never changes, except that of a stream, so that
/// any number of threads may read it.
#[expect(clippy::large_enum_variant, reason = "the small one is a part of a stream, which is larger")]
pub enum mlflow_gateway_response {
    /// The caller's own.
    Own(Response),
    /// What a stream has gathered. It lies in the stream, which changes it.
    OfStream(*const mlflow_gateway_stream),
}

// Any number of threads may read a response at once.
const _: () = {
    const fn may_be_shared<T: Sync>() {}
    may_be_shared::<Response>();
};

/// Gives a response to C, which ends it by mlflow_gateway_response_destroy().
pub(super) fn give(response: Response) -> *mut mlflow_gateway_response {
    Box::into_raw(Box::new(mlflow_gateway_response::Own(response)))
}

/// # Safety
/// The pointer is NULL, or came from this library and is still alive; and if it is a stream's, no thread is in
/// mlflow_gateway_stream_next() with that stream.
pub(super) unsafe fn get<'a>(response: *const mlflow_gateway_response) -> Option<&'a Response> {
    // SAFETY: as promised by the caller.
    match unsafe { response.as_ref() }? {
        mlflow_gateway_response::Own(response) => Some(response),
        // SAFETY: the stream lives as long as its response, and is not changed now.
        mlflow_gateway_response::OfStream(stream) => Some(unsafe { (**stream).gathered() }),
    }
}

/// # Safety
/// As [`get`].
unsafe fn get_candidate<'a>(response: *const mlflow_gateway_response, candidate: usize) -> Option<&'a Candidate> {
    // SAFETY: as promised by the caller.
    unsafe { get(response) }?.candidates().get(candidate)
}

/// # Safety
/// As [`get`].
unsafe fn get_call<'a>(
    response: *const mlflow_gateway_response,
    candidate: usize,
    tool_call: usize,
) -> Option<&'a ToolCall> {
    // SAFETY: as promised by the caller.
    unsafe { get_candidate(response, candidate) }?.tool_calls().get(tool_call)
}

/// Sends a request and waits for the whole answer.
///
/// `request` holds a prompt, messages or a whole body. A prompt may be sent to any route that gives text; messages
/// need a chat route.
/// `response` receives what came back; the caller destroys it with mlflow_gateway_response_destroy().
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, _UNSUPPORTED (a route that is not for this), or any status from 20
/// to 99. An answer without text, in which the model only asks for tools to be called, is a success here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_send(
    gateway: *mut mlflow_gateway,
    request: *const mlflow_gateway_request,
    response: *mut *mut mlflow_gateway_response,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let asked = unsafe { asking(gateway, request, response, "response")? };
        asked.place.write(give(asked.gateway.gateway().send(asked.request.request())?));
        Ok(())
    })
}

/// Returns how many candidates the answer has, as many as the parameter "n" (or "candidate_count") asked for, if the
/// gateway obeys it; 0 if `response` is NULL. The functions below count candidates from 0, and return for one that is
/// not there what they return for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_candidate_count(response: *const mlflow_gateway_response) -> usize {
    export!(or 0, {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        unsafe { get(response) }.map_or(0, |response| response.candidates().len())
    })
}

/// Returns the text of a candidate, NUL-terminated UTF-8, and writes its length in bytes without the NUL to `len`,
/// which may be NULL. NULL, and a length of 0, if the model gave no text, for example because it asks for tools to
/// be called. The text belongs to the response and lives as long. So do all texts below.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_text(
    response: *const mlflow_gateway_response,
    candidate: usize,
    len: *mut usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or what the types say.
        unsafe { lend(get_candidate(response, candidate).and_then(Candidate::text), len) }
    })
}

/// Return what the model wrote before its answer, if the gateway shows it, and write its length in bytes without the
/// NUL to `len`, which may be NULL. Return NULL, and a length of 0, if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_reasoning(
    response: *const mlflow_gateway_response,
    candidate: usize,
    len: *mut usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or what the types say.
        unsafe { lend(get_candidate(response, candidate).and_then(Candidate::reasoning), len) }
    })
}

/// Return the words in which the model refuses to answer, and write their length in bytes without the NUL to `len`,
/// which may be NULL. Return NULL, and a length of 0, if it does not refuse, or refuses in its text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_refusal(
    response: *const mlflow_gateway_response,
    candidate: usize,
    len: *mut usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or what the types say.
        unsafe { lend(get_candidate(response, candidate).and_then(Candidate::refusal), len) }
    })
}

/// Returns who speaks in a candidate, "assistant"; NULL if the gateway does not say, as for a completion.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_role(
    response: *const mlflow_gateway_response,
    candidate: usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or what the types say.
        unsafe { lend(get_candidate(response, candidate).and_then(Candidate::role), ptr::null_mut()) }
    })
}

/// Returns why a candidate ends where it ends: "stop", "length" (the parameter "max_tokens"), "tool_calls", or another
/// word of the model provider's; NULL if the gateway does not say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_finish_reason(
    response: *const mlflow_gateway_response,
    candidate: usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or what the types say.
        unsafe { lend(get_candidate(response, candidate).and_then(Candidate::finish_reason), ptr::null_mut()) }
    })
}

/// Returns how many tools the model wants to be called in a candidate. The functions below count them from 0. (MLflow
/// 2.10 to 2.22 leave the calls out of streams: the finish reason is "tool_calls" and there are none. Without a stream
/// they are there.)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_tool_call_count(
    response: *const mlflow_gateway_response,
    candidate: usize,
) -> usize {
    export!(or 0, {
        // SAFETY: the caller passes NULL or what the types say.
        unsafe { get_candidate(response, candidate) }.map_or(0, |candidate| candidate.tool_calls().len())
    })
}

/// Returns the id of a call, which the message with the tool's answer has to repeat as "tool_call_id"; NULL if the
/// gateway gives none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_tool_call_id(
    response: *const mlflow_gateway_response,
    candidate: usize,
    tool_call: usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or what the types say.
        unsafe { lend(get_call(response, candidate, tool_call).and_then(ToolCall::id), ptr::null_mut()) }
    })
}

/// Returns the name of the tool to be called; NULL if the gateway gives none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_tool_call_name(
    response: *const mlflow_gateway_response,
    candidate: usize,
    tool_call: usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or what the types say.
        unsafe { lend(get_call(response, candidate, tool_call).and_then(ToolCall::name), ptr::null_mut()) }
    })
}

/// Returns the arguments of a tool call: JSON as the model wrote it, which may be invalid; "{}" if it wrote none.
/// Writes the length in bytes to `len`, which may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_tool_call_arguments(
    response: *const mlflow_gateway_response,
    candidate: usize,
    tool_call: usize,
    len: *mut usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or what the types say.
        unsafe { lend(get_call(response, candidate, tool_call).map(ToolCall::arguments), len) }
    })
}

/// Return the message of a candidate as a JSON object, to be stored, or to be added to the next request with
/// mlflow_gateway_request_add_message_json(), before the results of the tool calls. Write its length in bytes to
/// `len`, which may be NULL.
///
/// Of a whole response it is the message as it came, fields that only the model provider understands included, such
/// as "thought_signature". Of a completion it is a message of the assistant with the text. Of a stream it is written
/// from what was gathered; if a stream brings an additional field of a tool call several times, the last value that
/// is not null counts. Arguments of tool calls that are null or empty become "{}", since MLflow does not accept an
/// empty string.
///
/// Returns NULL if nothing was gathered, or if there is no memory for the message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_message_json(
    response: *const mlflow_gateway_response,
    candidate: usize,
    len: *mut usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or what the types say.
        unsafe { lend(get_candidate(response, candidate).and_then(Candidate::message_json), len) }
    })
}

/// Return the id that the gateway gives the response, for its logs; NULL if it gives none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_id(response: *const mlflow_gateway_response) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        unsafe { lend(get(response).and_then(Response::id), ptr::null_mut()) }
    })
}

/// Returns the name of the model that answered; NULL if the gateway does not say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_model(response: *const mlflow_gateway_response) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        unsafe { lend(get(response).and_then(Response::model), ptr::null_mut()) }
    })
}

/// Return how many tokens of a kind MLFLOW_GATEWAY_TOKENS_... the response took, usually of all candidates together;
/// -1 if the gateway does not report them (0 is a real count), or if `response` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_tokens(response: *const mlflow_gateway_response, kind: i32) -> i64 {
    export!(or - 1, {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        text::count(unsafe { get(response) }.and_then(|response| tokens(response.usage(), kind)))
    })
}

/// Returns the HTTP status of the answer, 200 to 299; 0 if `response` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_http_status(response: *const mlflow_gateway_response) -> i32 {
    export!(or 0, {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        unsafe { get(response) }.map_or(0, |response| i32::from(response.http_status()))
    })
}

/// Returns the value of a header of the answer, the first one of that name, without regard to case; NULL if there is
/// none, or if `name` is NULL or not UTF-8. Bytes of the value that are not UTF-8 are replaced by U+FFFD.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_header(
    response: *const mlflow_gateway_response,
    name: *const c_char,
) -> *const c_char {
    export!(or ptr::null(), {
        if name.is_null() {
            return ptr::null();
        }
        // SAFETY: the caller passes what the types say.
        let name = unsafe { CStr::from_ptr(name) }.to_str().unwrap_or_default();
        // SAFETY: as above.
        unsafe { lend(get(response).and_then(|response| response.header(name)), ptr::null_mut()) }
    })
}

/// Returns how many times the request was sent until the response came, retries and the one repetition after the
/// loss of an idle connection included; 0 if `response` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_attempts(response: *const mlflow_gateway_response) -> u32 {
    export!(or 0, {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        unsafe { get(response) }.map_or(0, Response::attempts)
    })
}

/// Returns how often something was asked again until the answer came, whether it could be sent or not: after a
/// failure, in another dialect, with another token, or where the server sent it on. 0 if `response` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_retry_count(response: *const mlflow_gateway_response) -> usize {
    export!(or 0, {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        unsafe { get(response) }.map_or(0, |response| response.retry_reasons().len())
    })
}

/// Returns why it was asked again the first (`retry` 0), second ... time, in a few words: for example "HTTP status
/// 503". NULL if it was not, or `response` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_retry_reason(
    response: *const mlflow_gateway_response,
    retry: usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        unsafe { lend(get(response).and_then(|response| response.retry_reasons().get(retry)), ptr::null_mut()) }
    })
}

/// Return how many microseconds after the beginning of the call the response reached a point, one of the
/// MLFLOW_GATEWAY_TIME_... numbers: _CONNECTED <= _FIRST_BYTE <= _FIRST_TOKEN <= _FIRST_TEXT <= _TOTAL. If the
/// request was retried, these are the times of the last attempt. Return -1 if the time is not known: if it was not
/// reached, or the response was not a stream and has no _FIRST_TOKEN and _FIRST_TEXT, or if `response` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_time_us(response: *const mlflow_gateway_response, kind: i32) -> i64 {
    export!(or - 1, {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        let times = unsafe { get(response) }.map(Response::times);
        let time = times.and_then(|times| match kind {
            MLFLOW_GATEWAY_TIME_CONNECTED => times.connected,
            MLFLOW_GATEWAY_TIME_FIRST_BYTE => times.first_byte,
            MLFLOW_GATEWAY_TIME_FIRST_TOKEN => times.first_token,
            MLFLOW_GATEWAY_TIME_FIRST_TEXT => times.first_text,
            MLFLOW_GATEWAY_TIME_TOTAL => times.total,
            // There is no queue yet in which a request could have waited.
            _ => None,
        });
        time.map_or(-1, |time| i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
    })
}

/// Return the body of the response as it came, and write its length in bytes to `len`, which may be NULL. It may be of
/// any encoding and contain NUL bytes; a NUL byte follows it. Returns NULL, and a length of 0, for a stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_body(
    response: *const mlflow_gateway_response,
    len: *mut usize,
) -> *const c_char {
    export!(or ptr::null(), {
        // SAFETY: the caller passes NULL or a response that was not destroyed.
        let body = unsafe { get(response) }.and_then(Response::body_with_nul);
        if !len.is_null() {
            // SAFETY: the caller passes NULL or a place for a length.
            unsafe { len.write(body.map_or(0, |body| body.len() - 1)) };
        }
        body.map_or(ptr::null(), |body| body.as_ptr().cast())
    })
}

/// Destroys a response and the texts that belong to it. NULL is allowed and does nothing. Not for the one that
/// mlflow_gateway_stream_response() returns: that belongs to its stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_response_destroy(response: *mut mlflow_gateway_response) {
    export!(or(), {
        if !response.is_null() {
            // SAFETY: the response came from `give` and was not destroyed before.
            drop(unsafe { Box::from_raw(response) });
        }
    })
}
