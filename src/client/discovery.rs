//! Which dialect the server speaks for a route and what the route is for: asked once, and remembered.

use std::sync::{Arc, Weak};
use std::time::Instant;

use super::error::Error;
use super::settings::Settings;
use crate::dialect::{Dialect, Task};
use crate::sync::{CancelTokens, Landing, Lock, SingleFlight, WaitError};

/// How to ask a route.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plan {
    pub dialect: &'static dyn Dialect,
    pub task: Task,
}

/// What is known of a route.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RouteInfo {
    pub dialect: &'static dyn Dialect,
    /// `None`: the server does not say, or it does whatever it is asked for.
    pub task: Option<Task>,
}

/// Under what a call asks.
#[derive(Debug)]
pub(super) struct DiscoveryContext {
    pub settings: Arc<Settings>,
    /// Whether the request has headers beside those of the settings.
    pub has_own_headers: bool,
}

/// What came of asking the server.
#[derive(Debug, Clone)]
pub(super) enum Discovered {
    Known(RouteInfo),
    /// The server would not say, or not in time; the question itself may still be answered.
    Silent,
    /// The question would fail in the same way.
    Failed(Error),
}

/// What is known of a route. Calls that begin while nothing is known share one discovery: it is the only thing for
/// which calls on one handle wait for each other.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    state: Lock<State>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Nothing,
    UnderWay(Arc<Discovering>),
    /// Under the dialect that the option forced, if any: what was learned so says nothing under another.
    Known(Option<&'static str>, RouteInfo),
}

/// A discovery that is under way.
#[derive(Debug)]
struct Discovering {
    forced: Option<&'static str>,
    /// The asking call's, if those are all that it asks under. Under others (headers, TLS) the server may answer
    /// otherwise. They are not kept alive: a thread of ours that waits must not be the last to have them, since the
    /// program destroys the data of a log with them.
    settings: Weak<Settings>,
    flight: SingleFlight<Discovered>,
}

impl Discovering {
    fn new(forced: Option<&'static str>, asker: &DiscoveryContext) -> Discovering {
        let settings = if asker.has_own_headers { Weak::new() } else { Arc::downgrade(&asker.settings) };
        Discovering { forced, settings, flight: SingleFlight::default() }
    }

    /// Whether the server must answer both alike.
    fn is_like(&self, asker: &DiscoveryContext) -> bool {
        !asker.has_own_headers && self.settings.as_ptr() == Arc::as_ptr(&asker.settings)
    }
}

impl Discovery {
    /// What is known, or else what `ask` finds out, in this thread or in another one that asks already. Those who have
    /// not as much time as the asking thread go on without knowing.
    pub fn find(
        &self,
        asker: &DiscoveryContext,
        deadline: Instant,
        cancel: &CancelTokens,
        ask: impl FnOnce() -> Discovered,
    ) -> Result<Discovered, WaitError> {
        let forced = asker.settings.options().dialect.map(Dialect::name);
        let mut state = self.state.lock();
        match &*state {
            State::Known(under, learned) if *under == forced => Ok(Discovered::Known(*learned)),
            State::UnderWay(search) if search.forced == forced && search.flight.is_of_this_process() => {
                let search = Arc::clone(search);
                drop(state);
                let outcome = match search.flight.wait(deadline, cancel) {
                    Ok(outcome) => outcome.unwrap_or(Discovered::Silent),
                    Err(WaitError::DeadlineExpired) => Discovered::Silent,
                    Err(over) => return Err(over),
                };
                match outcome {
                    Discovered::Failed(error) if error.is_of_one_call() || !search.is_like(asker) => Ok(ask()),
                    outcome => Ok(outcome),
                }
            }
            _ => {
                let search = Arc::new(Discovering::new(forced, asker));
                *state = State::UnderWay(Arc::clone(&search));
                drop(state);
                let under_way = UnderWay { discovery: self, search: &search };
                let outcome = ask();
                under_way.end(outcome.clone());
                Ok(outcome)
            }
        }
    }

    /// What is known under these settings.
    pub fn known(&self, settings: &Settings) -> Option<RouteInfo> {
        let forced = settings.options().dialect.map(Dialect::name);
        match &*self.state.lock() {
            State::Known(under, learned) if *under == forced => Some(*learned),
            _ => None,
        }
    }

    /// What an answered question taught.
    pub fn remember(&self, settings: &Settings, learned: RouteInfo) {
        *self.state.lock() = State::Known(settings.options().dialect.map(Dialect::name), learned);
    }

    /// What was remembered has turned out to be wrong: the server was replaced, or the route changed.
    pub fn forget(&self, wrong: Plan) {
        let is_wrong = |learned: &RouteInfo| {
            learned.dialect == wrong.dialect && learned.task.is_none_or(|task| task == wrong.task)
        };
        let mut state = self.state.lock();
        if matches!(&*state, State::Known(_, learned) if is_wrong(learned)) {
            *state = State::Nothing;
        }
    }
}

/// Ends a search, even if the asking thread panics.
struct UnderWay<'a> {
    discovery: &'a Discovery,
    search: &'a Arc<Discovering>,
}

impl UnderWay<'_> {
    fn end(self, outcome: Discovered) {
        self.keep(&outcome);
        Landing(&self.search.flight).with(outcome);
    }

    fn keep(&self, outcome: &Discovered) {
        let mut state = self.discovery.state.lock();
        if matches!(&*state, State::UnderWay(search) if Arc::ptr_eq(search, self.search)) {
            *state = match outcome {
                Discovered::Known(learned) => State::Known(self.search.forced, *learned),
                Discovered::Silent | Discovered::Failed(_) => State::Nothing,
            };
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if self.search.flight.landed().is_none() {
            self.keep(&Discovered::Silent);
            drop(Landing(&self.search.flight));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::super::error::Status;
    use super::super::option_parser::HandleOption;
    use super::*;
    use crate::dialect;

    fn find(
        discovery: &Discovery,
        asker: &DiscoveryContext,
        deadline: Instant,
        ask: impl FnOnce() -> Discovered,
    ) -> Discovered {
        discovery.find(asker, deadline, &CancelTokens::default(), ask).unwrap()
    }

    fn plan(number: usize) -> RouteInfo {
        RouteInfo { dialect: dialect::ALL[number], task: Some(Task::Chat) }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    fn settings(dialect: &str) -> DiscoveryContext {
        let mut settings = Settings::default();
        settings.set_option(HandleOption::parse("dialect", dialect).unwrap()).unwrap();
        DiscoveryContext { settings: Arc::new(settings), has_own_headers: false }
    }

    fn is_known(outcome: Discovered, expected: RouteInfo) -> bool {
        matches!(outcome, Discovered::Known(plan) if plan == expected)
    }

    #[test]
    fn many_threads_ask_once() {
        let (discovery, asked, start) = (Discovery::default(), AtomicUsize::new(0), Barrier::new(16));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    start.wait();
                    let outcome = find(&discovery, &settings("auto"), soon(), || {
                        asked.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(50));
                        Discovered::Known(plan(1))
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
        assert!(matches!(find(&discovery, &auto, soon(), || Discovered::Silent), Discovered::Silent));
        assert!(is_known(find(&discovery, &auto, soon(), || Discovered::Known(plan(0))), plan(0)));
        assert!(is_known(find(&discovery, &auto, soon(), || unreachable!()), plan(0)));
    }

    #[test]
    fn another_forced_dialect_is_another_question() {
        let discovery = Discovery::default();
        find(&discovery, &settings("auto"), soon(), || Discovered::Known(plan(0)));
        let forced = find(&discovery, &settings("gateway"), soon(), || Discovered::Known(plan(1)));
        assert!(is_known(forced, plan(1)));
        assert!(is_known(find(&discovery, &settings("auto"), soon(), || Discovered::Known(plan(0))), plan(0)));
    }

    #[test]
    fn what_was_wrong_is_forgotten_and_nothing_else() {
        let (discovery, auto) = (Discovery::default(), settings("auto"));
        discovery.remember(&auto.settings, plan(0));
        discovery.forget(Plan { dialect: dialect::ALL[1], task: Task::Chat });
        discovery.forget(Plan { dialect: dialect::ALL[0], task: Task::Embeddings });
        assert!(is_known(find(&discovery, &auto, soon(), || unreachable!()), plan(0)));
        assert_eq!(discovery.known(&auto.settings), Some(plan(0)));
        assert_eq!(discovery.known(&settings("gateway").settings), None);
        discovery.forget(Plan { dialect: dialect::ALL[0], task: Task::Chat });
        assert_eq!(discovery.known(&auto.settings), None);
        assert!(is_known(find(&discovery, &auto, soon(), || Discovered::Known(plan(1))), plan(1)));
    }

    /// Runs `follow` while another thread asks, which ends as `end` says.
    fn beside(
        discovery: &Discovery,
        auto: &DiscoveryContext,
        end: impl Fn() -> Discovered + Sync,
        follow: impl FnOnce(),
    ) {
        let asking = Barrier::new(2);
        std::thread::scope(|scope| {
            let leader = scope.spawn(|| {
                find(discovery, auto, soon(), || {
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
            assert!(matches!(find(&discovery, &auto, short, || unreachable!()), Discovered::Silent));
            assert!(start.elapsed() < Duration::from_millis(150));
            assert!(matches!(find(&discovery, &auto, soon(), || unreachable!()), Discovered::Silent));
        });
        assert!(is_known(find(&discovery, &auto, soon(), || Discovered::Known(plan(0))), plan(0)));
    }

    #[test]
    fn those_who_wait_keep_no_settings_of_others() {
        let (discovery, leader) = (Discovery::default(), settings("auto"));
        let of_leader = Arc::downgrade(&leader.settings);
        let (asking, has_ended) = (Barrier::new(2), Barrier::new(2));
        std::thread::scope(|scope| {
            let (discovery, asking, has_ended) = (&discovery, &asking, &has_ended);
            scope.spawn(move || {
                find(discovery, &leader, soon(), || {
                    asking.wait();
                    std::thread::sleep(Duration::from_millis(100));
                    Discovered::Failed(Error::new(Status::TlsFailed, "no trust"))
                });
                drop(leader);
                has_ended.wait();
            });
            asking.wait();
            find(discovery, &settings("auto"), soon(), || {
                has_ended.wait();
                assert_eq!(of_leader.strong_count(), 0);
                Discovered::Silent
            });
        });
    }

    #[test]
    fn a_failure_under_other_settings_is_not_ones_own() {
        let (discovery, auto) = (Discovery::default(), settings("auto"));
        let fails = || Discovered::Failed(Error::new(Status::TlsFailed, "no trust"));
        beside(&discovery, &auto, fails, || {
            let same = find(&discovery, &auto, soon(), || unreachable!());
            assert!(matches!(same, Discovered::Failed(_)));
        });
        beside(&discovery, &auto, fails, || {
            assert!(is_known(find(&discovery, &settings("auto"), soon(), || Discovered::Known(plan(0))), plan(0)));
        });
        let own = DiscoveryContext { has_own_headers: true, settings: Arc::clone(&auto.settings) };
        for (first, second) in [(&own, &auto), (&auto, &own), (&own, &own)] {
            let discovery = Discovery::default();
            beside(&discovery, first, fails, || {
                assert!(is_known(find(&discovery, second, soon(), || Discovered::Known(plan(0))), plan(0)));
            });
        }
    }
}
