//! A thread of a queue: sends one request after another.

use std::io;
use std::sync::Arc;

use super::super::context::QueueContext;
use super::super::error::{Error, Status};
use super::super::log::{LogLines, LogRelay};
use super::super::prepared_call::PreparedCall;
use super::super::stream::Stream;
use super::Submission;
use super::completion::Done;
use super::job_pacing::JobPacing;
use super::owned_event::OwnedEvent;
use super::shared::Shared;
use super::state::{FinishedJob, Job};
use super::ticket::Ticket;
use crate::sync::{self, CancelToken, Thread};

/// Enough for a TLS handshake. The system provides only what is used of it.
const STACK_SIZE: usize = 256 * 1024;

/// Starts a thread.
pub(super) fn start(shared: &Arc<Shared>) -> io::Result<Thread> {
    // The thread runs code of the library, even if the program unloads it while it exits.
    sync::keep_loaded();
    let worker = Worker { shared: Arc::clone(shared), token: Arc::new(CancelToken::new()?) };
    Thread::start_with_stack(STACK_SIZE, Box::new(move || worker.run()))
}

struct Worker {
    shared: Arc<Shared>,
    /// Cancels the current request.
    token: Arc<CancelToken>,
}

impl Worker {
    fn run(&self) {
        let relay_to = Arc::clone(&self.shared);
        let log_relay: LogRelay = Arc::new(move |lines: LogLines| relay_to.change(|state| state.push_log_lines(lines)));
        let ticket = |job: &Job| Arc::new(Ticket::new(job.tag, Arc::clone(&self.token)));
        let mut finished = None;
        while let Some((job, ticket)) = self.shared.next_job(finished, ticket) {
            let mut done = Box::<Done>::default();
            let pacing = JobPacing::new(&self.shared, &job, &ticket);
            let queue = QueueContext { token: &self.token, pacing: &pacing, log_relay: &log_relay };
            let mut send = || self.send(&job, &pacing, &queue, &mut done);
            if let Err(panic) = (self.shared.catch_panic)(&mut send) {
                *done = Error::new(Status::Panic, panic).into();
            }
            finished = Some(FinishedJob { job, ticket, done });
        }
    }

    fn send(&self, job: &Job, pacing: &JobPacing, queue: &QueueContext, done: &mut Done) {
        let queued = job.submitted.elapsed();
        let result = match job.submission {
            Submission::Send => job.call.send(Some(queue)).map(|response| done.response = Some(response)),
            Submission::Stream => self.stream(&job.call, pacing, queue, done),
            Submission::Embed => job.call.embed(Some(queue)).map(|embeddings| done.embeddings = Some(embeddings)),
        };
        done.error = result.err();
        if let Some(response) = &mut done.response {
            response.times.queued = Some(queued);
        }
        pacing.note_tokens(done);
    }

    /// Passes on the events of a stream, not faster than the program destroys them.
    fn stream(
        &self,
        call: &PreparedCall,
        pacing: &JobPacing,
        queue: &QueueContext,
        done: &mut Done,
    ) -> Result<(), Error> {
        let mut stream = call.stream(Some(queue))?;
        let result = self.pass_on_events(&mut stream, pacing);
        done.response = Some(stream.into_response());
        result
    }

    fn pass_on_events(&self, stream: &mut Stream, pacing: &JobPacing) -> Result<(), Error> {
        let ticket = pacing.ticket;
        let mut is_first = true;
        loop {
            stream.wait_until(&mut || ticket.has_room(self.shared.max_events()));
            let Some(event) = stream.next(&|| {})? else { break };
            let event = OwnedEvent::copy(&event)?;
            if std::mem::take(&mut is_first) {
                pacing.note_first_event();
            }
            self.shared.change(|state| state.push_event(ticket, event));
        }
        // Events may have been discarded.
        if ticket.is_cancelled() {
            return Err(Error::new(Status::Cancelled, "cancelled before its end"));
        }
        Ok(())
    }
}
