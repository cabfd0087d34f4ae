//! Generated text: the first candidate's alone, or the whole response.

use super::call::{Accepted, Call};
use super::error::Error;
use super::plan::Operation;
use super::report;
use super::response::Response;
use crate::dialect::{Content, ModelResponse};
use crate::http::Reply;

/// Sends a prompt and passes the text of the first candidate to `take`. The text lives as long as the response.
pub(super) fn first_text<T>(
    call: &Call,
    prompt: &str,
    take: impl FnOnce(&str) -> Result<T, Error>,
) -> Result<T, Error> {
    let accepted = call.send(Content::Prompt(prompt), Operation::Text)?.read_whole(&call.context)?;
    decode(call, &accepted, |response| {
        // A decoded response has at least one candidate.
        let candidate = response.candidates.into_iter().next().unwrap_or_default();
        match &candidate.text {
            Some(text) if !candidate.lacks_text() => take(&text.0),
            _ => {
                let error_context = accepted.error_context(&call.context);
                Err(report::no_text(&error_context, (&accepted.response).into(), &candidate))
            }
        }
    })
}

/// Sends a request and returns the whole response.
pub(super) fn request(call: &Call, content: Content) -> Result<Response, Error> {
    to_response(call, call.send(content, Operation::Text)?.read_whole(&call.context)?)
}

pub(super) fn to_response(call: &Call, accepted: Accepted<Reply>) -> Result<Response, Error> {
    let mut response = decode(call, &accepted, |response| Response::of(&accepted.response, &response))?;
    response.note_attempts(&accepted.attempts)?;
    response.times.note_moments(call.context.started, accepted.response.moments);
    response.times.total = Some(call.context.started.elapsed());
    response.with_body(accepted.response.body)
}

fn decode<T>(
    call: &Call,
    accepted: &Accepted<Reply>,
    take: impl FnOnce(ModelResponse) -> Result<T, Error>,
) -> Result<T, Error> {
    let reply = &accepted.response;
    call.decode(accepted, |dialect| dialect.decode(accepted.plan.task, &reply.body))
        .map_err(|error| report::decode_error(&accepted.error_context(&call.context), reply.into(), error))
        .and_then(take)
        .map_err(|error| error.with_attempts(&accepted.attempts))
}
