//! The access token of an OAuth client: fetched once for all threads, and again shortly before it expires.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::Error;
use crate::http::Secret;
use crate::sync::{CancelTokens, Lock, Role, SingleFlight, WaitError};

/// How long before its expiry a token is replaced: Databricks rejects it during its last 30 s. For a short-lived token
/// the margin is a tenth of its lifetime.
const MAX_MARGIN: Duration = Duration::from_secs(60);

/// Longer lifetimes are shortened to this.
const MAX_LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A token as the server issued it.
pub(super) struct Token {
    pub secret: Secret,
    pub lifetime: Duration,
}

#[derive(Clone)]
struct Cached {
    secret: Arc<Secret>,
    fresh_until: Instant,
}

/// The token of one client. Threads that need one while another thread fetches it wait for that thread.
#[derive(Default)]
pub(super) struct Tokens {
    current: SingleFlight<Cached, Error>,
    /// The previous token, which servers may still repeat in their responses.
    previous: Lock<Option<Arc<Secret>>>,
}

impl Tokens {
    /// Returns the token, fetched by `fetch` unless there is a fresh one. Fails with `WaitError` only while it waits
    /// for another thread.
    pub fn get(
        &self,
        deadline: Instant,
        cancel: &CancelTokens,
        fetch: impl FnOnce() -> Result<Token, Error>,
    ) -> Result<Result<Arc<Secret>, Error>, WaitError> {
        let token = loop {
            match self.current.join((), |token| Instant::now() < token.fresh_until) {
                Role::Known(token) => break Ok(token),
                Role::Leader(leader) => break self.current.lead(leader, || fetch().map(|token| self.cached(token))),
                Role::Follower(follower) => match follower.wait(deadline, cancel)? {
                    // Used even if it expires soon, because this thread has waited for it.
                    Some(Ok(token)) => break Ok(token),
                    Some(Err(error)) if !error.is_specific_to_call() => break Err(error),
                    Some(Err(_)) | None => {}
                },
            }
        };
        Ok(token.map(|token| token.secret))
    }

    /// Keeps the current token as the previous one.
    fn cached(&self, Token { secret, lifetime }: Token) -> Cached {
        if let Some(previous) = self.current.value(()) {
            *self.previous.lock() = Some(previous.secret);
        }
        let lifetime = lifetime.min(MAX_LIFETIME);
        let fresh_until = Instant::now() + (lifetime - MAX_MARGIN.min(lifetime / 10));
        Cached { secret: Arc::new(secret), fresh_until }
    }

    /// Forgets a token that the server rejects.
    pub fn reject(&self, rejected: &Arc<Secret>) {
        self.current.forget_if(|token| {
            let is_rejected = Arc::ptr_eq(&token.secret, rejected);
            if is_rejected {
                // Kept before it is forgotten: `known` must contain it at all times.
                *self.previous.lock() = Some(Arc::clone(rejected));
            }
            is_rejected
        });
    }

    /// Returns the tokens that may occur in a response.
    pub fn known(&self) -> Vec<Arc<Secret>> {
        let current = self.current.value(()).map(|token| token.secret);
        current.into_iter().chain(self.previous.lock().clone()).collect()
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
    use std::sync::{Barrier, mpsc};

    use super::super::error::Status;
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    fn token(text: &str, lifetime_ms: u64) -> Result<Token, Error> {
        Ok(Token { secret: Secret::new(text), lifetime: Duration::from_millis(lifetime_ms) })
    }

    fn text(result: Result<Result<Arc<Secret>, Error>, WaitError>) -> String {
        result.unwrap().unwrap().expose().to_owned()
    }

    #[test]
    fn threads_share_one_fetch() {
        let (tokens, fetched) = (Tokens::default(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    let result = tokens.get(soon(), &CancelTokens::default(), || {
                        fetched.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(50));
                        token("a", 60_000)
                    });
                    assert_eq!(text(result), "a");
                });
            }
        });
        assert_eq!(fetched.into_inner(), 1);
    }

    #[test]
    fn token_is_replaced_before_it_expires() {
        let tokens = Tokens::default();
        assert_eq!(text(tokens.get(soon(), &CancelTokens::default(), || token("a", 100))), "a");
        std::thread::sleep(Duration::from_millis(92));
        assert_eq!(text(tokens.get(soon(), &CancelTokens::default(), || token("b", 60_000))), "b");
        assert_eq!(text(tokens.get(soon(), &CancelTokens::default(), || unreachable!())), "b");
        assert_eq!(tokens.known().len(), 2);
    }

    #[test]
    fn only_the_rejected_token_is_forgotten() {
        let tokens = Tokens::default();
        let first = tokens.get(soon(), &CancelTokens::default(), || token("a", 60_000)).unwrap().unwrap();
        tokens.reject(&first);
        assert_eq!(text(tokens.get(soon(), &CancelTokens::default(), || token("b", 60_000))), "b");
        tokens.reject(&first);
        assert_eq!(text(tokens.get(soon(), &CancelTokens::default(), || unreachable!())), "b");
    }

    #[test]
    fn failure_is_shared_and_not_remembered() {
        let (tokens, fetched, start) = (Tokens::default(), AtomicUsize::new(0), Barrier::new(8));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    let result = tokens.get(soon(), &CancelTokens::default(), || {
                        fetched.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(200));
                        Err(Error::new(Status::Unauthorized, "no"))
                    });
                    assert_eq!(result.unwrap().unwrap_err().status(), Status::Unauthorized);
                });
            }
        });
        assert_eq!(fetched.into_inner(), 1);
        assert_eq!(text(tokens.get(soon(), &CancelTokens::default(), || token("a", 60_000))), "a");
    }

    #[test]
    fn timeout_of_the_leader_is_not_shared() {
        let (tokens, fetching) = (Tokens::default(), Barrier::new(2));
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
    fn followers_keep_their_deadline_and_survive_a_panic() {
        let (tokens, fetching) = (Tokens::default(), Barrier::new(2));
        let (is_late, late) = mpsc::channel();
        std::thread::scope(|scope| {
            let (tokens, fetching) = (&tokens, &fetching);
            let panicking = scope.spawn(move || {
                let _ = tokens.get(soon(), &CancelTokens::default(), || {
                    fetching.wait();
                    late.recv_timeout(Duration::from_secs(5)).expect("the follower should have ended");
                    std::thread::sleep(Duration::from_millis(100));
                    panic!("a fault in the fetching thread")
                });
            });
            fetching.wait();
            let shortly = Instant::now() + Duration::from_millis(10);
            assert!(tokens.get(shortly, &CancelTokens::default(), || unreachable!()).is_err());
            is_late.send(()).unwrap();
            assert_eq!(text(tokens.get(soon(), &CancelTokens::default(), || token("a", 60_000))), "a");
            assert!(panicking.join().is_err());
        });
    }
}
