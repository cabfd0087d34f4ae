//! Raw requests: to any path below the gateway URI, without discovery, parameters and decoding.

use std::sync::Arc;

use super::attempts::Attempts;
use super::context::CallContext;
use super::error::Error;
use super::http_request::HttpRequest;
use super::log::LogLevel;
use super::report::{self, ErrorContext};
use super::request::{RawRequest, RequestParts};
use super::response::Response;
use super::retry::RetryClass;
use super::send::send;
use super::settings::Settings;
use super::target::Target;
use crate::dialect::{ErrorKind, ErrorResponse, decode_chat, is_done};
use crate::http::{HttpResponse, Method, Phase, Reply, TransportError};

/// How an event ends a stream.
pub(super) enum StreamEnd {
    Done,
    Error(ErrorResponse),
}

/// Begins a call for a raw request. Masks the credentials in the query of its path.
pub(super) fn begin<'a>(
    target: &'a Arc<Target>,
    settings: Arc<Settings>,
    request: &RequestParts,
    raw: RawRequest,
) -> CallContext<'a> {
    let mut context = CallContext::new(target, settings, Some(request));
    let mut secrets = raw.target.secrets().peekable();
    if secrets.peek().is_some() {
        context.mask(secrets);
    }
    context
}

/// Sends a raw request and reads the whole response.
pub(super) fn request(context: &CallContext, raw: RawRequest) -> Result<Response, Error> {
    let mut attempts = Attempts::default();
    let reply = open(context, raw, false, &mut attempts).and_then(|response| {
        response
            .whole(&context.deadline(context.deadline))
            .map_err(|error| context.transport_error(&error_context(context, raw), error))
    });
    to_response(context, reply.map_err(|error| error.with_attempts(&attempts))?, &attempts)
}

/// Sends a raw request and reads all of a response other than an event stream.
pub(super) fn open(
    context: &CallContext,
    raw: RawRequest,
    wants_events: bool,
    attempts: &mut Attempts,
) -> Result<HttpResponse, Error> {
    let error_context = error_context(context, raw);
    if context.cancel.is_cancelled() {
        return Err(context.transport_error(&error_context, TransportError::Cancelled(Phase::Connect)));
    }
    let request = HttpRequest {
        method: raw.method(),
        path: raw.target.path(),
        shown_path: Some(raw.target.path_without_query()),
        body: raw.body.map(str::as_bytes),
        deadline: context.deadline,
        log_level: LogLevel::Info,
        retry_class: match raw.method() {
            Method::Get | Method::Head => RetryClass::Safe,
            Method::Post => RetryClass::ModelRequest,
            _ => RetryClass::Change,
        },
        max_body: usize::MAX,
        wants_events,
    };
    let outcome = send(context, &request, attempts);
    context.logger.flush();
    match outcome {
        Ok(HttpResponse::Whole(reply)) if !reply.is_success() => {
            let response = ErrorResponse::read(reply.status, &reply.body);
            Err(report::raw_error_response(&error_context, reply, response))
        }
        Ok(response) => Ok(response),
        Err(error) => Err(context.send_error(&error_context, error)),
    }
}

/// Makes the response of a reply. A body in another shape than a chat's has no candidates.
pub(super) fn to_response(context: &CallContext, reply: Reply, attempts: &Attempts) -> Result<Response, Error> {
    let mut response = match decode_chat(&reply.body) {
        Some(chat) => Response::of(&reply, &chat)?,
        None => Response::of_head(reply.status, &reply.head)?,
    };
    response.note_attempts(attempts)?;
    response.times.note_timestamps(context.started, reply.timestamps);
    response.times.total = Some(context.started.elapsed());
    response.with_body(reply.body)
}

/// Whether an event ends the stream.
pub(super) fn stream_end(name: &[u8], data: &[u8]) -> Option<StreamEnd> {
    if name == b"error" {
        return Some(StreamEnd::Error(ErrorResponse { kind: ErrorKind::Other, ..ErrorResponse::in_success(data) }));
    }
    is_done(data).then_some(StreamEnd::Done)
}

fn error_context<'a>(context: &'a CallContext, raw: RawRequest<'a>) -> ErrorContext<'a> {
    context.error_context(raw.method(), raw.target.path_without_query())
}
