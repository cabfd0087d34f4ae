//! Which dialect the server speaks and what the route is for: asked once, remembered in the handle.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::error::Error;
use crate::dialect::{Dialect, Task};

/// How to ask a route.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub dialect: &'static dyn Dialect,
    pub task: Task,
}

impl PartialEq for Plan {
    fn eq(&self, other: &Plan) -> bool {
        self.dialect.name() == other.dialect.name() && self.task == other.task
    }
}

/// What came of asking the server.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Known(Plan),
    /// The server would not say, or not in time; the question itself may still be answered.
    Silent,
    /// The question would fail in the same way.
    Failed(Error),
}

/// The dialect that an option forces, if any. What was learned under one setting says nothing under another.
pub(super) type Forced = Option<&'static dyn Dialect>;

/// What a handle knows of its server. Calls that begin while nothing is known share one discovery: it is the only
/// thing for which calls on one handle wait for each other.
#[derive(Debug, Default)]
pub(super) struct Discovery(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Nothing,
    UnderWay(Arc<Flight>),
    Known(Option<&'static str>, Plan),
}

#[derive(Debug)]
struct Flight {
    forced: Option<&'static str>,
    outcome: Mutex<Option<Outcome>>,
    landed: Condvar,
}

impl Discovery {
    /// What is known, or else what `ask` finds out. `None` if that took another thread longer than the deadline.
    pub fn find(&self, forced: Forced, deadline: Instant, ask: impl FnOnce() -> Outcome) -> Option<Outcome> {
        let forced = forced.map(Dialect::name);
        let mut state = self.lock();
        match &*state {
            State::Known(under, plan) if *under == forced => Some(Outcome::Known(*plan)),
            State::UnderWay(flight) if flight.forced == forced => {
                let flight = Arc::clone(flight);
                drop(state);
                flight.wait(deadline)
            }
            _ => {
                let flight = Arc::new(Flight { forced, outcome: Mutex::default(), landed: Condvar::new() });
                *state = State::UnderWay(Arc::clone(&flight));
                drop(state);
                let landing = Landing { discovery: self, flight: &flight };
                let outcome = ask();
                landing.land(&outcome);
                Some(outcome)
            }
        }
    }

    /// What an answered question taught.
    pub fn remember(&self, forced: Forced, plan: Plan) {
        *self.lock() = State::Known(forced.map(Dialect::name), plan);
    }

    /// What was remembered has turned out to be wrong: the server was replaced, or the route changed.
    pub fn forget(&self, wrong: Plan) {
        let mut state = self.lock();
        if matches!(&*state, State::Known(_, plan) if *plan == wrong) {
            *state = State::Nothing;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    fn wait(&self, deadline: Instant) -> Option<Outcome> {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if outcome.is_some() {
                return outcome.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            outcome = self.landed.wait_timeout(outcome, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Lets the waiting threads go on, even if the asking one panics.
struct Landing<'a> {
    discovery: &'a Discovery,
    flight: &'a Arc<Flight>,
}

impl Landing<'_> {
    fn land(&self, outcome: &Outcome) {
        *self.flight.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome.clone());
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let outcome =
            self.flight.outcome.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(Outcome::Silent).clone();
        let mut state = self.discovery.lock();
        if matches!(&*state, State::UnderWay(flight) if Arc::ptr_eq(flight, self.flight)) {
            *state = match outcome {
                Outcome::Known(plan) => State::Known(self.flight.forced, plan),
                Outcome::Silent | Outcome::Failed(_) => State::Nothing,
            };
        }
        self.flight.landed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::dialect;

    fn plan(number: usize) -> Plan {
        Plan { dialect: dialect::ALL[number], task: Task::Chat }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    fn is_known(outcome: Option<Outcome>, expected: Plan) -> bool {
        matches!(outcome, Some(Outcome::Known(plan)) if plan == expected)
    }

    #[test]
    fn many_threads_ask_once() {
        let (discovery, asked, start) = (Discovery::default(), AtomicUsize::new(0), Barrier::new(16));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    start.wait();
                    let outcome = discovery.find(None, soon(), || {
                        asked.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(50));
                        Outcome::Known(plan(1))
                    });
                    assert!(is_known(outcome, plan(1)));
                });
            }
        });
        assert_eq!(asked.into_inner(), 1);
    }

    #[test]
    fn a_failure_is_shared_but_not_remembered() {
        let discovery = Discovery::default();
        assert!(matches!(discovery.find(None, soon(), || Outcome::Silent), Some(Outcome::Silent)));
        assert!(is_known(discovery.find(None, soon(), || Outcome::Known(plan(0))), plan(0)));
        assert!(is_known(discovery.find(None, soon(), || unreachable!()), plan(0)));
    }

    #[test]
    fn another_forced_dialect_is_another_question() {
        let discovery = Discovery::default();
        discovery.find(None, soon(), || Outcome::Known(plan(0)));
        let forced = Some(dialect::ALL[1]);
        assert!(is_known(discovery.find(forced, soon(), || Outcome::Known(plan(1))), plan(1)));
        assert!(is_known(discovery.find(None, soon(), || Outcome::Known(plan(0))), plan(0)));
    }

    #[test]
    fn what_was_wrong_is_forgotten_and_nothing_else() {
        let discovery = Discovery::default();
        discovery.remember(None, plan(0));
        discovery.forget(plan(1));
        assert!(is_known(discovery.find(None, soon(), || unreachable!()), plan(0)));
        discovery.forget(plan(0));
        assert!(is_known(discovery.find(None, soon(), || Outcome::Known(plan(1))), plan(1)));
    }

    #[test]
    fn those_who_wait_neither_hang_nor_outstay_their_deadline() {
        let (discovery, asking) = (Discovery::default(), Barrier::new(2));
        std::thread::scope(|scope| {
            let leader = scope.spawn(|| {
                discovery.find(None, soon(), || {
                    asking.wait();
                    std::thread::sleep(Duration::from_millis(200));
                    panic!("a fault in the asking thread");
                })
            });
            asking.wait();
            let short = Instant::now() + Duration::from_millis(20);
            assert!(discovery.find(None, short, || unreachable!()).is_none());
            assert!(matches!(discovery.find(None, soon(), || unreachable!()), Some(Outcome::Silent)));
            assert!(leader.join().is_err());
        });
        assert!(is_known(discovery.find(None, soon(), || Outcome::Known(plan(0))), plan(0)));
    }
}
