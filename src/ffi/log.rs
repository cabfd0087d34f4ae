//! The log callback.

use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;

use super::error::mlflow_gateway_error;
use super::export_status::export_status;
use super::gateway::mlflow_gateway;
use super::handle;
use super::status::mlflow_gateway_status;
use crate::client::{Error, LogLevel, LogSink, Status};

/// No lines.
pub const MLFLOW_GATEWAY_LOG_OFF: i32 = 0;
/// One line for each failed attempt. Errors within a stream are not logged.
pub const MLFLOW_GATEWAY_LOG_ERROR: i32 = 1;
/// Also one line for each successful attempt.
pub const MLFLOW_GATEWAY_LOG_INFO: i32 = 2;
/// Also discovery, lists of routes, health checks and token fetches.
pub const MLFLOW_GATEWAY_LOG_DEBUG: i32 = 3;

/// Receives one log line without a line break. `level` is MLFLOW_GATEWAY_LOG_ERROR, _INFO or _DEBUG. `line` is
/// valid until the callback returns. `user_data` is passed through.
pub type mlflow_gateway_on_log =
    Option<unsafe extern "C" fn(level: i32, line: *const c_char, len: usize, user_data: *mut c_void)>;

/// Destroys `user_data`.
pub type mlflow_gateway_on_destroy = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// A callback and its data. Dropping it destroys the data.
struct Callback {
    on_log: mlflow_gateway_on_log,
    user_data: *mut c_void,
    on_destroy: mlflow_gateway_on_destroy,
}

// SAFETY: the header documents that the callbacks run on every thread that makes a call on the handle.
unsafe impl Send for Callback {}
// SAFETY: as above.
unsafe impl Sync for Callback {}

impl Callback {
    fn call(&self, level: LogLevel, line: &str) {
        let Some(on_log) = self.on_log else { return };
        let text = CString::new(line.replace('\0', " ")).unwrap_or_default();
        // SAFETY: the caller of `mlflow_gateway_set_log` passed a function of this type and its data.
        unsafe { on_log(level as i32, text.as_ptr(), text.as_bytes().len(), self.user_data) }
    }
}

/// It runs on a thread of the program that is inside a function of the library: threads of the library hold no
/// settings.
impl Drop for Callback {
    fn drop(&mut self) {
        if let Some(on_destroy) = self.on_destroy {
            // SAFETY: the caller of `mlflow_gateway_set_log` passed a function of this type and its data.
            unsafe { on_destroy(self.user_data) }
        }
    }
}

/// Install a log callback, called once per HTTP attempt with the method, the URL, the HTTP status or the error, the
/// duration, and why it was retried. Credentials are masked.
///
/// `level` is one of the MLFLOW_GATEWAY_LOG_ numbers.
/// `on_log` runs on the thread that is in a call, before the call returns; with several threads in calls,
/// concurrently. NULL removes the callback.
/// `on_destroy` is called with `user_data` once, when the callback was replaced or the handle destroyed, and no call or
/// clone uses it any more. It runs on a thread that is inside a function of this library. It may be NULL. It is not
/// called if this function fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_log(
    gateway: *mut mlflow_gateway,
    level: i32,
    on_log: mlflow_gateway_on_log,
    user_data: *mut c_void,
    on_destroy: mlflow_gateway_on_destroy,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export_status!(error, {
        // SAFETY: the caller passes NULL or a handle that was not destroyed.
        let gateway = unsafe { handle::retain(gateway, "gateway")? };
        let level = match level {
            MLFLOW_GATEWAY_LOG_OFF => None,
            MLFLOW_GATEWAY_LOG_ERROR => Some(LogLevel::Error),
            MLFLOW_GATEWAY_LOG_INFO => Some(LogLevel::Info),
            MLFLOW_GATEWAY_LOG_DEBUG => Some(LogLevel::Debug),
            _ => {
                let problem = format!("the argument level is {level}; levels are 0 (off) to 3 (debug)");
                return Err(Error::new(Status::InvalidArgument, problem));
            }
        };
        // Nothing below fails: on failure `on_destroy` must not be called.
        let callback = Callback { on_log, user_data, on_destroy };
        let log = level.filter(|_| on_log.is_some()).map(|level| {
            let sink: LogSink = Arc::new(move |level, line| callback.call(level, line));
            (level, sink)
        });
        gateway.gateway().set_log(log);
        Ok(())
    })
}
