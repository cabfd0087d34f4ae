//! Why there is no answer.

use std::{fmt, io};

use ureq::Error;

/// What the exchange was doing when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Looking up the host's address.
    Resolve,
    /// TCP, TLS and the proxy's handshake.
    Connect,
    /// Sending the request and reading the answer.
    Exchange,
}

/// Why there is no answer. The texts are the system's or the TLS library's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    Resolve(String),
    Connect(String),
    Tls(String),
    Proxy(String),
    /// The connection broke after it was made.
    Lost(String),
    /// What came is not HTTP/1.1.
    Protocol(String),
    Timeout(Phase),
    /// The answer's body is longer than this many bytes.
    TooLarge(usize),
    /// There is no memory for an answer of so many bytes.
    OutOfMemory(usize),
}

impl Failure {
    /// Whether any of the request may have reached the server.
    pub fn is_after_sending(&self) -> bool {
        match self {
            Failure::Resolve(_) | Failure::Connect(_) | Failure::Tls(_) | Failure::Proxy(_) => false,
            Failure::Timeout(phase) => *phase == Phase::Exchange,
            Failure::Lost(_) | Failure::Protocol(_) | Failure::TooLarge(_) | Failure::OutOfMemory(_) => true,
        }
    }

    /// What ureq's connectors and transports report, in the phase in which they were used.
    pub(super) fn of(error: Error, phase: Phase) -> Failure {
        match error {
            Error::Other(inner) => match inner.downcast::<Failure>() {
                Ok(failure) => *failure,
                Err(inner) => Failure::Lost(inner.to_string()),
            },
            Error::Timeout(_) => Failure::Timeout(phase),
            Error::ConnectProxyFailed(why) => Failure::Proxy(why),
            Error::Io(error) => Failure::of_io(&error, phase),
            other => Failure::in_phase(phase, other.to_string()),
        }
    }

    pub(super) fn of_io(error: &io::Error, phase: Phase) -> Failure {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => Failure::Tls(tls.to_string()),
            None => Failure::in_phase(phase, error.to_string()),
        }
    }

    fn in_phase(phase: Phase, why: String) -> Failure {
        match phase {
            Phase::Resolve => Failure::Resolve(why),
            Phase::Connect => Failure::Connect(why),
            Phase::Exchange => Failure::Lost(why),
        }
    }
}

/// Lets a failure pass through ureq's connectors.
impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        Error::Other(Box::new(failure))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Failure {}
