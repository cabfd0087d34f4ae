//! Idle connections, which wait for the next exchange.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connect_settings::ConnectSettings;
use super::connection::Connection;
use super::exchange::KeepAlive;
use crate::sync::{Lock, ProcessLocal};

/// How much earlier than the server we close an idle connection: a request that is on its way when the server closes is
/// lost.
const SAFETY_MARGIN: Duration = Duration::from_secs(1);

/// The connection used last is reused first, so that those which are not needed expire. The lock is held only while a
/// connection is put in or taken out.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Lock<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    connection: ProcessLocal<Connection>,
    settings: Arc<ConnectSettings>,
    expires: Instant,
}

impl Pool {
    /// Takes a connection that was opened with these settings and that the server has not closed.
    pub fn take(&self, settings: &Arc<ConnectSettings>) -> Option<Connection> {
        loop {
            let mut idle = self.idle.lock().pop()?;
            let is_current = Arc::ptr_eq(&idle.settings, settings) && Instant::now() < idle.expires;
            if is_current && idle.connection.get_mut().is_some_and(Connection::is_open) {
                return idle.connection.into_inner();
            }
        }
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
        let server_keeps = server_keeps.map(|time| time.saturating_sub(SAFETY_MARGIN));
        let max_idle = server_keeps.map_or(keep_alive.max_idle, |time| time.min(keep_alive.max_idle));
        if max_idle.is_zero() || !connection.reset() {
            return;
        }
        let now = Instant::now();
        let new =
            Idle { connection: ProcessLocal::new(connection), settings: Arc::clone(settings), expires: now + max_idle };
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
