//! Failures in words: what was tried, what came back, what to do.

use std::fmt;
use std::time::Duration;

use super::auth::Auth;
use super::error::{Error, Refused, RefusedHeaders, Status};
use super::options::CallOptions;
use super::text::shown;
use crate::dialect::{Candidate, Kind, Malformed, Refusal, beginning};
use crate::http::{Failure, GatewayUri, Headers, Limit, Method, Phase, Reply, mask_bytes, mask_text, without_secrets};

/// What was tried; it is shown as method and URL.
pub(super) struct Tried<'a> {
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

impl Tried<'_> {
    /// What came of it, without the secrets: a server may have brought them even into the path.
    fn error(&self, status: Status, what: &str) -> Error {
        Error::new(status, self.secrets.mask(&format!("{self}: {what}")))
    }
}

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}{}", self.method.as_str(), self.uri, self.path)
    }
}

/// There was no answer.
pub(super) fn failure(tried: &Tried, failure: Failure, options: &CallOptions) -> Error {
    let (status, what, advice) = told(&failure, options);
    let (pause, advice) = if advice.is_empty() { ("", "") } else { ("; ", advice) };
    tried.error(status, &format!("{what}{pause}{advice}")).lasting(is_lasting(&failure))
}

/// Whether the same would fail later, too.
fn is_lasting(failure: &Failure) -> bool {
    match failure {
        Failure::Resolve { is_lasting, .. } | Failure::Tls { is_lasting, .. } | Failure::Proxy { is_lasting, .. } => {
            *is_lasting
        }
        _ => false,
    }
}

/// Why something is asked again, in a few words.
pub(super) fn reason(tried: &Tried, failure: &Failure, options: &CallOptions) -> String {
    tried.secrets.mask(&told(failure, options).1)
}

/// What happened, and what to do.
fn told(failure: &Failure, options: &CallOptions) -> (Status, String, &'static str) {
    match failure {
        Failure::Resolve { why, .. } => (
            Status::ResolveFailed,
            format!("the host name cannot be resolved ({why})"),
            "check the gateway URI and the name service",
        ),
        Failure::Connect(why) => (
            Status::ConnectFailed,
            format!("cannot connect ({why})"),
            "check that the gateway runs and that the gateway URI names its host and port",
        ),
        Failure::Tls { why, .. } => (
            Status::TlsFailed,
            format!("no secure connection ({why})"),
            "check the gateway's certificate, and that its port speaks TLS",
        ),
        Failure::Proxy { why, .. } => (
            Status::ProxyFailed,
            format!("the proxy failed ({why})"),
            "check the option proxy, or HTTP_PROXY, HTTPS_PROXY and NO_PROXY",
        ),
        Failure::Lost(why, _) | Failure::LostIdle(why) => (
            Status::ConnectionLost,
            format!("the connection broke before the response was complete ({why})"),
            "the request may have been processed",
        ),
        Failure::Protocol(why) => {
            (Status::BadResponse, format!("what came back is not HTTP/1.1 ({why})"), "check the gateway URI")
        }
        Failure::Encoded(encoding) => (
            Status::BadResponse,
            format!("the body is encoded ({encoding}), although the request has \"Accept-Encoding: identity\""),
            "switch compression off in the gateway or the proxy before it",
        ),
        Failure::Timeout(limit, phase) => timed_out(*limit, doing(*phase), *phase, options),
        Failure::ConnectTimeout(limit, addresses) => {
            timed_out(*limit, &format!("connecting to {addresses}"), Phase::Connect, options)
        }
        Failure::Cancelled(phase) => (Status::Cancelled, format!("cancelled while {}", doing(*phase)), ""),
        Failure::OutOfMemory(size) => {
            (Status::OutOfMemory, format!("there is no memory for an answer of {size} bytes"), "")
        }
        Failure::TooLarge(limit) => (
            Status::ResponseTooLarge,
            format!("the answer is longer than the {limit} bytes that are allowed"),
            if *limit == options.limits.body { "see the option max_response_bytes" } else { "" },
        ),
        Failure::HeadTooLarge(limit) => (
            Status::ResponseTooLarge,
            format!("the head of the response is longer than {limit} bytes"),
            "see the option max_header_bytes",
        ),
        Failure::TooManyHeaders(limit) => (
            Status::ResponseTooLarge,
            format!("the response has more than {limit} header fields"),
            "check the gateway and the proxy before it",
        ),
    }
}

fn timed_out(limit: Limit, doing: &str, phase: Phase, options: &CallOptions) -> (Status, String, &'static str) {
    let (time, name) = match limit {
        Limit::Total => (options.timeout, "timeout_ms"),
        Limit::Connect => (options.timeouts.connect, "connect_timeout_ms"),
        Limit::FirstByte => (options.timeouts.first_byte, "first_byte_timeout_ms"),
        Limit::Idle => (options.idle_timeout, "idle_timeout_ms"),
        Limit::Stream => (options.stream_timeout, "stream_timeout_ms"),
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
    let what = format!("timed out while {doing}: the {} ms of {name} are over", time.as_millis());
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
pub(super) fn refusal(tried: &Tried, reply: Reply, refusal: Refusal, route: &str) -> Error {
    let verdict = verdict(refusal.kind, route);
    refused(tried, reply, refusal, verdict)
}

fn refused(tried: &Tried, reply: Reply, refusal: Refusal, (status, advice): (Status, String)) -> Error {
    let moved = match (&reply.location, reply.status) {
        (Some(location), 300..=399) => {
            format!("; the gateway has moved: use {} to make the gateway URI", without_secrets(location))
        }
        _ => String::new(),
    };
    let words = refusal.words.map(|words| format!(": {words}")).unwrap_or_default();
    let words = if advice.is_empty() { words.as_str() } else { words.trim_end_matches('.') };
    tried.error(status, &format!("HTTP status {}{words}{advice}{moved}", reply.status)).with_answer(Refused {
        http_status: reply.status,
        gateway_code: refusal.code.map(|code| tried.secrets.mask(&code)),
        retry_after: reply.retry_after,
        headers: RefusedHeaders::of_head(&reply.head, |value| tried.secrets.mask(value)),
        body: tried.secrets.mask_bytes(reply.body),
    })
}

/// The server has none of the paths by which gateways tell of their routes.
pub(super) fn no_gateway(tried: &Tried, reply: Reply, refusal: Refusal) -> Error {
    let error = self::refusal(tried, reply, Refusal { kind: Kind::NoSuchPath, ..refusal }, "");
    error.with_hint(
        "no prompt was sent, since the server has no path of any gateway's; the option dialect names one all the same",
    )
}

/// A server of OpenAI's API that has no list of its models.
pub(super) fn no_models(tried: &Tried, reply: Reply, refusal: Refusal) -> Error {
    let error = self::refusal(tried, reply, Refusal { kind: Kind::Disabled, ..refusal }, "");
    error.with_hint(
        "there is no list of models at this place, by which it would also tell its health; check the gateway URI",
    )
}

/// The response to a raw request was a refusal: what it is about, only the caller knows.
pub(super) fn raw_refusal(tried: &Tried, reply: Reply, refusal: Refusal) -> Error {
    let verdict = match refusal.kind {
        Kind::NoSuchPath | Kind::NoSuchRoute => {
            (Status::NotFound, "; check the method and the path, which is below the gateway URI".to_owned())
        }
        kind => verdict(kind, ""),
    };
    refused(tried, reply, refusal, verdict)
}

/// What a refusal of this kind is to a program, and what to do about it.
fn verdict(kind: Kind, route: &str) -> (Status, String) {
    match kind {
        Kind::BadRequest => (Status::BadRequest, String::new()),
        Kind::Unauthorized => (
            Status::Unauthorized,
            // The upstream's 401 arrives in the same way as the gateway's own.
            "; check the credentials (options username and password, bearer_token, or client_id and client_secret), or \
             the provider's key in the gateway's configuration"
                .to_owned(),
        ),
        Kind::Forbidden => (Status::Forbidden, "; the credentials do not allow this".to_owned()),
        Kind::NoSuchPath => (
            Status::NotFound,
            "; check that the gateway URI is an MLflow gateway's, with the path under which it is mounted, or ends in /v1 \
             for a server of OpenAI's API"
                .to_owned(),
        ),
        Kind::NoSuchRoute => (Status::NotFound, format!("; check the route's name, \"{route}\"")),
        Kind::RateLimited => (Status::RateLimited, "; call less often, or later".to_owned()),
        Kind::BudgetExceeded => (Status::BudgetExceeded, "; calling again does not help".to_owned()),
        Kind::GuardrailBlocked => (Status::GuardrailBlocked, String::new()),
        Kind::ServerError => (
            Status::ServerError,
            "; the gateway or the model provider behind it has a fault: see the gateway's log".to_owned(),
        ),
        Kind::Disabled => (Status::Unsupported, "; this server does not have that".to_owned()),
        Kind::Other => (Status::HttpError, String::new()),
    }
}

/// The server cannot stream, and took the attempt for its provider's fault.
pub(super) fn cannot_stream(tried: &Tried, answer: Answered) -> Error {
    let what = "this release of MLflow cannot stream (2.10 and later can); ask for the whole answer";
    answered(tried, answer, Status::Unsupported, what)
}

/// An answer that is no success to who asked for a token.
pub(super) fn client_refused(tried: &Tried, reply: Reply, refusal: Refusal) -> Error {
    let is_clients_fault = matches!(refusal.kind, Kind::BadRequest | Kind::Unauthorized | Kind::Forbidden);
    let refusal = if is_clients_fault { Refusal { kind: Kind::Unauthorized, ..refusal } } else { refusal };
    let error = self::refusal(tried, reply, refusal, "");
    error.with_hint("no token was given for the options client_id and client_secret")
}

/// An answer without the token that was asked for.
pub(super) fn no_token(tried: &Tried, answer: Answered, why: &str) -> Error {
    let page = if answer.body.trim_ascii_start().starts_with(b"<") { "the answer is an HTML page; " } else { "" };
    answered(tried, answer, Status::BadResponse, &format!("{page}no token can be had from it: {why}"))
}

/// The list of routes does not have the one that was asked for.
pub(super) fn absent(tried: &Tried, answer: Answered, hint: &str) -> Error {
    answered(tried, answer, Status::NotFound, hint)
}

/// The list of routes does not end, or does not begin.
pub(super) fn no_list(tried: &Tried, answer: Answered, why: &str) -> Error {
    answered(tried, answer, Status::BadResponse, &format!("it is not a list of routes: {why}"))
}

/// The response does not describe the route that was asked for.
pub(super) fn no_route(tried: &Tried, answer: Answered) -> Error {
    answered(tried, answer, Status::BadResponse, "it does not describe the route: its shape is another one")
}

/// The server says that it is not well, or says something else.
pub(super) fn not_healthy(tried: &Tried, answer: Answered, is_told: bool) -> Error {
    let beginning = beginning(answer.body);
    if is_told {
        answered(tried, answer, Status::ServerError, &format!("the gateway says that it is not well: {beginning}"))
    } else {
        let what = format!("that is not how a gateway says that it is well; the answer begins with: {beginning}");
        answered(tried, answer, Status::BadResponse, &what)
    }
}

/// One attempt, for the log: what came of it, and why it was not the first.
pub(super) fn attempt(tried: &Tried, came: Result<u16, Error>, took: Duration, again: Option<&str>) -> String {
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
pub(super) fn malformed(tried: &Tried, answer: Answered, malformed: Malformed) -> Error {
    let (status, what) = match malformed {
        Malformed::Html => (
            Status::BadResponse,
            "the answer is an HTML page; check that the gateway URI is the gateway's and not a login page's or a proxy's"
                .to_owned(),
        ),
        Malformed::NotJson(why, beginning) => {
            (Status::BadResponse, format!("the answer is not JSON ({why}); it begins with: {beginning}"))
        }
        Malformed::WrongShape(why, beginning) => (
            Status::BadResponse,
            format!("the answer is JSON, but not a gateway's answer ({why}); it begins with: {beginning}"),
        ),
        Malformed::Refused(refusal) => return refused_in_success(tried, answer, *refusal),
        Malformed::NoCandidates => (Status::NoCandidates, "the answer holds no candidates".to_owned()),
        Malformed::OutOfMemory(dimension) => {
            (Status::OutOfMemory, format!("there is no memory for all vectors, which have {dimension} numbers each"))
        }
        Malformed::NoMemory(size) => {
            (Status::OutOfMemory, format!("there is no memory to read {size} bytes of it"))
        }
    };
    answered(tried, answer, status, &what)
}

/// The body of a success says that it is an error: of the model provider, whose name for the model is not the route's.
fn refused_in_success(tried: &Tried, answer: Answered, refusal: Refusal) -> Error {
    let (status, advice) = match refusal.kind {
        Kind::NoSuchRoute | Kind::NoSuchPath => (Status::NotFound, String::new()),
        kind => verdict(kind, ""),
    };
    let words = refusal.words.as_deref().unwrap_or("it does not say why");
    let words = if advice.is_empty() { words } else { words.trim_end_matches('.') };
    let mut error = answered(tried, answer, status, &format!("the response is an error: {words}{advice}"));
    error.set_gateway_code(refusal.code.map(|code| tried.secrets.mask(&code)));
    error
}

/// The first candidate has no text.
pub(super) fn no_text(tried: &Tried, answer: Answered, candidate: &Candidate) -> Error {
    let why = match candidate {
        Candidate { refusal: Some(refusal), .. } => format!("the model refused: {}", beginning(refusal.0.as_bytes())),
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
    let reason = candidate.finish_reason.as_ref().map(|reason| shown(&reason.0));
    let reason = reason.map(|reason| format!(" (finish_reason \"{reason}\")")).unwrap_or_default();
    answered(tried, answer, Status::NoText, &format!("the first candidate has no text: {why}{reason}"))
}

/// Another number of vectors came than of inputs was sent.
pub(super) fn wrong_count(tried: &Tried, answer: Answered, inputs: usize, vectors: usize) -> Error {
    let what = format!("the number of vectors in it is {vectors}, and that of the inputs {inputs}");
    answered(tried, answer, Status::BadResponse, &what)
}

/// The stream ended before the answer did.
pub(super) fn truncated(tried: &Tried, answer: Answered, why: &str, has_begun: bool) -> Error {
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
pub(super) fn error_event(tried: &Tried, answer: Answered, refusal: Refusal) -> Error {
    let (status, advice) = match refusal.kind {
        kind @ (Kind::RateLimited | Kind::BudgetExceeded | Kind::GuardrailBlocked) => verdict(kind, ""),
        _ => (Status::StreamError, String::new()),
    };
    let words = refusal.words.as_deref().unwrap_or("it does not say why");
    let words = if advice.is_empty() { words } else { words.trim_end_matches('.') };
    let is_lasting = matches!(
        refusal.kind,
        Kind::BadRequest | Kind::Unauthorized | Kind::Forbidden | Kind::NoSuchPath | Kind::NoSuchRoute | Kind::Disabled
    );
    let mut error = answered(tried, answer, status, &format!("the stream failed: {words}{advice}")).lasting(is_lasting);
    error.set_gateway_code(refusal.code.map(|code| tried.secrets.mask(&code)));
    error
}

/// There is no memory for what the stream gathers.
pub(super) fn no_memory(tried: &Tried, answer: Answered, size: usize) -> Error {
    answered(tried, answer, Status::OutOfMemory, &format!("there is no memory for an event of {size} bytes"))
}

/// The stream is another process's.
pub(super) fn not_ours(tried: &Tried) -> Error {
    let what = "the stream was opened by another process, from which this one was forked, and goes on there";
    tried.error(Status::InvalidArgument, what)
}

/// The program ended the stream.
pub(super) fn stopped(tried: &Tried, why: &str) -> Error {
    tried.error(Status::Cancelled, why)
}

/// An event of the stream is longer than it may be.
pub(super) fn event_too_large(tried: &Tried, answer: Answered, limit: usize) -> Error {
    let what = format!("an event of the stream is longer than {limit} bytes (max_event_bytes)");
    answered(tried, answer, Status::ResponseTooLarge, &what)
}

/// The stream has more candidates, or calls of tools, than there can be.
pub(super) fn too_many(tried: &Tried, answer: Answered, what: &str, most: usize) -> Error {
    answered(tried, answer, Status::BadResponse, &format!("the stream has more than {most} {what}"))
}

/// The texts of the stream are longer together than a whole answer may be.
pub(super) fn too_much_gathered(tried: &Tried, answer: Answered, limit: usize) -> Error {
    let what = format!(
        "the stream has more than {limit} bytes of text (max_gathered_bytes); with gather_stream=false they are not kept"
    );
    answered(tried, answer, Status::ResponseTooLarge, &what)
}

/// A success that turned out to be none: its status, and as much of its body as matters.
#[derive(Clone, Copy)]
pub(super) struct Answered<'a> {
    pub http_status: u16,
    /// As it came; see [`crate::http::header_fields`].
    pub head: &'a [u8],
    pub body: &'a [u8],
}

impl<'a> Answered<'a> {
    /// Of a stream, whose head is added by [`with_head`] where it ends.
    pub fn in_stream(http_status: u16, data: &'a [u8]) -> Answered<'a> {
        Answered { http_status, head: b"", body: data }
    }
}

impl<'a> From<&'a Reply> for Answered<'a> {
    fn from(reply: &'a Reply) -> Answered<'a> {
        Answered { http_status: reply.status, head: &reply.head, body: &reply.body }
    }
}

/// Adds the headers of the response.
pub(super) fn with_head(tried: &Tried, mut error: Error, head: &[u8]) -> Error {
    error.set_headers(RefusedHeaders::of_head(head, |value| tried.secrets.mask(value)));
    error
}

fn answered(tried: &Tried, answer: Answered, status: Status, what: &str) -> Error {
    const KEPT: usize = 64 * 1024;
    let http_status = answer.http_status;
    tried.error(status, &format!("HTTP status {http_status}, but {what}")).with_answer(Refused {
        http_status,
        gateway_code: None,
        retry_after: None,
        headers: RefusedHeaders::of_head(answer.head, |value| tried.secrets.mask(value)),
        body: tried.secrets.mask_bytes(answer.body[..answer.body.len().min(KEPT)].to_owned()),
    })
}
