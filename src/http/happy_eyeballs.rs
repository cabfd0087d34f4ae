//! Connecting to a host that has several addresses (RFC 8305): the next address is tried while the one before is silent,
//! and the first connection wins.

use std::io;
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::deadline::Deadline;
use super::error::{Phase, TransportError};
use super::socket::Connecting;
use crate::sync::WaitError;

/// How long an address is tried alone: the delay that the RFC recommends in section 5.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A connection, the address that it leads to, and how long that took to answer.
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

/// Connects to one of the addresses, the first of which is the likeliest.
pub(super) fn connect(addresses: &[SocketAddr], deadline: &Deadline) -> Result<Connected, TransportError> {
    deadline.enter(Phase::Connect);
    let mut not_tried = in_turns(addresses).into_iter();
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut failures = Failures::default();
    let mut due = Instant::now();
    loop {
        deadline.left().map_err(|failure| timed_out(failure, &attempts))?;
        if attempts.is_empty() || due <= Instant::now() {
            match not_tried.next() {
                Some(address) => {
                    let began = Instant::now();
                    match Connecting::begin(&address) {
                        Ok(socket) => attempts.push(Attempt { address, socket, began }),
                        Err(error) => {
                            failures.add(address, error);
                            continue;
                        }
                    }
                    due = began + ATTEMPT_DELAY;
                }
                None if attempts.is_empty() => return Err(failures.most_telling()),
                None => {}
            }
        }
        let descriptors: Vec<_> = attempts.iter().map(|attempt| attempt.socket.descriptor()).collect();
        let until = (not_tried.len() > 0).then_some(due);
        match deadline.any_ready(&descriptors, libc::POLLOUT, until) {
            Ok(at) => {
                let Attempt { address, socket, began } = attempts.swap_remove(at);
                match socket.finish() {
                    Ok(stream) => return Ok(Connected { stream, address, round_trip: began.elapsed() }),
                    Err(error) => failures.add(address, error),
                }
                due = Instant::now();
            }
            Err(WaitError::DeadlineExpired) => {}
            Err(over) => return Err(deadline.over(over)),
        }
    }
}

/// Which addresses did not answer is what helps to see why.
fn timed_out(failure: TransportError, attempts: &[Attempt]) -> TransportError {
    match failure {
        TransportError::Timeout(limit, Phase::Connect) => {
            let silent: Vec<_> = attempts.iter().map(|attempt| attempt.address.to_string()).collect();
            TransportError::ConnectTimeout(limit, silent.join(", "))
        }
        other => other,
    }
}

/// The families in turns, so that one that leads nowhere costs one delay (RFC 8305, section 4).
fn in_turns(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let (mut these, mut others): (Vec<_>, Vec<_>) =
        addresses.iter().rev().partition(|address| address.is_ipv4() == first.is_ipv4());
    let mut ordered = Vec::with_capacity(addresses.len());
    while let Some(address) = these.pop().or_else(|| others.pop()) {
        ordered.push(address);
        mem::swap(&mut these, &mut others);
    }
    ordered
}

/// What became of the addresses.
#[derive(Default)]
struct Failures {
    count: usize,
    /// The one that says most.
    worst: Option<(SocketAddr, io::Error)>,
}

impl Failures {
    fn add(&mut self, address: SocketAddr, error: io::Error) {
        self.count += 1;
        if self.worst.as_ref().is_none_or(|(_, worst)| says(&error) > says(worst)) {
            self.worst = Some((address, error));
        }
    }

    fn most_telling(self) -> TransportError {
        let Some((address, error)) = self.worst else {
            return TransportError::Connect("the host name has no address".to_owned());
        };
        let others = match self.count - 1 {
            0 => String::new(),
            1 => "; 1 other address failed".to_owned(),
            others => format!("; {others} other addresses failed"),
        };
        let limit = match error.raw_os_error() {
            Some(libc::EMFILE) => "; the process has as many open files as its limit allows, see ulimit -n",
            _ => "",
        };
        TransportError::Connect(format!("{address}: {error}{limit}{others}"))
    }
}

/// How much an error says of the gateway: a machine that refuses is there, a family without a route never was.
fn says(error: &io::Error) -> u8 {
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

    fn soon() -> Deadline {
        Deadline::new(Instant::now() + Duration::from_secs(5), Limit::Total, &crate::sync::CancelTokens::default())
    }

    #[test]
    fn families_take_turns() {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let given = parse(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        assert_eq!(in_turns(&given), parse(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]));
        assert_eq!(in_turns(&given[3..]), given[3..]);
        assert_eq!(in_turns(&[]), []);
    }

    #[test]
    fn first_address_that_accepts_is_connected() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap();
        // An address that no socket can be connected to.
        let nowhere = "255.255.255.255:1".parse().unwrap();
        let connected = connect(&[nowhere, there], &soon()).ok().unwrap();
        assert_eq!(connected.address, there);
        assert_eq!(connected.stream.peer_addr().unwrap(), there);
    }

    #[test]
    fn most_telling_failure_names_its_address() {
        let of = |code| io::Error::from_raw_os_error(code);
        let mut failures = Failures::default();
        failures.add("[::1]:1".parse().unwrap(), of(libc::ENETUNREACH));
        failures.add("127.0.0.1:1".parse().unwrap(), of(libc::ECONNREFUSED));
        failures.add("127.0.0.2:1".parse().unwrap(), of(libc::ETIMEDOUT));
        let TransportError::Connect(why) = failures.most_telling() else { panic!() };
        assert!(why.starts_with("127.0.0.1:1: ") && why.ends_with("; 2 other addresses failed"), "{why}");
        let mut failures = Failures::default();
        failures.add("127.0.0.1:1".parse().unwrap(), of(libc::EMFILE));
        let TransportError::Connect(why) = failures.most_telling() else { panic!() };
        assert!(why.contains("ulimit -n"), "{why}");
    }

    #[test]
    fn deadline_names_the_addresses_that_are_silent() {
        let attempts = [];
        let over = TransportError::Timeout(Limit::Connect, Phase::Connect);
        assert_eq!(timed_out(over, &attempts), TransportError::ConnectTimeout(Limit::Connect, String::new()));
        let cancelled = TransportError::Cancelled(Phase::Connect);
        assert_eq!(timed_out(cancelled.clone(), &attempts), cancelled);
    }
}
