//! Deadlines: when a phase must end, the limit to report, and the cancel tokens that end it earlier. `tcp.rs` applies
//! them to each send and receive, also during a TLS handshake.

use std::time::{Duration, Instant};

use super::error::{Limit, Phase, TransportError};
use crate::sync::{self, CancelTokens, WaitError};

/// The deadline of one phase of an exchange. An immutable value: methods for another phase or limit return a new one.
#[derive(Debug, Clone, Copy)]
pub struct Deadline<'a> {
    end: Instant,
    limit: Limit,
    phase: Phase,
    tokens: &'a CancelTokens,
}

impl<'a> Deadline<'a> {
    /// Makes the deadline of a whole exchange, in its first phase. Each of the tokens ends it earlier.
    pub fn new(end: Instant, limit: Limit, tokens: &'a CancelTokens) -> Deadline<'a> {
        Deadline { end, limit, phase: Phase::Connect, tokens }
    }

    /// Returns the same deadline for another phase.
    pub fn in_phase(self, phase: Phase) -> Deadline<'a> {
        Deadline { phase, ..self }
    }

    /// Returns the earlier of this deadline and `end`, whose limit is `limit`.
    pub fn or_earlier(self, end: Instant, limit: Limit) -> Deadline<'a> {
        if end < self.end { Deadline { end, limit, ..self } } else { self }
    }

    /// Limits the deadline to a timeout that begins now. `None` means no separate limit.
    pub(super) fn limited(self, limit: Limit, timeout: Option<Duration>) -> Deadline<'a> {
        match timeout {
            Some(timeout) => self.or_earlier(Instant::now() + timeout, limit),
            None => self,
        }
    }

    /// Limits the deadline to this time from now, without another limit to report.
    pub(super) fn at_most(self, timeout: Duration) -> Deadline<'a> {
        self.or_earlier(Instant::now() + timeout, self.limit)
    }

    pub(super) fn end(&self) -> Instant {
        self.end
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn tokens(&self) -> &'a CancelTokens {
        self.tokens
    }

    /// Returns the time left. Fails if the deadline has expired or a token is cancelled.
    pub fn remaining(&self) -> Result<Duration, TransportError> {
        if self.tokens.is_cancelled() {
            return Err(self.error(WaitError::Cancelled));
        }
        let remaining = self.end.saturating_duration_since(Instant::now());
        if remaining.is_zero() { Err(self.error(WaitError::DeadlineExpired)) } else { Ok(remaining) }
    }

    /// Waits until the descriptor is ready for one of these events, and returns the events that it reports.
    pub(super) fn wait_ready(&self, descriptor: i32, events: libc::c_short) -> Result<libc::c_short, TransportError> {
        sync::ready(descriptor, events, self.end, self.tokens).map_err(|error| self.error(error))
    }

    /// Waits until one of the descriptors is ready, and returns its index. Waits no longer than until `end`, if given.
    pub(super) fn wait_any_ready(
        &self,
        descriptors: &[i32],
        events: libc::c_short,
        end: Option<Instant>,
    ) -> Result<usize, WaitError> {
        sync::any_ready(descriptors, events, end.map_or(self.end, |end| end.min(self.end)), self.tokens)
    }

    /// Returns the error of a wait that ended early.
    pub(super) fn error(&self, error: WaitError) -> TransportError {
        match error {
            WaitError::DeadlineExpired => TransportError::Timeout(self.limit, self.phase),
            WaitError::Cancelled => TransportError::Cancelled(self.phase),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sync::CancelToken;

    #[test]
    fn earlier_limit_applies() {
        let soon = Duration::from_secs(1);
        let tokens = CancelTokens::default();
        let deadline = Deadline::new(Instant::now() + 10 * soon, Limit::Total, &tokens);
        let expired = |deadline: Deadline| deadline.error(WaitError::DeadlineExpired);

        let wait = deadline.in_phase(Phase::Wait).limited(Limit::FirstByte, Some(soon));
        assert!(wait.remaining().unwrap() <= soon);
        assert_eq!(expired(wait), TransportError::Timeout(Limit::FirstByte, Phase::Wait));

        let event = deadline.in_phase(Phase::Event).limited(Limit::Idle, Some(20 * soon));
        assert!(event.remaining().unwrap() > 5 * soon);
        assert_eq!(expired(event), TransportError::Timeout(Limit::Total, Phase::Event));

        let read = deadline.in_phase(Phase::Read).limited(Limit::FirstByte, None).at_most(Duration::ZERO);
        assert_eq!(read.remaining(), Err(TransportError::Timeout(Limit::Total, Phase::Read)));

        let stream = Deadline::new(Instant::now() + 60 * soon, Limit::Stream, &tokens).in_phase(Phase::Event);
        let idle = stream.limited(Limit::Idle, Some(20 * soon));
        assert!(idle.remaining().unwrap() > 15 * soon);
        assert_eq!(expired(idle), TransportError::Timeout(Limit::Idle, Phase::Event));
        let stream = stream.limited(Limit::Idle, Some(90 * soon));
        assert_eq!(expired(stream), TransportError::Timeout(Limit::Stream, Phase::Event));
    }

    #[test]
    fn cancelled_token_ends_every_phase() {
        let token = Arc::new(CancelToken::new().unwrap());
        let tokens = CancelTokens::new(None, Some(&token));
        let deadline = Deadline::new(Instant::now() + Duration::from_secs(10), Limit::Total, &tokens);
        let handshake = deadline.in_phase(Phase::Tls);
        assert!(handshake.remaining().is_ok());
        token.cancel();
        assert_eq!(handshake.remaining(), Err(TransportError::Cancelled(Phase::Tls)));
        assert_eq!(handshake.wait_ready(-1, libc::POLLIN), Err(TransportError::Cancelled(Phase::Tls)));
    }
}
