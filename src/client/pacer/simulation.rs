//! Simulations of a queue and rate-limited servers: discrete events, without a clock and threads.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use super::line::Place;
use super::{Outcome, Pacer, Start};

/// How a server limits requests.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    None,
    /// So many in each window of so many seconds, as slowapi counts them.
    Fixed(usize, f64),
    /// So many in any span of so many seconds.
    Sliding(usize, f64),
    /// So many at once, and so many per second.
    Bucket(f64, f64),
}

/// A server with one route.
#[derive(Debug, Clone)]
pub(super) struct Server {
    limit: Limit,
    has_retry_after: bool,
    /// Where the windows begin, in seconds.
    pub phase: f64,
    /// All requests are refused between these seconds.
    pub outage: (f64, f64),
    /// The limit from this second on.
    pub later: Option<(f64, Limit)>,
    accepted: VecDeque<f64>,
    tokens: f64,
    filled_at: f64,
}

impl Server {
    pub fn new(limit: Limit, has_retry_after: bool) -> Server {
        let tokens = if let Limit::Bucket(burst, _) = limit { burst } else { 0.0 };
        Server {
            limit,
            has_retry_after,
            outage: (0.0, 0.0),
            later: None,
            accepted: VecDeque::new(),
            tokens,
            filled_at: 0.0,
            phase: 0.0,
        }
    }

    /// Returns the seconds until the request may succeed if it is refused.
    fn receive(&mut self, now: f64) -> Result<(), f64> {
        if (self.outage.0..self.outage.1).contains(&now) {
            return Err(self.outage.1 - now);
        }
        if let Some((_, limit)) = self.later.filter(|(at, _)| now >= *at) {
            self.limit = limit;
        }
        match self.limit {
            Limit::None => {}
            Limit::Fixed(limit, seconds) => {
                let begin = ((now + self.phase) / seconds).floor() * seconds - self.phase;
                self.accepted.retain(|at| *at >= begin);
                if self.accepted.len() >= limit {
                    return Err(begin + seconds - now);
                }
            }
            Limit::Sliding(limit, seconds) => {
                self.accepted.retain(|at| *at > now - seconds);
                if self.accepted.len() >= limit {
                    return Err(self.accepted[0] + seconds - now);
                }
            }
            Limit::Bucket(burst, rate) => {
                self.tokens = (self.tokens + (now - self.filled_at) * rate).min(burst);
                self.filled_at = now;
                if self.tokens < 1.0 {
                    return Err((1.0 - self.tokens) / rate);
                }
                self.tokens -= 1.0;
            }
        }
        self.accepted.push_back(now);
        Ok(())
    }
}

#[derive(Debug, Default)]
pub(super) struct Request {
    pub route: usize,
    start: Option<Start>,
    place: Place,
    refusals: usize,
    pub accepted_at: Option<f64>,
}

/// In order of time, then of creation. `usize` is the index of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive(usize),
    Refuse(usize, Option<Duration>),
    Accept(usize),
    /// A thread that waits for its retry wakes up.
    Wake(usize),
    /// The dispatcher wakes up.
    Dispatch,
}

pub(super) struct Simulation {
    pub pacer: Pacer,
    servers: Vec<Server>,
    routes: Vec<String>,
    /// From sending to the head of the response.
    latency: f64,
    /// The part of the latency that varies.
    jitter: f64,
    in_flight: usize,
    begin: Instant,
    now: f64,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    last_event: u64,
    /// The event that wakes up the dispatcher. Earlier ones no longer count.
    dispatch_event: u64,
    pub requests: Vec<Request>,
    /// Requests that wait, for each route.
    waiting: Vec<VecDeque<usize>>,
    /// Requests that wait for a retry, with the event that wakes them up.
    sleeping: BTreeMap<usize, u64>,
    running: usize,
    /// When requests were refused.
    refused: Vec<f64>,
    random: u64,
}

impl Simulation {
    pub fn new(servers: Vec<Server>, in_flight: usize, latency: f64, seed: u64) -> Simulation {
        Simulation {
            pacer: Pacer::new(seed),
            routes: (0..servers.len()).map(|index| format!("route{index}")).collect(),
            waiting: servers.iter().map(|_| VecDeque::new()).collect(),
            servers,
            latency,
            jitter: 0.02,
            in_flight,
            begin: Instant::now() + Duration::from_secs(3600),
            now: 0.0,
            events: BinaryHeap::new(),
            last_event: 0,
            dispatch_event: 0,
            requests: Vec::new(),
            sleeping: BTreeMap::new(),
            running: 0,
            refused: Vec::new(),
            random: seed.wrapping_mul(0x2545_F491_4F6C_DD1D),
        }
    }

    fn random(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 53) as f64
    }

    fn instant(&self) -> Instant {
        self.begin + Duration::from_secs_f64(self.now)
    }

    fn schedule(&mut self, at: f64, event: Event) -> u64 {
        self.last_event += 1;
        self.events.push(Reverse((Duration::from_secs_f64(at), self.last_event, event)));
        self.last_event
    }

    /// Threads wake up up to a millisecond late.
    fn sleep_until(&mut self, at: Instant, event: Event) -> u64 {
        let late = self.random() * 0.001;
        self.schedule((at - self.begin).as_secs_f64() + late, event)
    }

    fn send(&mut self, index: usize, start: Start) {
        self.requests[index].start = Some(start);
        let latency = self.latency / 2.0 * (1.0 + self.jitter * self.random());
        self.schedule(self.now + latency, Event::Arrive(index));
    }

    /// Starts waiting requests in their order. Those of a route that must wait are passed over.
    fn dispatch(&mut self) {
        let mut wake_at: Option<Instant> = None;
        let mut routes: Vec<usize> = (0..self.servers.len()).collect();
        while self.running < self.in_flight {
            routes.retain(|route| !self.waiting[*route].is_empty());
            let Some(route) = routes.iter().copied().min_by_key(|route| self.waiting[*route][0]) else { break };
            match self.pacer.start(&self.routes[route], 100, self.instant()) {
                Ok(start) => {
                    self.running += 1;
                    if let Some(index) = self.waiting[route].pop_front() {
                        self.send(index, start);
                    }
                }
                Err(at) => {
                    assert!(at > self.instant());
                    wake_at = Some(wake_at.map_or(at, |wake_at| wake_at.min(at)));
                    routes.retain(|other| *other != route);
                }
            }
        }
        if let Some(at) = wake_at {
            self.dispatch_event = self.sleep_until(at, Event::Dispatch);
        }
    }

    fn retry(&mut self, index: usize) {
        let now = self.instant();
        let request = &mut self.requests[index];
        match self.pacer.retry(&self.routes[request.route], 100, &mut request.place, now) {
            Ok(start) => {
                self.sleeping.remove(&index);
                self.send(index, start);
            }
            Err(at) => {
                assert!(at > now);
                let event = self.sleep_until(at, Event::Wake(index));
                self.sleeping.insert(index, event);
            }
        }
    }

    fn note(&mut self, index: usize, outcome: Outcome) {
        let request = &self.requests[index];
        let start = request.start.unwrap();
        if self.pacer.note(&self.routes[request.route], start, outcome, self.instant()) {
            for index in self.sleeping.keys().copied().collect::<Vec<_>>() {
                self.retry(index);
            }
        }
    }

    fn handle(&mut self, id: u64, event: Event) {
        match event {
            Event::Arrive(index) => {
                let server = &mut self.servers[self.requests[index].route];
                let event = match server.receive(self.now) {
                    Ok(()) => Event::Accept(index),
                    Err(seconds) => {
                        let retry_after = Duration::from_secs_f64(seconds.ceil());
                        Event::Refuse(index, server.has_retry_after.then_some(retry_after))
                    }
                };
                let latency = self.latency / 2.0 * (1.0 + self.jitter * self.random());
                self.schedule(self.now + latency, event);
            }
            Event::Accept(index) => {
                self.requests[index].accepted_at = Some(self.now);
                self.running -= 1;
                self.note(index, Outcome::Accepted);
                self.dispatch();
            }
            Event::Refuse(index, retry_after) => {
                self.refused.push(self.now);
                self.requests[index].refusals += 1;
                self.note(index, Outcome::Refused { retry_after });
                self.retry(index);
            }
            Event::Wake(index) if self.sleeping.get(&index) == Some(&id) => self.retry(index),
            Event::Dispatch if self.dispatch_event == id => self.dispatch(),
            Event::Wake(_) | Event::Dispatch => {}
        }
    }

    /// Submits so many requests to each route now.
    pub fn submit(&mut self, count: usize) {
        for index in 0..count * self.servers.len() {
            let route = index % self.servers.len();
            self.waiting[route].push_back(self.requests.len());
            self.requests.push(Request { route, ..Request::default() });
        }
    }

    /// Runs until all submitted requests are accepted.
    pub fn run(&mut self) -> Report {
        self.dispatch();
        while let Some(Reverse((at, id, event))) = self.events.pop() {
            self.now = at.as_secs_f64();
            assert!(self.now < 1e6, "the requests are not accepted");
            self.handle(id, event);
        }
        let accepted: Vec<f64> = self.requests.iter().filter_map(|request| request.accepted_at).collect();
        assert_eq!(accepted.len(), self.requests.len(), "all requests are accepted");
        Report {
            refused: self.refused.clone(),
            accepted,
            most_refusals: self.requests.iter().map(|request| request.refusals).max().unwrap_or_default(),
        }
    }
}

/// When requests were refused and accepted, in seconds.
#[derive(Debug)]
pub(super) struct Report {
    pub refused: Vec<f64>,
    accepted: Vec<f64>,
    /// Of one request.
    pub most_refusals: usize,
}

impl Report {
    /// The part of the requests that were refused after the first `seconds`.
    pub fn refused_after(&self, seconds: f64) -> f64 {
        let refused = self.refused.iter().filter(|at| **at > seconds).count() as f64;
        refused / (refused + self.accepted.iter().filter(|at| **at > seconds).count() as f64)
    }

    /// Accepted requests per second.
    pub fn rate(&self) -> f64 {
        self.accepted.len() as f64 / self.accepted.iter().fold(0.0, |last: f64, at| last.max(*at))
    }

    pub fn rate_between(&self, begin: f64, end: f64) -> f64 {
        self.accepted.iter().filter(|at| (begin..end).contains(*at)).count() as f64 / (end - begin)
    }
}
