//! The body of an exported function that returns a status.

use super::catch_panic::catch_panic;
use super::error::{self, mlflow_gateway_error};
use super::status::{MLFLOW_GATEWAY_OK, mlflow_gateway_status};
use crate::client::{Error, Status};

/// `export_status!(error, { ... })` runs the body, in which the thread cannot be cancelled. Its `Ok` is `()` or a
/// status; its `Err`, or a panic, becomes a status and the error object, which the caller may have passed NULL for.
///
/// With `export_status!(error, guard, { ... })` the thread can be cancelled until the body calls `guard.hold()`, which
/// it must do before it waits. That saves two system calls where a body rarely waits.
macro_rules! export_status {
    ($error:ident, $guard:ident, $body:block) => {
        $crate::ffi::pthread_cancel::uncancellable_while_held(|$guard| {
            $crate::ffi::export_status::status_of($error, || $body)
        })
    };
    ($error:ident, $body:block) => {
        $crate::ffi::pthread_cancel::uncancellable(|| $crate::ffi::export_status::status_of($error, || $body))
    };
}
pub(super) use export_status;

/// The success of a function: `()`, or the status of one that has several.
pub(super) trait Success {
    fn status(self) -> mlflow_gateway_status;
}

impl Success for () {
    fn status(self) -> mlflow_gateway_status {
        MLFLOW_GATEWAY_OK
    }
}

impl Success for mlflow_gateway_status {
    fn status(self) -> mlflow_gateway_status {
        self
    }
}

/// See [`export_status!`].
pub(super) fn status_of<S: Success>(
    output: *mut *mut mlflow_gateway_error,
    body: impl FnOnce() -> Result<S, Error>,
) -> mlflow_gateway_status {
    match catch_panic(body) {
        Ok(Ok(success)) => success.status(),
        Ok(Err(failure)) => failed(output, failure),
        Err(panic) => failed(output, Error::new(Status::Panic, panic)),
    }
}

/// Not generic: all functions share its code.
#[cold]
#[inline(never)]
fn failed(output: *mut *mut mlflow_gateway_error, failure: Error) -> mlflow_gateway_status {
    let status = failure.status() as mlflow_gateway_status;
    if !output.is_null() {
        // Creating the object may panic, too. Then the status alone is returned.
        if let Ok(object) = catch_panic(|| error::create(failure)) {
            // SAFETY: the caller passes NULL or a pointer that is valid for writes.
            unsafe { output.write(object) };
        }
    }
    status
}
