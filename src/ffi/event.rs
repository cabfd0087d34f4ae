//! The event object.

use std::ffi::c_char;
use std::ptr;

use super::text::count;
use super::usage::tokens;
use crate::client::{Event, EventKind, NulText, Usage};

/// A part of the text of a candidate: mlflow_gateway_event_text().
pub const MLFLOW_GATEWAY_EVENT_TEXT: i32 = 1;
/// A part of what the model writes before its answer, if the gateway shows it: mlflow_gateway_event_text().
pub const MLFLOW_GATEWAY_EVENT_REASONING: i32 = 2;
/// A part of the words in which the model refuses to answer: mlflow_gateway_event_text().
pub const MLFLOW_GATEWAY_EVENT_REFUSAL: i32 = 3;
/// A part of a tool call: mlflow_gateway_event_tool_call_index(), _id() and _name() say which, and
/// mlflow_gateway_event_text() is a part of its arguments, which may be empty.
pub const MLFLOW_GATEWAY_EVENT_TOOL_CALL: i32 = 4;
/// A candidate is complete: mlflow_gateway_event_text() is the finish reason.
pub const MLFLOW_GATEWAY_EVENT_FINISH: i32 = 5;
/// How many tokens the response took: mlflow_gateway_event_tokens().
pub const MLFLOW_GATEWAY_EVENT_USAGE: i32 = 6;
/// Data that gives no other event: mlflow_gateway_event_raw_data().
pub const MLFLOW_GATEWAY_EVENT_OTHER: i32 = 7;

/// A part of a response as it comes. An event that mlflow_gateway_stream_next() returns lives until the next call of
/// a function that changes the stream, an event of a callback until the callback returns. All strings of an event
/// live as long.
pub struct mlflow_gateway_event {
    kind: i32,
    candidate: usize,
    text: Lent,
    tool_call_index: usize,
    tool_call_id: *const c_char,
    tool_call_name: *const c_char,
    usage: *const Usage,
    raw_name: *const c_char,
    raw_data: Lent,
}

/// What is lent to C, with a NUL byte behind it.
struct Lent {
    start: *const c_char,
    len: usize,
}

impl Lent {
    const NOTHING: Lent = Lent { start: ptr::null(), len: 0 };

    fn of(with_nul: Option<&[u8]>) -> Lent {
        with_nul
            .map_or(Lent::NOTHING, |bytes| Lent { start: bytes.as_ptr().cast(), len: bytes.len().saturating_sub(1) })
    }

    /// # Safety
    /// `len` is NULL or can be written to.
    unsafe fn lend(&self, len: *mut usize) -> *const c_char {
        if !len.is_null() {
            // SAFETY: as promised by the caller.
            unsafe { len.write(self.len) };
        }
        self.start
    }
}

impl mlflow_gateway_event {
    /// For a stream that has not handed out one.
    pub(super) const NONE: mlflow_gateway_event = mlflow_gateway_event {
        kind: 0,
        candidate: 0,
        text: Lent::NOTHING,
        tool_call_index: 0,
        tool_call_id: ptr::null(),
        tool_call_name: ptr::null(),
        usage: ptr::null(),
        raw_name: ptr::null(),
        raw_data: Lent::NOTHING,
    };

    /// It points to what the event borrows, and must not be used any longer than that.
    pub(super) fn of(event: &Event) -> mlflow_gateway_event {
        let name = |name: Option<&NulText>| name.map_or(ptr::null(), |name| name.with_nul().as_ptr().cast());
        let (call, raw) = (event.tool_call.as_ref(), event.raw());
        mlflow_gateway_event {
            kind: match event.kind {
                EventKind::Text => MLFLOW_GATEWAY_EVENT_TEXT,
                EventKind::Reasoning => MLFLOW_GATEWAY_EVENT_REASONING,
                EventKind::Refusal => MLFLOW_GATEWAY_EVENT_REFUSAL,
                EventKind::ToolCall => MLFLOW_GATEWAY_EVENT_TOOL_CALL,
                EventKind::Finish => MLFLOW_GATEWAY_EVENT_FINISH,
                EventKind::Usage => MLFLOW_GATEWAY_EVENT_USAGE,
                EventKind::Other => MLFLOW_GATEWAY_EVENT_OTHER,
            },
            candidate: event.candidate,
            text: Lent::of(event.text_with_nul().map(str::as_bytes)),
            tool_call_index: call.map_or(0, |call| call.index),
            tool_call_id: name(call.and_then(|call| call.id)),
            tool_call_name: name(call.and_then(|call| call.name)),
            usage: event.usage.map_or(ptr::null(), ptr::from_ref),
            raw_name: raw.name.map_or(ptr::null(), |name| name.as_ptr().cast()),
            raw_data: Lent::of(raw.data),
        }
    }
}

// The functions below only read fields: there is nothing in them that could panic, wait, or be unwound, and so they do
// without `export!`, which would cost several times as much.

/// Return the kind of an event, one of the MLFLOW_GATEWAY_EVENT_... numbers; 0 if `event` is NULL. Later versions
/// may add kinds: ignore an event of a kind that you do not know.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_event_kind(event: *const mlflow_gateway_event) -> i32 {
    // SAFETY: the caller passes NULL or an event that lives.
    unsafe { event.as_ref() }.map_or(0, |event| event.kind)
}

/// Return the number of the candidate that an event belongs to, counted from 0; 0 for an event of the whole response.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_event_candidate(event: *const mlflow_gateway_event) -> usize {
    // SAFETY: the caller passes NULL or an event that lives.
    unsafe { event.as_ref() }.map_or(0, |event| event.candidate)
}

/// Return the text of an event, and write its length in bytes without the NUL to `len`, which may be NULL. It is
/// NUL-terminated UTF-8, never ends within a character, and is not empty except for a tool call. Its meaning depends
/// on the kind. Return NULL, and a length of 0, for MLFLOW_GATEWAY_EVENT_USAGE and _OTHER.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_event_text(
    event: *const mlflow_gateway_event,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: the caller passes NULL or an event that lives, and NULL or a place for a length.
    unsafe { event.as_ref().map_or(&Lent::NOTHING, |event| &event.text).lend(len) }
}

/// Return which tool call of its candidate an event is a part of, counted from 0 in the order in which they begin. The
/// response that is gathered has the tool call at the same index. Return 0 for an event of another kind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_event_tool_call_index(event: *const mlflow_gateway_event) -> usize {
    // SAFETY: the caller passes NULL or an event that lives.
    unsafe { event.as_ref() }.map_or(0, |event| event.tool_call_index)
}

/// Return the id of the tool call that an event is a part of, from its first event on. Return NULL if the gateway
/// gives none, or for an event of another kind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_event_tool_call_id(event: *const mlflow_gateway_event) -> *const c_char {
    // SAFETY: the caller passes NULL or an event that lives.
    unsafe { event.as_ref() }.map_or(ptr::null(), |event| event.tool_call_id)
}

/// Return the name of the tool that is called, from the first event of the tool call on. Return NULL if the gateway
/// gives none, or for an event of another kind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_event_tool_call_name(event: *const mlflow_gateway_event) -> *const c_char {
    // SAFETY: the caller passes NULL or an event that lives.
    unsafe { event.as_ref() }.map_or(ptr::null(), |event| event.tool_call_name)
}

/// Return how many tokens of a kind MLFLOW_GATEWAY_TOKENS_... an event of the kind MLFLOW_GATEWAY_EVENT_USAGE
/// reports; -1 if it does not report them, or for an event of another kind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_event_tokens(event: *const mlflow_gateway_event, kind: i32) -> i64 {
    // SAFETY: the caller passes NULL or an event that lives, and with it lives what it points to.
    let usage = unsafe { event.as_ref().and_then(|event| event.usage.as_ref()) };
    count(usage.and_then(|usage| tokens(usage, kind)))
}

/// Return the name that the server gives an event, its field "event". Return NULL if it gives none, as in most
/// streams.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_event_raw_name(event: *const mlflow_gateway_event) -> *const c_char {
    // SAFETY: the caller passes NULL or an event that lives.
    unsafe { event.as_ref() }.map_or(ptr::null(), |event| event.raw_name)
}

/// Return the data from which an event was read, as the server sent it, usually a JSON object. Write its length in
/// bytes to `len`, which may be NULL. A NUL byte follows it. Several events may come from the same data. If the
/// server sends the response as a whole, it is the body of the response. Return NULL, and a length of 0, for an
/// event that comes from no data of its own: half of a character at the end of a stream, which becomes U+FFFD.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_event_raw_data(
    event: *const mlflow_gateway_event,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: the caller passes NULL or an event that lives, and NULL or a place for a length.
    unsafe { event.as_ref().map_or(&Lent::NOTHING, |event| &event.raw_data).lend(len) }
}
