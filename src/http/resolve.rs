//! Host names to addresses: literal addresses at once, names remembered for a while, all before the deadline.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::Uri;

use super::deadline::Deadline;
use super::failure::{Failure, Phase};
use super::threads::Thread;
use super::uri;

/// Long enough to spare busy programs the look-ups, short enough to follow a gateway that moves.
const REMEMBERED: Duration = Duration::from_secs(30);

pub(super) type Addresses = Arc<[SocketAddr]>;

/// A handle asks for one host, or for its proxy; so the list of what is remembered is short.
#[derive(Debug, Default)]
pub(super) struct Resolver(Mutex<Vec<(String, u16, Addresses, Instant)>>);

impl Resolver {
    /// At least one address.
    pub fn addresses(&self, uri: &Uri, deadline: &Deadline) -> Result<Addresses, Failure> {
        let host = uri.host().unwrap_or_default();
        let port = uri::port(uri);
        if let Ok(literal) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(Arc::new([SocketAddr::new(literal, port)]));
        }
        if let Some(known) = self.recall(host, port) {
            return Ok(known);
        }
        let found = look_up(host, port, deadline)?;
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.retain(|(name, of_port, ..)| (name.as_str(), *of_port) != (host, port));
        remembered.push((host.to_owned(), port, Arc::clone(&found), Instant::now()));
        Ok(found)
    }

    fn recall(&self, host: &str, port: u16) -> Option<Addresses> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (.., found, at) =
            remembered.iter().find(|(name, of_port, ..)| (name.as_str(), *of_port) == (host, port))?;
        (at.elapsed() < REMEMBERED).then(|| Arc::clone(found))
    }
}

/// The system's own look-up cannot be interrupted, so a thread makes it, which is left alone when the time is over.
fn look_up(host: &str, port: u16, deadline: &Deadline) -> Result<Addresses, Failure> {
    let left = deadline.left().ok_or(Failure::Timeout(Phase::Resolve))?;
    let answer = Arc::new((Mutex::new(None), Condvar::new()));
    let question = (host.to_owned(), port);
    let there = Arc::clone(&answer);
    let thread = Thread::start(Box::new(move || {
        let found = question.to_socket_addrs().map(Iterator::collect::<Addresses>);
        *there.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        there.1.notify_one();
    }))
    .map_err(|error| Failure::Resolve(error.to_string()))?;
    let waiting = answer.0.lock().unwrap_or_else(PoisonError::into_inner);
    let found: io::Result<Addresses> = answer
        .1
        .wait_timeout_while(waiting, left, |found| found.is_none())
        .unwrap_or_else(PoisonError::into_inner)
        .0
        .take()
        .ok_or(Failure::Timeout(Phase::Resolve))?;
    // It has nothing left to do, and is gone before the caller can unload this library.
    thread.join();
    match found {
        Ok(found) if found.is_empty() => Err(Failure::Resolve("the name has no address".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(Failure::Resolve(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(resolver: &Resolver, uri: &str) -> Vec<String> {
        let deadline = Deadline::new(Instant::now() + Duration::from_secs(5));
        let addresses = resolver.addresses(&uri.parse().unwrap(), &deadline).unwrap();
        addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn literal_addresses_need_no_look_up() {
        let resolver = Resolver::default();
        assert_eq!(resolve(&resolver, "http://127.0.0.1"), ["127.0.0.1:80"]);
        assert_eq!(resolve(&resolver, "https://[::1]/x"), ["[::1]:443"]);
        assert_eq!(resolve(&resolver, "http://127.0.0.1:5000"), ["127.0.0.1:5000"]);
        assert!(resolver.0.lock().unwrap().is_empty());
    }

    #[test]
    fn names_are_remembered_for_a_while() {
        let resolver = Resolver::default();
        let found = resolve(&resolver, "http://localhost:5000");
        assert!(found.contains(&"127.0.0.1:5000".to_owned()) || found.contains(&"[::1]:5000".to_owned()));
        assert!(resolver.recall("localhost", 5000).is_some());
        assert!(resolver.recall("localhost", 5001).is_none());
        let Some(long_ago) = Instant::now().checked_sub(REMEMBERED) else { return };
        resolver.0.lock().unwrap()[0].3 = long_ago;
        assert!(resolver.recall("localhost", 5000).is_none());
        resolve(&resolver, "http://localhost:5000");
        assert_eq!(resolver.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn the_time_may_run_out() {
        let over = Deadline::new(Instant::now());
        let found = Resolver::default().addresses(&"http://localhost:5000".parse().unwrap(), &over);
        assert_eq!(found, Err(Failure::Timeout(Phase::Resolve)));
    }
}
