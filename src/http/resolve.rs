//! Host names to addresses: literal addresses at once, names remembered for a while, all before the deadline.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::Uri;

use super::deadline::Deadline;
use super::error::{Phase, TransportError};
use super::lookup::{LookupError, look_up};
use super::uri;
use crate::sync::{self, Landing, Lock, SingleFlight, Thread};

/// Long enough to spare busy programs the look-ups, short enough to follow a gateway that moves.
const REMEMBERED: Duration = Duration::from_secs(30);

type Addresses = Arc<[SocketAddr]>;

/// What came of looking a name up, and when.
type LookUp = SingleFlight<(Result<Addresses, LookupError>, Instant)>;

/// A handle asks for one host, or for its proxy; so the list of what is remembered is short.
#[derive(Debug, Default)]
pub(super) struct Resolver(Lock<Vec<Host>>);

#[derive(Debug)]
struct Host {
    name: String,
    port: u16,
    look_up: Arc<LookUp>,
    /// The address to which a connection was made last.
    connected: Option<SocketAddr>,
}

/// The addresses of a host: at least one, the likeliest first.
pub(super) struct Resolved {
    pub addresses: Addresses,
    /// Whether they were looked up for an earlier connection.
    pub is_remembered: bool,
}

impl Resolver {
    /// However many calls want to know them, one thread asks.
    pub fn addresses(&self, uri: &Uri, deadline: &Deadline) -> Result<Resolved, TransportError> {
        let deadline = deadline.in_phase(Phase::Resolve);
        let (host, port) = host_and_port(uri);
        if let Ok(literal) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(Resolved { addresses: Arc::new([SocketAddr::new(literal, port)]), is_remembered: false });
        }
        deadline.remaining()?;
        let (look_up, is_new) = self.look_up(host, port);
        let is_remembered = !is_new && look_up.landed().is_some();
        let thread = if is_new { Some(start(host, port, &look_up)?) } else { None };
        let found = look_up.wait(deadline.end(), deadline.tokens()).map_err(|error| {
            if thread.is_some() {
                // It comes back to code of this library, and nobody waits for that any more.
                sync::keep_loaded();
            }
            deadline.error(error)
        })?;
        if let Some(thread) = thread {
            // It has nothing left to do, and is gone before the caller can unload this library.
            thread.join();
        }
        match found {
            Some((Ok(addresses), _)) => Ok(Resolved { addresses: self.likeliest_first(uri, addresses), is_remembered }),
            Some((Err(LookupError { why, is_permanent }), _)) => Err(TransportError::Resolve { why, is_permanent }),
            None => Err(TransportError::Resolve { why: "the look-up failed".to_owned(), is_permanent: false }),
        }
    }

    /// A connection was made to this one of them.
    pub fn note_connected(&self, uri: &Uri, found: &Resolved, address: SocketAddr) {
        if found.addresses.len() > 1 {
            self.change(uri, |host| host.connected = Some(address));
        }
    }

    /// None of them can be connected to: the next call looks the name up again.
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

    /// The one that is under way or remembered, or else a new one.
    fn look_up(&self, name: &str, port: u16) -> (Arc<LookUp>, bool) {
        let mut known = self.0.lock();
        let look_up = Arc::new(LookUp::default());
        match known.iter_mut().find(|host| host.is(name, port)) {
            Some(host) if is_good(&host.look_up) => return (Arc::clone(&host.look_up), false),
            Some(host) => host.look_up = Arc::clone(&look_up),
            None => {
                let look_up = Arc::clone(&look_up);
                known.push(Host { name: name.to_owned(), port, look_up, connected: None });
            }
        }
        (look_up, true)
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

/// Whether it is under way, or has found what is not too old.
fn is_good(look_up: &LookUp) -> bool {
    let is_good = |outcome: Option<(Result<_, LookupError>, Instant)>| {
        outcome.is_some_and(|(found, at)| found.is_ok() && at.elapsed() < REMEMBERED)
    };
    look_up.is_of_this_process() && look_up.landed().is_none_or(is_good)
}

/// The system's own look-up cannot be interrupted, so a thread makes it, which is left alone when the time is over.
fn start(host: &str, port: u16, flight: &Arc<LookUp>) -> Result<Thread, TransportError> {
    let (name, there) = (host.to_owned(), Arc::clone(flight));
    let thread = Thread::start(Box::new(move || {
        let landing = Landing(&there);
        landing.with((look_up(&name, port).map(Addresses::from), Instant::now()));
    }));
    thread.map_err(|error| {
        let failed = LookupError { why: error.to_string(), is_permanent: false };
        // For those who wait for it meanwhile.
        Landing(flight).with((Err(failed.clone()), Instant::now()));
        TransportError::Resolve { why: failed.why, is_permanent: false }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::error::Limit;
    use crate::sync::CancelTokens;

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
        assert!(!resolver.look_up("localhost", 5000).1);
        let Some(long_ago) = Instant::now().checked_sub(REMEMBERED) else { return };
        let old = Arc::new(LookUp::default());
        Landing(&old).with((Ok(Arc::new([])), long_ago));
        resolver.0.lock()[0].look_up = old;
        assert_eq!(resolve(&resolver, "http://localhost:5000"), found);
        assert_eq!(resolver.0.lock().len(), 1);
    }

    #[test]
    fn a_failure_is_not_remembered_but_shared() {
        let resolver = Resolver::default();
        let (first, is_new) = resolver.look_up("h", 1);
        assert!(is_new && !resolver.look_up("h", 1).1 && resolver.look_up("h", 2).1);
        let failed = LookupError { why: "no".to_owned(), is_permanent: false };
        Landing(&first).with((Err(failed), Instant::now()));
        assert!(resolver.look_up("h", 1).1);
    }

    #[test]
    fn the_time_may_run_out() {
        let tokens = CancelTokens::default();
        let over = Deadline::new(Instant::now(), Limit::Total, &tokens);
        let found = Resolver::default().addresses(&"http://localhost:5000".parse().unwrap(), &over);
        assert_eq!(found.err(), Some(TransportError::Timeout(Limit::Total, Phase::Resolve)));
    }

    #[test]
    fn next_connection_begins_with_the_address_that_worked() {
        let resolver = Resolver::default();
        let uri: Uri = "http://h:1".parse().unwrap();
        let (look_up, _) = resolver.look_up("h", 1);
        let all: Vec<SocketAddr> = ["1.1.1.1:1", "2.2.2.2:1", "3.3.3.3:1"].map(|text| text.parse().unwrap()).into();
        Landing(&look_up).with((Ok(all.clone().into()), Instant::now()));
        let tokens = CancelTokens::default();
        let deadline = Deadline::new(Instant::now() + Duration::from_secs(5), Limit::Total, &tokens);
        let found = resolver.addresses(&uri, &deadline).ok().unwrap();
        assert!(found.is_remembered && found.addresses[..] == all[..]);
        resolver.note_connected(&uri, &found, all[2]);
        let found = resolver.addresses(&uri, &deadline).ok().unwrap();
        assert_eq!(found.addresses[..], [all[2], all[0], all[1]]);
        resolver.forget(&uri);
        assert!(resolver.look_up("h", 1).1);
    }
}
