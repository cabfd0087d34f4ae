//! The cancel token object.

use std::ffi::c_int;
use std::sync::Arc;

use super::error::mlflow_gateway_error;
use super::export_status::export_status;
use super::export_value::export_value;
use super::handle;
use super::pthread_cancel::uncancellable;
use super::status::mlflow_gateway_status;
use crate::client::{CancelToken, Error, Status};

/// A cancel token. Cancels every call it is attached to, running or started before it is reset.
pub struct mlflow_gateway_cancel_token(Arc<CancelToken>);

/// Returns the token of an argument; `None` for NULL.
///
/// # Safety
/// The token is NULL, or was not destroyed.
pub(super) unsafe fn token(token: *const mlflow_gateway_cancel_token) -> Option<Arc<CancelToken>> {
    // SAFETY: guaranteed by the caller.
    unsafe { token.as_ref() }.map(|token| Arc::clone(&token.0))
}

/// Create a cancel token. Attach it to handles and requests, any number of them. It uses one file descriptor until
/// it is destroyed and detached everywhere.
///
/// Fails with _OUT_OF_MEMORY if the process cannot open another descriptor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_cancel_token_create(
    token: *mut *mut mlflow_gateway_cancel_token,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let output = unsafe { handle::output(token, "token")? };
        let token = CancelToken::new().map_err(|error| {
            Error::new(Status::OutOfMemory, format!("cannot open a file descriptor for a cancel token: {error}"))
        })?;
        output.write(handle::create(mlflow_gateway_cancel_token(Arc::new(token))));
        Ok(())
    })
}

/// Cancel all calls that have this token. They return MLFLOW_GATEWAY_CANCELLED within milliseconds, as do calls
/// that start before mlflow_gateway_cancel_token_reset(). The gateway may still process a request that was sent.
///
/// Any thread and any signal handler may call it: it is async-signal-safe and preserves errno. After fork(), parent
/// and child cancel only their own calls.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_cancel(token: *mut mlflow_gateway_cancel_token) {
    // Without `export_value!`: catching panics is not async-signal-safe, and nothing here panics.
    uncancellable(|| {
        // SAFETY: the caller passes NULL or a token that was not destroyed.
        if let Some(token) = unsafe { token.as_ref() } {
            token.0.cancel();
        }
    })
}

/// Return 1 if the token is cancelled, else 0. It is async-signal-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_cancel_token_is_cancelled(token: *const mlflow_gateway_cancel_token) -> c_int {
    // SAFETY: the caller passes NULL or a token that was not destroyed.
    unsafe { token.as_ref() }.is_some_and(|token| token.0.is_cancelled()).into()
}

/// Reset a cancelled token. Call it only after the cancelled calls have returned: a call that has not noticed the
/// cancellation continues.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_cancel_token_reset(token: *mut mlflow_gateway_cancel_token) {
    export_value!((), {
        // SAFETY: the caller passes NULL or a token that was not destroyed.
        if let Some(token) = unsafe { token.as_ref() } {
            token.0.reset();
        }
    })
}

/// Destroy a cancel token. Calls that have it continue, but can no longer be cancelled with it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_cancel_token_destroy(token: *mut mlflow_gateway_cancel_token) {
    export_value!((), {
        // SAFETY: the caller passes NULL or a token that was not destroyed.
        unsafe { handle::destroy(token) }
    })
}
