//! An OAuth client's token: fetched once for all threads, and again shortly before it ends.

use std::fmt;
use std::process;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::{Error, Status};
use crate::http::Secret;

/// A token counts as over so long before its end: Databricks refuses it from 30 s before. Of one that lives only
/// shortly, it is a tenth.
const BEFORE_END: Duration = Duration::from_secs(60);

/// Longer than any token lives.
const MAX_LIFE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A token as the server gave it.
pub(super) struct Token {
    pub secret: Secret,
    pub lives: Duration,
}

/// The token of one client, if it has one. Threads that need one while another thread fetches it wait for that.
#[derive(Default)]
pub(super) struct Tokens {
    state: Mutex<State>,
    landed: Condvar,
}

#[derive(Default)]
struct State {
    token: Option<(Arc<Secret>, Instant)>,
    /// The one before, which servers may still repeat.
    former: Option<Arc<Secret>>,
    /// The process in which a thread fetches one. It is not in a process that was forked meanwhile.
    fetching: Option<u32>,
    /// What the last fetch came to, and how many there were.
    failure: Option<Error>,
    fetched: u64,
}

impl Tokens {
    /// The token, fetched by `fetch` if there is none that lasts. `None` if another thread fetches it and the deadline
    /// is over.
    pub fn get(
        &self,
        deadline: Instant,
        fetch: impl FnOnce() -> Result<Token, Error>,
    ) -> Option<Result<Arc<Secret>, Error>> {
        let mut state = self.lock();
        let seen = state.fetched;
        loop {
            match &state.token {
                Some((token, until)) if Instant::now() < *until => return Some(Ok(Arc::clone(token))),
                _ => {}
            }
            if state.fetching != Some(process::id()) {
                break;
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self.landed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            // That the other thread's time was over says nothing of one's own.
            let failure = state.failure.clone().filter(|failure| failure.status() != Status::Timeout);
            match (failure, &state.token) {
                _ if state.fetched == seen => {}
                (Some(failure), _) => return Some(Err(failure)),
                // However short it lives: it was waited for.
                (None, Some((token, _))) if state.failure.is_none() => return Some(Ok(Arc::clone(token))),
                _ => {}
            }
        }
        state.fetching = Some(process::id());
        drop(state);
        let landing = Landing(self);
        let fetched = fetch();
        Some(landing.land(fetched))
    }

    /// The server does not accept this token any more.
    pub fn reject(&self, rejected: &Arc<Secret>) {
        let mut state = self.lock();
        if state.token.as_ref().is_some_and(|(token, _)| Arc::ptr_eq(token, rejected)) {
            state.former = state.token.take().map(|(token, _)| token);
        }
    }

    /// What may stand in an answer.
    pub fn known(&self) -> Vec<Arc<Secret>> {
        let state = self.lock();
        state.token.iter().map(|(token, _)| token).chain(&state.former).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the waiting threads go on, even if the fetching one panics.
struct Landing<'a>(&'a Tokens);

impl Landing<'_> {
    fn land(&self, fetched: Result<Token, Error>) -> Result<Arc<Secret>, Error> {
        let mut state = self.0.lock();
        state.fetched += 1;
        match fetched {
            Ok(Token { secret, lives }) => {
                let (token, now) = (Arc::new(secret), Instant::now());
                let lives = lives.min(MAX_LIFE);
                let until = now + (lives - BEFORE_END.min(lives / 10));
                let before = state.token.replace((Arc::clone(&token), until));
                state.former = before.map(|(token, _)| token).or(state.former.take());
                state.failure = None;
                Ok(token)
            }
            Err(failure) => {
                state.failure = Some(failure.clone());
                Err(failure)
            }
        }
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.0.lock().fetching = None;
        self.0.landed.notify_all();
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    fn token(text: &str, lives: u64) -> Result<Token, Error> {
        Ok(Token { secret: Secret::new(text), lives: Duration::from_millis(lives) })
    }

    fn text(got: Option<Result<Arc<Secret>, Error>>) -> String {
        got.unwrap().unwrap().expose().to_owned()
    }

    #[test]
    fn many_threads_fetch_once() {
        let (tokens, fetched) = (Tokens::default(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    let got = tokens.get(soon(), || {
                        fetched.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(50));
                        token("a", 60_000)
                    });
                    assert_eq!(text(got), "a");
                });
            }
        });
        assert_eq!(fetched.into_inner(), 1);
    }

    #[test]
    fn it_ends_before_it_is_over() {
        let tokens = Tokens::default();
        assert_eq!(text(tokens.get(soon(), || token("a", 100))), "a");
        std::thread::sleep(Duration::from_millis(92));
        assert_eq!(text(tokens.get(soon(), || token("b", 60_000))), "b");
        assert_eq!(text(tokens.get(soon(), || unreachable!())), "b");
        assert_eq!(tokens.known().len(), 2);
    }

    #[test]
    fn only_the_one_that_was_rejected_goes() {
        let tokens = Tokens::default();
        let a = tokens.get(soon(), || token("a", 60_000)).unwrap().unwrap();
        tokens.reject(&a);
        assert_eq!(text(tokens.get(soon(), || token("b", 60_000))), "b");
        tokens.reject(&a);
        assert_eq!(text(tokens.get(soon(), || unreachable!())), "b");
    }

    #[test]
    fn a_failure_is_shared_and_not_kept() {
        let (tokens, fetched) = (Tokens::default(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let got = tokens.get(soon(), || {
                        fetched.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(200));
                        Err(Error::new(Status::Unauthorized, "no"))
                    });
                    assert_eq!(got.unwrap().unwrap_err().status(), Status::Unauthorized);
                });
            }
        });
        assert_eq!(fetched.into_inner(), 1);
        assert_eq!(text(tokens.get(soon(), || token("a", 60_000))), "a");
    }

    #[test]
    fn another_threads_deadline_is_not_ones_own() {
        let (tokens, fetching) = (Tokens::default(), std::sync::Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let late = tokens.get(soon(), || {
                    fetching.wait();
                    std::thread::sleep(Duration::from_millis(50));
                    Err(Error::new(Status::Timeout, "late"))
                });
                assert!(late.unwrap().is_err());
            });
            fetching.wait();
            assert_eq!(text(tokens.get(soon(), || token("a", 60_000))), "a");
        });
    }

    #[test]
    fn those_who_wait_have_a_deadline_and_survive_a_panic() {
        let (tokens, fetching) = (Tokens::default(), std::sync::Barrier::new(2));
        std::thread::scope(|scope| {
            let panicking = scope.spawn(|| {
                let _ = tokens.get(soon(), || {
                    fetching.wait();
                    std::thread::sleep(Duration::from_millis(100));
                    panic!("a fault in the fetching thread")
                });
            });
            fetching.wait();
            assert!(tokens.get(Instant::now() + Duration::from_millis(10), || unreachable!()).is_none());
            assert_eq!(text(tokens.get(soon(), || token("a", 60_000))), "a");
            assert!(panicking.join().is_err());
        });
    }
}
