//! Until when an exchange may last, known to every layer of its connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::{Limit, Phase, TransportError};
use crate::sync::{self, CancelTokens, Lock, WaitError};

/// Shared by a connection and the socket below it, however many layers (TLS, a proxy's tunnel) lie between: those
/// pass on durations, which would begin anew in each layer.
#[derive(Debug, Clone)]
pub(super) struct Deadline(Arc<Lock<State>>);

#[derive(Debug, Clone)]
struct State {
    /// Of the whole exchange, and which limit that is.
    end: Instant,
    end_limit: Limit,
    /// What ends first: the whole, or the part of it that is under way.
    until: Instant,
    limit: Limit,
    phase: Phase,
    tokens: CancelTokens,
}

/// Only as a lock wants it: a connection whose deadline another process was changing is not used in this one.
impl Default for State {
    fn default() -> State {
        let now = Instant::now();
        let (limit, phase, tokens) = (Limit::Total, Phase::Connect, CancelTokens::default());
        State { end: now, end_limit: limit, until: now, limit, phase, tokens }
    }
}

impl Deadline {
    /// Ends then, by this limit, or when one of the tokens is cancelled.
    pub fn new(end: Instant, limit: Limit, tokens: &CancelTokens) -> Deadline {
        let deadline = Deadline(Arc::default());
        deadline.begin(end, limit, tokens);
        deadline
    }

    /// Begins another exchange on the same connection.
    pub fn begin(&self, end: Instant, limit: Limit, tokens: &CancelTokens) {
        let tokens = tokens.clone();
        *self.0.lock() = State { end, end_limit: limit, until: end, limit, phase: Phase::Connect, tokens };
    }

    /// From now on this is done.
    pub fn enter(&self, phase: Phase) {
        self.0.lock().phase = phase;
    }

    /// Moves the end of the exchange, which is this limit's from now on.
    pub fn extend(&self, end: Instant, limit: Limit) {
        let mut state = self.0.lock();
        (state.end, state.end_limit) = (end, limit);
    }

    /// Enters a phase and limits it to `most`; zero means that only the end of the exchange counts.
    pub fn allow(&self, phase: Phase, limit: Limit, most: Duration) {
        let mut state = self.0.lock();
        state.phase = phase;
        state.until = state.end;
        state.limit = state.end_limit;
        if !most.is_zero() {
            let until = Instant::now() + most;
            if until < state.end {
                (state.until, state.limit) = (until, limit);
            }
        }
    }

    /// Gives what is still to come no more time than this.
    pub fn hurry(&self, most: Duration) {
        let mut state = self.0.lock();
        state.until = state.until.min(Instant::now() + most);
    }

    pub fn phase(&self) -> Phase {
        self.0.lock().phase
    }

    pub fn until(&self) -> Instant {
        self.0.lock().until
    }

    pub fn can_be_cancelled(&self) -> bool {
        !self.0.lock().tokens.is_empty()
    }

    pub fn tokens(&self) -> CancelTokens {
        self.0.lock().tokens.clone()
    }

    /// The time that is left, unless it is over or the caller has had enough.
    pub fn left(&self) -> Result<Duration, TransportError> {
        let state = self.0.lock();
        if state.tokens.is_cancelled() {
            return Err(TransportError::Cancelled(state.phase));
        }
        let left = state.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(TransportError::Timeout(state.limit, state.phase)) } else { Ok(left) }
    }

    /// Waits until the descriptor is ready for one of these events, and returns those that it reports.
    pub fn ready(&self, descriptor: i32, events: libc::c_short) -> Result<libc::c_short, TransportError> {
        let (until, tokens) = (self.until(), self.tokens());
        sync::ready(descriptor, events, until, &tokens).map_err(|over| self.over(over))
    }

    /// Waits until one of the descriptors is ready, and returns its place in the list; no longer than `most`.
    pub fn any_ready(
        &self,
        descriptors: &[i32],
        events: libc::c_short,
        most: Option<Instant>,
    ) -> Result<usize, WaitError> {
        let (until, tokens) = (self.until(), self.tokens());
        sync::any_ready(descriptors, events, most.map_or(until, |most| most.min(until)), &tokens)
    }

    /// What is over, in words.
    pub fn over(&self, over: WaitError) -> TransportError {
        let state = self.0.lock();
        TransportError::over(over, state.limit, state.phase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::CancelToken;

    #[test]
    fn the_shorter_time_counts() {
        let soon = Duration::from_secs(1);
        let deadline = Deadline::new(Instant::now() + 10 * soon, Limit::Total, &CancelTokens::default());
        deadline.allow(Phase::Wait, Limit::FirstByte, soon);
        assert!(deadline.left().unwrap() <= soon);
        assert_eq!(deadline.over(WaitError::DeadlineExpired), TransportError::Timeout(Limit::FirstByte, Phase::Wait));
        deadline.allow(Phase::Event, Limit::Idle, 20 * soon);
        assert!(deadline.left().unwrap() > 5 * soon);
        assert_eq!(deadline.over(WaitError::DeadlineExpired), TransportError::Timeout(Limit::Total, Phase::Event));
        deadline.allow(Phase::Read, Limit::FirstByte, Duration::ZERO);
        deadline.hurry(Duration::ZERO);
        assert_eq!(deadline.left(), Err(TransportError::Timeout(Limit::Total, Phase::Read)));
        deadline.extend(Instant::now() + 60 * soon, Limit::Stream);
        deadline.allow(Phase::Event, Limit::Idle, 20 * soon);
        assert!(deadline.left().unwrap() > 15 * soon);
        assert_eq!(deadline.over(WaitError::DeadlineExpired), TransportError::Timeout(Limit::Idle, Phase::Event));
        deadline.allow(Phase::Event, Limit::Idle, 90 * soon);
        assert_eq!(deadline.over(WaitError::DeadlineExpired), TransportError::Timeout(Limit::Stream, Phase::Event));
    }

    #[test]
    fn the_caller_may_have_had_enough() {
        let token = Arc::new(CancelToken::new().unwrap());
        let deadline = Deadline::new(
            Instant::now() + Duration::from_secs(10),
            Limit::Total,
            &CancelTokens::of([None, Some(&token)]),
        );
        deadline.enter(Phase::Tls);
        assert!(deadline.left().is_ok());
        token.cancel();
        assert_eq!(deadline.left(), Err(TransportError::Cancelled(Phase::Tls)));
        assert_eq!(deadline.ready(-1, libc::POLLIN), Err(TransportError::Cancelled(Phase::Tls)));
    }
}
