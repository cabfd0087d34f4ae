//! Who is told what goes on.

use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;

use super::error::mlflow_gateway_error;
use super::export::export;
use super::gateway::mlflow_gateway;
use super::handle;
use super::status::mlflow_gateway_status;
use crate::client::{Error, LogLevel, LogSink, Status};

/// No lines.
pub const MLFLOW_GATEWAY_LOG_OFF: i32 = 0;
/// A line for each attempt of a question, or of a change, that failed. (What goes wrong in an answer after its head has
/// come is in the error alone.)
pub const MLFLOW_GATEWAY_LOG_ERROR: i32 = 1;
/// And for each that succeeded.
pub const MLFLOW_GATEWAY_LOG_INFO: i32 = 2;
/// And for what is asked beside them: what the server speaks, lists of routes, its health, and tokens.
pub const MLFLOW_GATEWAY_LOG_DEBUG: i32 = 3;

/// Take a line of the log: `level` is MLFLOW_GATEWAY_LOG_ERROR, _INFO or _DEBUG; `line` is `len` bytes of UTF-8,
/// NUL-terminated, without a line break, which live until the callback returns; `user_data` is what was given to
/// mlflow_gateway_set_log(). It must return: neither longjmp() nor a C++ exception may pass through this library.
pub type mlflow_gateway_on_log =
    Option<unsafe extern "C" fn(level: i32, line: *const c_char, len: usize, user_data: *mut c_void)>;

/// Destroy `user_data`, which no callback gets afterwards. It may call any function of this library. It must return:
/// neither longjmp() nor a C++ exception may pass through this library.
pub type mlflow_gateway_on_destroy = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// A callback and its data, which is destroyed with it.
struct Callback {
    on_log: mlflow_gateway_on_log,
    user_data: *mut c_void,
    on_destroy: mlflow_gateway_on_destroy,
}

// SAFETY: the header tells the caller that the callbacks run on every thread that makes a call on the handle.
unsafe impl Send for Callback {}
// SAFETY: as above.
unsafe impl Sync for Callback {}

impl Callback {
    fn tell(&self, level: LogLevel, line: &str) {
        let Some(on_log) = self.on_log else { return };
        let text = CString::new(line.replace('\0', " ")).unwrap_or_default();
        // SAFETY: the caller of `mlflow_gateway_set_log` passed a function of this type and what belongs to it.
        unsafe { on_log(level as i32, text.as_ptr(), text.as_bytes().len(), self.user_data) }
    }
}

/// On a thread that is inside a call: threads of this library hold no settings.
impl Drop for Callback {
    fn drop(&mut self) {
        if let Some(on_destroy) = self.on_destroy {
            // SAFETY: the caller of `mlflow_gateway_set_log` passed a function of this type and what belongs to it.
            unsafe { on_destroy(self.user_data) }
        }
    }
}

/// Install a log callback for all calls on this handle that begin afterwards, in place of the one before. It is called
/// once for each HTTP attempt, with one line: the method, the URL, the HTTP status or why the attempt failed, its
/// duration, and why it was a retry. Credentials are not in it, and are masked where a gateway repeats them.
///
/// `level` is the level of the lines that are wanted, and includes the lower ones: MLFLOW_GATEWAY_LOG_OFF to
/// MLFLOW_GATEWAY_LOG_DEBUG.
/// `on_log` is called on the thread that makes the call, before the call returns and while no other thread waits for it.
/// Calls on several threads call it at the same time. It may call any function of this library. NULL ends the log.
/// `user_data` is passed to both callbacks as it is. It may be NULL.
/// `on_destroy` is called once with `user_data` when the log was replaced or ended, or the handle destroyed, and every
/// call and stream that began before has ended: by the function that ends the last of them, on its thread. If nothing is
/// logged (MLFLOW_GATEWAY_LOG_OFF, or NULL for `on_log`) it is called before this function returns. It is not called if
/// this function fails. A process and its child after a fork() each call it for their own copy, but a child does not if
/// another thread of the parent was in a call on the handle at that moment. It may be NULL.
///
/// Returns MLFLOW_GATEWAY_OK or _INVALID_ARGUMENT (no such level).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_set_log(
    gateway: *mut mlflow_gateway,
    level: i32,
    on_log: mlflow_gateway_on_log,
    user_data: *mut c_void,
    on_destroy: mlflow_gateway_on_destroy,
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
        // From here on nothing fails.
        let callback = Callback { on_log, user_data, on_destroy };
        let log = level.filter(|_| on_log.is_some()).map(|level| {
            let sink: LogSink = Arc::new(move |level, line| callback.tell(level, line));
            (level, sink)
        });
        gateway.gateway().set_log(log);
        Ok(())
    })
}
