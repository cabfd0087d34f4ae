//! One exchange: the request to send, its limits, and the response when it is complete.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connect_settings::ConnectSettings;
use super::deadline::Deadline;
use super::headers::Headers;
use super::method::Method;
use super::uri::GatewayUri;

/// A request, and how it is sent.
pub struct Exchange<'a> {
    pub method: Method<'a>,
    pub uri: &'a GatewayUri,
    /// Below the URI; begins with a slash.
    pub path: &'a str,
    pub headers: &'a Headers,
    pub content: ContentType,
    pub body: Option<&'a [u8]>,
    /// Of the whole exchange.
    pub deadline: Deadline<'a>,
    pub timeouts: Timeouts,
    pub limits: Limits,
    pub connect_settings: &'a Arc<ConnectSettings>,
    pub keep_alive: KeepAlive,
    /// Whether an idle connection may be used. If the server closes it at that moment, the request is lost.
    pub may_reuse: bool,
    /// Whether an event stream is returned when its head has arrived, and not when it is complete.
    pub wants_events: bool,
}

/// The content type of a request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentType {
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

impl ContentType {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            ContentType::Json => "application/json",
            ContentType::Form => "application/x-www-form-urlencoded",
        }
    }
}

/// Limits for parts of an exchange. `None` means that only its deadline applies.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// From resolving the host name to a connection that is ready.
    pub connect: Option<Duration>,
    /// From the last byte of the request to the first byte of the response.
    pub first_byte: Option<Duration>,
}

/// The maximum number of bytes of a response.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub head: usize,
    pub body: usize,
}

/// Which connections are kept for later exchanges.
#[derive(Debug, Clone, Copy)]
pub struct KeepAlive {
    /// The maximum number of idle connections.
    pub max_connections: usize,
    /// How long a connection may be idle. Zero means that none is kept.
    pub max_idle: Duration,
}

/// A response with its whole body, whatever its status.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// As received; see [`super::header_fields`].
    pub head: Vec<u8>,
    /// Of an error response, at most the first 64 KiB.
    pub body: Vec<u8>,
    /// How long to wait before a retry, if the server says so.
    pub retry_after: Option<Duration>,
    /// The target of a redirect, as the server sent it; see [`super::without_secrets`].
    pub location: Option<String>,
    pub timestamps: Timestamps,
}

impl Reply {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// When phases of an exchange ended.
#[derive(Debug, Clone, Copy)]
pub struct Timestamps {
    /// A connection was ready for the request.
    pub connected: Instant,
    /// The first byte of the response arrived.
    pub first_byte: Instant,
}
