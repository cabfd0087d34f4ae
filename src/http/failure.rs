//! Why there is no answer.

use std::io;

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
}

impl Failure {
    pub(super) fn of(error: Error, phase: Phase) -> Failure {
        match error {
            Error::Other(inner) => match inner.downcast::<InPhase>() {
                Ok(inner) => Failure::of(inner.error, inner.phase),
                Err(inner) => Failure::Lost(inner.to_string()),
            },
            Error::Timeout(_) => Failure::Timeout(phase),
            Error::HostNotFound => Failure::Resolve("the name has no address".to_owned()),
            Error::ConnectProxyFailed(why) => Failure::Proxy(why),
            Error::InvalidProxyUrl => Failure::Proxy("the proxy's URL cannot be understood".to_owned()),
            Error::Tls(why) => Failure::Tls(why.to_owned()),
            Error::Rustls(why) => Failure::Tls(why.to_string()),
            Error::TlsRequired => Failure::Tls("the connection is not encrypted".to_owned()),
            Error::Protocol(why) => Failure::Protocol(why.to_string()),
            Error::LargeResponseHeader(size, limit) => {
                Failure::Protocol(format!("a header of {size} bytes, of which {limit} are allowed"))
            }
            Error::Io(error) => Failure::of_io(&error, phase),
            other => match phase {
                Phase::Resolve => Failure::Resolve(other.to_string()),
                Phase::Connect => Failure::Connect(other.to_string()),
                Phase::Exchange => Failure::Lost(other.to_string()),
            },
        }
    }

    fn of_io(error: &io::Error, phase: Phase) -> Failure {
        match phase {
            _ if error.kind() == io::ErrorKind::TimedOut => Failure::Timeout(phase),
            Phase::Resolve => Failure::Resolve(error.to_string()),
            // rustls wraps a handshake that failed in an I/O error of this kind, and the system has none such here.
            Phase::Connect if error.kind() == io::ErrorKind::InvalidData => Failure::Tls(error.to_string()),
            Phase::Connect => Failure::Connect(error.to_string()),
            Phase::Exchange => Failure::Lost(error.to_string()),
        }
    }
}

/// Carries an error and its phase through ureq, which reports all I/O errors alike.
#[derive(Debug)]
pub(super) struct InPhase {
    phase: Phase,
    error: Error,
}

impl InPhase {
    pub(super) fn wrap(phase: Phase) -> impl Fn(Error) -> Error {
        move |error| Error::Other(Box::new(InPhase { phase, error }))
    }
}

impl std::fmt::Display for InPhase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for InPhase {}
