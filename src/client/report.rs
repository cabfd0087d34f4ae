//! Error messages and log lines: what failed, why, and what to do.

use std::fmt;
use std::time::Duration;

use super::auth::Auth;
use super::error::{Error, ErrorHeaders, ErrorResponseDetails, Status, shortened};
use super::options::CallOptions;
use crate::dialect::{Candidate, DecodeError, ErrorKind, ErrorResponse, excerpt};
use crate::http::{
    GatewayUri, Headers, Limit, Method, Phase, Reply, TransportError, mask_bytes, mask_text, without_secrets,
};

/// The request that an error message is about. It is shown as method and URL.
pub(super) struct ErrorContext<'a> {
    pub method: Method<'a>,
    pub uri: &'a GatewayUri,
    pub path: &'a str,
    pub secrets: Secrets<'a>,
}

/// What is masked if a server repeats it.
pub(super) struct Secrets<'a> {
    pub headers: &'a Headers,
    pub auth: &'a Auth,
}

impl Secrets<'_> {
    pub fn mask(&self, text: &str) -> String {
        let text = self.headers.secrets().fold(text.to_owned(), |text, secret| mask_text(&text, secret));
        self.auth.tokens.known().iter().fold(text, |text, token| mask_text(&text, token.expose()))
    }

    fn mask_bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        let bytes = self.headers.secrets().fold(bytes, mask_bytes);
        self.auth.tokens.known().iter().fold(bytes, |bytes, token| mask_bytes(bytes, token.expose()))
    }
}

impl ErrorContext<'_> {
    /// Makes an error. Masks the whole message: a server may have redirected to a path with a secret.
    fn error(&self, status: Status, cause: &str) -> Error {
        Error::new(status, self.secrets.mask(&format!("{self}: {cause}")))
    }
}

impl fmt::Display for ErrorContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}{}", self.method.as_str(), self.uri, self.path)
    }
}

/// There was no response.
pub(super) fn transport_error(context: &ErrorContext, error: TransportError, options: &CallOptions) -> Error {
    let (status, cause, advice) = describe(&error, options);
    let (separator, advice) = if advice.is_empty() { ("", "") } else { ("; ", advice) };
    context.error(status, &format!("{cause}{separator}{advice}")).permanent(is_permanent(&error))
}

/// Whether the same request would fail later, too.
fn is_permanent(error: &TransportError) -> bool {
    match error {
        TransportError::Resolve { is_permanent, .. }
        | TransportError::Tls { is_permanent, .. }
        | TransportError::Proxy { is_permanent, .. } => *is_permanent,
        _ => false,
    }
}

/// The reason for a retry after this error.
pub(super) fn retry_reason(context: &ErrorContext, error: &TransportError, options: &CallOptions) -> String {
    context.secrets.mask(&describe(error, options).1)
}

/// The status, the cause and the advice.
fn describe(error: &TransportError, options: &CallOptions) -> (Status, String, &'static str) {
    match error {
        TransportError::Resolve { why, .. } => (
            Status::ResolveFailed,
            format!("the host name cannot be resolved ({why})"),
            "check the gateway URI and the name service",
        ),
        TransportError::Connect(why) => (
            Status::ConnectFailed,
            format!("cannot connect ({why})"),
            "check that the gateway runs and that the gateway URI names its host and port",
        ),
        TransportError::Tls { why, .. } => (
            Status::TlsFailed,
            format!("TLS failed ({why})"),
            "check the gateway's certificate, and that its port uses TLS",
        ),
        TransportError::Proxy { why, .. } => (
            Status::ProxyFailed,
            format!("the proxy failed ({why})"),
            "check the option proxy, or HTTP_PROXY, HTTPS_PROXY and NO_PROXY",
        ),
        TransportError::Lost(why, _) | TransportError::LostIdle(why) => (
            Status::ConnectionLost,
            format!("the connection broke before the response was complete ({why})"),
            "the request may have been processed",
        ),
        TransportError::Protocol(why) => {
            (Status::BadResponse, format!("the response is not HTTP/1.1 ({why})"), "check the gateway URI")
        }
        TransportError::Encoded(encoding) => (
            Status::BadResponse,
            format!(
                "the response body is encoded ({encoding}), although the request has \"Accept-Encoding: identity\""
            ),
            "disable compression in the gateway or the proxy in front of it",
        ),
        TransportError::Timeout(limit, phase) => timed_out(*limit, doing(*phase), *phase, options),
        TransportError::ConnectTimeout(limit, addresses) => {
            timed_out(*limit, &format!("while connecting to {addresses}"), Phase::Connect, options)
        }
        TransportError::Cancelled(phase) => (Status::Cancelled, format!("cancelled {}", doing(*phase)), ""),
        TransportError::OutOfMemory(size) => {
            (Status::OutOfMemory, format!("not enough memory for a response of {size} bytes"), "")
        }
        TransportError::TooLarge(limit) => (
            Status::ResponseTooLarge,
            format!("the response body exceeds {limit} bytes"),
            if *limit == options.limits.body { "see the option max_response_bytes" } else { "" },
        ),
        TransportError::HeadTooLarge(limit) => (
            Status::ResponseTooLarge,
            format!("the response head exceeds {limit} bytes"),
            "see the option max_header_bytes",
        ),
        TransportError::EventTooLarge(limit) => {
            (Status::ResponseTooLarge, format!("an event of the stream exceeds {limit} bytes (max_event_bytes)"), "")
        }
        TransportError::TooManyHeaders(limit) => (
            Status::ResponseTooLarge,
            format!("the response has more than {limit} header fields"),
            "check the gateway and the proxy in front of it",
        ),
    }
}

fn timed_out(limit: Limit, doing: &str, phase: Phase, options: &CallOptions) -> (Status, String, &'static str) {
    let (time, option) = match limit {
        Limit::Total => (Some(options.timeout), "timeout_ms"),
        Limit::Connect => (options.timeouts.connect, "connect_timeout_ms"),
        Limit::FirstByte => (options.timeouts.first_byte, "first_byte_timeout_ms"),
        Limit::Idle => (options.idle_timeout, "idle_timeout_ms"),
        Limit::Stream => (Some(options.stream_timeout), "stream_timeout_ms"),
        Limit::Discovery => {
            return (
                Status::Timeout,
                format!("discovery timed out {doing}"),
                "set the option dialect to skip discovery",
            );
        }
    };
    let advice = match phase {
        Phase::Resolve => "check the name service",
        Phase::Connect => "check that the gateway's host is up and reachable",
        Phase::Proxy => "check that the proxy works",
        Phase::Tls => "check that the gateway's port uses TLS",
        Phase::Send | Phase::Backoff | Phase::Share => "the gateway may be overloaded",
        Phase::Wait | Phase::Read | Phase::Event => "raise the timeout if the model needs longer",
    };
    (Status::Timeout, format!("timed out after {} ms ({option}) {doing}", time.unwrap_or_default().as_millis()), advice)
}

fn doing(phase: Phase) -> &'static str {
    match phase {
        Phase::Share => "while waiting for another thread's request",
        Phase::Resolve => "while resolving the host name",
        Phase::Connect => "while connecting",
        Phase::Proxy => "while connecting through the proxy",
        Phase::Tls => "during the TLS handshake",
        Phase::Send => "while sending the request",
        Phase::Wait => "while waiting for the response",
        Phase::Read => "while reading the response",
        Phase::Event => "while waiting for the next event",
        Phase::Backoff => "while waiting to retry",
    }
}

/// The response has an error status.
pub(super) fn error_response(context: &ErrorContext, reply: Reply, response: ErrorResponse, route: &str) -> Error {
    let (status, advice) = status_and_advice(response.kind, route);
    http_error(context, reply, response, status, &advice)
}

fn http_error(context: &ErrorContext, reply: Reply, response: ErrorResponse, status: Status, advice: &str) -> Error {
    let redirect = match (&reply.location, reply.status) {
        (Some(location), 300..=399) => {
            format!("; the server redirects to {}: change the gateway URI accordingly", without_secrets(location))
        }
        _ => String::new(),
    };
    let message = response.message.map(|message| format!(": {message}")).unwrap_or_default();
    let message = if advice.is_empty() { message.as_str() } else { message.trim_end_matches('.') };
    context.error(status, &format!("HTTP status {}{message}{advice}{redirect}", reply.status)).with_response(
        ErrorResponseDetails {
            http_status: reply.status,
            gateway_code: response.code.map(|code| context.secrets.mask(&code)),
            retry_after: reply.retry_after,
            headers: ErrorHeaders::of_head(&reply.head, |value| context.secrets.mask(value)),
            body: context.secrets.mask_bytes(reply.body),
        },
    )
}

/// The server has none of the paths of any gateway.
pub(super) fn no_gateway(context: &ErrorContext, reply: Reply, response: ErrorResponse) -> Error {
    let response = ErrorResponse { kind: ErrorKind::NoSuchPath, ..response };
    error_response(context, reply, response, "").with_hint(
        "no prompt was sent, because the server has no path of any gateway; set the option dialect to send it anyway",
    )
}

/// An OpenAI-compatible server without a list of its models.
pub(super) fn no_model_list(context: &ErrorContext, reply: Reply, response: ErrorResponse) -> Error {
    let response = ErrorResponse { kind: ErrorKind::Disabled, ..response };
    error_response(context, reply, response, "").with_hint(
        "there is no list of models at this path, which routes and health are read from; check the gateway URI",
    )
}

/// The response to a raw request has an error status. What the path means is unknown here.
pub(super) fn raw_error_response(context: &ErrorContext, reply: Reply, response: ErrorResponse) -> Error {
    let (status, advice) = match response.kind {
        ErrorKind::NoSuchPath | ErrorKind::NoSuchRoute => {
            (Status::NotFound, "; check the method and the path, which is relative to the gateway URI".to_owned())
        }
        kind => status_and_advice(kind, ""),
    };
    http_error(context, reply, response, status, &advice)
}

/// The status of an error response, and what to do about it.
fn status_and_advice(kind: ErrorKind, route: &str) -> (Status, String) {
    match kind {
        ErrorKind::BadRequest => (Status::BadRequest, String::new()),
        ErrorKind::Unauthorized => (
            Status::Unauthorized,
            // The gateway passes on the model provider's 401 like its own.
            "; check the credentials (options username and password, bearer_token, or client_id and client_secret) or \
             the model provider's key in the gateway's configuration"
                .to_owned(),
        ),
        ErrorKind::Forbidden => (Status::Forbidden, "; the credentials do not allow this".to_owned()),
        ErrorKind::NoSuchPath => (
            Status::NotFound,
            "; check that the gateway URI is that of an MLflow gateway, with the path below which it is mounted, or ends in \
             /v1 for an OpenAI-compatible server"
                .to_owned(),
        ),
        ErrorKind::NoSuchRoute => (Status::NotFound, format!("; check the route's name \"{route}\"")),
        ErrorKind::RateLimited => (Status::RateLimited, "; call less often or later".to_owned()),
        ErrorKind::BudgetExceeded => (Status::BudgetExceeded, "; a retry does not help".to_owned()),
        ErrorKind::GuardrailBlocked => (Status::GuardrailBlocked, String::new()),
        ErrorKind::ServerError => (
            Status::ServerError,
            "; the gateway or the model provider behind it failed: see the gateway's log".to_owned(),
        ),
        ErrorKind::Disabled => (Status::Unsupported, "; this server does not support this".to_owned()),
        ErrorKind::Other => (Status::HttpError, String::new()),
    }
}

/// The server cannot stream, and reported that as an error of the model provider.
pub(super) fn cannot_stream(context: &ErrorContext, response: ResponseContext) -> Error {
    let cause = "this release of MLflow cannot stream (2.10 and later can); call mlflow_gateway_send() instead";
    bad_success(context, response, Status::Unsupported, cause)
}

/// The token endpoint, or its metadata, responded with an error status.
pub(super) fn token_request_rejected(context: &ErrorContext, reply: Reply, response: ErrorResponse) -> Error {
    let is_clients_fault =
        matches!(response.kind, ErrorKind::BadRequest | ErrorKind::Unauthorized | ErrorKind::Forbidden);
    let kind = if is_clients_fault { ErrorKind::Unauthorized } else { response.kind };
    let error = error_response(context, reply, ErrorResponse { kind, ..response }, "");
    error.with_hint("no access token was issued for the options client_id and client_secret")
}

/// A successful response has no usable access token.
pub(super) fn no_token(context: &ErrorContext, response: ResponseContext, why: &str) -> Error {
    let page = if response.body.trim_ascii_start().starts_with(b"<") { "the response is an HTML page; " } else { "" };
    bad_success(context, response, Status::BadResponse, &format!("{page}it has no access token: {why}"))
}

/// The list of routes does not have the requested one.
pub(super) fn route_not_listed(context: &ErrorContext, response: ResponseContext, hint: &str) -> Error {
    bad_success(context, response, Status::NotFound, hint)
}

/// The response has another shape than a list of routes.
pub(super) fn not_a_list(context: &ErrorContext, response: ResponseContext) -> Error {
    bad_success(context, response, Status::BadResponse, "the response is not a list of routes")
}

/// The response has another shape than a route.
pub(super) fn not_a_route(context: &ErrorContext, response: ResponseContext) -> Error {
    bad_success(context, response, Status::BadResponse, "the response does not describe the route")
}

/// The server reports that it is not healthy.
pub(super) fn unhealthy(context: &ErrorContext, response: ResponseContext) -> Error {
    let cause = format!("the gateway reports that it is not healthy: {}", excerpt(response.body));
    bad_success(context, response, Status::ServerError, &cause)
}

/// The response has another shape than that of a health check.
pub(super) fn not_a_health_check(context: &ErrorContext, response: ResponseContext) -> Error {
    let cause = format!("the response is not that of a health check; it begins with: {}", excerpt(response.body));
    bad_success(context, response, Status::BadResponse, &cause)
}

/// The log line of one attempt: its result, and the reason if it is a retry.
pub(super) fn log_line(
    context: &ErrorContext,
    status: Result<u16, Error>,
    time: Duration,
    retry_reason: Option<&str>,
) -> String {
    let us = time.as_micros();
    let ms = format!("{}.{}", us / 1000, us / 100 % 10);
    let retry = retry_reason.map(|reason| format!(" (retry: {reason})")).unwrap_or_default();
    let line = match status {
        Ok(status) => format!("{context}{retry}: HTTP status {status} after {ms} ms"),
        Err(error) => {
            let prefix = context.secrets.mask(&format!("{context}: "));
            let cause = error.message().strip_prefix(&prefix).unwrap_or(error.message());
            format!("{context}{retry}: {} after {ms} ms: {cause}", error.status().name())
        }
    };
    context.secrets.mask(&line)
}

/// A successful response cannot be decoded.
pub(super) fn decode_error(context: &ErrorContext, response: ResponseContext, error: DecodeError) -> Error {
    let (status, cause) = match error {
        DecodeError::Html => (
            Status::BadResponse,
            "the response is an HTML page; check that the gateway URI is that of the gateway, not of a login page or a proxy"
                .to_owned(),
        ),
        DecodeError::NotJson(why, beginning) => {
            (Status::BadResponse, format!("the response is not JSON ({why}); it begins with: {beginning}"))
        }
        DecodeError::WrongShape(why, beginning) => (
            Status::BadResponse,
            format!("the response is JSON, but not a gateway's response ({why}); it begins with: {beginning}"),
        ),
        DecodeError::ErrorResponse(error) => return error_in_success(context, response, *error),
        DecodeError::NoCandidates => (Status::NoCandidates, "the response has no candidates".to_owned()),
        DecodeError::NoMemoryForEmbeddings(dimension) => {
            (Status::OutOfMemory, format!("not enough memory for embeddings of {dimension} floats each"))
        }
        DecodeError::NoMemoryToParse(size) => {
            (Status::OutOfMemory, format!("not enough memory to decode {size} bytes"))
        }
    };
    bad_success(context, response, status, &cause)
}

/// The body of a successful response is an error: of the model provider, whose model names are not those of routes.
fn error_in_success(context: &ErrorContext, response: ResponseContext, error: ErrorResponse) -> Error {
    let (status, advice) = match error.kind {
        ErrorKind::NoSuchRoute | ErrorKind::NoSuchPath => (Status::NotFound, String::new()),
        kind => status_and_advice(kind, ""),
    };
    provider_error(context, response, "the response is an error", error, status, &advice)
}

/// An error of the model provider in a successful response.
fn provider_error(
    context: &ErrorContext,
    response: ResponseContext,
    what: &str,
    error: ErrorResponse,
    status: Status,
    advice: &str,
) -> Error {
    let message = error.message.as_deref().unwrap_or("no reason given");
    let message = if advice.is_empty() { message } else { message.trim_end_matches('.') };
    let code = error.code.map(|code| context.secrets.mask(&code));
    let mut error = bad_success(context, response, status, &format!("{what}: {message}{advice}"));
    error.set_gateway_code(code);
    error
}

/// The first candidate has no text.
pub(super) fn no_text(context: &ErrorContext, response: ResponseContext, candidate: &Candidate) -> Error {
    let why = match candidate {
        Candidate { refusal: Some(refusal), .. } => format!("the model refused: {}", excerpt(refusal.0.as_bytes())),
        candidate if candidate.is_filtered() => "a content filter removed it".to_owned(),
        Candidate { tool_calls: Some(_), .. } => {
            "the model requests tool calls, which mlflow_gateway_send() returns".to_owned()
        }
        Candidate { has_media: true, .. } => {
            "only images or other media; mlflow_gateway_send() returns them".to_owned()
        }
        Candidate { has_reasoning: true, .. } => {
            "only reasoning; raise max_tokens if the model had no tokens left for text".to_owned()
        }
        _ => "its content is null or empty".to_owned(),
    };
    let reason = candidate.finish_reason.as_ref().map(|reason| shortened(&reason.0));
    let reason = reason.map(|reason| format!(" (finish_reason \"{reason}\")")).unwrap_or_default();
    bad_success(context, response, Status::NoText, &format!("the first candidate has no text: {why}{reason}"))
}

/// The number of embeddings differs from that of the inputs.
pub(super) fn wrong_count(
    context: &ErrorContext,
    response: ResponseContext,
    inputs: usize,
    embeddings: usize,
) -> Error {
    let cause = format!("the number of embeddings is {embeddings}, that of the inputs {inputs}");
    bad_success(context, response, Status::BadResponse, &cause)
}

/// The stream ended before the response was complete.
pub(super) fn truncated(context: &ErrorContext, response: ResponseContext, why: &str, has_begun: bool) -> Error {
    // MLflow's gateways pass on an error response of the model provider in no other way.
    let advice = if has_begun {
        "the gateway or the model provider behind it failed: see the gateway's log"
    } else {
        "the model provider may have rejected the request: call mlflow_gateway_send() to see its error"
    };
    let when = if has_begun { "before the response was complete" } else { "without any output" };
    let cause = format!("the stream ended {when} ({why}); {advice}");
    bad_success(context, response, Status::StreamTruncated, &cause)
}

/// An event of the stream is an error.
pub(super) fn error_event(context: &ErrorContext, response: ResponseContext, error: ErrorResponse) -> Error {
    let (status, advice) = match error.kind {
        kind @ (ErrorKind::RateLimited | ErrorKind::BudgetExceeded | ErrorKind::GuardrailBlocked) => {
            status_and_advice(kind, "")
        }
        _ => (Status::StreamError, String::new()),
    };
    let is_permanent = matches!(
        error.kind,
        ErrorKind::BadRequest
            | ErrorKind::Unauthorized
            | ErrorKind::Forbidden
            | ErrorKind::NoSuchPath
            | ErrorKind::NoSuchRoute
            | ErrorKind::Disabled
    );
    provider_error(context, response, "the stream failed", error, status, &advice).permanent(is_permanent)
}

/// There is not enough memory for an event of the stream.
pub(super) fn event_out_of_memory(context: &ErrorContext, response: ResponseContext, size: usize) -> Error {
    bad_success(context, response, Status::OutOfMemory, &format!("not enough memory for an event of {size} bytes"))
}

/// Another process opened the stream.
pub(super) fn foreign_process(context: &ErrorContext) -> Error {
    let cause = "the stream belongs to the process that opened it, from which this process was forked";
    context.error(Status::InvalidArgument, cause)
}

/// The program ended the stream.
pub(super) fn stopped(context: &ErrorContext, why: &str) -> Error {
    context.error(Status::Cancelled, why)
}

pub(super) fn event_too_large(context: &ErrorContext, response: ResponseContext, limit: usize) -> Error {
    let cause = format!("an event of the stream exceeds {limit} bytes (max_event_bytes)");
    bad_success(context, response, Status::ResponseTooLarge, &cause)
}

/// The stream has more candidates or tool calls than any response.
pub(super) fn too_many(context: &ErrorContext, response: ResponseContext, what: &str, limit: usize) -> Error {
    bad_success(context, response, Status::BadResponse, &format!("the stream has more than {limit} {what}"))
}

/// The text of the stream exceeds the limit for gathering.
pub(super) fn too_much_gathered(context: &ErrorContext, response: ResponseContext, limit: usize) -> Error {
    let cause = format!(
        "the text of the stream exceeds {limit} bytes (max_gathered_bytes); set gather_stream to false to keep none of it"
    );
    bad_success(context, response, Status::ResponseTooLarge, &cause)
}

/// A response with a success status that is an error nevertheless. Its body may be a part, such as an event.
#[derive(Clone, Copy)]
pub(super) struct ResponseContext<'a> {
    pub http_status: u16,
    /// The raw head; see [`crate::http::header_fields`].
    pub head: &'a [u8],
    pub body: &'a [u8],
}

impl<'a> ResponseContext<'a> {
    /// An event of a stream. [`with_head`] adds the head at the end of the stream.
    pub fn in_stream(http_status: u16, data: &'a [u8]) -> ResponseContext<'a> {
        ResponseContext { http_status, head: b"", body: data }
    }
}

impl<'a> From<&'a Reply> for ResponseContext<'a> {
    fn from(reply: &'a Reply) -> ResponseContext<'a> {
        ResponseContext { http_status: reply.status, head: &reply.head, body: &reply.body }
    }
}

/// Adds the headers of the response to its error.
pub(super) fn with_head(context: &ErrorContext, mut error: Error, head: &[u8]) -> Error {
    error.set_headers(ErrorHeaders::of_head(head, |value| context.secrets.mask(value)));
    error
}

fn bad_success(context: &ErrorContext, response: ResponseContext, status: Status, cause: &str) -> Error {
    const MAX_BODY: usize = 64 * 1024;
    let http_status = response.http_status;
    context.error(status, &format!("HTTP status {http_status}, but {cause}")).with_response(ErrorResponseDetails {
        http_status,
        gateway_code: None,
        retry_after: None,
        headers: ErrorHeaders::of_head(response.head, |value| context.secrets.mask(value)),
        body: context.secrets.mask_bytes(response.body[..response.body.len().min(MAX_BODY)].to_owned()),
    })
}
