//! The deadlines of a stream. Until the first event the call's deadline applies, afterwards those of the stream and of
//! each event.

use std::time::{Duration, Instant};

use super::context::CallContext;
use crate::http::{Deadline, Limit, Phase, TransportError};
use crate::sync::{self, CancelTokens, WaitError};

#[derive(Debug)]
pub(super) struct StreamDeadline {
    tokens: CancelTokens,
    end: Instant,
    limit: Limit,
    /// When the stream has to end, once its first event has arrived.
    stream_end: Instant,
    idle_timeout: Option<Duration>,
    /// When the next event has to arrive, once the wait for it has begun.
    idle_end: Option<Instant>,
}

impl StreamDeadline {
    pub fn new(context: &CallContext) -> StreamDeadline {
        StreamDeadline {
            tokens: context.cancel.clone(),
            end: context.deadline,
            limit: Limit::Total,
            stream_end: context.started + context.options.stream_timeout,
            idle_timeout: context.options.idle_timeout,
            idle_end: None,
        }
    }

    pub fn is_cancelled(&self) -> bool {
        self.tokens.is_cancelled()
    }

    /// Waits until the condition holds. Fails if the stream is cancelled or has to end first.
    pub fn wait_until(&self, condition: &mut dyn FnMut() -> bool) -> Result<(), TransportError> {
        match sync::wait_until(condition, self.end, &self.tokens) {
            Ok(()) => Ok(()),
            Err(WaitError::Cancelled | WaitError::DeadlineExpired) => self.total().remaining().map(drop),
        }
    }

    /// Returns the deadline for the whole stream.
    fn total(&self) -> Deadline<'_> {
        Deadline::new(self.end, self.limit, &self.tokens).in_phase(Phase::Event)
    }

    /// Returns whether an event has arrived.
    pub fn has_begun(&self) -> bool {
        self.limit == Limit::Stream
    }

    /// Notes that an event has arrived.
    pub fn note_event(&mut self) {
        (self.end, self.limit) = (self.stream_end, Limit::Stream);
        self.idle_end = None;
    }

    /// Returns the deadline for the next event. Comments and other bytes that are not an event do not extend it.
    pub fn next_event(&mut self) -> Deadline<'_> {
        if self.has_begun() && self.idle_end.is_none() {
            self.idle_end = self.idle_timeout.map(|timeout| Instant::now() + timeout);
        }
        match self.idle_end {
            Some(end) => self.total().or_earlier(end, Limit::Idle),
            None => self.total(),
        }
    }
}
