//! The requests that wait to be sent, in the order of their submission. A route that may send nothing does not delay the
//! others.

use std::collections::VecDeque;
use std::time::Instant;

use super::super::pacer::Pacer;
use super::state::{Job, extract};

#[derive(Default)]
pub(super) struct Waiting {
    /// Requests that may start as soon as there is a place for them.
    jobs: VecDeque<Job>,
    /// Requests to routes that may send nothing at the moment, one list for each route. None of them is empty.
    blocked: Vec<VecDeque<Job>>,
}

impl Waiting {
    pub fn len(&self) -> usize {
        self.jobs.len() + self.blocked.iter().map(VecDeque::len).sum::<usize>()
    }

    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.blocked.is_empty()
    }

    pub fn extend(&mut self, job: Option<Job>) {
        self.jobs.extend(job);
    }

    /// Takes the next request that the rates allow to start. `Err`: when to ask again; `None` if no request waits.
    pub fn take_next(&mut self, pacer: &mut Pacer) -> Result<Job, Option<Instant>> {
        if self.is_empty() {
            return Err(None);
        }
        let now = Instant::now();
        let mut next_start: Option<Instant> = None;
        for place in 0..self.blocked.len() {
            match start_first(&mut self.blocked[place], pacer, now) {
                Ok(job) => {
                    if self.blocked[place].is_empty() {
                        self.blocked.swap_remove(place);
                    }
                    return Ok(job);
                }
                Err(at) => next_start = next_start.into_iter().chain(at).min(),
            }
        }
        while let Some(job) = self.jobs.front() {
            let key = job.call.rate_key();
            let list = self.blocked.iter_mut().find(|list| list.front().is_some_and(|job| job.call.rate_key() == key));
            if let Some(list) = list {
                list.extend(self.jobs.pop_front());
                continue;
            }
            let is_limited = pacer.is_route_limited(key);
            match start_first(&mut self.jobs, pacer, now) {
                Ok(job) => return Ok(job),
                Err(at) => next_start = next_start.into_iter().chain(at).min(),
            }
            // All routes together may send nothing.
            if !is_limited {
                break;
            }
            self.blocked.push(self.jobs.pop_front().into_iter().collect());
        }
        Err(next_start)
    }

    /// Removes the requests for which the condition holds, and returns them.
    pub fn extract(&mut self, condition: impl Fn(&Job) -> bool + Copy) -> VecDeque<Job> {
        let mut extracted = VecDeque::new();
        for list in &mut self.blocked {
            extracted.append(&mut extract(list, condition));
        }
        self.blocked.retain(|list| !list.is_empty());
        extracted.append(&mut extract(&mut self.jobs, condition));
        extracted
    }
}

/// Takes the first request if it may start, else returns when to ask again.
fn start_first(jobs: &mut VecDeque<Job>, pacer: &mut Pacer, now: Instant) -> Result<Job, Option<Instant>> {
    let mut job = jobs.pop_front().ok_or(None)?;
    match pacer.start(job.call.rate_key(), job.call.content_len(), now) {
        Ok(start) => {
            job.start = Some(start);
            Ok(job)
        }
        Err(at) => {
            jobs.push_front(job);
            Err(Some(at))
        }
    }
}
