//! The completion object.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::embeddings::{self, mlflow_gateway_embeddings, mlflow_gateway_embeddings_destroy};
use super::error::{self, mlflow_gateway_error, mlflow_gateway_error_destroy};
use super::event::mlflow_gateway_event;
use super::export_value::export_value;
use super::response::{self, mlflow_gateway_response, mlflow_gateway_response_destroy};
use super::status::{MLFLOW_GATEWAY_OK, mlflow_gateway_status};
use crate::client::{Completion, CompletionKind};

/// An event of a stream.
pub const MLFLOW_GATEWAY_COMPLETION_EVENT: i32 = 1;
/// The end of a request. Each submitted request has exactly one, whether it succeeded or not.
pub const MLFLOW_GATEWAY_COMPLETION_DONE: i32 = 2;

/// What a queue returns: an event of a stream, or the end of a request.
pub struct mlflow_gateway_completion {
    tag: u64,
    kind: Kind,
}

enum Kind {
    Event {
        event: mlflow_gateway_event,
        /// The memory that the event points to. It keeps the place in the window of its stream.
        _completion: Completion,
    },
    Done(Parts),
}

/// The end of a request.
struct Parts {
    status: mlflow_gateway_status,
    response: Part<mlflow_gateway_response>,
    embeddings: Part<mlflow_gateway_embeddings>,
    error: Part<mlflow_gateway_error>,
}

/// An object of the end of a request; NULL if there is none, or if it was taken.
struct Part<T> {
    object: AtomicPtr<T>,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Part<T> {
    fn new(object: Option<*mut T>, destroy: unsafe extern "C" fn(*mut T)) -> Part<T> {
        Part { object: AtomicPtr::new(object.unwrap_or(ptr::null_mut())), destroy }
    }

    fn get(&self) -> *const T {
        self.object.load(Ordering::Acquire)
    }

    fn take(&self) -> *mut T {
        self.object.swap(ptr::null_mut(), Ordering::AcqRel)
    }
}

impl<T> Drop for Part<T> {
    fn drop(&mut self) {
        // SAFETY: the object belongs to the completion until it is taken, and this is its own destroy function.
        unsafe { (self.destroy)(self.take()) }
    }
}

/// Creates a completion object, which C destroys by mlflow_gateway_completion_destroy().
pub(super) fn create(completion: Completion) -> *mut mlflow_gateway_completion {
    let tag = completion.tag;
    let kind = match completion.kind {
        CompletionKind::Event(ref event) => {
            // It points to memory that does not move with the completion.
            Kind::Event { event: mlflow_gateway_event::new(&event.event()), _completion: completion }
        }
        CompletionKind::Done(done) => Kind::Done(Parts {
            status: done.error.as_ref().map_or(MLFLOW_GATEWAY_OK, |error| error.status() as mlflow_gateway_status),
            response: Part::new(done.response.map(response::create), mlflow_gateway_response_destroy),
            embeddings: Part::new(done.embeddings.map(embeddings::create), mlflow_gateway_embeddings_destroy),
            error: Part::new(done.error.map(error::create), mlflow_gateway_error_destroy),
        }),
    };
    Box::into_raw(Box::new(mlflow_gateway_completion { tag, kind }))
}

/// # Safety
/// The completion is NULL, or was not destroyed.
unsafe fn parts<'a>(completion: *const mlflow_gateway_completion) -> Option<&'a Parts> {
    // SAFETY: guaranteed by the caller.
    match &unsafe { completion.as_ref() }?.kind {
        Kind::Done(parts) => Some(parts),
        Kind::Event { .. } => None,
    }
}

/// Return the kind of a completion: MLFLOW_GATEWAY_COMPLETION_EVENT or _DONE. Ignore kinds that you do not know.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_completion_kind(completion: *const mlflow_gateway_completion) -> i32 {
    export_value!(0, {
        // SAFETY: the caller passes NULL or a completion that was not destroyed.
        unsafe { completion.as_ref() }.map_or(0, |completion| match completion.kind {
            Kind::Event { .. } => MLFLOW_GATEWAY_COMPLETION_EVENT,
            Kind::Done(_) => MLFLOW_GATEWAY_COMPLETION_DONE,
        })
    })
}

/// Return the tag that the request was submitted with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_completion_tag(completion: *const mlflow_gateway_completion) -> u64 {
    export_value!(0, {
        // SAFETY: the caller passes NULL or a completion that was not destroyed.
        unsafe { completion.as_ref() }.map_or(0, |completion| completion.tag)
    })
}

/// Return the status of the request: OK for an event, or if the response or stream is complete; else why it failed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_completion_status(
    completion: *const mlflow_gateway_completion,
) -> mlflow_gateway_status {
    export_value!(MLFLOW_GATEWAY_OK, {
        // SAFETY: the caller passes NULL or a completion that was not destroyed.
        unsafe { parts(completion) }.map_or(MLFLOW_GATEWAY_OK, |parts| parts.status)
    })
}

/// Return the event of an EVENT completion, or NULL. Destroy the completion soon: a stream is read only while fewer
/// than max_events of its events, and less than 256 KiB of them, exist.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_completion_event(
    completion: *const mlflow_gateway_completion,
) -> *const mlflow_gateway_event {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or a completion that was not destroyed.
        unsafe { completion.as_ref() }.map_or(ptr::null(), |completion| match &completion.kind {
            Kind::Event { event, .. } => event,
            Kind::Done(_) => ptr::null(),
        })
    })
}

/// Return the response of a DONE completion, or NULL. That of a stream is what was gathered, also on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_completion_response(
    completion: *const mlflow_gateway_completion,
) -> *const mlflow_gateway_response {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or a completion that was not destroyed.
        unsafe { parts(completion) }.map_or(ptr::null(), |parts| parts.response.get())
    })
}

/// Return the embeddings of a DONE completion, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_completion_embeddings(
    completion: *const mlflow_gateway_completion,
) -> *const mlflow_gateway_embeddings {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or a completion that was not destroyed.
        unsafe { parts(completion) }.map_or(ptr::null(), |parts| parts.embeddings.get())
    })
}

/// Return why the request of a DONE completion failed, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_completion_error(
    completion: *const mlflow_gateway_completion,
) -> *const mlflow_gateway_error {
    export_value!(ptr::null(), {
        // SAFETY: the caller passes NULL or a completion that was not destroyed.
        unsafe { parts(completion) }.map_or(ptr::null(), |parts| parts.error.get())
    })
}

/// Take the response out of a completion. The caller owns it. NULL if there is none, or if it was taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_completion_take_response(
    completion: *mut mlflow_gateway_completion,
) -> *mut mlflow_gateway_response {
    export_value!(ptr::null_mut(), {
        // SAFETY: the caller passes NULL or a completion that was not destroyed.
        unsafe { parts(completion) }.map_or(ptr::null_mut(), |parts| parts.response.take())
    })
}

/// Take the embeddings out of a completion. Like mlflow_gateway_completion_take_response().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_completion_take_embeddings(
    completion: *mut mlflow_gateway_completion,
) -> *mut mlflow_gateway_embeddings {
    export_value!(ptr::null_mut(), {
        // SAFETY: the caller passes NULL or a completion that was not destroyed.
        unsafe { parts(completion) }.map_or(ptr::null_mut(), |parts| parts.embeddings.take())
    })
}

/// Take the error out of a completion. Like mlflow_gateway_completion_take_response().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_completion_take_error(
    completion: *mut mlflow_gateway_completion,
) -> *mut mlflow_gateway_error {
    export_value!(ptr::null_mut(), {
        // SAFETY: the caller passes NULL or a completion that was not destroyed.
        unsafe { parts(completion) }.map_or(ptr::null_mut(), |parts| parts.error.take())
    })
}

/// Destroy a completion, and the objects in it that were not taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_completion_destroy(completion: *mut mlflow_gateway_completion) {
    export_value!((), {
        if !completion.is_null() {
            // SAFETY: the completion came from `create` and was not destroyed before.
            drop(unsafe { Box::from_raw(completion) });
        }
    })
}
