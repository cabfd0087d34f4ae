//! A value that one thread makes for all threads that need it at the same time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use super::cancel::CancelTokens;
use super::futex;
use super::lock::Lock;
use super::process_local::ProcessLocal;
use super::wait::{RECHECK, WaitError, remaining};

/// A value that takes long to make, for example by a request to a server. The first thread that needs it becomes the
/// leader and makes it; the others follow: each waits until its own deadline or cancellation. A value (`Ok`) is
/// remembered until it is no longer fresh, is replaced or is forgotten. A failure (`Err`) is shared with the followers,
/// and forgotten. A leader that panics wakes its followers. In a forked child, a value that a thread of the parent was
/// making is made anew.
///
/// A value has a key, and the value of one key is remembered at a time. A thread with another key neither uses that
/// value nor follows its leader.
pub struct SingleFlight<T, E, K = ()>(Lock<State<T, E, K>>);

struct State<T, E, K> {
    value: Option<(K, T)>,
    flight: Option<(K, SharedFlight<T, E>)>,
}

type SharedFlight<T, E> = ProcessLocal<Arc<Flight<T, E>>>;

/// The part of the calling thread.
pub enum Role<T, E> {
    /// Nothing: this is the value.
    Known(T),
    /// Make the value, by [`SingleFlight::lead`].
    Leader(Leader<T, E>),
    /// Wait for the thread that makes it.
    Follower(Follower<T, E>),
}

/// Held by the thread that makes the value. Dropping it wakes the followers; without [`SingleFlight::lead`] they get no
/// value.
pub struct Leader<T, E>(Arc<Flight<T, E>>);

/// Held by a thread that waits for the leader.
pub struct Follower<T, E>(Arc<Flight<T, E>>);

/// The work of one leader.
struct Flight<T, E> {
    /// 0 while the leader works. Followers sleep on it.
    has_ended: AtomicU32,
    /// `None` until the leader has ended, and also afterwards if it panicked.
    outcome: Lock<Option<Result<T, E>>>,
}

impl<T: Clone, E: Clone, K: PartialEq + Copy> SingleFlight<T, E, K> {
    /// Returns the value if it is fresh. Otherwise the caller becomes a follower of the thread that is making it, or
    /// the leader if there is none.
    pub fn join(&self, key: K, is_fresh: impl FnOnce(&T) -> bool) -> Role<T, E> {
        let mut state = self.0.lock();
        match &state.value {
            Some((value_key, value)) if *value_key == key && is_fresh(value) => return Role::Known(value.clone()),
            _ => {}
        }
        match &state.flight {
            Some((flight_key, flight)) if *flight_key == key => match flight.get() {
                Some(flight) if !flight.has_ended() => return Role::Follower(Follower(Arc::clone(flight))),
                _ => {}
            },
            _ => {}
        }
        let flight = Arc::new(Flight { has_ended: AtomicU32::new(0), outcome: Lock::default() });
        state.value.take_if(|(value_key, _)| *value_key != key);
        state.flight = Some((key, ProcessLocal::new(Arc::clone(&flight))));
        Role::Leader(Leader(flight))
    }

    /// Makes the value: runs `work`, remembers a value unless another one was set meanwhile, and wakes the followers.
    /// It may run on another thread than [`SingleFlight::join`].
    pub fn lead(&self, leader: Leader<T, E>, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let outcome = work();
        // Called before the followers wake: they may call `join` again.
        self.end(&leader.0, outcome.as_ref().ok());
        *leader.0.outcome.lock() = Some(outcome.clone());
        outcome
    }

    fn end(&self, ended: &Arc<Flight<T, E>>, value: Option<&T>) {
        let mut state = self.0.lock();
        let is_ended = |flight: &SharedFlight<T, E>| flight.get().is_some_and(|flight| Arc::ptr_eq(flight, ended));
        let Some((key, _)) = state.flight.take_if(|(_, flight)| is_ended(flight)) else { return };
        if let Some(value) = value {
            state.value = Some((key, value.clone()));
        }
    }

    /// Returns the value, fresh or not; `None` if there is none under this key.
    pub fn value(&self, key: K) -> Option<T> {
        self.0.lock().value.as_ref().filter(|(value_key, _)| *value_key == key).map(|(_, value)| value.clone())
    }

    /// Replaces the value. A leader that is at work does not replace it again.
    pub fn set(&self, key: K, value: T) {
        *self.0.lock() = State { value: Some((key, value)), flight: None };
    }

    /// Forgets the value if `is_wrong`, and returns it.
    pub fn forget_if(&self, is_wrong: impl FnOnce(&T) -> bool) -> Option<T> {
        self.0.lock().value.take_if(|(_, value)| is_wrong(value)).map(|(_, value)| value)
    }
}

impl<T, E> Leader<T, E> {
    /// Returns a follower, with which this thread can wait while another one leads.
    pub fn follower(&self) -> Follower<T, E> {
        Follower(Arc::clone(&self.0))
    }
}

impl<T, E> Drop for Leader<T, E> {
    fn drop(&mut self) {
        self.0.has_ended.store(1, Ordering::Release);
        futex::wake(&self.0.has_ended, i32::MAX);
    }
}

impl<T: Clone, E: Clone> Follower<T, E> {
    /// Waits for the leader's outcome; `None` if it has none, since it panicked.
    pub fn wait(&self, deadline: Instant, tokens: &CancelTokens) -> Result<Option<Result<T, E>>, WaitError> {
        wait_for_end(&self.0.has_ended, deadline, tokens)?;
        Ok(self.0.outcome.lock().clone())
    }
}

/// Not generic: all kinds of followers share its code.
fn wait_for_end(has_ended: &AtomicU32, deadline: Instant, tokens: &CancelTokens) -> Result<(), WaitError> {
    while has_ended.load(Ordering::Acquire) == 0 {
        let remaining = remaining(deadline, tokens)?;
        // A signal handler that cancels a token cannot wake this thread.
        let timeout = if tokens.is_empty() { remaining } else { remaining.min(RECHECK) };
        futex::wait(has_ended, 0, Some(timeout));
    }
    // The leader may have the same tokens, and its outcome may be that it was cancelled.
    if tokens.is_cancelled() { Err(WaitError::Cancelled) } else { Ok(()) }
}

impl<T, E> Flight<T, E> {
    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire) != 0
    }
}

impl<T, E, K> Default for State<T, E, K> {
    fn default() -> State<T, E, K> {
        State { value: None, flight: None }
    }
}

impl<T, E, K> Default for SingleFlight<T, E, K> {
    fn default() -> SingleFlight<T, E, K> {
        SingleFlight(Lock::default())
    }
}

impl<T, E, K> fmt::Debug for SingleFlight<T, E, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SingleFlight")
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    use super::super::cancel::CancelToken;
    use super::super::process::tests::in_child;
    use super::*;

    type Numbers = SingleFlight<u8, &'static str, char>;

    fn after(ms: u64) -> Instant {
        Instant::now() + Duration::from_millis(ms)
    }

    fn leader<T: Clone, E: Clone>(role: Role<T, E>) -> Leader<T, E> {
        match role {
            Role::Leader(leader) => leader,
            Role::Follower(_) => panic!("a follower"),
            Role::Known(_) => panic!("a value is known"),
        }
    }

    fn follower<T: Clone, E: Clone>(role: Role<T, E>) -> Follower<T, E> {
        match role {
            Role::Follower(follower) => follower,
            Role::Leader(_) => panic!("a leader"),
            Role::Known(_) => panic!("a value is known"),
        }
    }

    fn known<E>(role: Role<u8, E>) -> Option<u8> {
        if let Role::Known(value) = role { Some(value) } else { None }
    }

    fn wait<T: Clone, E: Clone>(follower: &Follower<T, E>) -> Result<Option<Result<T, E>>, WaitError> {
        follower.wait(after(10_000), &CancelTokens::default())
    }

    #[test]
    fn all_followers_get_the_leaders_outcome() {
        for outcome in [Ok(7), Err("no")] {
            let numbers = Numbers::default();
            let leader = leader(numbers.join('a', |_| true));
            let followers: Vec<_> = (0..8).map(|_| follower(numbers.join('a', |_| true))).collect();
            std::thread::scope(|scope| {
                let waiting: Vec<_> = followers.iter().map(|follower| scope.spawn(|| wait(follower))).collect();
                std::thread::sleep(Duration::from_millis(20));
                assert_eq!(numbers.lead(leader, || outcome), outcome);
                waiting.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), Ok(Some(outcome))));
            });
        }
    }

    #[test]
    fn value_is_remembered_while_fresh_and_failure_is_not() {
        let numbers = Numbers::default();
        assert_eq!(numbers.lead(leader(numbers.join('a', |_| true)), || Err("no")), Err("no"));
        assert_eq!(numbers.lead(leader(numbers.join('a', |_| true)), || Ok(1)), Ok(1));
        assert_eq!(known(numbers.join('a', |value| *value == 1)), Some(1));
        // A value that is not fresh stays until another value replaces it.
        let second = leader(numbers.join('a', |value| *value != 1));
        assert_eq!(numbers.value('a'), Some(1));
        assert_eq!(numbers.lead(second, || Ok(2)), Ok(2));
        assert_eq!(numbers.value('a'), Some(2));
    }

    #[test]
    fn another_key_is_another_value() {
        let numbers = Numbers::default();
        numbers.set('a', 1);
        assert_eq!(numbers.value('b'), None);
        let leader_of_b = leader(numbers.join('b', |_| true));
        assert_eq!(numbers.value('a'), None);
        // Only the value of the last key is remembered.
        let leader_of_a = leader(numbers.join('a', |_| true));
        assert_eq!(numbers.lead(leader_of_b, || Ok(2)), Ok(2));
        assert_eq!((numbers.value('a'), numbers.value('b')), (None, None));
        assert_eq!(numbers.lead(leader_of_a, || Ok(3)), Ok(3));
        assert_eq!(numbers.value('a'), Some(3));
    }

    #[test]
    fn value_can_be_replaced_and_forgotten_conditionally() {
        let numbers = Numbers::default();
        let late = leader(numbers.join('a', |_| true));
        numbers.set('a', 1);
        assert_eq!(numbers.lead(late, || Ok(2)), Ok(2));
        assert_eq!(numbers.value('a'), Some(1));
        assert_eq!(numbers.forget_if(|value| *value == 2), None);
        assert_eq!(numbers.forget_if(|value| *value == 1), Some(1));
        assert_eq!(numbers.value('a'), None);
    }

    #[test]
    fn panic_of_leader_wakes_followers() {
        let numbers = Numbers::default();
        let first = leader(numbers.join('a', |_| true));
        let following = follower(numbers.join('a', |_| true));
        assert!(catch_unwind(AssertUnwindSafe(|| numbers.lead(first, || panic!("a fault of the leader")))).is_err());
        assert_eq!(wait(&following), Ok(None));
        drop(leader(numbers.join('a', |_| true)));
        assert_eq!(numbers.lead(leader(numbers.join('a', |_| true)), || Ok(1)), Ok(1));
    }

    #[test]
    fn followers_wait_until_their_own_deadline_or_cancellation() {
        let numbers = Numbers::default();
        let leader = leader(numbers.join('a', |_| true));
        let following = leader.follower();
        assert_eq!(following.wait(after(10), &CancelTokens::default()), Err(WaitError::DeadlineExpired));
        let token = Arc::new(CancelToken::new().unwrap());
        let tokens = CancelTokens::new(Some(&token), None);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| following.wait(after(10_000), &tokens));
            token.cancel();
            assert_eq!(waiting.join().unwrap(), Err(WaitError::Cancelled));
        });
        drop(leader);
        assert_eq!(following.wait(after(10), &tokens), Err(WaitError::Cancelled));
        assert_eq!(following.wait(after(0), &CancelTokens::default()), Ok(None));
    }

    #[test]
    fn another_thread_can_lead() {
        let numbers = Arc::new(Numbers::default());
        let first = leader(numbers.join('a', |_| true));
        let following = first.follower();
        let there = Arc::clone(&numbers);
        let thread = std::thread::spawn(move || there.lead(first, || Ok(1)));
        assert_eq!(wait(&following), Ok(Some(Ok(1))));
        assert_eq!(thread.join().unwrap(), Ok(1));
        assert_eq!(known(numbers.join('a', |_| true)), Some(1));
    }

    #[test]
    fn forked_child_starts_its_own_flight_and_keeps_the_value() {
        let numbers = Numbers::default();
        let of_parent = leader(numbers.join('a', |_| true));
        let in_a_child = in_child(|| {
            let own = leader(numbers.join('a', |_| true));
            u8::from(numbers.lead(own, || Ok(1)) == Ok(1) && numbers.value('a') == Some(1))
        });
        assert_eq!(in_a_child, 1);
        assert_eq!(numbers.lead(of_parent, || Ok(2)), Ok(2));
        assert_eq!(in_child(|| known(numbers.join('a', |_| true)).unwrap_or_default()), 2);
    }
}
