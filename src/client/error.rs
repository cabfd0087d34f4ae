//! The error of a failed call: its status, its message, and what is known of the response. Messages about calls are
//! written in `report.rs`.

use std::fmt;
use std::time::Duration;

use super::attempts::Attempts;
use crate::http::header_fields;

/// Why a call failed. The numbers are part of the C library's ABI: none is ever changed or reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[repr(i32)]
#[allow(missing_docs, reason = "documented at the C constants of these names, in ffi/status.rs")]
pub enum Status {
    InvalidArgument = 1,
    InvalidUri = 2,
    NoGatewayUri = 3,
    UnknownOption = 4,
    InvalidOptionValue = 5,
    InvalidParam = 6,
    InsecureAuth = 8,

    ResolveFailed = 20,
    ConnectFailed = 21,
    TlsFailed = 22,
    ConnectionLost = 23,
    Timeout = 24,
    Cancelled = 25,
    ProxyFailed = 26,

    BadRequest = 40,
    Unauthorized = 41,
    Forbidden = 42,
    NotFound = 43,
    RateLimited = 44,
    BudgetExceeded = 45,
    GuardrailBlocked = 46,
    ServerError = 47,
    HttpError = 48,
    Unsupported = 49,

    BadResponse = 60,
    NoCandidates = 61,
    ResponseTooLarge = 62,
    StreamTruncated = 63,
    StreamError = 64,
    NoText = 65,

    Panic = 80,
    OutOfMemory = 81,
    Internal = 82,
}

impl Status {
    /// Returns the name of the C constant.
    pub(crate) fn name(self) -> String {
        let mut name = "MLFLOW_GATEWAY".to_owned();
        for letter in format!("{self:?}").chars() {
            if letter.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(letter.to_ascii_uppercase());
        }
        name
    }
}

/// An error. Neither its message nor its `Debug` output contains header values or the credentials of a URI.
#[derive(Debug, Clone)]
pub struct Error(Box<Details>);

#[derive(Debug, Clone)]
struct Details {
    status: Status,
    message: String,
    attempts: u32,
    retry_reasons: Vec<String>,
    /// Whether a retry would fail as well, although the status is one of errors that may be temporary.
    is_permanent: bool,
    response: Option<ErrorResponseDetails>,
}

/// The response of a call that failed after it was received.
#[derive(Debug, Clone)]
pub(super) struct ErrorResponseDetails {
    pub http_status: u16,
    pub gateway_code: Option<String>,
    pub retry_after: Option<Duration>,
    pub headers: ErrorHeaders,
    pub body: Vec<u8>,
}

/// The headers of a response as (name, value). Secrets are masked.
#[derive(Clone)]
pub(super) struct ErrorHeaders(Vec<(String, String)>);

impl ErrorHeaders {
    /// Parses a response head. `Set-Cookie` is omitted: a session cookie is a credential.
    pub fn of_head(head: &[u8], mask: impl Fn(&str) -> String) -> ErrorHeaders {
        let fields = header_fields(head).filter(|(name, _)| !name.eq_ignore_ascii_case("set-cookie"));
        let masked = fields.map(|(name, value)| (name.to_owned(), mask(&String::from_utf8_lossy(value))));
        ErrorHeaders(masked.collect())
    }
}

/// Prints the names only.
impl fmt::Debug for ErrorHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Error {
    /// Creates an error without a response.
    pub fn new(status: Status, message: impl Into<String>) -> Error {
        Error::of(status, message.into())
    }

    #[cold]
    #[inline(never)]
    fn of(status: Status, message: String) -> Error {
        // Names and responses that the message quotes may contain line breaks or terminal escape sequences.
        let message = message.replace(char::is_control, " ");
        let (retry_reasons, is_permanent) = (Vec::new(), false);
        Error(Box::new(Details { status, message, attempts: 0, retry_reasons, is_permanent, response: None }))
    }

    /// Creates the error for a string that cannot be allocated.
    pub(super) fn out_of_memory(len: usize) -> Error {
        Error::new(Status::OutOfMemory, format!("out of memory: a string of {len} bytes cannot be allocated"))
    }

    pub(super) fn with_response(mut self, response: ErrorResponseDetails) -> Error {
        self.0.response = Some(response);
        self
    }

    /// Appends advice to the message.
    pub(super) fn with_hint(mut self, hint: &str) -> Error {
        self.0.message.push_str("; ");
        self.0.message.extend(hint.chars().map(|c| if c.is_control() { ' ' } else { c }));
        self
    }

    /// Sets the headers of the response, if there is one.
    pub(super) fn set_headers(&mut self, headers: ErrorHeaders) {
        if let Some(response) = &mut self.0.response {
            response.headers = headers;
        }
    }

    /// Sets whether a retry would fail as well.
    pub(super) fn permanent(mut self, is_permanent: bool) -> Error {
        self.0.is_permanent = is_permanent;
        self
    }

    pub(super) fn set_gateway_code(&mut self, code: Option<String>) {
        if let Some(response) = &mut self.0.response {
            response.gateway_code = code;
        }
    }

    /// Adds the number of attempts and the reasons for retries.
    pub(super) fn with_attempts(mut self, attempts: &Attempts) -> Error {
        self.0.attempts = attempts.sent();
        if self.0.retry_reasons.is_empty() {
            if attempts.retries() > 0 {
                self.0.message += &format!("; tried {} times", attempts.retries() + 1);
            }
            self.0.retry_reasons =
                attempts.retry_reasons().iter().map(|why| why.replace(char::is_control, " ")).collect();
        }
        self
    }

    /// Returns whether the call's own deadline or cancel token caused the error. Calls that share its result must not
    /// fail with it.
    pub(super) fn is_of_one_call(&self) -> bool {
        matches!(self.0.status, Status::Timeout | Status::Cancelled)
    }

    /// Returns the status.
    pub fn status(&self) -> Status {
        self.0.status
    }

    /// Returns what failed, why, and what to do.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the HTTP status of the response, if there was one.
    pub fn http_status(&self) -> Option<u16> {
        Some(self.0.response.as_ref()?.http_status)
    }

    /// Returns the gateway's own error code, for example `RESOURCE_DOES_NOT_EXIST`.
    pub fn gateway_code(&self) -> Option<&str> {
        self.0.response.as_ref()?.gateway_code.as_deref()
    }

    /// Returns the value of the `Retry-After` header.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.response.as_ref()?.retry_after
    }

    /// Returns the first response header of that name (case-insensitive). `Set-Cookie` is omitted, and secrets are
    /// masked.
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = &self.0.response.as_ref()?.headers.0;
        headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns the names and values of the response headers, in their order.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.0.response.as_ref().map_or(&[][..], |response| &response.headers.0);
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        let may_be_temporary = match self.0.status {
            Status::ResolveFailed
            | Status::ConnectFailed
            | Status::TlsFailed
            | Status::ConnectionLost
            | Status::Timeout
            | Status::ProxyFailed
            | Status::RateLimited
            | Status::ServerError
            | Status::StreamTruncated
            | Status::StreamError => true,
            Status::HttpError => matches!(self.http_status(), Some(408 | 425)),
            _ => false,
        };
        may_be_temporary && !self.0.is_permanent
    }

    /// Returns how often the request was sent, at least in part.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Returns why each retry was made.
    pub fn retry_reasons(&self) -> &[String] {
        &self.0.retry_reasons
    }

    /// Returns the first 64 KiB of the response body, if there was a response.
    pub fn body(&self) -> Option<&[u8]> {
        Some(&self.0.response.as_ref()?.body)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Error {}

/// Shortens a name that a message quotes, and removes control characters.
pub(super) fn shortened(name: &str) -> String {
    const MAX_CHARS: usize = 64;
    let mut shortened: String = name.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect();
    if shortened.len() < name.len() {
        shortened.push('…');
    }
    shortened
}
