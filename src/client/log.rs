//! Logging: one line for each HTTP attempt.

use std::fmt;
use std::sync::Arc;

use crate::sync::{Lock, is_library_thread};

/// The level of a log line. Each level includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// An attempt that failed.
    Error = 1,
    /// An attempt to send a request.
    Info = 2,
    /// An attempt of a lookup: of the dialect, the routes, the health or an access token.
    Debug = 3,
}

/// The log callback.
pub type LogSink = Arc<dyn Fn(LogLevel, &str) + Send + Sync>;

/// A log callback and its level.
#[derive(Clone)]
pub(super) struct Log {
    level: LogLevel,
    sink: LogSink,
}

impl Log {
    pub fn new(level: LogLevel, sink: LogSink) -> Log {
        Log { level, sink }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Log({:?})", self.level)
    }
}

/// Log lines, and the callback that they are for.
#[derive(Debug)]
pub(super) struct LogLines {
    log: Log,
    lines: Vec<(LogLevel, String)>,
}

impl LogLines {
    pub fn deliver(&self) {
        self.lines.iter().for_each(|(level, line)| (self.log.sink)(*level, line));
    }
}

/// Takes the lines of a call that runs on a thread of a queue, where no callback may run.
pub(super) type LogRelay = Arc<dyn Fn(LogLines) + Send + Sync>;

/// The log lines of one call. They are kept until the callback may make calls on the same handle. The calling thread
/// also passes on the lines of the library's own threads.
#[derive(Default)]
pub(super) struct Logger {
    log: Option<Log>,
    relay: Option<LogRelay>,
    pending: Lock<Vec<(LogLevel, String)>>,
}

impl Logger {
    pub fn new(log: Option<Log>) -> Logger {
        Logger { log, relay: None, pending: Lock::default() }
    }

    /// Passes the lines to this relay in place of the callback.
    pub fn set_relay(&mut self, relay: &LogRelay) {
        self.relay = self.log.is_some().then(|| Arc::clone(relay));
    }

    pub fn is_enabled(&self, level: LogLevel) -> bool {
        self.log.as_ref().is_some_and(|log| level <= log.level)
    }

    /// Adds a line. The caller checks [`Logger::is_enabled`] first, because formatting a line takes time.
    pub fn push(&self, level: LogLevel, line: String) {
        self.pending.lock().push((level, line));
    }

    /// Passes the pending lines to the relay of a queue, or else to the callback unless this is a thread of the library.
    /// No other thread may wait for this one meanwhile, because the callback may make calls.
    pub fn flush(&self) {
        let Some(log) = self.log.as_ref().filter(|_| self.relay.is_some() || !is_library_thread()) else { return };
        let lines = std::mem::take(&mut *self.pending.lock());
        if lines.is_empty() {
            return;
        }
        let lines = LogLines { log: log.clone(), lines };
        match &self.relay {
            Some(relay) => relay(lines),
            None => lines.deliver(),
        }
    }
}

impl Drop for Logger {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::run_in_parallel;

    #[test]
    fn callback_runs_on_the_calling_thread_only() {
        let lines: Arc<Lock<Vec<String>>> = Arc::default();
        let (to, caller) = (Arc::clone(&lines), std::thread::current().id());
        let sink: LogSink = Arc::new(move |level, line| {
            assert_eq!(std::thread::current().id(), caller);
            to.lock().push(format!("{level:?} {line}"));
        });
        let logger = Logger::new(Some(Log::new(LogLevel::Info, sink)));
        assert!(
            logger.is_enabled(LogLevel::Error)
                && logger.is_enabled(LogLevel::Info)
                && !logger.is_enabled(LogLevel::Debug)
        );
        run_in_parallel(4, &|| {
            logger.push(LogLevel::Info, "x".to_owned());
            logger.flush();
        });
        logger.flush();
        assert_eq!(*lines.lock(), ["Info x"; 4]);
        assert!(!Logger::default().is_enabled(LogLevel::Error));
    }
}
