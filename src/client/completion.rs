//! Whole answers, in text.

use super::call::{Accepted, Call, Operation};
use super::error::Error;
use super::report;
use super::response::Response;
use crate::dialect::{Content, ModelResponse};
use crate::http::Reply;

/// Asks with a prompt and hands over the text of the first candidate, which lives no longer than the answer.
pub(super) fn first_text<T>(
    call: &Call,
    prompt: &str,
    take: impl FnOnce(&str) -> Result<T, Error>,
) -> Result<T, Error> {
    let asked = call.ask(Content::Prompt(prompt), Operation::Text)?;
    understood(call, &asked, |answer| {
        // A response has a candidate.
        let candidate = answer.candidates.into_iter().next().unwrap_or_default();
        match &candidate.text {
            Some(text) if !candidate.lacks_text() => take(&text.0),
            _ => Err(report::no_text(&call.asked(&asked), (&asked.answer).into(), &candidate)),
        }
    })
}

/// Asks and keeps all that the answer says.
pub(super) fn response(call: &Call, question: Content) -> Result<Response, Error> {
    let asked = call.ask(question, Operation::Text)?;
    whole(call, asked)
}

/// All that an answer says.
pub(super) fn whole(call: &Call, asked: Accepted<Reply>) -> Result<Response, Error> {
    let mut response = understood(call, &asked, |answer| Response::of(&asked.answer, &answer))?;
    response.note_attempts(&asked.attempts)?;
    response.times.note_timestamps(call.started, asked.answer.timestamps);
    response.times.total = Some(call.started.elapsed());
    response.with_body(asked.answer.body)
}

fn understood<T>(
    call: &Call,
    asked: &Accepted<Reply>,
    take: impl FnOnce(ModelResponse) -> Result<T, Error>,
) -> Result<T, Error> {
    let body = &asked.answer.body;
    call.understand(asked, |dialect| dialect.decode(asked.plan.task, body))
        .map_err(|malformed| report::malformed(&call.asked(asked), (&asked.answer).into(), malformed))
        .and_then(take)
        .map_err(|error| error.with_attempts(&asked.attempts))
}
