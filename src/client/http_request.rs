//! One HTTP request of a call, its destination, and the errors of sending it.

use std::time::Instant;

use super::error::Error;
use super::log::LogLevel;
use super::retry::RetryClass;
use crate::http::{ContentType, GatewayUri, Headers, Method, TransportError};

/// The limit for response bodies that describe the server and its routes.
const MAX_LOOKUP_BODY: usize = 16 * 1024 * 1024;

pub(super) struct HttpRequest<'a> {
    pub method: Method<'a>,
    pub path: &'a str,
    /// The path for messages, if part of the real one may be a secret.
    pub shown_path: Option<&'a str>,
    /// `None`: the request has no body, not even an empty one.
    pub body: Option<&'a [u8]>,
    pub deadline: Instant,
    pub log_level: LogLevel,
    pub retry_class: RetryClass,
    /// Limits the response body, in addition to the option max_response_bytes.
    pub max_body: usize,
    /// Whether to return an event stream after its head.
    pub wants_events: bool,
}

impl<'a> HttpRequest<'a> {
    /// A lookup: a GET request about the server or its routes.
    pub fn get(path: &'a str, deadline: Instant, retry_class: RetryClass) -> HttpRequest<'a> {
        HttpRequest {
            method: Method::Get,
            path,
            shown_path: None,
            body: None,
            deadline,
            log_level: LogLevel::Debug,
            retry_class,
            max_body: MAX_LOOKUP_BODY,
            wants_events: false,
        }
    }

    /// Whether it is not the request of the program, but one about the server or for an access token.
    pub fn is_lookup(&self) -> bool {
        self.log_level > LogLevel::Info
    }
}

/// The server of a request, and the headers for it.
#[derive(Clone, Copy)]
pub(super) struct Destination<'a> {
    pub uri: &'a GatewayUri,
    pub headers: &'a Headers,
    pub content: ContentType,
}

/// Why there is no response to a request.
pub(super) enum SendError {
    /// There are no credentials, or they may not be sent. The message is complete.
    Authentication(Error),
    Transport(TransportError),
}

impl From<TransportError> for SendError {
    fn from(error: TransportError) -> SendError {
        SendError::Transport(error)
    }
}
