//! Connections that wait for the next call.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::fork::ForkMark;
use super::way::Way;

/// Servers close idle connections, too, often sooner.
const IDLE_AGE: Duration = Duration::from_secs(60);

/// The last one used is the first one used again, so that those which are too many grow old. The lock is held only
/// while one is put in or taken out.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<Idle>>,
    /// After a fork both processes have the sockets, and would read each other's answers.
    fork: ForkMark,
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
        if self.fork.is_new_process() {
            let parents = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
            drop(parents);
        }
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            let mut connection = idle.connection;
            if Arc::ptr_eq(&idle.way, way) && idle.since.elapsed() < IDLE_AGE && connection.is_open() {
                return Some(connection);
            }
        }
    }

    /// Keeps the connection, unless so many are kept already.
    pub fn put(&self, connection: Connection, way: &Arc<Way>, most: usize) {
        let now = Instant::now();
        let idle = Idle { connection, way: Arc::clone(way), since: now };
        // What is closed is closed outside of the lock.
        let closed: (Vec<Idle>, Option<Idle>) = {
            let mut kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
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
