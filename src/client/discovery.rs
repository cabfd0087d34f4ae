//! Which dialect the server speaks and what the route is for: asked once, remembered in the handle.

use std::process;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::error::{Error, Status};
use super::settings::Settings;
use crate::dialect::{Dialect, Task};

/// How to ask a route.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plan {
    pub dialect: &'static dyn Dialect,
    pub task: Task,
}

/// What is known of a route.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Learned {
    pub dialect: &'static dyn Dialect,
    /// `None`: the server does not say, or it does whatever it is asked for.
    pub task: Option<Task>,
}

impl Learned {
    /// What a question teaches that was answered.
    pub fn of(plan: Plan) -> Learned {
        Learned { dialect: plan.dialect, task: Some(plan.task).filter(|_| plan.dialect.has_one_task()) }
    }

    /// How to ask what is likely meant for a route of this task.
    pub fn plan(&self, likely: Task) -> Plan {
        Plan { dialect: self.dialect, task: self.task.unwrap_or_else(|| self.dialect.task_for(likely)) }
    }
}

/// Under what a call asks.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    pub settings: Arc<Settings>,
    /// Whether the request has headers beside those of the settings.
    pub has_own_headers: bool,
}

impl Asker {
    /// Whether the server must answer both alike.
    fn is_like(&self, other: &Asker) -> bool {
        Arc::ptr_eq(&self.settings, &other.settings) && !self.has_own_headers && !other.has_own_headers
    }
}

/// What came of asking the server.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Known(Learned),
    /// The server would not say, or not in time; the question itself may still be answered.
    Silent,
    /// The question would fail in the same way.
    Failed(Error),
}

/// What a handle knows of its server. Calls that begin while nothing is known share one discovery: it is the only
/// thing for which calls on one handle wait for each other.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    state: Mutex<State>,
    /// The dialect in which the server last answered anything.
    spoken: Mutex<Option<&'static dyn Dialect>>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Nothing,
    UnderWay(Arc<Flight>),
    /// Under the dialect that the option forced, if any: what was learned so says nothing under another.
    Known(Option<&'static str>, Learned),
}

#[derive(Debug)]
struct Flight {
    forced: Option<&'static str>,
    /// The asking thread is not in a process that was forked meanwhile.
    process: u32,
    /// The asking call's. Under other settings (headers, TLS) the server may answer otherwise.
    asker: Asker,
    outcome: Mutex<Option<Outcome>>,
    landed: Condvar,
}

impl Discovery {
    /// What is known, or else what `ask` finds out, in this thread or in another one that asks already.
    pub fn find(&self, asker: &Asker, deadline: Instant, ask: impl FnOnce() -> Outcome) -> Outcome {
        let forced = asker.settings.options().dialect.map(Dialect::name);
        let mut state = self.lock();
        match &*state {
            State::Known(under, learned) if *under == forced => Outcome::Known(*learned),
            State::UnderWay(flight) if flight.forced == forced && flight.process == process::id() => {
                let flight = Arc::clone(flight);
                drop(state);
                match flight.wait(deadline) {
                    // That the other call's time was over says nothing of one's own.
                    Outcome::Failed(error) if error.status() == Status::Timeout || !flight.asker.is_like(asker) => {
                        ask()
                    }
                    outcome => outcome,
                }
            }
            _ => {
                let flight = Arc::new(Flight {
                    forced,
                    process: process::id(),
                    asker: asker.clone(),
                    outcome: Mutex::default(),
                    landed: Condvar::new(),
                });
                *state = State::UnderWay(Arc::clone(&flight));
                drop(state);
                let landing = Landing { discovery: self, flight: &flight };
                let outcome = ask();
                landing.land(&outcome);
                outcome
            }
        }
    }

    /// What an answered question taught.
    pub fn remember(&self, settings: &Settings, learned: Learned) {
        self.answered_in(learned.dialect);
        *self.lock() = State::Known(settings.options().dialect.map(Dialect::name), learned);
    }

    /// The one of these dialects in which the server last answered.
    pub fn spoken(&self, dialects: &[&'static dyn Dialect]) -> Option<&'static dyn Dialect> {
        let spoken = (*self.spoken.lock().unwrap_or_else(PoisonError::into_inner))?;
        dialects.iter().copied().find(|dialect| *dialect == spoken)
    }

    /// These dialects, beginning with the one in which the server last answered.
    pub fn in_order(&self, dialects: &[&'static dyn Dialect]) -> Vec<&'static dyn Dialect> {
        let spoken = self.spoken(dialects);
        let others = dialects.iter().copied().filter(|dialect| Some(*dialect) != spoken);
        spoken.into_iter().chain(others).collect()
    }

    pub fn answered_in(&self, dialect: &'static dyn Dialect) {
        *self.spoken.lock().unwrap_or_else(PoisonError::into_inner) = Some(dialect);
    }

    /// What was remembered has turned out to be wrong: the server was replaced, or the route changed.
    pub fn forget(&self, wrong: Plan) {
        self.spoken.lock().unwrap_or_else(PoisonError::into_inner).take_if(|dialect| *dialect == wrong.dialect);
        let mut state = self.lock();
        if matches!(&*state, State::Known(_, learned) if learned.plan(wrong.task) == wrong) {
            *state = State::Nothing;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// Those who have not as much time as the asking thread go on without knowing.
    fn wait(&self, deadline: Instant) -> Outcome {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = self.landed.wait_timeout_while(outcome, left, |outcome| outcome.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.clone().unwrap_or(Outcome::Silent)
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
                Outcome::Known(learned) => State::Known(self.flight.forced, learned),
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

    use super::super::options::Setting;
    use super::*;
    use crate::dialect;

    fn plan(number: usize) -> Learned {
        Learned { dialect: dialect::ALL[number], task: Some(Task::Chat) }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    fn settings(dialect: &str) -> Asker {
        let mut settings = Settings::default();
        settings.set_option(Setting::parse("dialect", dialect).unwrap()).unwrap();
        Asker { settings: Arc::new(settings), has_own_headers: false }
    }

    fn is_known(outcome: Outcome, expected: Learned) -> bool {
        matches!(outcome, Outcome::Known(plan) if plan == expected)
    }

    #[test]
    fn many_threads_ask_once() {
        let (discovery, asked, start) = (Discovery::default(), AtomicUsize::new(0), Barrier::new(16));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    start.wait();
                    let outcome = discovery.find(&settings("auto"), soon(), || {
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
    fn a_failure_is_not_remembered() {
        let (discovery, auto) = (Discovery::default(), settings("auto"));
        assert!(matches!(discovery.find(&auto, soon(), || Outcome::Silent), Outcome::Silent));
        assert!(is_known(discovery.find(&auto, soon(), || Outcome::Known(plan(0))), plan(0)));
        assert!(is_known(discovery.find(&auto, soon(), || unreachable!()), plan(0)));
    }

    #[test]
    fn another_forced_dialect_is_another_question() {
        let discovery = Discovery::default();
        discovery.find(&settings("auto"), soon(), || Outcome::Known(plan(0)));
        let forced = discovery.find(&settings("gateway"), soon(), || Outcome::Known(plan(1)));
        assert!(is_known(forced, plan(1)));
        assert!(is_known(discovery.find(&settings("auto"), soon(), || Outcome::Known(plan(0))), plan(0)));
    }

    #[test]
    fn what_was_wrong_is_forgotten_and_nothing_else() {
        let (discovery, auto) = (Discovery::default(), settings("auto"));
        discovery.remember(&auto.settings, plan(0));
        discovery.forget(plan(1).plan(Task::Chat));
        assert!(is_known(discovery.find(&auto, soon(), || unreachable!()), plan(0)));
        discovery.forget(plan(0).plan(Task::Chat));
        assert!(is_known(discovery.find(&auto, soon(), || Outcome::Known(plan(1))), plan(1)));
    }

    /// Runs `follow` while another thread asks, which ends as `end` says.
    fn beside(discovery: &Discovery, auto: &Asker, end: impl Fn() -> Outcome + Sync, follow: impl FnOnce()) {
        let asking = Barrier::new(2);
        std::thread::scope(|scope| {
            let leader = scope.spawn(|| {
                discovery.find(auto, soon(), || {
                    asking.wait();
                    std::thread::sleep(Duration::from_millis(200));
                    end()
                })
            });
            asking.wait();
            follow();
            let _ = leader.join();
        });
    }

    #[test]
    fn those_who_wait_neither_hang_nor_outstay_their_deadline() {
        let (discovery, auto) = (Discovery::default(), settings("auto"));
        let panics = || panic!("a fault in the asking thread");
        beside(&discovery, &auto, panics, || {
            let start = Instant::now();
            let short = start + Duration::from_millis(20);
            assert!(matches!(discovery.find(&auto, short, || unreachable!()), Outcome::Silent));
            assert!(start.elapsed() < Duration::from_millis(150));
            assert!(matches!(discovery.find(&auto, soon(), || unreachable!()), Outcome::Silent));
        });
        assert!(is_known(discovery.find(&auto, soon(), || Outcome::Known(plan(0))), plan(0)));
    }

    #[test]
    fn a_failure_under_other_settings_is_not_ones_own() {
        let (discovery, auto) = (Discovery::default(), settings("auto"));
        let fails = || Outcome::Failed(Error::new(Status::TlsFailed, "no trust"));
        beside(&discovery, &auto, fails, || {
            let same = discovery.find(&auto, soon(), || unreachable!());
            assert!(matches!(same, Outcome::Failed(_)));
        });
        beside(&discovery, &auto, fails, || {
            assert!(is_known(discovery.find(&settings("auto"), soon(), || Outcome::Known(plan(0))), plan(0)));
        });
        let own = Asker { has_own_headers: true, ..auto.clone() };
        for (first, second) in [(&own, &auto), (&auto, &own), (&own, &own)] {
            let discovery = Discovery::default();
            beside(&discovery, first, fails, || {
                assert!(is_known(discovery.find(second, soon(), || Outcome::Known(plan(0))), plan(0)));
            });
        }
    }
}
