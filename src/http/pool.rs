//! Connections that wait for the next call.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::way::Way;
use crate::sync::{Lock, current_process};

/// Servers close idle connections, too, often sooner.
const IDLE_AGE: Duration = Duration::from_secs(60);

/// The last one used is the first one used again, so that those which are too many grow old. The lock is held only
/// while one is put in or taken out.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Lock<Vec<Idle>>,
    /// Whose they are: after a fork both processes have the sockets, and would read each other's answers.
    process: AtomicU32,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    way: Arc<Way>,
    since: Instant,
}

impl Pool {
    /// A connection that was made on this way and that the server has not closed.
    pub fn take(&self, way: &Arc<Way>) -> Option<Connection> {
        self.close_parents();
        loop {
            let idle = self.idle.lock().pop()?;
            let mut connection = idle.connection;
            if Arc::ptr_eq(&idle.way, way) && idle.since.elapsed() < IDLE_AGE && connection.is_open() {
                return Some(connection);
            }
        }
    }

    /// In a process that was forked since the last look, none of them is this one's.
    fn close_parents(&self) {
        let process = current_process();
        if self.process.load(Ordering::Acquire) == process {
            return;
        }
        let parents = {
            let mut kept = self.idle.lock();
            // Another thread of this process may have been faster, and have put its own in.
            let is_first = self.process.swap(process, Ordering::AcqRel) != process;
            if is_first { mem::take(&mut *kept) } else { Vec::new() }
        };
        drop(parents);
    }

    /// Keeps the connection, unless so many are kept already.
    pub fn put(&self, connection: Connection, way: &Arc<Way>, most: usize) {
        self.close_parents();
        let now = Instant::now();
        let idle = Idle { connection, way: Arc::clone(way), since: now };
        // What is closed is closed outside of the lock.
        let closed: (Vec<Idle>, Option<Idle>) = {
            let mut kept = self.idle.lock();
            let old = kept.iter().take_while(|idle| now.duration_since(idle.since) >= IDLE_AGE).count();
            let old = kept.drain(..old).collect();
            if kept.len() < most {
                kept.push(idle);
                (old, None)
            } else {
                (old, Some(idle))
            }
        };
        drop(closed);
    }
}
