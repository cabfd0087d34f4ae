//! Host names to addresses: literal addresses at once, names remembered for a while, all before the deadline.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::Uri;

use super::deadline::Deadline;
use super::error::{Phase, TransportError};
use super::lookup::{self, LookupError};
use super::uri;
use crate::sync::{self, Leader, Lock, Role, SingleFlight, Thread};

/// Long enough to save busy programs the look-ups, short enough to follow a gateway that moves.
const REMEMBERED: Duration = Duration::from_secs(30);

type Addresses = Arc<[SocketAddr]>;

/// The look-ups of one host name.
type LookUp = SingleFlight<Found, LookupError>;

#[derive(Clone)]
struct Found {
    addresses: Addresses,
    at: Instant,
}

/// The addresses of host names. A handle connects to one host, or to its proxy, so the list is short.
#[derive(Debug, Default)]
pub(super) struct Resolver(Lock<Vec<Host>>);

#[derive(Debug)]
struct Host {
    name: String,
    port: u16,
    look_up: Arc<LookUp>,
    /// The address of the last connection.
    connected: Option<SocketAddr>,
}

/// The addresses of a host: at least one, the likeliest first.
pub(super) struct Resolved {
    pub addresses: Addresses,
    /// Whether they were looked up for an earlier connection.
    pub is_remembered: bool,
}

impl Resolver {
    /// Returns the addresses of the URI's host. Concurrent calls share one look-up.
    pub fn addresses(&self, uri: &Uri, deadline: &Deadline) -> Result<Resolved, TransportError> {
        let deadline = deadline.in_phase(Phase::Resolve);
        let (host, port) = host_and_port(uri);
        if let Ok(literal) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(Resolved { addresses: Arc::new([SocketAddr::new(literal, port)]), is_remembered: false });
        }
        deadline.remaining()?;
        let look_up = self.look_up(host, port);
        let outcome = loop {
            let (follower, thread) = match look_up.join((), |found| found.at.elapsed() < REMEMBERED) {
                Role::Known(found) => return Ok(self.resolved(uri, found, true)),
                Role::Leader(leader) => (leader.follower(), Some(start(host, port, &look_up, leader)?)),
                Role::Follower(follower) => (follower, None),
            };
            let outcome = follower.wait(deadline.end(), deadline.tokens());
            let is_leader = thread.is_some();
            match (thread, &outcome) {
                // It has nothing left to do, and must have ended before the program can unload the library.
                (Some(thread), Ok(_)) => thread.join(),
                // It still runs code of the library.
                (Some(_), Err(_)) => sync::keep_loaded(),
                (None, _) => {}
            }
            match outcome.map_err(|error| deadline.error(error))? {
                Some(outcome) => break outcome,
                None if is_leader => return Err(failed("the look-up failed".to_owned(), false)),
                // The other call could not start a thread.
                None => {}
            }
        };
        match outcome {
            Ok(found) => Ok(self.resolved(uri, found, false)),
            Err(LookupError { why, is_permanent }) => Err(failed(why, is_permanent)),
        }
    }

    fn resolved(&self, uri: &Uri, found: Found, is_remembered: bool) -> Resolved {
        Resolved { addresses: self.likeliest_first(uri, found.addresses), is_remembered }
    }

    /// Remembers the address to which a connection was made.
    pub fn note_connected(&self, uri: &Uri, found: &Resolved, address: SocketAddr) {
        if found.addresses.len() > 1 {
            self.change(uri, |host| host.connected = Some(address));
        }
    }

    /// Forgets the addresses, to none of which a connection can be made. The next call looks the name up again.
    pub fn forget(&self, uri: &Uri) {
        let (name, port) = host_and_port(uri);
        self.0.lock().retain(|host| !host.is(name, port));
    }

    fn likeliest_first(&self, uri: &Uri, addresses: Addresses) -> Addresses {
        if addresses.len() < 2 {
            return addresses;
        }
        let mut connected = None;
        self.change(uri, |host| connected = host.connected);
        match addresses.iter().position(|address| Some(*address) == connected) {
            Some(at) if at > 0 => {
                let mut ordered = addresses.to_vec();
                ordered[..=at].rotate_right(1);
                ordered.into()
            }
            _ => addresses,
        }
    }

    fn change(&self, uri: &Uri, change: impl FnOnce(&mut Host)) {
        let (name, port) = host_and_port(uri);
        if let Some(host) = self.0.lock().iter_mut().find(|host| host.is(name, port)) {
            change(host);
        }
    }

    fn look_up(&self, name: &str, port: u16) -> Arc<LookUp> {
        let mut hosts = self.0.lock();
        if let Some(host) = hosts.iter().find(|host| host.is(name, port)) {
            return Arc::clone(&host.look_up);
        }
        let look_up = Arc::<LookUp>::default();
        hosts.push(Host { name: name.to_owned(), port, look_up: Arc::clone(&look_up), connected: None });
        look_up
    }
}

impl Host {
    fn is(&self, name: &str, port: u16) -> bool {
        (self.name.as_str(), self.port) == (name, port)
    }
}

fn host_and_port(uri: &Uri) -> (&str, u16) {
    (uri.host().unwrap_or_default(), uri::port(uri))
}

fn failed(why: String, is_permanent: bool) -> TransportError {
    TransportError::Resolve { why, is_permanent }
}

/// Looks the name up on a thread of its own, which may outlive the call: the system's look-up cannot be interrupted.
fn start(
    name: &str,
    port: u16,
    look_up: &Arc<LookUp>,
    leader: Leader<Found, LookupError>,
) -> Result<Thread, TransportError> {
    let (name, look_up) = (name.to_owned(), Arc::clone(look_up));
    let thread = Thread::start(Box::new(move || {
        let find = || lookup::look_up(&name, port).map(|addresses| Found::now(addresses.into()));
        let _ = look_up.lead(leader, find);
    }));
    thread.map_err(|error| failed(error.to_string(), false))
}

impl Found {
    fn now(addresses: Addresses) -> Found {
        Found { addresses, at: Instant::now() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::error::Limit;
    use crate::sync::CancelTokens;

    fn join(resolver: &Resolver, name: &str, port: u16) -> Role<Found, LookupError> {
        resolver.look_up(name, port).join((), |found| found.at.elapsed() < REMEMBERED)
    }

    fn resolve(resolver: &Resolver, uri: &str) -> Vec<String> {
        let tokens = CancelTokens::default();
        let deadline = Deadline::new(Instant::now() + Duration::from_secs(5), Limit::Total, &tokens);
        let found = resolver.addresses(&uri.parse().unwrap(), &deadline).unwrap();
        found.addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn literal_addresses_need_no_look_up() {
        let resolver = Resolver::default();
        assert_eq!(resolve(&resolver, "http://127.0.0.1"), ["127.0.0.1:80"]);
        assert_eq!(resolve(&resolver, "https://[::1]/x"), ["[::1]:443"]);
        assert_eq!(resolve(&resolver, "http://127.0.0.1:5000"), ["127.0.0.1:5000"]);
        assert!(resolver.0.lock().is_empty());
    }

    #[test]
    fn names_are_remembered_for_a_while() {
        let resolver = Resolver::default();
        let found = resolve(&resolver, "http://localhost:5000");
        assert!(found.contains(&"127.0.0.1:5000".to_owned()) || found.contains(&"[::1]:5000".to_owned()));
        assert!(matches!(join(&resolver, "localhost", 5000), Role::Known(_)));
        let Some(long_ago) = Instant::now().checked_sub(REMEMBERED) else { return };
        resolver.look_up("localhost", 5000).set((), Found { addresses: Arc::new([]), at: long_ago });
        assert_eq!(resolve(&resolver, "http://localhost:5000"), found);
        assert_eq!(resolver.0.lock().len(), 1);
    }

    #[test]
    fn failure_is_shared_and_not_remembered() {
        let resolver = Resolver::default();
        let Role::Leader(first) = join(&resolver, "h", 1) else { panic!("the first one leads") };
        let Role::Follower(second) = join(&resolver, "h", 1) else { panic!("the second one follows") };
        assert!(matches!(join(&resolver, "h", 2), Role::Leader(_)));
        let no = LookupError { why: "no".to_owned(), is_permanent: false };
        assert!(resolver.look_up("h", 1).lead(first, || Err(no.clone())).is_err());
        let outcome = second.wait(Instant::now(), &CancelTokens::default());
        assert_eq!(outcome.map(|outcome| outcome.and_then(Result::err)), Ok(Some(no)));
        assert!(matches!(join(&resolver, "h", 1), Role::Leader(_)));
    }

    #[test]
    fn expired_deadline_is_reported() {
        let tokens = CancelTokens::default();
        let expired = Deadline::new(Instant::now(), Limit::Total, &tokens);
        let found = Resolver::default().addresses(&"http://localhost:5000".parse().unwrap(), &expired);
        assert_eq!(found.err(), Some(TransportError::Timeout(Limit::Total, Phase::Resolve)));
    }

    #[test]
    fn next_connection_begins_with_the_address_that_worked() {
        let resolver = Resolver::default();
        let uri: Uri = "http://h:1".parse().unwrap();
        let all: Vec<SocketAddr> = ["1.1.1.1:1", "2.2.2.2:1", "3.3.3.3:1"].map(|text| text.parse().unwrap()).into();
        resolver.look_up("h", 1).set((), Found::now(all.clone().into()));
        let tokens = CancelTokens::default();
        let deadline = Deadline::new(Instant::now() + Duration::from_secs(5), Limit::Total, &tokens);
        let found = resolver.addresses(&uri, &deadline).ok().unwrap();
        assert!(found.is_remembered && found.addresses[..] == all[..]);
        resolver.note_connected(&uri, &found, all[2]);
        let found = resolver.addresses(&uri, &deadline).ok().unwrap();
        assert_eq!(found.addresses[..], [all[2], all[0], all[1]]);
        resolver.forget(&uri);
        assert!(matches!(join(&resolver, "h", 1), Role::Leader(_)));
    }
}
