//! Raw requests: to any path below the gateway URI, with no discovery, no parameters and no reading of shapes.

use std::sync::Arc;

use super::call::Call;
use super::error::Error;
use super::http_request::{HttpRequest, SendError};
use super::log::LogLevel;
use super::report::{self, ErrorContext};
use super::request::RequestParts;
use super::response::Response;
use super::retry::{Attempts, RetryClass};
use super::settings::Settings;
use super::target::Target;
use crate::dialect::{ErrorKind, ErrorResponse, decode_chat, is_done};
use crate::http::{HttpResponse, Method, Phase, RawTarget, Reply, TransportError};

/// What is sent, and where.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a> {
    pub target: &'a RawTarget,
    pub body: Option<&'a str>,
}

/// What ends a stream of events of which nothing is read.
pub(super) enum Verdict {
    Done,
    Error(ErrorResponse),
}

/// Sends it, and returns the response, whatever its body is.
pub(super) fn response(call: &Call, raw: Raw) -> Result<Response, Error> {
    let mut attempts = Attempts::default();
    let reply = raw.open(call, false, &mut attempts).and_then(|opened| {
        opened.whole(&call.deadline(call.deadline)).map_err(|failure| call.failed(&raw.tried(call), failure))
    });
    read(call, reply.map_err(|error| error.with_attempts(&attempts))?, &attempts)
}

/// A whole response. Of a body in another shape than a chat's nothing is read.
pub(super) fn read(call: &Call, reply: Reply, attempts: &Attempts) -> Result<Response, Error> {
    let mut response = match decode_chat(&reply.body) {
        Some(answer) => Response::of(&reply, &answer)?,
        None => Response::of_head(reply.status, &reply.head)?,
    };
    response.note_attempts(attempts)?;
    response.times.note_timestamps(call.started, reply.timestamps);
    response.times.total = Some(call.started.elapsed());
    response.with_body(reply.body)
}

/// Whether an event ends the stream, and how.
pub(super) fn verdict(name: &[u8], data: &[u8]) -> Option<Verdict> {
    if name == b"error" {
        return Some(Verdict::Error(ErrorResponse { kind: ErrorKind::Other, ..ErrorResponse::in_success(data) }));
    }
    is_done(data).then_some(Verdict::Done)
}

impl<'a> Raw<'a> {
    /// A call for it. What its query holds of credentials is masked.
    pub fn begin<'c>(&self, target: &'c Arc<Target>, settings: Arc<Settings>, asking: &RequestParts) -> Call<'c> {
        let mut call = Call::begin(target, None, settings, Some(asking));
        let mut secrets = self.target.secrets().peekable();
        if secrets.peek().is_some() {
            call.hide(secrets);
        }
        call
    }

    /// Sends it, and reads the head of a stream, or all of any other response.
    pub fn open(&self, call: &Call, wants_events: bool, attempts: &mut Attempts) -> Result<HttpResponse, Error> {
        let tried = self.tried(call);
        if call.cancel.is_cancelled() {
            return Err(call.failed(&tried, TransportError::Cancelled(Phase::Connect)));
        }
        let repeat = match self.method() {
            Method::Get | Method::Head => RetryClass::Safe,
            Method::Post => RetryClass::ModelRequest,
            _ => RetryClass::Change,
        };
        let what = HttpRequest {
            method: self.method(),
            path: self.target.path(),
            shown: Some(self.target.path_without_query()),
            body: self.body.map(str::as_bytes),
            deadline: call.deadline,
            level: LogLevel::Info,
            again: None,
            repeat,
            max_body: usize::MAX,
            wants_events,
        };
        let outcome = call.transact(&what, attempts);
        call.logger.flush();
        match outcome {
            Ok(HttpResponse::Whole(reply)) if !reply.is_success() => {
                let refusal = ErrorResponse::read(reply.status, &reply.body);
                Err(report::raw_refusal(&tried, reply, refusal))
            }
            Ok(opened) => Ok(opened),
            Err(SendError::Transport(failure)) => Err(call.failed(&tried, failure)),
            Err(SendError::Other(error)) => Err(error),
        }
    }

    pub fn method(&self) -> Method<'a> {
        self.target.method(self.body.is_some())
    }

    fn tried<'b>(&self, call: &'b Call) -> ErrorContext<'b>
    where
        'a: 'b,
    {
        call.tried(self.method(), self.target.path_without_query())
    }
}
