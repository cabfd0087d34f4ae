//! An OAuth client's token: fetched once for all threads, and again shortly before it ends.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::Error;
use crate::http::Secret;
use crate::sync::{CancelTokens, Landing, Lock, SingleFlight, WaitError};

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

/// What a thread comes back with that fetches one.
type Fetch = SingleFlight<Result<Arc<Secret>, Error>>;

/// The token of one client, if it has one. Threads that need one while another thread fetches it wait for that.
#[derive(Default)]
pub(super) struct Tokens(Lock<State>);

#[derive(Default)]
struct State {
    token: Option<(Arc<Secret>, Instant)>,
    /// The one before, which servers may still repeat.
    former: Option<Arc<Secret>>,
    fetch: Option<Arc<Fetch>>,
}

impl Tokens {
    /// The token, fetched by `fetch` if there is none that lasts. `Over` is for those who wait for another thread.
    pub fn get(
        &self,
        deadline: Instant,
        cancel: &CancelTokens,
        fetch: impl FnOnce() -> Result<Token, Error>,
    ) -> Result<Result<Arc<Secret>, Error>, WaitError> {
        let mine = loop {
            let others = {
                let mut state = self.0.lock();
                match &state.token {
                    Some((token, until)) if Instant::now() < *until => return Ok(Ok(Arc::clone(token))),
                    _ => {}
                }
                match &state.fetch {
                    Some(others) if others.is_of_this_process() => Arc::clone(others),
                    _ => {
                        let mine = Arc::new(Fetch::default());
                        state.fetch = Some(Arc::clone(&mine));
                        break mine;
                    }
                }
            };
            match others.wait(deadline, cancel)? {
                Some(Err(failure)) if failure.is_of_one_call() => {}
                // However short a token lives: it was waited for.
                Some(outcome) => return Ok(outcome),
                None => {}
            }
        };
        let under_way = UnderWay { tokens: self, fetch: &mine };
        Ok(under_way.end(fetch()))
    }

    /// The server does not accept this token any more.
    pub fn reject(&self, rejected: &Arc<Secret>) {
        let mut state = self.0.lock();
        if state.token.as_ref().is_some_and(|(token, _)| Arc::ptr_eq(token, rejected)) {
            state.former = state.token.take().map(|(token, _)| token);
        }
    }

    /// What may stand in an answer.
    pub fn known(&self) -> Vec<Arc<Secret>> {
        let state = self.0.lock();
        state.token.iter().map(|(token, _)| token).chain(&state.former).cloned().collect()
    }
}

/// Ends a fetch, even if the fetching thread panics.
struct UnderWay<'a> {
    tokens: &'a Tokens,
    fetch: &'a Arc<Fetch>,
}

impl UnderWay<'_> {
    fn end(self, fetched: Result<Token, Error>) -> Result<Arc<Secret>, Error> {
        let fetched = fetched.map(|Token { secret, lives }| {
            let (token, now) = (Arc::new(secret), Instant::now());
            let lives = lives.min(MAX_LIFE);
            let until = now + (lives - BEFORE_END.min(lives / 10));
            let mut state = self.tokens.0.lock();
            let before = state.token.replace((Arc::clone(&token), until));
            state.former = before.map(|(token, _)| token).or(state.former.take());
            token
        });
        self.forget();
        Landing(self.fetch).with(fetched.clone());
        fetched
    }

    /// Before those who wait are told: they look again.
    fn forget(&self) {
        self.tokens.0.lock().fetch.take_if(|fetch| Arc::ptr_eq(fetch, self.fetch));
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if self.fetch.landed().is_none() {
            self.forget();
            drop(Landing(self.fetch));
        }
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

    use super::super::error::Status;
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    fn token(text: &str, lives: u64) -> Result<Token, Error> {
        Ok(Token { secret: Secret::new(text), lives: Duration::from_millis(lives) })
    }

    fn text(got: Result<Result<Arc<Secret>, Error>, WaitError>) -> String {
        got.unwrap().unwrap().expose().to_owned()
    }

    #[test]
    fn many_threads_fetch_once() {
        let (tokens, fetched) = (Tokens::default(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    let got = tokens.get(soon(), &CancelTokens::default(), || {
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
        assert_eq!(text(tokens.get(soon(), &CancelTokens::default(), || token("a", 100))), "a");
        std::thread::sleep(Duration::from_millis(92));
        assert_eq!(text(tokens.get(soon(), &CancelTokens::default(), || token("b", 60_000))), "b");
        assert_eq!(text(tokens.get(soon(), &CancelTokens::default(), || unreachable!())), "b");
        assert_eq!(tokens.known().len(), 2);
    }

    #[test]
    fn only_the_one_that_was_rejected_goes() {
        let tokens = Tokens::default();
        let a = tokens.get(soon(), &CancelTokens::default(), || token("a", 60_000)).unwrap().unwrap();
        tokens.reject(&a);
        assert_eq!(text(tokens.get(soon(), &CancelTokens::default(), || token("b", 60_000))), "b");
        tokens.reject(&a);
        assert_eq!(text(tokens.get(soon(), &CancelTokens::default(), || unreachable!())), "b");
    }

    #[test]
    fn a_failure_is_shared_and_not_kept() {
        let (tokens, fetched) = (Tokens::default(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let got = tokens.get(soon(), &CancelTokens::default(), || {
                        fetched.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(200));
                        Err(Error::new(Status::Unauthorized, "no"))
                    });
                    assert_eq!(got.unwrap().unwrap_err().status(), Status::Unauthorized);
                });
            }
        });
        assert_eq!(fetched.into_inner(), 1);
        assert_eq!(text(tokens.get(soon(), &CancelTokens::default(), || token("a", 60_000))), "a");
    }

    #[test]
    fn another_threads_deadline_is_not_ones_own() {
        let (tokens, fetching) = (Tokens::default(), std::sync::Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let late = tokens.get(soon(), &CancelTokens::default(), || {
                    fetching.wait();
                    std::thread::sleep(Duration::from_millis(50));
                    Err(Error::new(Status::Timeout, "late"))
                });
                assert!(late.unwrap().is_err());
            });
            fetching.wait();
            assert_eq!(text(tokens.get(soon(), &CancelTokens::default(), || token("a", 60_000))), "a");
        });
    }

    #[test]
    fn those_who_wait_have_a_deadline_and_survive_a_panic() {
        let (tokens, fetching) = (Tokens::default(), std::sync::Barrier::new(2));
        std::thread::scope(|scope| {
            let panicking = scope.spawn(|| {
                let _ = tokens.get(soon(), &CancelTokens::default(), || {
                    fetching.wait();
                    std::thread::sleep(Duration::from_millis(100));
                    panic!("a fault in the fetching thread")
                });
            });
            fetching.wait();
            assert!(
                tokens
                    .get(Instant::now() + Duration::from_millis(10), &CancelTokens::default(), || unreachable!())
                    .is_err()
            );
            assert_eq!(text(tokens.get(soon(), &CancelTokens::default(), || token("a", 60_000))), "a");
            assert!(panicking.join().is_err());
        });
    }
}
