//! One line for each attempt, to whoever wants to see what goes on.

use std::fmt;
use std::sync::Arc;

use crate::sync::{Lock, is_library_thread};

/// What a line is about; who asks for one level gets the lower ones as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// An attempt that failed.
    Error = 1,
    /// An attempt of a question.
    Info = 2,
    /// What is asked beside it: how the server speaks, and tokens.
    Debug = 3,
}

/// Takes a line.
pub type LogSink = Arc<dyn Fn(LogLevel, &str) + Send + Sync>;

/// Who wants to know how much.
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

/// The lines of one call. They wait until whoever is told may make calls of its own on the same handle, and those that
/// come up on threads of ours wait for the calling thread: only that one tells.
#[derive(Debug, Default)]
pub(super) struct Logger {
    log: Option<Log>,
    waiting: Lock<Vec<(LogLevel, String)>>,
}

impl Logger {
    pub fn new(log: Option<Log>) -> Logger {
        Logger { log, waiting: Lock::default() }
    }

    pub fn wants(&self, level: LogLevel) -> bool {
        self.log.as_ref().is_some_and(|log| level <= log.level)
    }

    /// Whoever calls it asked [`Logger::wants`] before, so that lines that nobody wants are not made.
    pub fn line(&self, level: LogLevel, line: String) {
        self.waiting.lock().push((level, line));
    }

    /// Tells what waits, unless this is a thread of ours. No other thread may wait for this one meanwhile.
    pub fn flush(&self) {
        let Some(log) = self.log.as_ref().filter(|_| !is_library_thread()) else { return };
        let waiting = std::mem::take(&mut *self.waiting.lock());
        waiting.iter().for_each(|(level, line)| (log.sink)(*level, line));
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
    fn only_the_calling_thread_is_told() {
        let told: Arc<Lock<Vec<String>>> = Arc::default();
        let (to, caller) = (Arc::clone(&told), std::thread::current().id());
        let sink: LogSink = Arc::new(move |level, line| {
            assert_eq!(std::thread::current().id(), caller);
            to.lock().push(format!("{level:?} {line}"));
        });
        let logger = Logger::new(Some(Log::new(LogLevel::Info, sink)));
        assert!(logger.wants(LogLevel::Error) && logger.wants(LogLevel::Info) && !logger.wants(LogLevel::Debug));
        run_in_parallel(4, &|| {
            logger.line(LogLevel::Info, "x".to_owned());
            logger.flush();
        });
        logger.flush();
        assert_eq!(*told.lock(), ["Info x"; 4]);
        assert!(!Logger::default().wants(LogLevel::Error));
    }
}
