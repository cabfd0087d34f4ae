//! Failures in words: what was tried, what came back, what to do.

use std::fmt;
use std::time::Duration;

use super::auth::Auth;
use super::error::{Error, ErrorHeaders, ErrorResponseDetails, Status, shortened};
use super::options::CallOptions;
use crate::dialect::{Candidate, DecodeError, ErrorKind, ErrorResponse, excerpt};
use crate::http::{
    GatewayUri, Headers, Limit, Method, Phase, Reply, TransportError, mask_bytes, mask_text, without_secrets,
};

/// What was tried; it is shown as method and URL.
pub(super) struct ErrorContext<'a> {
    pub method: Method<'a>,
    pub uri: &'a GatewayUri,
    pub path: &'a str,
    pub secrets: Secrets<'a>,
}

/// What is masked where a server repeats it.
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
    /// What came of it, without the secrets: a server may have brought them even into the path.
    fn error(&self, status: Status, what: &str) -> Error {
        Error::new(status, self.secrets.mask(&format!("{self}: {what}")))
    }
}

impl fmt::Display for ErrorContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}{}", self.method.as_str(), self.uri, self.path)
    }
}

/// There was no answer.
pub(super) fn failure(tried: &ErrorContext, failure: TransportError, options: &CallOptions) -> Error {
    let (status, what, advice) = told(&failure, options);
    let (pause, advice) = if advice.is_empty() { ("", "") } else { ("; ", advice) };
    tried.error(status, &format!("{what}{pause}{advice}")).permanent(is_lasting(&failure))
}

/// Whether the same would fail later, too.
fn is_lasting(failure: &TransportError) -> bool {
    match failure {
        TransportError::Resolve { is_permanent, .. }
        | TransportError::Tls { is_permanent, .. }
        | TransportError::Proxy { is_permanent, .. } => *is_permanent,
        _ => false,
    }
}

/// Why something is asked again, in a few words.
pub(super) fn reason(tried: &ErrorContext, failure: &TransportError, options: &CallOptions) -> String {
    tried.secrets.mask(&told(failure, options).1)
}

/// What happened, and what to do.
fn told(failure: &TransportError, options: &CallOptions) -> (Status, String, &'static str) {
    match failure {
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
            format!("no secure connection ({why})"),
            "check the gateway's certificate, and that its port speaks TLS",
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
            (Status::BadResponse, format!("what came back is not HTTP/1.1 ({why})"), "check the gateway URI")
        }
        TransportError::Encoded(encoding) => (
            Status::BadResponse,
            format!("the body is encoded ({encoding}), although the request has \"Accept-Encoding: identity\""),
            "switch compression off in the gateway or the proxy before it",
        ),
        TransportError::Timeout(limit, phase) => timed_out(*limit, doing(*phase), *phase, options),
        TransportError::ConnectTimeout(limit, addresses) => {
            timed_out(*limit, &format!("connecting to {addresses}"), Phase::Connect, options)
        }
        TransportError::Cancelled(phase) => (Status::Cancelled, format!("cancelled while {}", doing(*phase)), ""),
        TransportError::OutOfMemory(size) => {
            (Status::OutOfMemory, format!("there is no memory for an answer of {size} bytes"), "")
        }
        TransportError::TooLarge(limit) => (
            Status::ResponseTooLarge,
            format!("the answer is longer than the {limit} bytes that are allowed"),
            if *limit == options.limits.body { "see the option max_response_bytes" } else { "" },
        ),
        TransportError::HeadTooLarge(limit) => (
            Status::ResponseTooLarge,
            format!("the head of the response is longer than {limit} bytes"),
            "see the option max_header_bytes",
        ),
        TransportError::EventTooLarge(limit) => (
            Status::ResponseTooLarge,
            format!("an event of the stream is longer than {limit} bytes (max_event_bytes)"),
            "",
        ),
        TransportError::TooManyHeaders(limit) => (
            Status::ResponseTooLarge,
            format!("the response has more than {limit} header fields"),
            "check the gateway and the proxy before it",
        ),
    }
}

fn timed_out(limit: Limit, doing: &str, phase: Phase, options: &CallOptions) -> (Status, String, &'static str) {
    let (time, name) = match limit {
        Limit::Total => (Some(options.timeout), "timeout_ms"),
        Limit::Connect => (options.timeouts.connect, "connect_timeout_ms"),
        Limit::FirstByte => (options.timeouts.first_byte, "first_byte_timeout_ms"),
        Limit::Idle => (options.idle_timeout, "idle_timeout_ms"),
        Limit::Stream => (Some(options.stream_timeout), "stream_timeout_ms"),
        Limit::Discovery => {
            let what = format!("timed out while {doing}: the time for discovery is over");
            return (Status::Timeout, what, "the option dialect makes discovery unnecessary");
        }
    };
    let advice = match phase {
        Phase::Resolve => "check the name service",
        Phase::Connect => "check that the gateway's host is up and reachable",
        Phase::Proxy => "check that the proxy is well",
        Phase::Tls => "check that the gateway's port speaks TLS",
        Phase::Send | Phase::Backoff | Phase::Share => "the gateway may be overloaded",
        Phase::Wait | Phase::Read | Phase::Event => "the model may need longer: raise it",
    };
    let what = format!("timed out while {doing}: the {} ms of {name} are over", time.unwrap_or_default().as_millis());
    (Status::Timeout, what, advice)
}

fn doing(phase: Phase) -> &'static str {
    match phase {
        Phase::Share => "waiting for another thread's question",
        Phase::Resolve => "resolving the host name",
        Phase::Connect => "connecting",
        Phase::Proxy => "asking the proxy",
        Phase::Tls => "shaking hands (TLS)",
        Phase::Send => "sending the question",
        Phase::Wait => "waiting for the answer",
        Phase::Read => "reading the answer",
        Phase::Event => "waiting for the next event",
        Phase::Backoff => "waiting to ask again",
    }
}

/// The response was a refusal.
pub(super) fn refusal(tried: &ErrorContext, reply: Reply, refusal: ErrorResponse, route: &str) -> Error {
    let verdict = verdict(refusal.kind, route);
    refused(tried, reply, refusal, verdict)
}

fn refused(tried: &ErrorContext, reply: Reply, refusal: ErrorResponse, (status, advice): (Status, String)) -> Error {
    let moved = match (&reply.location, reply.status) {
        (Some(location), 300..=399) => {
            format!("; the gateway has moved: use {} to make the gateway URI", without_secrets(location))
        }
        _ => String::new(),
    };
    let words = refusal.message.map(|words| format!(": {words}")).unwrap_or_default();
    let words = if advice.is_empty() { words.as_str() } else { words.trim_end_matches('.') };
    tried.error(status, &format!("HTTP status {}{words}{advice}{moved}", reply.status)).with_response(
        ErrorResponseDetails {
            http_status: reply.status,
            gateway_code: refusal.code.map(|code| tried.secrets.mask(&code)),
            retry_after: reply.retry_after,
            headers: ErrorHeaders::of_head(&reply.head, |value| tried.secrets.mask(value)),
            body: tried.secrets.mask_bytes(reply.body),
        },
    )
}

/// The server has none of the paths by which gateways tell of their routes.
pub(super) fn no_gateway(tried: &ErrorContext, reply: Reply, refusal: ErrorResponse) -> Error {
    let error = self::refusal(tried, reply, ErrorResponse { kind: ErrorKind::NoSuchPath, ..refusal }, "");
    error.with_hint(
        "no prompt was sent, since the server has no path of any gateway's; the option dialect names one all the same",
    )
}

/// A server of OpenAI's API that has no list of its models.
pub(super) fn no_models(tried: &ErrorContext, reply: Reply, refusal: ErrorResponse) -> Error {
    let error = self::refusal(tried, reply, ErrorResponse { kind: ErrorKind::Disabled, ..refusal }, "");
    error.with_hint(
        "there is no list of models at this place, by which it would also tell its health; check the gateway URI",
    )
}

/// The response to a raw request was a refusal: what it is about, only the caller knows.
pub(super) fn raw_refusal(tried: &ErrorContext, reply: Reply, refusal: ErrorResponse) -> Error {
    let verdict = match refusal.kind {
        ErrorKind::NoSuchPath | ErrorKind::NoSuchRoute => {
            (Status::NotFound, "; check the method and the path, which is below the gateway URI".to_owned())
        }
        kind => verdict(kind, ""),
    };
    refused(tried, reply, refusal, verdict)
}

/// What a refusal of this kind is to a program, and what to do about it.
fn verdict(kind: ErrorKind, route: &str) -> (Status, String) {
    match kind {
        ErrorKind::BadRequest => (Status::BadRequest, String::new()),
        ErrorKind::Unauthorized => (
            Status::Unauthorized,
            // The upstream's 401 arrives in the same way as the gateway's own.
            "; check the credentials (options username and password, bearer_token, or client_id and client_secret), or \
             the provider's key in the gateway's configuration"
                .to_owned(),
        ),
        ErrorKind::Forbidden => (Status::Forbidden, "; the credentials do not allow this".to_owned()),
        ErrorKind::NoSuchPath => (
            Status::NotFound,
            "; check that the gateway URI is an MLflow gateway's, with the path under which it is mounted, or ends in /v1 \
             for a server of OpenAI's API"
                .to_owned(),
        ),
        ErrorKind::NoSuchRoute => (Status::NotFound, format!("; check the route's name, \"{route}\"")),
        ErrorKind::RateLimited => (Status::RateLimited, "; call less often, or later".to_owned()),
        ErrorKind::BudgetExceeded => (Status::BudgetExceeded, "; calling again does not help".to_owned()),
        ErrorKind::GuardrailBlocked => (Status::GuardrailBlocked, String::new()),
        ErrorKind::ServerError => (
            Status::ServerError,
            "; the gateway or the model provider behind it has a fault: see the gateway's log".to_owned(),
        ),
        ErrorKind::Disabled => (Status::Unsupported, "; this server does not have that".to_owned()),
        ErrorKind::Other => (Status::HttpError, String::new()),
    }
}

/// The server cannot stream, and took the attempt for its provider's fault.
pub(super) fn cannot_stream(tried: &ErrorContext, answer: ResponseContext) -> Error {
    let what = "this release of MLflow cannot stream (2.10 and later can); ask for the whole answer";
    answered(tried, answer, Status::Unsupported, what)
}

/// An answer that is no success to who asked for a token.
pub(super) fn client_refused(tried: &ErrorContext, reply: Reply, refusal: ErrorResponse) -> Error {
    let is_clients_fault =
        matches!(refusal.kind, ErrorKind::BadRequest | ErrorKind::Unauthorized | ErrorKind::Forbidden);
    let refusal = if is_clients_fault { ErrorResponse { kind: ErrorKind::Unauthorized, ..refusal } } else { refusal };
    let error = self::refusal(tried, reply, refusal, "");
    error.with_hint("no token was given for the options client_id and client_secret")
}

/// An answer without the token that was asked for.
pub(super) fn no_token(tried: &ErrorContext, answer: ResponseContext, why: &str) -> Error {
    let page = if answer.body.trim_ascii_start().starts_with(b"<") { "the answer is an HTML page; " } else { "" };
    answered(tried, answer, Status::BadResponse, &format!("{page}no token can be had from it: {why}"))
}

/// The list of routes does not have the one that was asked for.
pub(super) fn absent(tried: &ErrorContext, answer: ResponseContext, hint: &str) -> Error {
    answered(tried, answer, Status::NotFound, hint)
}

/// The list of routes does not end, or does not begin.
pub(super) fn no_list(tried: &ErrorContext, answer: ResponseContext, why: &str) -> Error {
    answered(tried, answer, Status::BadResponse, &format!("it is not a list of routes: {why}"))
}

/// The response does not describe the route that was asked for.
pub(super) fn no_route(tried: &ErrorContext, answer: ResponseContext) -> Error {
    answered(tried, answer, Status::BadResponse, "it does not describe the route: its shape is another one")
}

/// The server says that it is not well, or says something else.
pub(super) fn not_healthy(tried: &ErrorContext, answer: ResponseContext, is_told: bool) -> Error {
    let beginning = excerpt(answer.body);
    if is_told {
        answered(tried, answer, Status::ServerError, &format!("the gateway says that it is not well: {beginning}"))
    } else {
        let what = format!("that is not how a gateway says that it is well; the answer begins with: {beginning}");
        answered(tried, answer, Status::BadResponse, &what)
    }
}

/// One attempt, for the log: what came of it, and why it was not the first.
pub(super) fn attempt(tried: &ErrorContext, came: Result<u16, Error>, took: Duration, again: Option<&str>) -> String {
    let us = took.as_micros();
    let ms = format!("{}.{}", us / 1000, us / 100 % 10);
    let again = again.map(|why| format!(" (again, since {why})")).unwrap_or_default();
    let line = match came {
        Ok(status) => format!("{tried}{again}: HTTP status {status} after {ms} ms"),
        Err(error) => {
            let place = tried.secrets.mask(&format!("{tried}: "));
            let why = error.message().strip_prefix(&place).unwrap_or(error.message());
            format!("{tried}{again}: {} after {ms} ms: {why}", error.status().name())
        }
    };
    tried.secrets.mask(&line)
}

/// The answer was a success that cannot be understood.
pub(super) fn malformed(tried: &ErrorContext, answer: ResponseContext, malformed: DecodeError) -> Error {
    let (status, what) = match malformed {
        DecodeError::Html => (
            Status::BadResponse,
            "the answer is an HTML page; check that the gateway URI is the gateway's and not a login page's or a proxy's"
                .to_owned(),
        ),
        DecodeError::NotJson(why, beginning) => {
            (Status::BadResponse, format!("the answer is not JSON ({why}); it begins with: {beginning}"))
        }
        DecodeError::WrongShape(why, beginning) => (
            Status::BadResponse,
            format!("the answer is JSON, but not a gateway's answer ({why}); it begins with: {beginning}"),
        ),
        DecodeError::ErrorResponse(refusal) => return refused_in_success(tried, answer, *refusal),
        DecodeError::NoCandidates => (Status::NoCandidates, "the answer holds no candidates".to_owned()),
        DecodeError::NoMemoryForEmbeddings(dimension) => {
            (Status::OutOfMemory, format!("there is no memory for all vectors, which have {dimension} numbers each"))
        }
        DecodeError::NoMemoryToParse(size) => {
            (Status::OutOfMemory, format!("there is no memory to read {size} bytes of it"))
        }
    };
    answered(tried, answer, status, &what)
}

/// The body of a success says that it is an error: of the model provider, whose name for the model is not the route's.
fn refused_in_success(tried: &ErrorContext, answer: ResponseContext, refusal: ErrorResponse) -> Error {
    let (status, advice) = match refusal.kind {
        ErrorKind::NoSuchRoute | ErrorKind::NoSuchPath => (Status::NotFound, String::new()),
        kind => verdict(kind, ""),
    };
    let words = refusal.message.as_deref().unwrap_or("it does not say why");
    let words = if advice.is_empty() { words } else { words.trim_end_matches('.') };
    let mut error = answered(tried, answer, status, &format!("the response is an error: {words}{advice}"));
    error.set_gateway_code(refusal.code.map(|code| tried.secrets.mask(&code)));
    error
}

/// The first candidate has no text.
pub(super) fn no_text(tried: &ErrorContext, answer: ResponseContext, candidate: &Candidate) -> Error {
    let why = match candidate {
        Candidate { refusal: Some(refusal), .. } => format!("the model refused: {}", excerpt(refusal.0.as_bytes())),
        candidate if candidate.is_filtered() => "a content filter removed it".to_owned(),
        Candidate { tool_calls: Some(_), .. } => {
            "the model asks for tool calls, which mlflow_gateway_send() returns".to_owned()
        }
        Candidate { has_media: true, .. } => {
            "only images or other media; mlflow_gateway_send() returns them".to_owned()
        }
        Candidate { has_reasoning: true, .. } => {
            "only reasoning; if the model had no tokens left for a text, raise max_tokens".to_owned()
        }
        _ => "its content is null or empty".to_owned(),
    };
    let reason = candidate.finish_reason.as_ref().map(|reason| shortened(&reason.0));
    let reason = reason.map(|reason| format!(" (finish_reason \"{reason}\")")).unwrap_or_default();
    answered(tried, answer, Status::NoText, &format!("the first candidate has no text: {why}{reason}"))
}

/// Another number of vectors came than of inputs was sent.
pub(super) fn wrong_count(tried: &ErrorContext, answer: ResponseContext, inputs: usize, vectors: usize) -> Error {
    let what = format!("the number of vectors in it is {vectors}, and that of the inputs {inputs}");
    answered(tried, answer, Status::BadResponse, &what)
}

/// The stream ended before the answer did.
pub(super) fn truncated(tried: &ErrorContext, answer: ResponseContext, why: &str, has_begun: bool) -> Error {
    // MLflow's gateways pass a provider's refusal on in no other way.
    let advice = if has_begun {
        "the gateway or the model provider behind it has failed: see its log"
    } else {
        "the model provider behind the gateway may have refused: ask without a stream to be told why"
    };
    let when = if has_begun { "before the answer did" } else { "before its first word" };
    let what = format!("the stream ended {when} ({why}); {advice}");
    answered(tried, answer, Status::StreamTruncated, &what)
}

/// An event of the stream says that the answer failed.
pub(super) fn error_event(tried: &ErrorContext, answer: ResponseContext, refusal: ErrorResponse) -> Error {
    let (status, advice) = match refusal.kind {
        kind @ (ErrorKind::RateLimited | ErrorKind::BudgetExceeded | ErrorKind::GuardrailBlocked) => verdict(kind, ""),
        _ => (Status::StreamError, String::new()),
    };
    let words = refusal.message.as_deref().unwrap_or("it does not say why");
    let words = if advice.is_empty() { words } else { words.trim_end_matches('.') };
    let is_lasting = matches!(
        refusal.kind,
        ErrorKind::BadRequest
            | ErrorKind::Unauthorized
            | ErrorKind::Forbidden
            | ErrorKind::NoSuchPath
            | ErrorKind::NoSuchRoute
            | ErrorKind::Disabled
    );
    let mut error =
        answered(tried, answer, status, &format!("the stream failed: {words}{advice}")).permanent(is_lasting);
    error.set_gateway_code(refusal.code.map(|code| tried.secrets.mask(&code)));
    error
}

/// There is no memory for what the stream gathers.
pub(super) fn no_memory(tried: &ErrorContext, answer: ResponseContext, size: usize) -> Error {
    answered(tried, answer, Status::OutOfMemory, &format!("there is no memory for an event of {size} bytes"))
}

/// The stream is another process's.
pub(super) fn not_ours(tried: &ErrorContext) -> Error {
    let what = "the stream was opened by another process, from which this one was forked, and goes on there";
    tried.error(Status::InvalidArgument, what)
}

/// The program ended the stream.
pub(super) fn stopped(tried: &ErrorContext, why: &str) -> Error {
    tried.error(Status::Cancelled, why)
}

/// An event of the stream is longer than it may be.
pub(super) fn event_too_large(tried: &ErrorContext, answer: ResponseContext, limit: usize) -> Error {
    let what = format!("an event of the stream is longer than {limit} bytes (max_event_bytes)");
    answered(tried, answer, Status::ResponseTooLarge, &what)
}

/// The stream has more candidates, or calls of tools, than there can be.
pub(super) fn too_many(tried: &ErrorContext, answer: ResponseContext, what: &str, most: usize) -> Error {
    answered(tried, answer, Status::BadResponse, &format!("the stream has more than {most} {what}"))
}

/// The texts of the stream are longer together than a whole answer may be.
pub(super) fn too_much_gathered(tried: &ErrorContext, answer: ResponseContext, limit: usize) -> Error {
    let what = format!(
        "the stream has more than {limit} bytes of text (max_gathered_bytes); with gather_stream=false they are not kept"
    );
    answered(tried, answer, Status::ResponseTooLarge, &what)
}

/// A success that turned out to be none: its status, and as much of its body as matters.
#[derive(Clone, Copy)]
pub(super) struct ResponseContext<'a> {
    pub http_status: u16,
    /// As it came; see [`crate::http::header_fields`].
    pub head: &'a [u8],
    pub body: &'a [u8],
}

impl<'a> ResponseContext<'a> {
    /// Of a stream, whose head is added by [`with_head`] where it ends.
    pub fn in_stream(http_status: u16, data: &'a [u8]) -> ResponseContext<'a> {
        ResponseContext { http_status, head: b"", body: data }
    }
}

impl<'a> From<&'a Reply> for ResponseContext<'a> {
    fn from(reply: &'a Reply) -> ResponseContext<'a> {
        ResponseContext { http_status: reply.status, head: &reply.head, body: &reply.body }
    }
}

/// Adds the headers of the response.
pub(super) fn with_head(tried: &ErrorContext, mut error: Error, head: &[u8]) -> Error {
    error.set_headers(ErrorHeaders::of_head(head, |value| tried.secrets.mask(value)));
    error
}

fn answered(tried: &ErrorContext, answer: ResponseContext, status: Status, what: &str) -> Error {
    const KEPT: usize = 64 * 1024;
    let http_status = answer.http_status;
    tried.error(status, &format!("HTTP status {http_status}, but {what}")).with_response(ErrorResponseDetails {
        http_status,
        gateway_code: None,
        retry_after: None,
        headers: ErrorHeaders::of_head(answer.head, |value| tried.secrets.mask(value)),
        body: tried.secrets.mask_bytes(answer.body[..answer.body.len().min(KEPT)].to_owned()),
    })
}
