//! The wall between this library and C: no panic passes it, no thread is cancelled behind it, and nothing is printed.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::mlflow_gateway_error;
use super::status::mlflow_gateway_status;
use crate::client::{Error, Status, is_library_thread};

/// Holds the body of every exported function.
///
/// `export!(error, { ... })` is for functions that return a status: the body's `Err` becomes the status and, if the
/// caller wants one, an error object. `export!(status error, { ... })` is for those of them that have more than one
/// success: the body says which; with a guard, it holds that before it waits. `export!(or value, { ... })` is for the others: a panic gives the value.
macro_rules! export {
    (or $fallback:expr, $body:block) => {
        $crate::ffi::cancellation::uncancelled(|| $crate::ffi::export::value($fallback, || $body))
    };
    (status $error:ident, $guard:ident, $body:block) => {
        $crate::ffi::cancellation::uncancelled_once_held(|$guard| $crate::ffi::export::status($error, || $body))
    };
    (status $error:ident, $body:block) => {
        $crate::ffi::cancellation::uncancelled(|| $crate::ffi::export::status($error, || $body))
    };
    ($error:ident, $body:block) => {
        $crate::ffi::export::export!(status $error, {
            let done: Result<(), $crate::client::Error> = (|| $body)();
            done.map(|()| $crate::ffi::status::MLFLOW_GATEWAY_OK)
        })
    };
}
pub(super) use export;

/// See [`export!`].
pub(super) fn status(
    error: *mut *mut mlflow_gateway_error,
    body: impl FnOnce() -> Result<mlflow_gateway_status, Error>,
) -> mlflow_gateway_status {
    match caught(body) {
        Ok(Ok(success)) => success,
        Ok(Err(failure)) => failed(error, failure),
        Err(what) => failed(error, Error::new(Status::Panic, what)),
    }
}

/// One for all functions, each of which has a body of its own.
#[cold]
#[inline(never)]
fn failed(error: *mut *mut mlflow_gateway_error, failure: Error) -> mlflow_gateway_status {
    let status = failure.status() as mlflow_gateway_status;
    if !error.is_null() {
        // Making the object may fail in the same way; then there is the status alone.
        if let Ok(object) = caught(|| mlflow_gateway_error::new(failure)) {
            // SAFETY: the caller passes NULL or a pointer to a place for an error.
            unsafe { error.write(Box::into_raw(Box::new(object))) };
        }
    }
    status
}

/// See [`export!`].
pub(super) fn value<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    caught(body).unwrap_or(fallback)
}

/// Runs the body; a panic becomes its description.
fn caught<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    silence_panics();
    let outer = INSIDE.replace(true);
    // What a panic leaves behind in a handle is sound: its locks guard single assignments.
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    INSIDE.set(outer);
    result.map_err(describe)
}

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static PLACE: Cell<Place> = const { Cell::new(NOWHERE) };
}

const NOWHERE: Place = Place { file: [0; 96], file_len: 0, line: 0 };

/// Where a panic happened. It has no destructor, since one in a thread-local would keep the library loaded.
#[derive(Clone, Copy)]
struct Place {
    file: [u8; 96],
    file_len: usize,
    line: u32,
}

/// The standard hook would write to stderr. This one keeps quiet within our functions, and leaves other panics in the
/// process (of a Rust program that this library is linked into) to whoever took care of them before.
fn silence_panics() {
    // No std::sync::Once: a process that is forked while another thread is in it would wait for that for ever.
    static IS_INSTALLED: AtomicBool = AtomicBool::new(false);
    if !IS_INSTALLED.load(Ordering::Relaxed) && !IS_INSTALLED.swap(true, Ordering::Relaxed) {
        let other = panic::take_hook();
        panic::set_hook(Box::new(
            move |info| if INSIDE.get() || is_library_thread() { note_place(info) } else { other(info) },
        ));
    }
}

fn note_place(info: &PanicHookInfo) {
    let mut place = Place { file: [0; 96], file_len: 0, line: 0 };
    if let Some(location) = info.location() {
        place.line = location.line();
        for (to, from) in place.file.iter_mut().zip(location.file().bytes()) {
            *to = from;
            place.file_len += 1;
        }
    }
    PLACE.set(place);
}

#[cold]
#[inline(never)]
fn describe(payload: Box<dyn Any + Send>) -> String {
    let what = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(what), _) => what,
        (_, Some(what)) => what.as_str(),
        _ => "no message",
    };
    let place = PLACE.replace(NOWHERE);
    if place.file_len == 0 {
        return format!("a fault in this library, please report it: {what}");
    }
    let file = String::from_utf8_lossy(place.file.get(..place.file_len).unwrap_or_default()).into_owned();
    format!("a fault in this library, please report it: {what} ({file}:{})", place.line)
}
