//! Discovery of the dialect of a server and the task of a route. Made once for each route, and remembered.

use std::sync::{Arc, Weak};
use std::time::Instant;

use super::error::Error;
use super::settings::Settings;
use crate::dialect::{Dialect, Task};
use crate::sync::{CancelTokens, Role, SingleFlight, WaitError};

/// How to send a request to a route.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plan {
    pub dialect: &'static dyn Dialect,
    pub task: Task,
}

/// The dialect and the task of a route.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RouteInfo {
    pub dialect: &'static dyn Dialect,
    /// `None` if the server does not report it, or if the route is for any task.
    pub task: Option<Task>,
}

/// The settings of a call, on which the result of a discovery depends.
#[derive(Debug)]
pub(super) struct CallSettings {
    pub settings: Arc<Settings>,
    /// Whether the request has headers of its own.
    pub has_own_headers: bool,
}

/// The result of a discovery.
#[derive(Debug, Clone)]
pub(super) enum Discovered {
    Known(RouteInfo),
    /// The server did not report the route, or not in time. The model request may still succeed.
    Unknown,
    /// The model request would fail in the same way.
    Failed(Error),
}

/// The name of the dialect that the option `dialect` forces. Results for one dialect do not apply to another.
type Forced = Option<&'static str>;

/// The dialect and the task of a route, once they are known. Calls that begin while nothing is known share one
/// discovery: the first call sends the lookups, and the others wait for its result.
#[derive(Debug, Default)]
pub(super) struct Discovery(SingleFlight<RouteInfo, NotDiscovered, Forced>);

/// The result of a discovery that found no dialect. It is shared with the calls that wait for it.
#[derive(Debug, Clone)]
enum NotDiscovered {
    Unknown,
    Failed(Error, LeaderSettings),
}

/// The settings of the call that made a discovery; none if its request has headers of its own. They are not kept alive:
/// dropping them runs a callback of the program (on_destroy of a log), which must not happen on a thread of the
/// library.
#[derive(Debug, Clone)]
struct LeaderSettings(Weak<Settings>);

impl LeaderSettings {
    fn new(call: &CallSettings) -> LeaderSettings {
        LeaderSettings(if call.has_own_headers { Weak::new() } else { Arc::downgrade(&call.settings) })
    }

    /// Returns whether the server must respond to both calls in the same way. With other headers or TLS settings a
    /// server may respond differently.
    fn apply_to(&self, call: &CallSettings) -> bool {
        !call.has_own_headers && self.0.as_ptr() == Arc::as_ptr(&call.settings)
    }
}

impl Discovery {
    /// Returns the dialect and the task. If they are not known, returns the result of `discover`, which this thread
    /// runs unless another thread is already running it. If the call's deadline expires first, the result is `Unknown`.
    pub fn find(
        &self,
        call: &CallSettings,
        deadline: Instant,
        cancel: &CancelTokens,
        discover: impl FnOnce() -> Discovered,
    ) -> Result<Discovered, WaitError> {
        let follower = match self.0.join(forced(&call.settings), |_| true) {
            Role::Known(info) => return Ok(Discovered::Known(info)),
            Role::Leader(leader) => {
                let discovered = self.0.lead(leader, || match discover() {
                    Discovered::Known(info) => Ok(info),
                    Discovered::Unknown => Err(NotDiscovered::Unknown),
                    Discovered::Failed(error) => Err(NotDiscovered::Failed(error, LeaderSettings::new(call))),
                });
                return Ok(discovered.map_or_else(Discovered::from, Discovered::Known));
            }
            Role::Follower(follower) => follower,
        };
        match follower.wait(deadline, cancel) {
            Ok(Some(Ok(info))) => Ok(Discovered::Known(info)),
            Ok(Some(Err(NotDiscovered::Failed(error, leader))))
                if error.is_specific_to_call() || !leader.apply_to(call) =>
            {
                Ok(discover())
            }
            Ok(Some(Err(not_discovered))) => Ok(not_discovered.into()),
            Ok(None) | Err(WaitError::DeadlineExpired) => Ok(Discovered::Unknown),
            Err(WaitError::Cancelled) => Err(WaitError::Cancelled),
        }
    }

    /// Returns the dialect and the task, if they are known under these settings.
    pub fn known(&self, settings: &Settings) -> Option<RouteInfo> {
        self.0.value(forced(settings))
    }

    /// Remembers the dialect and the task of a successful request.
    pub fn remember(&self, settings: &Settings, info: RouteInfo) {
        self.0.set(forced(settings), info);
    }

    /// Forgets the dialect and the task if they led to this plan, which failed: the server was replaced, or the route
    /// changed.
    pub fn forget(&self, wrong: Plan) {
        self.0.forget_if(|info| info.dialect == wrong.dialect && info.task.is_none_or(|task| task == wrong.task));
    }
}

impl From<NotDiscovered> for Discovered {
    fn from(not_discovered: NotDiscovered) -> Discovered {
        match not_discovered {
            NotDiscovered::Unknown => Discovered::Unknown,
            NotDiscovered::Failed(error, _) => Discovered::Failed(error),
        }
    }
}

fn forced(settings: &Settings) -> Forced {
    settings.options().dialect.map(Dialect::name)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Barrier, mpsc};
    use std::time::Duration;

    use super::super::error::Status;
    use super::super::option_parser::HandleOption;
    use super::*;
    use crate::dialect;

    fn find(
        discovery: &Discovery,
        call: &CallSettings,
        deadline: Instant,
        discover: impl FnOnce() -> Discovered,
    ) -> Discovered {
        discovery.find(call, deadline, &CancelTokens::default(), discover).unwrap()
    }

    fn info(number: usize) -> RouteInfo {
        RouteInfo { dialect: dialect::ALL[number], task: Some(Task::Chat) }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    fn settings(dialect: &str) -> CallSettings {
        let mut settings = Settings::default();
        settings.set_option(HandleOption::parse("dialect", dialect).unwrap()).unwrap();
        CallSettings { settings: Arc::new(settings), has_own_headers: false }
    }

    fn is_known(outcome: Discovered, expected: RouteInfo) -> bool {
        matches!(outcome, Discovered::Known(info) if info == expected)
    }

    #[test]
    fn threads_share_one_discovery() {
        let (discovery, count, start) = (Discovery::default(), AtomicUsize::new(0), Barrier::new(16));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    start.wait();
                    let outcome = find(&discovery, &settings("auto"), soon(), || {
                        count.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(50));
                        Discovered::Known(info(1))
                    });
                    assert!(is_known(outcome, info(1)));
                });
            }
        });
        assert_eq!(count.into_inner(), 1);
    }

    #[test]
    fn failure_is_not_remembered() {
        let (discovery, auto) = (Discovery::default(), settings("auto"));
        assert!(matches!(find(&discovery, &auto, soon(), || Discovered::Unknown), Discovered::Unknown));
        assert!(is_known(find(&discovery, &auto, soon(), || Discovered::Known(info(0))), info(0)));
        assert!(is_known(find(&discovery, &auto, soon(), || unreachable!()), info(0)));
    }

    #[test]
    fn another_forced_dialect_is_discovered_anew() {
        let discovery = Discovery::default();
        find(&discovery, &settings("auto"), soon(), || Discovered::Known(info(0)));
        let forced = find(&discovery, &settings("gateway"), soon(), || Discovered::Known(info(1)));
        assert!(is_known(forced, info(1)));
        assert!(is_known(find(&discovery, &settings("auto"), soon(), || Discovered::Known(info(0))), info(0)));
    }

    #[test]
    fn only_the_info_of_a_wrong_plan_is_forgotten() {
        let (discovery, auto) = (Discovery::default(), settings("auto"));
        discovery.remember(&auto.settings, info(0));
        discovery.forget(Plan { dialect: dialect::ALL[1], task: Task::Chat });
        discovery.forget(Plan { dialect: dialect::ALL[0], task: Task::Embeddings });
        assert!(is_known(find(&discovery, &auto, soon(), || unreachable!()), info(0)));
        assert_eq!(discovery.known(&auto.settings), Some(info(0)));
        assert_eq!(discovery.known(&settings("gateway").settings), None);
        discovery.forget(Plan { dialect: dialect::ALL[0], task: Task::Chat });
        assert_eq!(discovery.known(&auto.settings), None);
        assert!(is_known(find(&discovery, &auto, soon(), || Discovered::Known(info(1))), info(1)));
    }

    /// Runs `follow` while another thread discovers. `end` returns the result of that discovery.
    fn while_discovering(
        discovery: &Discovery,
        leader_settings: &CallSettings,
        end: impl Fn() -> Discovered + Sync,
        follow: impl FnOnce(),
    ) {
        let discovering = Barrier::new(2);
        std::thread::scope(|scope| {
            let leader = scope.spawn(|| {
                find(discovery, leader_settings, soon(), || {
                    discovering.wait();
                    std::thread::sleep(Duration::from_millis(200));
                    end()
                })
            });
            discovering.wait();
            follow();
            let _ = leader.join();
        });
    }

    #[test]
    fn followers_keep_their_deadline() {
        let (discovery, auto, discovering) = (Discovery::default(), settings("auto"), Barrier::new(2));
        let (is_late, late) = mpsc::channel();
        std::thread::scope(|scope| {
            let (discovery, auto, discovering) = (&discovery, &auto, &discovering);
            scope.spawn(move || {
                find(discovery, auto, soon(), || {
                    discovering.wait();
                    late.recv_timeout(Duration::from_secs(5)).expect("the follower should have ended");
                    Discovered::Unknown
                })
            });
            discovering.wait();
            let shortly = Instant::now() + Duration::from_millis(20);
            assert!(matches!(find(discovery, auto, shortly, || unreachable!()), Discovered::Unknown));
            is_late.send(()).unwrap();
        });
    }

    #[test]
    fn followers_survive_a_panic() {
        let (discovery, auto) = (Discovery::default(), settings("auto"));
        let panics = || panic!("a fault in the discovering thread");
        while_discovering(&discovery, &auto, panics, || {
            assert!(matches!(find(&discovery, &auto, soon(), || unreachable!()), Discovered::Unknown));
        });
        assert!(is_known(find(&discovery, &auto, soon(), || Discovered::Known(info(0))), info(0)));
    }

    #[test]
    fn followers_keep_no_settings_of_the_leader() {
        let (discovery, leader) = (Discovery::default(), settings("auto"));
        let leader_settings = Arc::downgrade(&leader.settings);
        let (discovering, has_ended) = (Barrier::new(2), Barrier::new(2));
        std::thread::scope(|scope| {
            let (discovery, discovering, has_ended) = (&discovery, &discovering, &has_ended);
            scope.spawn(move || {
                find(discovery, &leader, soon(), || {
                    discovering.wait();
                    std::thread::sleep(Duration::from_millis(100));
                    Discovered::Failed(Error::new(Status::TlsFailed, "no trust"))
                });
                drop(leader);
                has_ended.wait();
            });
            discovering.wait();
            find(discovery, &settings("auto"), soon(), || {
                has_ended.wait();
                assert_eq!(leader_settings.strong_count(), 0);
                Discovered::Unknown
            });
        });
    }

    #[test]
    fn failure_under_other_settings_is_not_taken_over() {
        let (discovery, auto) = (Discovery::default(), settings("auto"));
        let fails = || Discovered::Failed(Error::new(Status::TlsFailed, "no trust"));
        while_discovering(&discovery, &auto, fails, || {
            let same = find(&discovery, &auto, soon(), || unreachable!());
            assert!(matches!(same, Discovered::Failed(_)));
        });
        while_discovering(&discovery, &auto, fails, || {
            assert!(is_known(find(&discovery, &settings("auto"), soon(), || Discovered::Known(info(0))), info(0)));
        });
        let own = CallSettings { has_own_headers: true, settings: Arc::clone(&auto.settings) };
        for (first, second) in [(&own, &auto), (&auto, &own), (&own, &own)] {
            let discovery = Discovery::default();
            while_discovering(&discovery, first, fails, || {
                assert!(is_known(find(&discovery, second, soon(), || Discovered::Known(info(0))), info(0)));
            });
        }
    }
}
