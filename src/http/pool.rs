//! Idle connections, which wait for the next exchange.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::connect_settings::ConnectSettings;
use super::connection::Connection;
use super::exchange::KeepAlive;
use crate::sync::{Lock, current_process};

/// How much earlier than the server we close an idle connection: a request that is on its way when the server closes is
/// lost.
const SAFETY_MARGIN: Duration = Duration::from_secs(1);

/// The connection used last is reused first, so that those which are not needed expire. The lock is held only while a
/// connection is put in or taken out.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Lock<Vec<Idle>>,
    /// The process that opened the connections. After a fork both processes have the sockets, and would read each
    /// other's responses.
    process: AtomicU32,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    settings: Arc<ConnectSettings>,
    expires: Instant,
}

impl Pool {
    /// Takes a connection that was opened with these settings and that the server has not closed.
    pub fn take(&self, settings: &Arc<ConnectSettings>) -> Option<Connection> {
        self.close_inherited();
        loop {
            let idle = self.idle.lock().pop()?;
            let mut connection = idle.connection;
            if Arc::ptr_eq(&idle.settings, settings) && Instant::now() < idle.expires && connection.is_open() {
                return Some(connection);
            }
        }
    }

    /// In a forked child, closes the parent's connections.
    fn close_inherited(&self) {
        let process = current_process();
        if self.process.load(Ordering::Acquire) == process {
            return;
        }
        let inherited = {
            let mut idle = self.idle.lock();
            // Another thread of the child may have been faster, and have put in a connection of its own.
            let is_first = self.process.swap(process, Ordering::AcqRel) != process;
            if is_first { mem::take(&mut *idle) } else { Vec::new() }
        };
        drop(inherited);
    }

    /// Keeps a connection, unless enough are kept or the server closes it too soon. `server_keeps` is how long the
    /// server keeps it, if it announced that.
    pub fn put(
        &self,
        mut connection: Connection,
        settings: &Arc<ConnectSettings>,
        keep_alive: KeepAlive,
        server_keeps: Option<Duration>,
    ) {
        self.close_inherited();
        let server_keeps = server_keeps.map(|time| time.saturating_sub(SAFETY_MARGIN));
        let max_idle = server_keeps.map_or(keep_alive.max_idle, |time| time.min(keep_alive.max_idle));
        if max_idle.is_zero() || !connection.reset() {
            return;
        }
        let now = Instant::now();
        let new = Idle { connection, settings: Arc::clone(settings), expires: now + max_idle };
        // Connections are closed outside of the lock.
        let closed: (Vec<Idle>, Option<Idle>) = {
            let mut idle = self.idle.lock();
            let expired = idle.iter().take_while(|idle| idle.expires <= now).count();
            let expired = idle.drain(..expired).collect();
            if idle.len() < keep_alive.max_connections {
                idle.push(new);
                (expired, None)
            } else {
                (expired, Some(new))
            }
        };
        drop(closed);
    }
}
