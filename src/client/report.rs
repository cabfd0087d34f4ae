//! Failures in words: what was tried, what came back, what to do.

use std::time::Duration;

use super::error::{Error, Refused, Status};
use crate::dialect::{Kind, Malformed, Refusal};
use crate::http::{Exchange, Failure, Phase, Reply};

/// There was no answer.
pub(super) fn failure(tried: &Exchange, failure: Failure, timeout: Duration) -> Error {
    let (status, what) = match failure {
        Failure::Resolve(why) => (
            Status::ResolveFailed,
            format!("the host name cannot be resolved ({why}); check the gateway URI and the name service"),
        ),
        Failure::Connect(why) => (
            Status::ConnectFailed,
            format!(
                "cannot connect ({why}); check that the gateway runs and that the gateway URI names its host and port"
            ),
        ),
        Failure::Tls(why) => (
            Status::TlsFailed,
            format!("no secure connection ({why}); check the gateway's certificate, and that its port speaks TLS"),
        ),
        Failure::Proxy(why) => {
            (Status::ProxyFailed, format!("the proxy failed ({why}); check HTTP_PROXY, HTTPS_PROXY and NO_PROXY"))
        }
        Failure::Lost(why) => (
            Status::ConnectionLost,
            format!(
                "the connection broke before the answer was complete ({why}); the question may have been processed"
            ),
        ),
        Failure::Protocol(why) => {
            (Status::BadResponse, format!("what came back is not HTTP/1.1 ({why}); check the gateway URI"))
        }
        Failure::Timeout(phase) => return timed_out(tried, phase, timeout),
        Failure::OutOfMemory(size) => {
            (Status::OutOfMemory, format!("there is no memory for an answer of {size} bytes"))
        }
        Failure::TooLarge(limit) => {
            (Status::ResponseTooLarge, format!("the answer is longer than the {limit} bytes that are allowed"))
        }
    };
    Error::new(status, format!("{}: {what}", request(tried)))
}

fn timed_out(tried: &Exchange, phase: Phase, timeout: Duration) -> Error {
    let (what, advice) = match phase {
        Phase::Resolve => ("the host name was not resolved", "check the name service"),
        Phase::Connect => ("no connection was made", "check that the gateway's host is up and reachable"),
        Phase::Exchange => ("there was no complete answer", "the model may need longer: raise timeout_ms"),
    };
    Error::new(
        Status::Timeout,
        format!("{}: {what} within {} ms (timeout_ms); {advice}", request(tried), timeout.as_millis()),
    )
}

/// The answer was a no.
pub(super) fn refusal(tried: &Exchange, reply: Reply, refusal: Refusal, route: &str) -> Error {
    let (status, advice) = match refusal.kind {
        Kind::BadRequest => (Status::BadRequest, String::new()),
        Kind::Unauthorized => (
            Status::Unauthorized,
            // The upstream's 401 arrives in the same way as the gateway's own.
            "; check the credentials: the header Authorization, or the provider's key in the gateway's configuration"
                .to_owned(),
        ),
        Kind::Forbidden => (Status::Forbidden, "; the credentials do not allow this".to_owned()),
        Kind::NoSuchPath => (
            Status::NotFound,
            "; check that the gateway URI is an MLflow gateway's, with the path under which it is mounted".to_owned(),
        ),
        Kind::NoSuchRoute => (Status::NotFound, format!("; check the route's name, \"{route}\"")),
        Kind::RateLimited => (Status::RateLimited, "; call less often, or later".to_owned()),
        Kind::BudgetExceeded => (Status::BudgetExceeded, "; calling again does not help".to_owned()),
        Kind::GuardrailBlocked => (Status::GuardrailBlocked, String::new()),
        Kind::ServerError => (
            Status::ServerError,
            "; the gateway or the model provider behind it has a fault: see the gateway's log".to_owned(),
        ),
        Kind::Other => (Status::HttpError, String::new()),
    };
    let moved = match (&reply.location, reply.status) {
        (Some(location), 300..=399) => format!("; the gateway has moved: use {location} to make the gateway URI"),
        _ => String::new(),
    };
    let words = refusal.words.map(|words| format!(": {}", tried.headers.mask(&words))).unwrap_or_default();
    Error::new(status, format!("{}: HTTP status {}{words}{advice}{moved}", request(tried), reply.status)).with_answer(
        Refused {
            http_status: reply.status,
            gateway_code: refusal.code,
            retry_after: reply.retry_after,
            body: reply.body,
        },
    )
}

/// The answer was a success that cannot be understood.
pub(super) fn malformed(tried: &Exchange, reply: &Reply, malformed: Malformed) -> Error {
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
        Malformed::NoCandidates => (Status::NoCandidates, "the answer holds no candidates".to_owned()),
    };
    answered(tried, reply, status, &what)
}

/// The first candidate has no text, because the model asks for a tool to be called.
pub(super) fn only_tool_calls(tried: &Exchange, reply: &Reply) -> Error {
    answered(tried, reply, Status::NoCandidates, "the model asks for tools to be called and says no text")
}

fn answered(tried: &Exchange, reply: &Reply, status: Status, what: &str) -> Error {
    const KEPT: usize = 64 * 1024;
    Error::new(status, format!("{}: HTTP status {}, but {what}", request(tried), reply.status)).with_answer(Refused {
        http_status: reply.status,
        gateway_code: None,
        retry_after: None,
        body: reply.body[..reply.body.len().min(KEPT)].to_owned(),
    })
}

fn request(tried: &Exchange) -> String {
    format!("{} {}{}", tried.method.as_str(), tried.uri, tried.path)
}
