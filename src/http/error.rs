//! Transport errors: why there is no response, or no complete one.

use std::{fmt, io};

/// What a call was doing when it failed. Ordered as the phases follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Waiting for another thread of the same handle that does the same.
    Share,
    /// Resolving the host name.
    Resolve,
    Connect,
    /// Opening a tunnel through the proxy.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// From this phase on, the server may have received the request.
    Send,
    /// Until the first byte of the response.
    Wait,
    Read,
    /// Reading an event stream.
    Event,
    /// Waiting before a retry.
    Backoff,
}

/// The limit that an expired deadline was set by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Of the whole call.
    Total,
    Connect,
    FirstByte,
    Idle,
    /// Of a stream, once its first event has arrived.
    Stream,
    /// Of the requests that a call makes beside the model request.
    Discovery,
}

/// Why an exchange failed. The strings are the error messages of the system or of the TLS library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportError {
    Resolve {
        why: String,
        /// Whether a retry would fail in the same way.
        is_permanent: bool,
    },
    Connect(String),
    Tls {
        why: String,
        /// Whether a retry would fail in the same way.
        is_permanent: bool,
        /// Whether the request had been sent.
        is_after_sending: bool,
    },
    Proxy {
        why: String,
        /// Whether a retry would fail in the same way.
        is_permanent: bool,
    },
    /// The connection broke after it was established.
    Lost(String, Phase),
    /// A reused connection broke so soon that the server had most likely closed it as idle.
    LostIdle(String),
    /// The response is not valid HTTP/1.1.
    Protocol(String),
    Timeout(Limit, Phase),
    /// None of these addresses accepted a connection in time.
    ConnectTimeout(Limit, String),
    Cancelled(Phase),
    /// The body of the response is longer than this many bytes.
    TooLarge(usize),
    /// The head of the response is longer than this many bytes.
    HeadTooLarge(usize),
    /// The head of the response has more than this many fields.
    TooManyHeaders(usize),
    /// An event of a stream is longer than this many bytes.
    EventTooLarge(usize),
    /// The body has this content encoding, which the request did not accept.
    Encoded(String),
    /// There is no memory for this many bytes of the response.
    OutOfMemory(usize),
}

impl TransportError {
    /// Returns whether the server may have received any of the request.
    pub fn is_after_sending(&self) -> bool {
        match self {
            TransportError::Resolve { .. }
            | TransportError::Connect(_)
            | TransportError::ConnectTimeout(..)
            | TransportError::Proxy { .. } => false,
            TransportError::Tls { is_after_sending, .. } => *is_after_sending,
            TransportError::Timeout(_, phase) | TransportError::Cancelled(phase) => *phase >= Phase::Send,
            TransportError::Lost(..)
            | TransportError::LostIdle(_)
            | TransportError::Protocol(_)
            | TransportError::TooLarge(_)
            | TransportError::HeadTooLarge(_)
            | TransportError::TooManyHeaders(_)
            | TransportError::EventTooLarge(_)
            | TransportError::Encoded(_)
            | TransportError::OutOfMemory(_) => true,
        }
    }

    /// Converts the error of a layer in this phase: one of our own, of rustls, or of the system.
    pub(super) fn from_io(error: io::Error, phase: Phase) -> TransportError {
        let error = match error.downcast::<TransportError>() {
            Ok(own) => return own,
            Err(error) => error,
        };
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            let is_after_sending = phase >= Phase::Send;
            return TransportError::Tls { why: tls.to_string(), is_permanent: true, is_after_sending };
        }
        let why = error.to_string();
        match phase {
            Phase::Resolve => TransportError::Resolve { why, is_permanent: false },
            Phase::Connect => TransportError::Connect(why),
            Phase::Tls => TransportError::Tls {
                why: format!("the server ended the handshake: {why}"),
                is_permanent: false,
                is_after_sending: false,
            },
            phase => TransportError::Lost(why, phase),
        }
    }
}

/// Lets a failure of our own pass through [`io::Read`] and [`io::Write`], which rustls calls.
impl From<TransportError> for io::Error {
    fn from(error: TransportError) -> io::Error {
        io::Error::other(error)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for TransportError {}
