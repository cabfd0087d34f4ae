//! A server and a full work queue in simulated time.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use super::{Adaptive, Outcome, Sample};

/// A server that serves some requests at once. Others wait in its queue.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    pub capacity: usize,
    /// How many requests may wait. The server refuses more.
    pub queue: usize,
    /// The mean time to serve a request, in seconds.
    pub latency: f64,
    /// Each request that is served at the same time prolongs the service by this part of `latency`, as in the batches
    /// of a language model.
    pub slowdown: f64,
    /// The part of the requests that is refused without a reason.
    pub random_refusals: f64,
}

/// How the time to serve a request varies.
#[derive(Debug, Clone, Copy)]
pub enum Variation {
    Fixed,
    /// Uniform, the longest 5 times the shortest.
    FiveFold,
    /// Lognormal, with this standard deviation of the logarithm.
    Lognormal(f64),
}

/// A batch of requests. In its middle, the server may change.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    pub requests: usize,
    pub before: Server,
    pub after: Server,
    pub variation: Variation,
    pub seed: u64,
}

/// The limit on the requests in flight.
pub enum Limit {
    Fixed(usize),
    Adaptive(Adaptive),
}

/// The result of a batch.
pub struct Run {
    pub seconds: f64,
    pub refused: usize,
    pub max_limit: usize,
    /// The mean over time.
    pub mean_limit: f64,
}

impl Server {
    pub fn new(capacity: usize) -> Server {
        Server { capacity, queue: usize::MAX, latency: 1.0, slowdown: 0.0, random_refusals: 0.0 }
    }
}

impl Variation {
    /// Returns a time with the mean 1.
    fn time(self, random: &mut Random) -> f64 {
        match self {
            Variation::Fixed => 1.0,
            Variation::FiveFold => (1.0 + 4.0 * random.uniform()) / 3.0,
            Variation::Lognormal(deviation) => (deviation * random.normal() - deviation * deviation / 2.0).exp(),
        }
    }
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Approximately normal.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// The end of a request, ordered by time.
struct End {
    time: f64,
    number: u64,
    started: f64,
    outcome: Outcome,
}

impl PartialEq for End {
    fn eq(&self, other: &End) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for End {}

impl PartialOrd for End {
    fn partial_cmp(&self, other: &End) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for End {
    fn cmp(&self, other: &End) -> Ordering {
        self.time.total_cmp(&other.time).then(self.number.cmp(&other.number))
    }
}

struct State {
    batch: Batch,
    /// The times to serve a request, the same with each limit.
    times: Random,
    refusals: Random,
    now: f64,
    served: usize,
    /// Requests that the server serves now.
    serving: usize,
    /// When the requests in the server's queue started.
    queue: VecDeque<f64>,
    ends: BinaryHeap<Reverse<End>>,
    number: u64,
}

impl State {
    fn server(&self) -> Server {
        if self.served * 2 < self.batch.requests { self.batch.before } else { self.batch.after }
    }

    fn submit(&mut self) {
        let server = self.server();
        let is_full = self.serving >= server.capacity && self.queue.len() >= server.queue;
        if is_full || self.refusals.uniform() < server.random_refusals {
            self.end_after(0.01, self.now, Outcome::Refused);
        } else {
            self.queue.push_back(self.now);
        }
    }

    fn serve(&mut self) {
        let server = self.server();
        while self.serving < server.capacity {
            let Some(started) = self.queue.pop_front() else { break };
            self.serving += 1;
            let time = server.latency * self.batch.variation.time(&mut self.times);
            self.end_after(time * (1.0 + server.slowdown * self.serving as f64), started, Outcome::Served);
        }
    }

    fn end_after(&mut self, seconds: f64, started: f64, outcome: Outcome) {
        self.number += 1;
        self.ends.push(Reverse(End { time: self.now + seconds, number: self.number, started, outcome }));
    }
}

/// Sends a batch through a queue that is always full, and retries refused requests.
pub fn run(batch: Batch, mut limit: Limit) -> Run {
    let origin = Instant::now();
    let at = |seconds: f64| origin + Duration::from_secs_f64(seconds);
    let mut state = State {
        batch,
        times: Random(batch.seed),
        refusals: Random(!batch.seed),
        now: 0.0,
        served: 0,
        serving: 0,
        queue: VecDeque::new(),
        ends: BinaryHeap::new(),
        number: 0,
    };
    let mut run = Run { seconds: 0.0, refused: 0, max_limit: 0, mean_limit: 0.0 };
    let mut in_flight = 0;
    loop {
        let current = match &limit {
            Limit::Fixed(limit) => *limit,
            Limit::Adaptive(adaptive) => adaptive.limit(),
        };
        run.max_limit = run.max_limit.max(current);
        while in_flight < current && state.served + in_flight < batch.requests {
            in_flight += 1;
            state.submit();
            state.serve();
        }
        let Some(Reverse(end)) = state.ends.pop() else {
            run.seconds = state.now;
            run.mean_limit /= state.now;
            return run;
        };
        run.mean_limit += current as f64 * (end.time - state.now);
        state.now = end.time;
        if end.outcome == Outcome::Served {
            state.served += 1;
            state.serving -= 1;
        } else {
            run.refused += 1;
        }
        state.serve();
        if let Limit::Adaptive(adaptive) = &mut limit {
            let sample = Sample { started: at(end.started), ended: at(end.time), in_flight, outcome: end.outcome };
            adaptive.note(sample);
        }
        in_flight -= 1;
    }
}

/// Returns the shortest time of a batch with a fixed limit. A server that refuses nothing is never slower with more
/// requests in flight, and one that refuses requests is not faster.
pub fn best_seconds(batch: Batch) -> f64 {
    let without_refusals = |server| Server { queue: usize::MAX, random_refusals: 0.0, ..server };
    let batch = Batch { before: without_refusals(batch.before), after: without_refusals(batch.after), ..batch };
    run(batch, Limit::Fixed(batch.requests)).seconds
}
