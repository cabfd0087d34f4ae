//! Why there is no answer.

use std::{fmt, io};

use ureq::Error;

use crate::sync::WaitError;

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
pub enum TransportError {
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

impl TransportError {
    /// Whether any of the request may have reached the server.
    pub fn is_after_sending(&self) -> bool {
        match self {
            TransportError::Resolve { .. }
            | TransportError::Connect(_)
            | TransportError::ConnectTimeout(..)
            | TransportError::Proxy { .. } => false,
            TransportError::Tls { is_late, .. } => *is_late,
            TransportError::Timeout(_, phase) | TransportError::Cancelled(phase) => *phase >= Phase::Send,
            TransportError::Lost(..)
            | TransportError::LostIdle(_)
            | TransportError::Protocol(_)
            | TransportError::TooLarge(_)
            | TransportError::HeadTooLarge(_)
            | TransportError::TooManyHeaders(_)
            | TransportError::Encoded(_)
            | TransportError::OutOfMemory(_) => true,
        }
    }

    /// What is over, in the phase in which it was waited.
    pub(super) fn over(over: WaitError, limit: Limit, phase: Phase) -> TransportError {
        match over {
            WaitError::DeadlineExpired => TransportError::Timeout(limit, phase),
            WaitError::Cancelled => TransportError::Cancelled(phase),
        }
    }

    /// What ureq's transports report, in the phase in which they were used.
    pub(super) fn of(error: Error, phase: Phase) -> TransportError {
        match error {
            Error::Other(inner) => match inner.downcast::<TransportError>() {
                Ok(failure) => *failure,
                Err(inner) => TransportError::Lost(inner.to_string(), phase),
            },
            Error::Io(error) => TransportError::of_io(&error, phase),
            other => TransportError::in_phase(phase, other.to_string()),
        }
    }

    pub(super) fn of_io(error: &io::Error, phase: Phase) -> TransportError {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => TransportError::Tls { why: tls.to_string(), is_lasting: true, is_late: phase >= Phase::Send },
            None => TransportError::in_phase(phase, error.to_string()),
        }
    }

    fn in_phase(phase: Phase, why: String) -> TransportError {
        match phase {
            Phase::Resolve => TransportError::Resolve { why, is_lasting: false },
            Phase::Connect => TransportError::Connect(why),
            Phase::Tls => TransportError::Tls {
                why: format!("the server ended the handshake: {why}"),
                is_lasting: false,
                is_late: false,
            },
            phase => TransportError::Lost(why, phase),
        }
    }
}

/// Lets a failure pass through ureq's transports.
impl From<TransportError> for Error {
    fn from(failure: TransportError) -> Error {
        Error::Other(Box::new(failure))
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for TransportError {}
