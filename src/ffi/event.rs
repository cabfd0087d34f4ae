//! The event object.

use std::ffi::c_char;
use std::ptr;

use super::handle;
use super::usage::tokens;
use crate::client::{Event, EventKind, NulString, Usage};

/// A fragment of the text.
pub const MLFLOW_GATEWAY_EVENT_TEXT: i32 = 1;
/// A fragment of the reasoning.
pub const MLFLOW_GATEWAY_EVENT_REASONING: i32 = 2;
/// A fragment of the refusal.
pub const MLFLOW_GATEWAY_EVENT_REFUSAL: i32 = 3;
/// A fragment of a tool call. Its text is a fragment of the arguments.
pub const MLFLOW_GATEWAY_EVENT_TOOL_CALL: i32 = 4;
/// The end of a candidate. Its text is the finish reason.
pub const MLFLOW_GATEWAY_EVENT_FINISH: i32 = 5;
/// Token counts.
pub const MLFLOW_GATEWAY_EVENT_USAGE: i32 = 6;
/// Anything else. Read it with mlflow_gateway_event_raw_data().
pub const MLFLOW_GATEWAY_EVENT_OTHER: i32 = 7;

/// One event of a stream. Immutable. The stream owns it.
pub struct mlflow_gateway_event {
    kind: i32,
    candidate: usize,
    text: BorrowedString,
    tool_call_index: usize,
    tool_call_id: *const c_char,
    tool_call_name: *const c_char,
    usage: *const Usage,
    raw_name: *const c_char,
    raw_data: BorrowedString,
}

/// A string for C, NUL-terminated, which belongs to the stream.
struct BorrowedString {
    start: *const c_char,
    len: usize,
}

impl BorrowedString {
    const NULL: BorrowedString = BorrowedString { start: ptr::null(), len: 0 };

    fn of(with_nul: Option<&[u8]>) -> BorrowedString {
        with_nul.map_or(BorrowedString::NULL, |bytes| BorrowedString {
            start: bytes.as_ptr().cast(),
            len: bytes.len().saturating_sub(1),
        })
    }

    /// # Safety
    /// `len` is NULL or valid for writes.
    unsafe fn get(&self, len: *mut usize) -> *const c_char {
        // SAFETY: guaranteed by the caller.
        unsafe { handle::write_optional(len, self.len) };
        self.start
    }
}

impl mlflow_gateway_event {
    /// For a stream that has not returned an event yet.
    pub(super) const NONE: mlflow_gateway_event = mlflow_gateway_event {
        kind: 0,
        candidate: 0,
        text: BorrowedString::NULL,
        tool_call_index: 0,
        tool_call_id: ptr::null(),
        tool_call_name: ptr::null(),
        usage: ptr::null(),
        raw_name: ptr::null(),
        raw_data: BorrowedString::NULL,
    };

    /// Returns an event that points into what `event` borrows, and must not outlive it.
    pub(super) fn of(event: &Event) -> mlflow_gateway_event {
        let name = |name: Option<&NulString>| name.map_or(ptr::null(), |name| name.with_nul().as_ptr().cast());
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
            text: BorrowedString::of(event.text_with_nul().map(str::as_bytes)),
            tool_call_index: call.map_or(0, |call| call.index),
            tool_call_id: name(call.and_then(|call| call.id)),
            tool_call_name: name(call.and_then(|call| call.name)),
            usage: event.usage.map_or(ptr::null(), ptr::from_ref),
            raw_name: raw.name.map_or(ptr::null(), |name| name.as_ptr().cast()),
            raw_data: BorrowedString::of(raw.data),
        }
    }
}

// The functions below only read fields. Nothing in them can panic, wait or be unwound, so they do not need `export_value!`,
// which would cost several times as much.

/// Return the kind of an event, one of the MLFLOW_GATEWAY_EVENT_ numbers. Ignore kinds that you do not know. One
/// payload of the server may give several events.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_event_kind(event: *const mlflow_gateway_event) -> i32 {
    // SAFETY: the caller passes NULL or an event that lives.
    unsafe { event.as_ref() }.map_or(0, |event| event.kind)
}

/// Return the index of the candidate.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_event_candidate(event: *const mlflow_gateway_event) -> usize {
    // SAFETY: the caller passes NULL or an event that lives.
    unsafe { event.as_ref() }.map_or(0, |event| event.candidate)
}

/// Return the text of an event: a fragment of text, reasoning or refusal, never part of a character; a fragment of
/// the arguments of a tool call; or the finish reason. NULL for other kinds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_event_text(
    event: *const mlflow_gateway_event,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: the caller passes NULL or an event that lives, and NULL or a pointer that is valid for writes.
    unsafe { event.as_ref().map_or(&BorrowedString::NULL, |event| &event.text).get(len) }
}

/// Return the index of the tool call, as in the gathered response.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_event_tool_call_index(event: *const mlflow_gateway_event) -> usize {
    // SAFETY: the caller passes NULL or an event that lives.
    unsafe { event.as_ref() }.map_or(0, |event| event.tool_call_index)
}

/// Return the id of the tool call, or NULL. It is known from the first fragment on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_event_tool_call_id(event: *const mlflow_gateway_event) -> *const c_char {
    // SAFETY: the caller passes NULL or an event that lives.
    unsafe { event.as_ref() }.map_or(ptr::null(), |event| event.tool_call_id)
}

/// Return the name of the tool, or NULL. It is known from the first fragment on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_event_tool_call_name(event: *const mlflow_gateway_event) -> *const c_char {
    // SAFETY: the caller passes NULL or an event that lives.
    unsafe { event.as_ref() }.map_or(ptr::null(), |event| event.tool_call_name)
}

/// Return a token count of a USAGE event, -1 if not reported.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_event_tokens(event: *const mlflow_gateway_event, kind: i32) -> i64 {
    // SAFETY: the caller passes NULL or an event that lives, and with it lives the usage that it points to.
    let usage = unsafe { event.as_ref().and_then(|event| event.usage.as_ref()) };
    tokens(usage, kind)
}

/// Return the name of the server-sent event, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_event_raw_name(event: *const mlflow_gateway_event) -> *const c_char {
    // SAFETY: the caller passes NULL or an event that lives.
    unsafe { event.as_ref() }.map_or(ptr::null(), |event| event.raw_name)
}

/// Return the data of the server-sent event, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_event_raw_data(
    event: *const mlflow_gateway_event,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: the caller passes NULL or an event that lives, and NULL or a pointer that is valid for writes.
    unsafe { event.as_ref().map_or(&BorrowedString::NULL, |event| &event.raw_data).get(len) }
}
