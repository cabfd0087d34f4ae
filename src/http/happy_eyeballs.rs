//! Connects to a host with several addresses (RFC 8305): tries the next address while the one before does not respond,
//! and uses the first connection.

use std::io;
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::deadline::Deadline;
use super::error::{Phase, TransportError};
use super::socket::Connecting;
use crate::sync::WaitError;

/// How long to wait before the next address is tried, as the RFC recommends in section 5.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A connection, its address, and how long connecting took.
pub(super) struct Connected {
    pub stream: TcpStream,
    pub address: SocketAddr,
    pub round_trip: Duration,
}

struct Attempt {
    address: SocketAddr,
    socket: Connecting,
    began: Instant,
}

/// Connects to one of the addresses, beginning with the first.
pub(super) fn connect(addresses: &[SocketAddr], deadline: &Deadline) -> Result<Connected, TransportError> {
    let deadline = deadline.in_phase(Phase::Connect);
    let mut untried = interleaved(addresses).into_iter();
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut errors = ConnectErrors::default();
    let mut next_attempt = Instant::now();
    loop {
        deadline.remaining().map_err(|error| with_addresses(error, &attempts))?;
        if attempts.is_empty() || next_attempt <= Instant::now() {
            match untried.next() {
                Some(address) => {
                    let began = Instant::now();
                    match Connecting::begin(&address) {
                        Ok(socket) => attempts.push(Attempt { address, socket, began }),
                        Err(error) => {
                            errors.add(address, error);
                            continue;
                        }
                    }
                    next_attempt = began + ATTEMPT_DELAY;
                }
                None if attempts.is_empty() => return Err(errors.into_error()),
                None => {}
            }
        }
        let descriptors: Vec<_> = attempts.iter().map(|attempt| attempt.socket.descriptor()).collect();
        let end = (untried.len() > 0).then_some(next_attempt);
        match deadline.wait_any_ready(&descriptors, libc::POLLOUT, end) {
            Ok(index) => {
                let Attempt { address, socket, began } = attempts.swap_remove(index);
                match socket.finish() {
                    Ok(stream) => return Ok(Connected { stream, address, round_trip: began.elapsed() }),
                    Err(error) => errors.add(address, error),
                }
                next_attempt = Instant::now();
            }
            Err(WaitError::DeadlineExpired) => {}
            Err(error @ WaitError::Cancelled) => return Err(deadline.error(error)),
        }
    }
}

/// Adds the addresses that did not respond to a timeout.
fn with_addresses(error: TransportError, attempts: &[Attempt]) -> TransportError {
    match error {
        TransportError::Timeout(limit, Phase::Connect) => {
            let addresses: Vec<_> = attempts.iter().map(|attempt| attempt.address.to_string()).collect();
            TransportError::ConnectTimeout(limit, addresses.join(", "))
        }
        other => other,
    }
}

/// Alternates between IPv4 and IPv6, so that a family without a route costs a single delay (RFC 8305, section 4).
fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let (mut preferred, mut others): (Vec<_>, Vec<_>) =
        addresses.iter().rev().partition(|address| address.is_ipv4() == first.is_ipv4());
    let mut ordered = Vec::with_capacity(addresses.len());
    while let Some(address) = preferred.pop().or_else(|| others.pop()) {
        ordered.push(address);
        mem::swap(&mut preferred, &mut others);
    }
    ordered
}

/// The failed attempts.
#[derive(Default)]
struct ConnectErrors {
    count: usize,
    /// The error to report.
    most_specific: Option<(SocketAddr, io::Error)>,
}

impl ConnectErrors {
    fn add(&mut self, address: SocketAddr, error: io::Error) {
        self.count += 1;
        if self.most_specific.as_ref().is_none_or(|(_, other)| specificity(&error) > specificity(other)) {
            self.most_specific = Some((address, error));
        }
    }

    fn into_error(self) -> TransportError {
        let Some((address, error)) = self.most_specific else {
            return TransportError::Connect("the host name has no address".to_owned());
        };
        let others = match self.count - 1 {
            0 => String::new(),
            1 => "; 1 other address failed".to_owned(),
            others => format!("; {others} other addresses failed"),
        };
        let limit = match error.raw_os_error() {
            Some(libc::EMFILE) => "; the process has reached its limit of open files, see ulimit -n",
            _ => "",
        };
        TransportError::Connect(format!("{address}: {error}{limit}{others}"))
    }
}

/// Ranks errors by what they tell about the gateway. A machine that refuses a connection exists, a family without a
/// route was never an option, and a lack of our own resources explains all the others.
fn specificity(error: &io::Error) -> u8 {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => 3,
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT) => 0,
        Some(libc::ETIMEDOUT) => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::super::error::Limit;
    use super::*;
    use crate::sync::CancelTokens;

    #[test]
    fn address_families_alternate() {
        let parse =
            |addresses: &[&str]| addresses.iter().map(|address| address.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let given = parse(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        assert_eq!(interleaved(&given), parse(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]));
        assert_eq!(interleaved(&given[3..]), given[3..]);
        assert_eq!(interleaved(&[]), []);
    }

    #[test]
    fn first_address_that_accepts_is_connected() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap();
        // An address that no socket can be connected to.
        let nowhere = "255.255.255.255:1".parse().unwrap();
        let tokens = CancelTokens::default();
        let deadline = Deadline::new(Instant::now() + Duration::from_secs(5), Limit::Total, &tokens);
        let connected = connect(&[nowhere, there], &deadline).ok().unwrap();
        assert_eq!(connected.address, there);
        assert_eq!(connected.stream.peer_addr().unwrap(), there);
    }

    #[test]
    fn most_specific_error_names_its_address() {
        let of = |code| io::Error::from_raw_os_error(code);
        let mut errors = ConnectErrors::default();
        errors.add("[::1]:1".parse().unwrap(), of(libc::ENETUNREACH));
        errors.add("127.0.0.1:1".parse().unwrap(), of(libc::ECONNREFUSED));
        errors.add("127.0.0.2:1".parse().unwrap(), of(libc::ETIMEDOUT));
        let TransportError::Connect(why) = errors.into_error() else { panic!() };
        assert!(why.starts_with("127.0.0.1:1: ") && why.ends_with("; 2 other addresses failed"), "{why}");
        let mut errors = ConnectErrors::default();
        errors.add("127.0.0.1:1".parse().unwrap(), of(libc::EMFILE));
        let TransportError::Connect(why) = errors.into_error() else { panic!() };
        assert!(why.contains("ulimit -n"), "{why}");
    }

    #[test]
    fn timeout_names_the_addresses_that_did_not_respond() {
        let attempts = [];
        let timeout = TransportError::Timeout(Limit::Connect, Phase::Connect);
        assert_eq!(with_addresses(timeout, &attempts), TransportError::ConnectTimeout(Limit::Connect, String::new()));
        let cancelled = TransportError::Cancelled(Phase::Connect);
        assert_eq!(with_addresses(cancelled.clone(), &attempts), cancelled);
    }
}
