//! Host names to addresses: literal addresses at once, names remembered for a while, all before the deadline.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::Uri;

use super::deadline::Deadline;
use super::failure::{Failure, Phase};
use super::uri;
use crate::sync::{self, Flight, Landing, Lock, Thread};

/// Long enough to spare busy programs the look-ups, short enough to follow a gateway that moves.
const REMEMBERED: Duration = Duration::from_secs(30);

pub(super) type Addresses = Arc<[SocketAddr]>;

/// What came of looking a name up, and when.
type LookUp = Flight<(Result<Addresses, String>, Instant)>;

/// A handle asks for one host, or for its proxy; so the list of what is remembered is short.
#[derive(Debug, Default)]
pub(super) struct Resolver(Lock<Vec<(String, u16, Arc<LookUp>)>>);

impl Resolver {
    /// At least one address. However many calls want to know it, one thread asks.
    pub fn addresses(&self, uri: &Uri, deadline: &Deadline) -> Result<Addresses, Failure> {
        deadline.enter(Phase::Resolve);
        let host = uri.host().unwrap_or_default();
        let port = uri::port(uri);
        if let Ok(literal) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(Arc::new([SocketAddr::new(literal, port)]));
        }
        deadline.left()?;
        let (look_up, is_new) = self.look_up(host, port);
        let thread = if is_new { Some(start(host, port, &look_up)?) } else { None };
        let token = deadline.token();
        let found = look_up.wait(deadline.until(), token.as_deref()).map_err(|over| {
            if thread.is_some() {
                // It comes back to code of this library, and nobody waits for that any more.
                sync::keep_loaded();
            }
            deadline.over(over)
        })?;
        if let Some(thread) = thread {
            // It has nothing left to do, and is gone before the caller can unload this library.
            thread.join();
        }
        match found {
            Some((Ok(found), _)) => Ok(found),
            Some((Err(why), _)) => Err(Failure::Resolve(why)),
            None => Err(Failure::Resolve("the look-up failed".to_owned())),
        }
    }

    /// The one that is under way or remembered, or else a new one.
    fn look_up(&self, host: &str, port: u16) -> (Arc<LookUp>, bool) {
        let mut known = self.0.lock();
        let at = known.iter().position(|(name, of_port, _)| (name.as_str(), *of_port) == (host, port));
        match at {
            Some(at) if is_good(&known[at].2) => return (Arc::clone(&known[at].2), false),
            Some(at) => drop(known.swap_remove(at)),
            None => {}
        }
        let look_up = Arc::new(LookUp::default());
        known.push((host.to_owned(), port, Arc::clone(&look_up)));
        (look_up, true)
    }
}

/// Whether it is under way, or has found what is not too old.
fn is_good(look_up: &LookUp) -> bool {
    let is_good = |outcome: Option<(Result<_, String>, Instant)>| {
        outcome.is_some_and(|(found, at)| found.is_ok() && at.elapsed() < REMEMBERED)
    };
    look_up.is_of_this_process() && look_up.landed().is_none_or(is_good)
}

/// The system's own look-up cannot be interrupted, so a thread makes it, which is left alone when the time is over.
fn start(host: &str, port: u16, look_up: &Arc<LookUp>) -> Result<Thread, Failure> {
    let (question, there) = ((host.to_owned(), port), Arc::clone(look_up));
    let thread = Thread::start(Box::new(move || {
        let landing = Landing(&there);
        let found = match question.to_socket_addrs().map(Iterator::collect::<Addresses>) {
            Ok(found) if found.is_empty() => Err("the name has no address".to_owned()),
            Ok(found) => Ok(found),
            Err(error) => Err(error.to_string()),
        };
        landing.with((found, Instant::now()));
    }));
    thread.map_err(|error| {
        // For those who wait for it meanwhile.
        Landing(look_up).with((Err(error.to_string()), Instant::now()));
        Failure::Resolve(error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::failure::Limit;

    fn resolve(resolver: &Resolver, uri: &str) -> Vec<String> {
        let deadline = Deadline::new(Instant::now() + Duration::from_secs(5), None);
        let addresses = resolver.addresses(&uri.parse().unwrap(), &deadline).unwrap();
        addresses.iter().map(ToString::to_string).collect()
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
        resolver.0.lock()[0].2 = old;
        assert_eq!(resolve(&resolver, "http://localhost:5000"), found);
        assert_eq!(resolver.0.lock().len(), 1);
    }

    #[test]
    fn a_failure_is_not_remembered_but_shared() {
        let resolver = Resolver::default();
        let (first, is_new) = resolver.look_up("h", 1);
        assert!(is_new && !resolver.look_up("h", 1).1 && resolver.look_up("h", 2).1);
        Landing(&first).with((Err("no".to_owned()), Instant::now()));
        assert!(resolver.look_up("h", 1).1);
    }

    #[test]
    fn the_time_may_run_out() {
        let over = Deadline::new(Instant::now(), None);
        let found = Resolver::default().addresses(&"http://localhost:5000".parse().unwrap(), &over);
        assert_eq!(found, Err(Failure::Timeout(Limit::Total, Phase::Resolve)));
    }
}
