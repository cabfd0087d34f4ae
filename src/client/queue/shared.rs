//! The lock of a queue, and who waits for what: threads of the queue for requests, the program for completions.

use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::super::error::Error;
use super::options::QueueOption;
use super::state::{FinishedJob, Job, Next, State, ThreadPlan};
use super::ticket::Ticket;
use super::worker;
use super::{CatchPanic, QueueCount};
use crate::sync::{Guard, Lock, Signal, Thread, Yielding};

/// The default of the option max_events.
const DEFAULT_MAX_EVENTS: usize = 64;

/// What the program and the threads of the queue share.
pub(super) struct Shared {
    state: Lock<State>,
    /// Idle threads wait for it.
    work: Signal,
    /// Fetching threads wait for it.
    news: Signal,
    yielding: Yielding,
    max_events: AtomicUsize,
    /// Whether the threads have to note each attempt.
    is_paced: AtomicBool,
    is_full: AtomicBool,
    pub catch_panic: CatchPanic,
}

impl Shared {
    pub fn new(catch_panic: CatchPanic) -> Shared {
        Shared {
            state: Lock::default(),
            work: Signal::default(),
            news: Signal::default(),
            yielding: Yielding::default(),
            max_events: AtomicUsize::new(DEFAULT_MAX_EVENTS),
            is_paced: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            catch_panic,
        }
    }

    pub fn max_events(&self) -> usize {
        self.max_events.load(Ordering::Relaxed)
    }

    pub fn is_paced(&self) -> bool {
        self.is_paced.load(Ordering::Relaxed)
    }

    pub fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    pub fn is_counting_tokens(&self) -> bool {
        self.state.lock().is_counting_tokens()
    }

    pub fn set_option(self: &Arc<Shared>, option: QueueOption) {
        match option {
            QueueOption::MaxEvents(max) => {
                self.max_events.store(max, Ordering::Relaxed);
                self.state.lock().wake_running();
            }
            _ => self.change(|state| state.set_option(option)),
        }
    }

    /// Changes the state, and wakes or starts the threads that the change concerns.
    pub fn change<R>(self: &Arc<Shared>, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock();
        let result = change(&mut state);
        self.release(state);
        result
    }

    /// Releases the lock after a change.
    fn release(self: &Arc<Shared>, mut state: Guard<'_, State>) {
        let plan = state.schedule();
        self.release_with(state, plan);
    }

    fn release_with(self: &Arc<Shared>, mut state: Guard<'_, State>, mut plan: ThreadPlan) {
        state.changes = state.changes.wrapping_add(1);
        state.ask_timekeeper(&mut plan);
        self.is_paced.store(state.is_paced(), Ordering::Relaxed);
        self.is_full.store(state.is_full(), Ordering::Relaxed);
        let is_ready = state.is_ready();
        state.readiness.set(is_ready);
        let news = if state.is_over() { usize::MAX } else { std::mem::take(&mut state.news) };
        let wake = if state.is_out_of_work() { usize::MAX } else { plan.wake };
        let notifications = (self.work.notify(&state, wake), self.news.notify(&state, news));
        drop(state);
        drop(notifications);
        self.start_workers(plan.start);
    }

    fn start_workers(self: &Arc<Shared>, count: usize) {
        for started in 0..count {
            match worker::start(self) {
                Ok(thread) => self.state.lock().threads.push(thread),
                Err(error) => return self.change(|state| state.fail_to_start(count - started, &error)),
            }
        }
    }

    pub fn submit(self: &Arc<Shared>, job: Job) -> Result<bool, Error> {
        let mut job = Some(job);
        // A request that is not accepted is dropped after the lock is released: that may run a callback of the program.
        self.change(|state| state.submit(&mut job))
    }

    /// Ends a request, and waits for the next one to send; `None` if the thread is to end.
    pub fn next_job(
        self: &Arc<Shared>,
        finished: Option<FinishedJob>,
        ticket: impl Fn(&Job) -> Arc<Ticket>,
    ) -> Option<(Job, Arc<Ticket>)> {
        let mut state = self.state.lock();
        if let Some(finished) = finished {
            state.end_job(finished);
        }
        let mut yields = self.yielding.begin();
        loop {
            let mut plan = state.schedule();
            if let Some(next) = state.take_job(&ticket) {
                // This thread needs not to be woken.
                plan.wake = plan.wake.saturating_sub(1);
                self.release_with(state, plan);
                return Some(next);
            }
            if state.news > 0 {
                self.release_with(state, plan);
                state = self.state.lock();
                continue;
            }
            if state.is_out_of_work() {
                state.end_worker();
                return None;
            }
            if yields > 0 {
                state = self.yielding.yield_now(&mut yields, &self.state, state, |state| state.changes);
                continue;
            }
            let until = state.begin_idling();
            state = self.work.wait(&self.state, state, until);
            state.end_idling(until);
        }
    }

    pub fn next(self: &Arc<Shared>, deadline: Option<Instant>, timeout: Option<Duration>) -> Next {
        let mut state = self.state.lock();
        let mut yields = self.yielding.begin();
        loop {
            let lines = state.take_log_lines();
            if !lines.is_empty() {
                // A callback may use the queue.
                drop(state);
                lines.iter().for_each(|lines| lines.deliver());
                drop(lines);
                state = self.state.lock();
                continue;
            }
            if let Some(fetched) = state.fetch() {
                self.release(state);
                return Next::Completion(fetched.completion);
            }
            if state.is_over() {
                return Next::End;
            }
            let is_expired =
                deadline.is_some_and(|deadline| timeout == Some(Duration::ZERO) || Instant::now() >= deadline);
            if is_expired {
                return Next::Pending;
            }
            if yields > 0 {
                state = self.yielding.yield_now(&mut yields, &self.state, state, |state| state.changes);
                continue;
            }
            state = self.news.wait(&self.state, state, deadline);
        }
    }

    pub fn descriptor(&self) -> io::Result<RawFd> {
        let mut state = self.state.lock();
        let is_ready = state.is_ready();
        state.readiness.set(is_ready);
        state.readiness.descriptor()
    }

    pub fn count(&self, count: QueueCount) -> usize {
        self.state.lock().count(count)
    }

    pub fn cancel(self: &Arc<Shared>, tag: u64) -> usize {
        let (count, events) = self.change(|state| state.cancel(tag));
        drop(events);
        count
    }

    pub fn close(self: &Arc<Shared>) {
        self.change(|state| state.is_closed = true);
    }

    /// Cancels everything and waits until the threads have ended.
    pub fn stop(self: &Arc<Shared>) {
        drop(self.change(State::stop));
        // A thread may have been starting another one.
        loop {
            let threads = std::mem::take(&mut self.state.lock().threads);
            if threads.is_empty() {
                break;
            }
            threads.into_iter().for_each(Thread::join);
        }
        let lines = self.state.lock().take_log_lines();
        lines.iter().for_each(|lines| lines.deliver());
        drop(self.change(State::stop));
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}
