//! Sends a request for text. Returns the text of the first candidate, or the whole response.

use super::call::{AcceptedRequest, Call};
use super::error::Error;
use super::plan::Operation;
use super::report;
use super::response::Response;
use crate::dialect::{Candidate, Content};
use crate::http::Reply;

/// Sends a prompt and passes the text of the first candidate to `take`. The text lives as long as the response.
pub(super) fn first_text<T>(
    call: &Call,
    prompt: &str,
    take: impl FnOnce(&str) -> Result<T, Error>,
) -> Result<T, Error> {
    let (response, request) = call.send(Content::Prompt(prompt), Operation::Text)?;
    let reply = call.read(&request, response)?;
    let response = call.decode(&request, &reply, |dialect| dialect.decode(request.plan.task, &reply.body))?;
    // A decoded response has at least one candidate.
    let candidate = response.candidates.into_iter().next().unwrap_or_default();
    take(text_of(&candidate, call, &reply, &request)?).map_err(|error| error.with_attempts(&request.attempts))
}

/// Returns the text of a candidate, or the error that it has none.
fn text_of<'a>(
    candidate: &'a Candidate,
    call: &Call,
    reply: &Reply,
    request: &AcceptedRequest,
) -> Result<&'a str, Error> {
    match &candidate.text {
        Some(text) if !candidate.lacks_text() => Ok(&text.0),
        _ => {
            let error = report::no_text(&call.error_context(request), reply.into(), candidate);
            Err(error.with_attempts(&request.attempts))
        }
    }
}

/// Sends a request and returns the whole response.
pub(super) fn request(call: &Call, content: Content) -> Result<Response, Error> {
    let (response, request) = call.send(content, Operation::Text)?;
    to_response(call, call.read(&request, response)?, &request, call.context.options.require_text)
}

/// Decodes a whole response.
pub(super) fn to_response(
    call: &Call,
    reply: Reply,
    request: &AcceptedRequest,
    requires_text: bool,
) -> Result<Response, Error> {
    let decoded = call.decode(request, &reply, |dialect| dialect.decode(request.plan.task, &reply.body))?;
    if let Some(first) = decoded.candidates.first().filter(|_| requires_text) {
        text_of(first, call, &reply, request)?;
    }
    let mut response =
        Response::from_reply(&reply, &decoded).map_err(|error| error.with_attempts(&request.attempts))?;
    response.note_attempts(&request.attempts)?;
    response.times.note_timestamps(call.context.started, reply.timestamps);
    response.times.total = Some(call.context.started.elapsed());
    response.with_body(reply.body)
}
