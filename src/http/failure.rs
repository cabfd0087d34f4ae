//! Why there is no answer.

use std::{fmt, io};

use ureq::Error;

use crate::sync::Over;

/// What a call was doing when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Waiting for another thread of the same handle, which asks the same.
    Share,
    /// Looking up the host's address.
    Resolve,
    Connect,
    /// The proxy's handshake.
    Proxy,
    /// That of TLS.
    Tls,
    /// From here on the server may have seen the question.
    Send,
    /// Until the first byte of the answer.
    Wait,
    Read,
    /// Reading a stream.
    Event,
    /// Waiting before the same is asked again.
    Backoff,
}

/// Which of a call's times is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Total,
    Connect,
    FirstByte,
    Idle,
    /// Of a stream whose first event has come.
    Stream,
    /// Of what is asked of the server beside the request itself.
    Discovery,
}

/// Why there is no answer. The texts are the system's or the TLS library's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    Resolve {
        why: String,
        /// Whether it would be the same another time.
        is_lasting: bool,
    },
    Connect(String),
    Tls {
        why: String,
        /// Whether it would be the same another time.
        is_lasting: bool,
        /// Whether it came only after the question was sent.
        is_late: bool,
    },
    Proxy {
        why: String,
        /// Whether it would be the same another time.
        is_lasting: bool,
    },
    /// The connection broke after it was made.
    Lost(String, Phase),
    /// A connection that was idle before broke at once: the server had closed it, or was about to.
    LostIdle(String),
    /// What came is not HTTP/1.1.
    Protocol(String),
    Timeout(Limit, Phase),
    /// None of these addresses answered.
    ConnectTimeout(Limit, String),
    Cancelled(Phase),
    /// The answer's body is longer than this many bytes.
    TooLarge(usize),
    /// Its head is.
    HeadTooLarge(usize),
    /// Its head has more fields than this.
    TooManyHeaders(usize),
    /// Its body is encoded in this way, for which nobody asked.
    Encoded(String),
    /// There is no memory for an answer of so many bytes.
    OutOfMemory(usize),
}

impl Failure {
    /// Whether any of the request may have reached the server.
    pub fn is_after_sending(&self) -> bool {
        match self {
            Failure::Resolve { .. } | Failure::Connect(_) | Failure::ConnectTimeout(..) | Failure::Proxy { .. } => {
                false
            }
            Failure::Tls { is_late, .. } => *is_late,
            Failure::Timeout(_, phase) | Failure::Cancelled(phase) => *phase >= Phase::Send,
            Failure::Lost(..)
            | Failure::LostIdle(_)
            | Failure::Protocol(_)
            | Failure::TooLarge(_)
            | Failure::HeadTooLarge(_)
            | Failure::TooManyHeaders(_)
            | Failure::Encoded(_)
            | Failure::OutOfMemory(_) => true,
        }
    }

    /// What is over, in the phase in which it was waited.
    pub(super) fn over(over: Over, limit: Limit, phase: Phase) -> Failure {
        match over {
            Over::Time => Failure::Timeout(limit, phase),
            Over::Cancelled => Failure::Cancelled(phase),
        }
    }

    /// What ureq's transports report, in the phase in which they were used.
    pub(super) fn of(error: Error, phase: Phase) -> Failure {
        match error {
            Error::Other(inner) => match inner.downcast::<Failure>() {
                Ok(failure) => *failure,
                Err(inner) => Failure::Lost(inner.to_string(), phase),
            },
            Error::Io(error) => Failure::of_io(&error, phase),
            other => Failure::in_phase(phase, other.to_string()),
        }
    }

    pub(super) fn of_io(error: &io::Error, phase: Phase) -> Failure {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => Failure::Tls { why: tls.to_string(), is_lasting: true, is_late: phase >= Phase::Send },
            None => Failure::in_phase(phase, error.to_string()),
        }
    }

    fn in_phase(phase: Phase, why: String) -> Failure {
        match phase {
            Phase::Resolve => Failure::Resolve { why, is_lasting: false },
            Phase::Connect => Failure::Connect(why),
            Phase::Tls => Failure::Tls {
                why: format!("the server ended the handshake: {why}"),
                is_lasting: false,
                is_late: false,
            },
            phase => Failure::Lost(why, phase),
        }
    }
}

/// Lets a failure pass through ureq's transports.
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
