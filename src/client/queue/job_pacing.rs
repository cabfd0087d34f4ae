//! Paces the attempts of one request: the rates of the queue, and the pauses of its route.

use std::sync::Arc;
use std::time::Instant;

use super::super::pacer::{Outcome, Place, Start};
use super::super::pacing::{AttemptOutcome, Pacing};
use super::completion::Done;
use super::shared::Shared;
use super::state::Job;
use super::ticket::Ticket;
use crate::http::{Phase, TransportError};
use crate::sync::{self, CancelTokens, Lock, WaitError};

pub(super) struct JobPacing<'a> {
    shared: &'a Arc<Shared>,
    job: &'a Job,
    pub ticket: &'a Arc<Ticket>,
    /// The place of the first attempt.
    first: Lock<Option<Start>>,
    /// The attempts that the gateway accepted. Embeddings of many inputs have several.
    accepted: Lock<Vec<Start>>,
}

impl<'a> JobPacing<'a> {
    pub fn new(shared: &'a Arc<Shared>, job: &'a Job, ticket: &'a Arc<Ticket>) -> JobPacing<'a> {
        JobPacing { shared, job, ticket, first: Lock::new(job.start), accepted: Lock::default() }
    }

    fn ask(&self, place: &mut Place) -> Result<Start, Instant> {
        let (key, size) = (self.job.call.rate_key(), self.job.call.content_len());
        self.shared.change(|state| state.pacer.retry(key, size, place, Instant::now()))
    }

    /// Waits for a place in the rates; `None` if there is none before the deadline.
    fn wait(&self, place: &mut Place, deadline: Instant, tokens: &CancelTokens) -> Result<Option<Start>, WaitError> {
        loop {
            let asks = self.ticket.asks();
            let at = match self.ask(place) {
                Ok(start) => return Ok(Some(start)),
                Err(at) if at >= deadline => return Ok(None),
                Err(at) => at,
            };
            match sync::wait_until(&mut || self.ticket.asks() != asks, at, tokens) {
                Ok(()) | Err(WaitError::DeadlineExpired) => {}
                Err(cancelled) => return Err(cancelled),
            }
        }
    }

    /// Notes that the first event of a stream has arrived.
    pub fn note_first_event(&self) {
        let start = self.accepted.lock().last().copied();
        if let Some(start) = start {
            self.shared.change(|state| state.note_first_event(start));
        }
    }

    /// Notes the tokens that the response reports.
    pub fn note_tokens(&self, done: &Done) {
        let accepted = std::mem::take(&mut *self.accepted.lock());
        if accepted.is_empty() || !self.shared.is_counting_tokens() {
            return;
        }
        let usage = match (&done.response, &done.embeddings) {
            (Some(response), _) => response.usage(),
            (None, Some(embeddings)) => embeddings.usage(),
            (None, None) => return,
        };
        let sum = usage.input.zip(usage.output).map(|(input, output)| input + output);
        if let Some(tokens) = usage.total.or(sum).or(usage.input) {
            self.shared.change(|state| state.pacer.note_tokens(&accepted, tokens));
        }
    }
}

impl Pacing for JobPacing<'_> {
    fn begin_attempt(&self, deadline: Instant, tokens: &CancelTokens) -> Result<Option<Start>, TransportError> {
        if let Some(start) = self.first.lock().take() {
            return Ok(Some(start));
        }
        let mut place = Place::default();
        self.shared.change(|state| state.pausing += 1);
        let start = self.wait(&mut place, deadline, tokens);
        self.shared.change(|state| {
            state.pausing -= 1;
            if !matches!(start, Ok(Some(_))) {
                state.pacer.leave(self.job.call.rate_key(), &mut place);
            }
        });
        start.map_err(|_| TransportError::Cancelled(Phase::Backoff))
    }

    fn end_attempt(&self, start: Start, outcome: AttemptOutcome) {
        if self.shared.is_paced() || matches!(outcome.outcome, Outcome::Refused { .. }) {
            if outcome.outcome == Outcome::Accepted {
                self.accepted.lock().push(start);
            }
            self.shared.change(|state| state.note_attempt(self.job, start, outcome));
        }
    }
}
