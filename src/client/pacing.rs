//! What a call reports to the queue that makes it, and asks of it: the outcome of each attempt, and when the next one
//! may be sent.

use std::time::{Duration, Instant};

/// The outcome of one attempt to send a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttemptOutcome {
    /// HTTP status 200 to 299.
    Accepted,
    /// HTTP status 429, with the time that the gateway asks to wait.
    RateLimited { retry_after: Option<Duration> },
    /// HTTP status 503, or a timeout.
    Overloaded,
    /// Any other.
    Other,
}

/// A queue, as the calls that it makes see it.
pub(super) trait Pacing: Send + Sync {
    /// Notes the outcome of an attempt.
    fn note_attempt(&self, outcome: AttemptOutcome);

    /// Lets a retry be sent now, or returns when to ask again.
    fn try_retry(&self) -> Result<(), Instant>;
}
