//! What a call asks of the queue that makes it, and reports to it: when each attempt may be sent, and its outcome.

use std::time::Instant;

use super::pacer::{Outcome, Start};
use crate::http::TransportError;
use crate::sync::CancelTokens;

/// A queue, as the calls that it makes see it.
pub(super) trait Pacing: Send + Sync {
    /// Waits until an attempt may be sent; `None` if that is not before the deadline.
    fn begin_attempt(&self, deadline: Instant, tokens: &CancelTokens) -> Result<Option<Start>, TransportError>;

    /// Notes the outcome of an attempt.
    fn end_attempt(&self, start: Start, outcome: AttemptOutcome);
}

/// The outcome of one attempt to send a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AttemptOutcome {
    /// For the rates.
    pub outcome: Outcome,
    /// Whether the gateway was overloaded: HTTP status 429 or 503, or a timeout.
    pub is_overload: Option<Overload>,
}

/// How a gateway shows that it has too many requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overload {
    Refused,
    TimedOut,
}
