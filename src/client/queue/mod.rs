//! The queue: any number of requests, of which some are in flight at the same time, each on a thread of the queue. The
//! program fetches the results on any of its threads.
//!
//! | file | content |
//! |---|---|
//! | `mod.rs` | what the program does: submit, fetch, cancel, close |
//! | `shared.rs` | the lock, and who waits for what |
//! | `state.rs` | which requests wait, which are in flight, and what is to be fetched |
//! | `waiting.rs` | the requests that wait, and which of them the rates allow to start |
//! | `adaptive` | how many requests may be in flight, if the option adaptive is set |
//! | `job_pacing.rs` | when an attempt of a request may be sent |
//! | `worker.rs` | the work of a thread: one request after another |
//! | `ticket.rs` | one request in flight: its cancellation, and the window of its stream |
//! | `completion.rs`, `owned_event.rs` | what the program fetches |
//! | `options.rs` | the options of a queue |

mod adaptive;
mod completion;
mod job_pacing;
mod options;
mod owned_event;
mod shared;
mod state;
mod ticket;
mod waiting;
mod worker;

use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::completion::{Completion, CompletionKind, Done};
use self::options::QueueOption;
pub use self::owned_event::OwnedEvent;
use self::shared::Shared;
use self::state::{Job, Next};
use super::error::{Error, Status};
use super::gateway::Gateway;
use super::plan::Operation;
use super::request::Request;
use crate::sync::ProcessLocal;

/// How a request of a queue is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submission {
    /// As by [`Gateway::send`].
    Send,
    /// As by [`Gateway::stream`].
    Stream,
    /// As by [`Gateway::embed`].
    Embed,
}

/// What is in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueCount {
    /// Requests that wait to be sent, and cancelled ones that were not fetched.
    Waiting,
    /// Requests that are being sent.
    InFlight,
    /// Completions that can be fetched.
    Unfetched,
    /// The number of requests that may be in flight now.
    Limit,
}

/// The result of fetching.
#[derive(Debug)]
pub enum Fetched {
    /// The next one.
    Completion(Completion),
    /// There is none yet.
    Pending,
    /// There will be none: the queue is closed, and everything was fetched.
    End,
}

/// Runs the work and catches a panic in it, whose description it returns.
pub type CatchPanic = fn(&mut dyn FnMut()) -> Result<(), String>;

/// A queue of requests of one handle. Any number of threads may use it concurrently.
#[derive(Debug)]
pub struct Queue {
    gateway: Arc<Gateway>,
    /// The threads belong to the process that made the queue.
    shared: Option<ProcessLocal<Arc<Shared>>>,
}

impl Queue {
    /// Creates a queue. It starts no thread before a request is submitted.
    pub fn create(gateway: Arc<Gateway>, catch_panic: CatchPanic) -> Queue {
        Queue { gateway, shared: Some(ProcessLocal::new(Arc::new(Shared::new(catch_panic)))) }
    }

    /// Sets an option by its name. The C header lists the options.
    pub fn set_option(&self, name: &str, value: &str) -> Result<(), Error> {
        let option = QueueOption::parse(name, value)?;
        let shared = self.shared()?;
        shared.set_option(option);
        Ok(())
    }

    /// Submits a request. Returns false if the queue is full.
    pub fn submit(&self, request: &Request, submission: Submission, tag: u64) -> Result<bool, Error> {
        let shared = self.shared()?;
        // Programs submit until the queue is full: they learn it without the work of a call.
        if shared.is_full() {
            return Ok(false);
        }
        let call = self.gateway.prepare(request);
        call.check(match submission {
            Submission::Send => Operation::Text,
            Submission::Stream => Operation::Stream,
            Submission::Embed => Operation::Embeddings,
        })?;
        shared.submit(Job::new(call, submission, tag))
    }

    /// Fetches the next completion, and waits for it at most this long; `None` waits without a limit. Log callbacks run
    /// on this thread.
    pub fn next(&self, timeout: Option<Duration>) -> Result<Fetched, Error> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Ok(match self.shared()?.next(deadline, timeout) {
            Next::Completion(completion) => Fetched::Completion(completion),
            Next::Pending => Fetched::Pending,
            Next::End => Fetched::End,
        })
    }

    /// Returns the descriptor that is readable while a fetch would not wait.
    pub fn descriptor(&self) -> Result<RawFd, Error> {
        self.shared()?.descriptor().map_err(|error| {
            Error::new(Status::OutOfMemory, format!("cannot open a file descriptor for the queue: {error}"))
        })
    }

    /// Returns a count; 0 in a forked child.
    pub fn count(&self, count: QueueCount) -> usize {
        self.own().map_or(0, |shared| shared.count(count))
    }

    /// Cancels all unfinished requests of this tag. Returns how many.
    pub fn cancel(&self, tag: u64) -> usize {
        self.own().map_or(0, |shared| shared.cancel(tag))
    }

    /// Ends the submissions.
    pub fn close(&self) {
        if let Some(shared) = self.own() {
            shared.close();
        }
    }

    fn own(&self) -> Option<&Arc<Shared>> {
        self.shared.as_ref().and_then(ProcessLocal::get)
    }

    fn shared(&self) -> Result<&Arc<Shared>, Error> {
        self.own().ok_or_else(|| {
            Error::new(
                Status::InvalidArgument,
                "the queue belongs to the process that created it, of which this one is a fork; create another queue",
            )
        })
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // In a forked child nothing of it can be used: the threads are not there, and may have held the lock.
        if let Some(shared) = self.shared.take().and_then(ProcessLocal::into_inner) {
            shared.stop();
        }
    }
}
