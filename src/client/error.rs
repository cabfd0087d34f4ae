//! What went wrong, for a program (numbers) and for a person (a message).

use std::fmt;
use std::time::Duration;

use super::attempts::Attempts;
use crate::http::header_fields;

/// What a call came to. The numbers are part of the C library's ABI: none is ever changed or used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[repr(i32)]
#[allow(missing_docs, reason = "the C constants of these names, in ffi/status.rs, say what each means")]
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
    /// As it is called in C.
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

/// A failure. Neither its message nor its `Debug` output holds a header's value or a URI's credentials.
#[derive(Debug, Clone)]
pub struct Error(Box<Details>);

#[derive(Debug, Clone)]
struct Details {
    status: Status,
    message: String,
    attempts: u32,
    retry_reasons: Vec<String>,
    /// Whether the same would fail later, too, although other failures of this status may pass.
    is_lasting: bool,
    answer: Option<ErrorResponseDetails>,
}

/// What came back instead of an answer.
#[derive(Debug, Clone)]
pub(super) struct ErrorResponseDetails {
    pub http_status: u16,
    pub gateway_code: Option<String>,
    pub retry_after: Option<Duration>,
    pub headers: ErrorHeaders,
    pub body: Vec<u8>,
}

/// The headers of a response as (name, value), without secrets.
#[derive(Clone)]
pub(super) struct ErrorHeaders(Vec<(String, String)>);

impl ErrorHeaders {
    /// A session's cookie is as good as credentials, and is left out.
    pub fn of_head(head: &[u8], mask: impl Fn(&str) -> String) -> ErrorHeaders {
        let fields = header_fields(head).filter(|(name, _)| !name.eq_ignore_ascii_case("set-cookie"));
        let masked = fields.map(|(name, value)| (name.to_owned(), mask(&String::from_utf8_lossy(value))));
        ErrorHeaders(masked.collect())
    }
}

/// The names alone.
impl fmt::Debug for ErrorHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Error {
    /// A failure without an answer from a gateway.
    pub fn new(status: Status, message: impl Into<String>) -> Error {
        Error::of(status, message.into())
    }

    #[cold]
    #[inline(never)]
    fn of(status: Status, message: String) -> Error {
        // Names and responses that it repeats may hold line breaks, or sequences that a terminal obeys.
        let message = message.replace(char::is_control, " ");
        let (retry_reasons, is_lasting) = (Vec::new(), false);
        Error(Box::new(Details { status, message, attempts: 0, retry_reasons, is_lasting, answer: None }))
    }

    pub(super) fn with_answer(mut self, answer: ErrorResponseDetails) -> Error {
        self.0.answer = Some(answer);
        self
    }

    /// Adds what to do about it.
    pub(super) fn with_hint(mut self, hint: &str) -> Error {
        self.0.message.push_str("; ");
        self.0.message.extend(hint.chars().map(|c| if c.is_control() { ' ' } else { c }));
        self
    }

    /// Of the response, if there was one.
    pub(super) fn set_headers(&mut self, headers: ErrorHeaders) {
        if let Some(answer) = &mut self.0.answer {
            answer.headers = headers;
        }
    }

    /// Says whether the same would fail later, too.
    pub(super) fn lasting(mut self, is_lasting: bool) -> Error {
        self.0.is_lasting = is_lasting;
        self
    }

    pub(super) fn set_gateway_code(&mut self, code: Option<String>) {
        if let Some(answer) = &mut self.0.answer {
            answer.gateway_code = code;
        }
    }

    /// Says how often it was tried.
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

    /// Whether it comes from how long its own call was to wait, and says nothing of another one that wants the same.
    pub(super) fn is_of_one_call(&self) -> bool {
        matches!(self.0.status, Status::Timeout | Status::Cancelled)
    }

    /// The number for a program.
    pub fn status(&self) -> Status {
        self.0.status
    }

    /// What was tried, what came back, and what to do about it.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The HTTP status of the answer, if there was one.
    pub fn http_status(&self) -> Option<u16> {
        Some(self.0.answer.as_ref()?.http_status)
    }

    /// The gateway's own name for the error, for example `RESOURCE_DOES_NOT_EXIST`.
    pub fn gateway_code(&self) -> Option<&str> {
        self.0.answer.as_ref()?.gateway_code.as_deref()
    }

    /// How long the gateway asks to wait before the next call.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.answer.as_ref()?.retry_after
    }

    /// A header of the response, the first one of that name, without regard to case. `Set-Cookie` is left out, and
    /// secrets are masked.
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = &self.0.answer.as_ref()?.headers.0;
        headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The names of the response's headers and their values, in their order.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.0.answer.as_ref().map_or(&[][..], |answer| &answer.headers.0);
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        let may_pass = match self.0.status {
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
        may_pass && !self.0.is_lasting
    }

    /// How often the question was sent, or begun to be sent.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Why it was asked again, in a few words for each time.
    pub fn retry_reasons(&self) -> &[String] {
        &self.0.retry_reasons
    }

    /// The first 64 KiB of the answer's body, if there was an answer.
    pub fn body(&self) -> Option<&[u8]> {
        Some(&self.0.answer.as_ref()?.body)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Error {}
