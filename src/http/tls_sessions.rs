//! TLS sessions, which later connections to the same server resume. The store of rustls has a lock of the standard
//! library, whose order ThreadSanitizer does not detect.

use std::collections::VecDeque;
use std::fmt;

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

use crate::sync::Lock;

/// A handle connects to its gateway, and perhaps to a server that issues tokens.
const MAX_SERVERS: usize = 4;

/// Each connection that resumes a session takes one ticket.
const MAX_TICKETS: usize = 8;

#[derive(Default)]
struct Sessions {
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    /// The newest last.
    tickets: VecDeque<Tls13ClientSessionValue>,
}

/// The sessions by server, the server that was added last at the end.
#[derive(Default)]
pub(super) struct SessionStore(Lock<Vec<(ServerName<'static>, Sessions)>>);

impl SessionStore {
    fn read<T>(&self, server: &ServerName<'_>, read: impl FnOnce(&mut Sessions) -> Option<T>) -> Option<T> {
        let mut all = self.0.lock();
        let (_, sessions) = all.iter_mut().find(|(other, _)| other == server)?;
        read(sessions)
    }

    fn change(&self, server: ServerName<'static>, change: impl FnOnce(&mut Sessions)) {
        let mut all = self.0.lock();
        if let Some((_, sessions)) = all.iter_mut().find(|(other, _)| *other == server) {
            return change(sessions);
        }
        if all.len() == MAX_SERVERS {
            all.remove(0);
        }
        let mut sessions = Sessions::default();
        change(&mut sessions);
        all.push((server, sessions));
    }
}

impl ClientSessionStore for SessionStore {
    fn set_kx_hint(&self, server: ServerName<'static>, group: NamedGroup) {
        self.change(server, |sessions| sessions.group = Some(group));
    }

    fn kx_hint(&self, server: &ServerName<'_>) -> Option<NamedGroup> {
        self.read(server, |sessions| sessions.group)
    }

    fn set_tls12_session(&self, server: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.change(server, |sessions| sessions.tls12 = Some(session));
    }

    fn tls12_session(&self, server: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.read(server, |sessions| sessions.tls12.clone())
    }

    fn remove_tls12_session(&self, server: &ServerName<'static>) {
        self.read(server, |sessions| sessions.tls12.take());
    }

    fn insert_tls13_ticket(&self, server: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.change(server, |sessions| {
            if sessions.tickets.len() == MAX_TICKETS {
                sessions.tickets.pop_front();
            }
            sessions.tickets.push_back(ticket);
        });
    }

    fn take_tls13_ticket(&self, server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.read(server, |sessions| sessions.tickets.pop_back())
    }
}

/// Sessions are secret.
impl fmt::Debug for SessionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionStore")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_separate_and_the_oldest_is_forgotten() {
        let store = SessionStore::default();
        let server = |number: usize| ServerName::try_from(format!("host{number}")).unwrap();
        let groups = [NamedGroup::X25519, NamedGroup::secp256r1];
        for number in 0..=MAX_SERVERS {
            store.set_kx_hint(server(number), groups[0]);
            store.set_kx_hint(server(number), groups[number % 2]);
        }
        assert_eq!(store.kx_hint(&server(0)), None);
        for number in 1..=MAX_SERVERS {
            assert_eq!(store.kx_hint(&server(number)), Some(groups[number % 2]));
        }
        assert!(store.tls12_session(&server(1)).is_none() && store.take_tls13_ticket(&server(1)).is_none());
        assert_eq!(format!("{store:?}"), "SessionStore");
    }
}
