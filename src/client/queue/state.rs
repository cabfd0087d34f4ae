//! Which requests wait, which are in flight, and what is to be fetched. Everything here runs under the queue's lock, and
//! nothing here waits.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use super::super::error::{Error, Status};
use super::super::log::LogLines;
use super::super::pacer::{self, Pacer, Start};
use super::super::pacing::{AttemptOutcome, Overload};
use super::super::prepared_call::PreparedCall;
use super::adaptive::{self, Adaptive, Sample};
use super::completion::{Completion, Done};
use super::options::{MAX_IN_FLIGHT, QueueOption};
use super::owned_event::OwnedEvent;
use super::ticket::{Permit, Ticket};
use super::waiting::Waiting;
use super::{QueueCount, Submission};
use crate::sync::{Readiness, Thread};

const DEFAULT_MAX_IN_FLIGHT: usize = 8;
const DEFAULT_MAX_QUEUED: usize = 1024;

/// A request that was submitted.
#[derive(Debug)]
pub(super) struct Job {
    pub call: PreparedCall,
    pub submission: Submission,
    pub tag: u64,
    pub submitted: Instant,
    /// Its place in the rates, once it is in flight.
    pub start: Option<Start>,
}

impl Job {
    pub fn new(call: PreparedCall, submission: Submission, tag: u64) -> Job {
        Job { call, submission, tag, submitted: Instant::now(), start: None }
    }
}

/// A request and its end.
pub(super) struct FinishedJob {
    pub job: Job,
    pub ticket: Arc<Ticket>,
    pub done: Box<Done>,
}

/// The result of fetching.
pub(super) enum Next {
    Completion(Completion),
    Pending,
    End,
}

/// What can be fetched.
enum Item {
    Event(OwnedEvent, Permit),
    Done {
        done: Box<Done>,
        /// Dropped by the thread that fetches it: that may run a callback of the program.
        job: Job,
        /// Whether the request was in flight.
        was_in_flight: bool,
    },
}

/// A fetched completion, and what to drop after the lock is released.
pub(super) struct FetchedItem {
    pub completion: Completion,
    pub _job: Option<Job>,
}

/// The threads that a change needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ThreadPlan {
    /// The number of idle threads to wake.
    pub wake: usize,
    /// The number of threads to start. They count as started.
    pub start: usize,
}

#[derive(Default)]
pub(super) struct State {
    max_in_flight: Option<usize>,
    max_queued: Option<usize>,
    waiting: Waiting,
    pub pacer: Pacer,
    adaptive: Option<Adaptive>,
    /// When a request that waits for the rates may start.
    next_start: Option<Instant>,
    /// Until when an idle thread sleeps to start it.
    timekeeper: Option<Instant>,
    /// Whether a thread was woken or started to become the timekeeper.
    is_timekeeper_asked: bool,
    /// Requests that are in flight, but not taken by a thread yet.
    granted: VecDeque<Job>,
    /// Requests that a thread sends.
    running: Vec<Arc<Ticket>>,
    items: VecDeque<Item>,
    /// The number of attempts of `running` requests that wait for the rates.
    pub pausing: usize,
    /// The number of requests in `items` that were in flight.
    unfetched_done: usize,
    /// The number of cancelled requests in `items` that were not in flight. They count as waiting, so that the program
    /// cannot fill the memory with them.
    unfetched_cancelled: usize,
    log_lines: Vec<LogLines>,
    pub readiness: Readiness,
    pub is_closed: bool,
    pub is_stopping: bool,
    /// The number of threads that run.
    workers: usize,
    /// Set after a thread could not be started, until a request is submitted or ends.
    is_short_of_threads: bool,
    pub threads: Vec<Thread>,
    /// The number of changes so far.
    pub changes: usize,
    /// The number of completions and log lines since the fetching threads were last woken.
    pub news: usize,
}

impl State {
    pub fn set_option(&mut self, option: QueueOption) {
        match option {
            QueueOption::Adaptive(is_adaptive) => {
                let max = self.max_in_flight.unwrap_or(MAX_IN_FLIGHT);
                self.adaptive = is_adaptive.then(|| self.adaptive.take().unwrap_or_else(|| Adaptive::new(max)));
            }
            // Its threads read it without the lock.
            QueueOption::MaxEvents(_) => {}
            QueueOption::MaxInFlight(max) => {
                self.max_in_flight = Some(max);
                if let Some(adaptive) = &mut self.adaptive {
                    adaptive.set_max(max);
                }
            }
            QueueOption::MaxQueued(max) => self.max_queued = Some(max),
            QueueOption::RequestsPerSecond(limit) => self.pacer.set_requests_per_second(limit),
            QueueOption::TokensPerMinute(limit) => self.pacer.set_tokens_per_minute(limit),
        }
    }

    /// Takes a request. Returns false if the queue is full.
    pub fn submit(&mut self, job: &mut Option<Job>) -> Result<bool, Error> {
        if self.is_closed {
            return Err(Error::new(Status::InvalidArgument, "the queue was closed"));
        }
        if self.is_full() {
            return Ok(false);
        }
        self.waiting.extend(job.take());
        self.is_short_of_threads = false;
        Ok(true)
    }

    /// Whether no request is accepted. Requests that may be sent at once do not wait: they are in flight since they were
    /// submitted.
    pub fn is_full(&self) -> bool {
        !self.is_closed && self.count(QueueCount::Waiting) >= self.max_queued.unwrap_or(DEFAULT_MAX_QUEUED)
    }

    /// The number of requests that are being sent.
    fn in_flight(&self) -> usize {
        self.granted.len() + self.running.len()
    }

    pub fn limit(&self) -> usize {
        match &self.adaptive {
            Some(adaptive) => adaptive.limit(),
            None => self.max_in_flight.unwrap_or(DEFAULT_MAX_IN_FLIGHT),
        }
    }

    pub fn count(&self, count: QueueCount) -> usize {
        match count {
            QueueCount::Waiting => self.waiting.len() + self.unfetched_cancelled,
            QueueCount::InFlight => self.in_flight(),
            QueueCount::Unfetched => self.items.len(),
            QueueCount::Limit => self.limit(),
        }
    }

    /// Lets requests that wait be in flight as far as the limits allow, and returns the threads that they need.
    pub fn schedule(&mut self) -> ThreadPlan {
        let mut plan = ThreadPlan::default();
        self.next_start = None;
        // Ended requests that were not fetched are limited, too, but apart: a slow program does not idle the gateway.
        while self.in_flight().max(self.unfetched_done) < self.limit() {
            match self.waiting.take_next(&mut self.pacer) {
                Ok(job) => self.granted.push_back(job),
                Err(next_start) => {
                    self.next_start = next_start;
                    break;
                }
            }
            plan.wake += 1;
        }
        // Those that run send one request after another.
        if !self.is_short_of_threads || self.workers == 0 {
            plan.start = self.in_flight().saturating_sub(self.workers);
            self.workers += plan.start;
        }
        plan
    }

    /// Asks a thread to become the timekeeper, if a request waits for the rates and none looks after it in time.
    pub fn ask_timekeeper(&mut self, plan: &mut ThreadPlan) {
        if self.is_timekeeper_asked || !self.lacks_timekeeper() {
            return;
        }
        self.is_timekeeper_asked = true;
        if self.workers > self.in_flight() {
            plan.wake += 1;
        } else if !self.is_short_of_threads || self.workers == 0 {
            plan.start += 1;
            self.workers += 1;
        }
    }

    fn lacks_timekeeper(&self) -> bool {
        self.next_start.is_some_and(|next_start| self.timekeeper.is_none_or(|until| next_start < until))
    }

    /// Makes an idle thread the timekeeper if one is needed. Returns until when it sleeps; `None`: until it is woken.
    pub fn begin_idling(&mut self) -> Option<Instant> {
        self.is_timekeeper_asked = false;
        if !self.lacks_timekeeper() {
            return None;
        }
        self.timekeeper = self.next_start;
        self.next_start
    }

    pub fn end_idling(&mut self, until: Option<Instant>) {
        if until.is_some() && until == self.timekeeper {
            self.timekeeper = None;
        }
    }

    /// Takes a request to send it on the thread of this token.
    pub fn take_job(&mut self, ticket: impl FnOnce(&Job) -> Arc<Ticket>) -> Option<(Job, Arc<Ticket>)> {
        let job = self.granted.pop_front()?;
        // The thread that was asked to be the timekeeper may be this one.
        self.is_timekeeper_asked = false;
        let ticket = ticket(&job);
        ticket.set_place(self.running.len());
        self.running.push(Arc::clone(&ticket));
        Some((job, ticket))
    }

    /// Whether the threads have to note each attempt.
    pub fn is_paced(&self) -> bool {
        self.adaptive.is_some() || self.pacer.is_limited()
    }

    pub fn is_counting_tokens(&self) -> bool {
        self.pacer.is_counting_tokens()
    }

    /// Notes the outcome of an attempt.
    pub fn note_attempt(&mut self, job: &Job, start: Start, outcome: AttemptOutcome) {
        let now = Instant::now();
        let ended = match (outcome.is_overload, outcome.outcome) {
            (Some(Overload::Refused), _) => Some(adaptive::Outcome::Refused),
            (Some(Overload::TimedOut), _) => Some(adaptive::Outcome::TimedOut),
            // A stream is served when its first event arrives.
            (None, pacer::Outcome::Accepted) if job.submission != Submission::Stream => Some(adaptive::Outcome::Served),
            (None, _) => None,
        };
        if let Some(outcome) = ended {
            self.note_end(start, outcome, now);
        }
        if self.pacer.note(job.call.rate_key(), start, outcome.outcome, now) {
            self.running.iter().for_each(|ticket| ticket.ask_again());
        }
    }

    /// Notes that the first event of a stream has arrived.
    pub fn note_first_event(&mut self, start: Start) {
        self.note_end(start, adaptive::Outcome::Served, Instant::now());
    }

    fn note_end(&mut self, start: Start, outcome: adaptive::Outcome, now: Instant) {
        let in_flight = self.running.len().saturating_sub(self.pausing);
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.note(Sample { started: start.at(), ended: now, in_flight, outcome });
        }
    }

    /// Whether an idle thread has nothing more to do.
    pub fn is_out_of_work(&self) -> bool {
        self.is_stopping || self.is_closed && self.waiting.is_empty() && self.granted.is_empty()
    }

    pub fn end_worker(&mut self) {
        self.workers -= 1;
    }

    /// Notes that this number of threads could not be started. Requests that no thread can take fail.
    pub fn fail_to_start(&mut self, count: usize, why: &std::io::Error) {
        self.workers -= count;
        self.is_short_of_threads = true;
        if self.workers > 0 {
            return;
        }
        self.is_timekeeper_asked = false;
        // If none is in flight, the thread was to look after those that wait for the rates.
        let (jobs, was_in_flight) = match mem::take(&mut self.granted) {
            granted if granted.is_empty() => (self.waiting.extract(|_| true), false),
            granted => (granted, true),
        };
        for job in jobs {
            let problem = format!("cannot start a thread for the request: {why}");
            self.push_done(job, Box::new(Error::new(Status::OutOfMemory, problem).into()), was_in_flight);
        }
    }

    pub fn push_event(&mut self, ticket: &Arc<Ticket>, event: OwnedEvent) {
        if !ticket.is_cancelled() {
            let permit = Permit::new(ticket, &event);
            self.items.push_back(Item::Event(event, permit));
            self.news += 1;
        }
    }

    pub fn push_log_lines(&mut self, lines: LogLines) {
        self.log_lines.push(lines);
        self.news += 1;
    }

    /// Ends a request that was in flight.
    pub fn end_job(&mut self, FinishedJob { job, ticket, done }: FinishedJob) {
        let place = ticket.place();
        self.running.swap_remove(place);
        if let Some(moved) = self.running.get(place) {
            moved.set_place(place);
        }
        self.is_short_of_threads = false;
        // Until now, the request could be cancelled.
        if ticket.is_cancelled() {
            ticket.token.reset();
        }
        self.push_done(job, done, true);
    }

    /// Wakes all threads that send a request, so that they check whether they may read on.
    pub fn wake_running(&self) {
        self.running.iter().for_each(|ticket| ticket.token.wake());
    }

    fn push_done(&mut self, job: Job, done: Box<Done>, was_in_flight: bool) {
        *self.unfetched(was_in_flight) += 1;
        self.items.push_back(Item::Done { done, job, was_in_flight });
        self.news += 1;
    }

    pub fn fetch(&mut self) -> Option<FetchedItem> {
        Some(match self.items.pop_front()? {
            Item::Event(event, permit) => FetchedItem { completion: Completion::event(event, permit), _job: None },
            Item::Done { done, job, was_in_flight } => {
                *self.unfetched(was_in_flight) -= 1;
                FetchedItem { completion: Completion::done(job.tag, done), _job: Some(job) }
            }
        })
    }

    fn unfetched(&mut self, was_in_flight: bool) -> &mut usize {
        if was_in_flight { &mut self.unfetched_done } else { &mut self.unfetched_cancelled }
    }

    pub fn take_log_lines(&mut self) -> Vec<LogLines> {
        mem::take(&mut self.log_lines)
    }

    /// Whether everything was fetched, and nothing more will come.
    pub fn is_over(&self) -> bool {
        self.is_closed && self.items.is_empty() && self.waiting.is_empty() && self.in_flight() == 0
    }

    /// Whether a fetch would not wait.
    pub fn is_ready(&self) -> bool {
        !self.items.is_empty() || self.is_over()
    }

    /// Cancels all unfinished requests of a tag. Only their ends remain to be fetched. Returns the number of requests,
    /// and their events, which are to be dropped after the lock is released.
    pub fn cancel(&mut self, tag: u64) -> (usize, impl Sized + use<>) {
        let mut count = 0;
        let of_tag = |job: &Job| job.tag == tag;
        for (cancelled, was_in_flight) in
            [(extract(&mut self.granted, of_tag), true), (self.waiting.extract(of_tag), false)]
        {
            count += cancelled.len();
            for job in cancelled {
                self.push_done(job, Box::new(cancelled_error().into()), was_in_flight);
            }
        }
        for ticket in self.running.iter().filter(|ticket| ticket.tag == tag && !ticket.is_cancelled()) {
            ticket.cancel();
            count += 1;
        }
        // Also those of a stream that has ended: the program has not fetched its end.
        let is_of_tag = |item: &Item| matches!(item, Item::Event(_, permit) if permit.ticket.tag == tag);
        (count, extract(&mut self.items, is_of_tag))
    }

    /// Ends everything. Returns what is to be dropped after the lock is released.
    pub fn stop(&mut self) -> impl Sized + use<> {
        (self.is_closed, self.is_stopping) = (true, true);
        self.running.iter().for_each(|ticket| ticket.cancel());
        (mem::take(&mut self.waiting), mem::take(&mut self.granted), mem::take(&mut self.items))
    }
}

/// Removes the elements for which the condition holds, and returns them.
pub(super) fn extract<T>(from: &mut VecDeque<T>, condition: impl Fn(&T) -> bool) -> VecDeque<T> {
    let mut places = (0..from.len()).filter(|place| condition(&from[*place]));
    let (first, second) = (places.next(), places.next());
    match (first, second) {
        (None, _) => VecDeque::new(),
        // Most programs cancel one request. Removing it moves few of the others.
        (Some(place), None) => from.remove(place).into_iter().collect(),
        (Some(_), Some(_)) => {
            let (extracted, kept) = mem::take(from).into_iter().partition(condition);
            *from = kept;
            extracted
        }
    }
}

fn cancelled_error() -> Error {
    Error::new(Status::Cancelled, "cancelled before it was sent")
}
