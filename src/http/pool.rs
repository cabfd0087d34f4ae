//! Connections that wait for the next call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connect_settings::ConnectSettings;
use super::connection::Connection;
use crate::sync::{Lock, ProcessLocal};

/// What the options say of connections that are kept for later calls.
#[derive(Debug, Clone, Copy)]
pub struct KeepAlive {
    /// As many are kept.
    pub max_connections: usize,
    /// How long one is kept that is idle, at most.
    pub max_idle: Duration,
}

/// How much earlier than the server an idle connection is given up: a request that is on its way when the server closes
/// is lost.
const EARLIER: Duration = Duration::from_secs(1);

/// The last one used is the first one used again, so that those which are too many grow old. The lock is held only
/// while one is put in or taken out.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Lock<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    connection: ProcessLocal<Connection>,
    way: Arc<ConnectSettings>,
    until: Instant,
}

impl Pool {
    /// A connection that was made on this way and that the server has not closed.
    pub fn take(&self, way: &Arc<ConnectSettings>) -> Option<Connection> {
        loop {
            let mut idle = self.idle.lock().pop()?;
            let is_current = Arc::ptr_eq(&idle.way, way) && Instant::now() < idle.until;
            if is_current && idle.connection.get_mut().is_some_and(Connection::is_open) {
                return idle.connection.into_inner();
            }
        }
    }

    /// Keeps the connection, unless as many are kept already, or the server closes it sooner than it is of use.
    /// `server_keeps` is how long the server says that it keeps it.
    pub fn put(
        &self,
        mut connection: Connection,
        way: &Arc<ConnectSettings>,
        keep_alive: KeepAlive,
        server_keeps: Option<Duration>,
    ) {
        let kept_for =
            server_keeps.map_or(keep_alive.max_idle, |time| time.saturating_sub(EARLIER).min(keep_alive.max_idle));
        if kept_for.is_zero() || !connection.go_idle() {
            return;
        }
        let now = Instant::now();
        let idle = Idle { connection: ProcessLocal::new(connection), way: Arc::clone(way), until: now + kept_for };
        // What is closed is closed outside of the lock.
        let closed: (Vec<Idle>, Option<Idle>) = {
            let mut kept = self.idle.lock();
            let old = kept.iter().take_while(|idle| idle.until <= now).count();
            let old = kept.drain(..old).collect();
            if kept.len() < keep_alive.max_connections {
                kept.push(idle);
                (old, None)
            } else {
                (old, Some(idle))
            }
        };
        drop(closed);
    }
}
