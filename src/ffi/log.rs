//! Who is told what goes on.

use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;

use super::error::mlflow_gateway_error;
use super::export::export;
use super::gateway::mlflow_gateway;
use super::handle;
use super::status::mlflow_gateway_status;
use crate::client::{Error, LogLevel, LogSink, Status};

/// How much is logged, and what a line is about: one of the MLFLOW_GATEWAY_LOG_ numbers.
pub type mlflow_gateway_log_level = i32;

/// No lines.
pub const MLFLOW_GATEWAY_LOG_OFF: mlflow_gateway_log_level = 0;
/// A line for each attempt of a question, or of a change, that failed. (What goes wrong in an answer after its head has
/// come is in the error alone.)
pub const MLFLOW_GATEWAY_LOG_ERROR: mlflow_gateway_log_level = 1;
/// And for each that succeeded.
pub const MLFLOW_GATEWAY_LOG_INFO: mlflow_gateway_log_level = 2;
/// And for what is asked beside them: what the server speaks, lists of routes, its health, and tokens.
pub const MLFLOW_GATEWAY_LOG_DEBUG: mlflow_gateway_log_level = 3;

/// Takes a line: `line` is `len` bytes of UTF-8, NUL-terminated, without a line break, which live until the callback
/// returns; `level` is one of MLFLOW_GATEWAY_LOG_ERROR, _INFO and _DEBUG; `user_data` is what was given to
/// mlflow_gateway_set_log(). It must return: neither longjmp() nor a C++ exception may pass through this library.
pub type mlflow_gateway_on_log = Option<
    unsafe extern "C" fn(level: mlflow_gateway_log_level, line: *const c_char, len: usize, user_data: *mut c_void),
>;

/// A callback and what it is given.
struct Callback {
    on_log: unsafe extern "C" fn(mlflow_gateway_log_level, *const c_char, usize, *mut c_void),
    user_data: *mut c_void,
}

// SAFETY: the header tells the caller that the callback runs on every thread that makes a call on the handle.
unsafe impl Send for Callback {}
// SAFETY: as above.
unsafe impl Sync for Callback {}

impl Callback {
    fn tell(&self, level: LogLevel, line: &str) {
        let text = CString::new(line.replace('\0', " ")).unwrap_or_default();
        // SAFETY: the caller of `mlflow_gateway_set_log` passed a function of this type and what belongs to it.
        unsafe { (self.on_log)(level as i32, text.as_ptr(), text.as_bytes().len(), self.user_data) }
    }
}

/// Sets who is told of each attempt to send something, for all calls on this handle that begin afterwards: one line
/// with the method, the URL, the HTTP status or what went wrong, the time that it took and, where the same was asked
/// again, why. Credentials are not in it, and are masked where a gateway repeats them.
///
/// `level` says how much, from MLFLOW_GATEWAY_LOG_OFF to MLFLOW_GATEWAY_LOG_DEBUG.
/// `on_log` is called on the thread that makes the call, before the call returns, and when no other thread waits for
/// this one; where several threads make calls on
/// this handle, on each of them, at the same time. It may call any function of this library. NULL ends the log.
/// `user_data` is given to the callback as it is; it may be NULL. It must live until the log is ended or the handle
/// destroyed, and all calls that began before that have returned.
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT (a level that there is not).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_log(
    gateway: *mut mlflow_gateway,
    level: mlflow_gateway_log_level,
    on_log: mlflow_gateway_on_log,
    user_data: *mut c_void,
    error: *mut *mut mlflow_gateway_error,
) -> mlflow_gateway_status {
    export!(error, {
        // SAFETY: the caller passes NULL or a handle that was not destroyed.
        let gateway = unsafe { handle::hold(gateway, "gateway")? };
        let level = match level {
            MLFLOW_GATEWAY_LOG_OFF => None,
            MLFLOW_GATEWAY_LOG_ERROR => Some(LogLevel::Error),
            MLFLOW_GATEWAY_LOG_INFO => Some(LogLevel::Info),
            MLFLOW_GATEWAY_LOG_DEBUG => Some(LogLevel::Debug),
            _ => {
                let problem = format!("the argument level is {level}; 0 (off) to 3 (debug) are levels");
                return Err(Error::new(Status::InvalidArgument, problem));
            }
        };
        let log = level.zip(on_log).map(|(level, on_log)| {
            let callback = Callback { on_log, user_data };
            let sink: LogSink = Arc::new(move |level, line| callback.tell(level, line));
            (level, sink)
        });
        gateway.gateway().set_log(log);
        Ok(())
    })
}
