//! Work that one thread does and others wait for.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use super::cancel::CancelTokens;
use super::futex;
use super::lock::Lock;
use super::process;
use super::wait::{LOOK_AGAIN, WaitError, left};

/// What will come of the work.
#[derive(Debug)]
pub struct SingleFlight<T> {
    /// In a process that was forked meanwhile nobody does it.
    process: u32,
    has_landed: AtomicU32,
    outcome: Lock<Option<T>>,
}

impl<T> Default for SingleFlight<T> {
    fn default() -> SingleFlight<T> {
        SingleFlight { process: process::current(), has_landed: AtomicU32::new(0), outcome: Lock::default() }
    }
}

impl<T: Clone> SingleFlight<T> {
    /// Whether somebody is doing it, or did.
    pub fn is_of_this_process(&self) -> bool {
        self.process == process::current()
    }

    /// Waits for what comes of it; `None` if that was nothing.
    pub fn wait(&self, until: Instant, tokens: &CancelTokens) -> Result<Option<T>, WaitError> {
        while self.has_landed.load(Ordering::Acquire) == 0 {
            let left = left(until, tokens)?;
            // A signal handler can wake nobody here.
            let most = if !tokens.is_empty() { left.min(LOOK_AGAIN) } else { left };
            futex::wait(&self.has_landed, 0, Some(most));
        }
        // The one that did the work may have the same tokens, and have nothing to tell but that it was cancelled.
        if tokens.is_cancelled() { Err(WaitError::Cancelled) } else { Ok(self.outcome.lock().clone()) }
    }

    /// What came of it, if it is over; `None` if it is not.
    pub fn landed(&self) -> Option<Option<T>> {
        (self.has_landed.load(Ordering::Acquire) != 0).then(|| self.outcome.lock().clone())
    }

    fn land(&self) {
        self.has_landed.store(1, Ordering::Release);
        futex::wake(&self.has_landed, i32::MAX);
    }
}

/// Lets the waiting threads go on, even if the one that does the work panics.
pub struct Landing<'a, T: Clone>(pub &'a SingleFlight<T>);

impl<T: Clone> Landing<'_, T> {
    /// This is what came of it.
    pub fn with(self, outcome: T) {
        *self.0.outcome.lock() = Some(outcome);
    }
}

impl<T: Clone> Drop for Landing<'_, T> {
    fn drop(&mut self) {
        self.0.land();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::cancel::CancelToken;
    use super::super::process::tests::in_child;
    use super::*;

    fn after(ms: u64) -> Instant {
        Instant::now() + Duration::from_millis(ms)
    }

    #[test]
    fn all_get_the_same() {
        let flight = SingleFlight::default();
        std::thread::scope(|scope| {
            let waiting: Vec<_> =
                (0..8).map(|_| scope.spawn(|| flight.wait(after(10_000), &CancelTokens::default()))).collect();
            std::thread::sleep(Duration::from_millis(20));
            Landing(&flight).with(7);
            waiting.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), Ok(Some(7))));
        });
        assert_eq!(flight.wait(after(0), &CancelTokens::default()), Ok(Some(7)));
    }

    #[test]
    fn nobody_waits_for_ever() {
        let flight = SingleFlight::<u8>::default();
        assert_eq!(flight.wait(after(10), &CancelTokens::default()), Err(WaitError::DeadlineExpired));
        let token = Arc::new(CancelToken::new().unwrap());
        let tokens = CancelTokens::of([Some(&token), None]);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| flight.wait(after(10_000), &tokens));
            token.cancel();
            assert_eq!(waiting.join().unwrap(), Err(WaitError::Cancelled));
        });
        drop(Landing(&flight));
        assert_eq!(flight.wait(after(10), &CancelTokens::default()), Ok(None));
        assert!(flight.is_of_this_process());
        assert_eq!(in_child(|| u8::from(flight.is_of_this_process())), 0);
    }
}
