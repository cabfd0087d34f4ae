//! The cancel token.

use std::ffi::c_int;
use std::sync::Arc;

use super::cancellation::uncancelled;
use super::error::mlflow_gateway_error;
use super::export::export;
use super::handle;
use super::status::mlflow_gateway_status;
use crate::client::{CancelToken, Error, Status};

/// Cancels the calls that have it: those that run, and those that begin before it is reset.
pub struct mlflow_gateway_cancel_token(Arc<CancelToken>);

/// What a function was given as a token; NULL is none.
///
/// # Safety
/// The token is NULL, or was not destroyed.
pub(super) unsafe fn token(token: *const mlflow_gateway_cancel_token) -> Option<Arc<CancelToken>> {
    // SAFETY: as promised by the caller.
    unsafe { token.as_ref() }.map(|token| Arc::clone(&token.0))
}

/// Makes a token by which calls are cancelled from another thread or from a signal handler. It is given to a handle by
/// mlflow_gateway_set_cancel_token(), or to a request by mlflow_gateway_request_set_cancel_token(), to as many as one
/// likes. It takes one file descriptor, which is closed when neither the caller nor a handle, a request or a stream has
/// it any more.
///
/// `token` receives it; the caller destroys it with mlflow_gateway_cancel_token_destroy().
///
/// Returns MLFLOW_GATEWAY_OK, _INVALID_ARGUMENT, or _OUT_OF_MEMORY if the process can have no more descriptors.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_cancel_token_create(
    token: *mut *mut mlflow_gateway_cancel_token,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or what the types say.
        let place = unsafe { handle::check_place(token, "token")? };
        let token = CancelToken::new().map_err(|error| {
            Error::new(Status::OutOfMemory, format!("there is no file descriptor for a cancel token ({error})"))
        })?;
        place.write(handle::give(mlflow_gateway_cancel_token(Arc::new(token))));
        Ok(())
    })
}

/// Cancels: the calls that have this token return MLFLOW_GATEWAY_CANCELLED within milliseconds, whatever they wait for,
/// and so do those that begin with it before mlflow_gateway_cancel_token_reset(). A question that was sent by then may
/// have been processed; its connection is closed. An answer that is complete, or just being read from memory, is not
/// taken back.
///
/// It may be called by any thread, and by a signal handler: it is async-signal-safe, and leaves errno as it is. A child
/// of a fork() cancels its own calls only, and its parent the parent's. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_cancel(token: *mut mlflow_gateway_cancel_token) {
    // Without the wall against panics: that is nothing for a signal handler, and nothing in here panics.
    uncancelled(|| {
        // SAFETY: the caller passes NULL or a token that was not destroyed.
        if let Some(token) = unsafe { token.as_ref() } {
            token.0.cancel();
        }
    })
}

/// Returns 1 if the token was cancelled and not reset since; else 0, also if `token` is NULL. It is async-signal-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_cancel_token_is_cancelled(token: *const mlflow_gateway_cancel_token) -> c_int {
    // SAFETY: the caller passes NULL or a token that was not destroyed.
    unsafe { token.as_ref() }.is_some_and(|token| token.0.is_cancelled()).into()
}

/// Makes a cancelled token good for further calls. Call it only after all calls have returned that were to be cancelled:
/// one that has not yet seen it goes on. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_cancel_token_reset(token: *mut mlflow_gateway_cancel_token) {
    export!(or(), {
        // SAFETY: the caller passes NULL or a token that was not destroyed.
        if let Some(token) = unsafe { token.as_ref() } {
            token.0.reset();
        }
    })
}

/// Destroys a token, which no thread and no signal handler may use any more. Calls that have it go on, and handles and
/// requests that have it are as before, but it cannot be cancelled any more. NULL is allowed and does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_cancel_token_destroy(token: *mut mlflow_gateway_cancel_token) {
    export!(or(), {
        // SAFETY: the caller passes NULL or a token that was not destroyed.
        unsafe { handle::end(token) }
    })
}
