//! The adaptive limit on the number of requests in flight.
//!
//! The algorithm is that of TCP Vegas, as in Netflix's concurrency-limits
//! (<https://github.com/Netflix/concurrency-limits>, `VegasLimit`): of `limit` requests in flight, about
//! `limit * (1 - no-load latency / latency)` wait in a queue of the server. The limit grows while this queue is short, and
//! shrinks while it is long. Gradient2 of the same library does not suit a work queue: it compares the latency with its
//! own long-term mean, and the limit drifts upwards while requests always wait.
//!
//! The latency of a model varies by its nature: it is proportional to the number of tokens. So this differs from Vegas:
//! - The latency is the mean of a window of about `limit` requests, never that of one request.
//! - The queue may be as long as a part of the limit, not only a few requests. A batch needs throughput, and a queue at
//!   the server costs none.
//! - The no-load latency is not the minimum of all times. It is the latency with half the limit, measured again from time to
//!   time and when the latency rises (a probe, as PROBE_RTT of TCP BBR). If half the limit halves the latency, the other
//!   half was only a queue and is dropped. If it does not, the server has become slower, and the limit stays.
//! - At the start, the limit doubles with each window while this improves the throughput (as STARTUP of TCP BBR).
//! - A few refused requests are noise. More of them reduce the limit, at most once per round trip. The limit then stays
//!   below the number at which the server refused, and tries one more request only rarely.

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::time::Instant;

/// The first limit.
const FIRST_LIMIT: f64 = 10.0;
/// The fewest samples whose mean counts.
const MIN_WINDOW: usize = 16;
/// If twice the limit multiplies the latency by this, it has improved the throughput too little: the start ends.
const START_MAX_RATIO: f64 = 1.3;
/// Below this ratio of the latency to the no-load latency, there is no queue.
const NO_QUEUE: f64 = 1.25;
/// The limit grows below this ratio.
const SHORT_QUEUE: f64 = 1.5;
/// The limit shrinks above this ratio.
const LONG_QUEUE: f64 = 1.9;
/// Above this ratio, a probe determines whether the queue or the server has changed.
const PROBE_RATIO: f64 = 2.3;
/// The same, for the ratio of the latencies before and in a probe: even half the limit is more than the server serves
/// at once.
const STILL_QUEUE: f64 = 1.8;
/// The limit after a probe, in multiples of the number of requests that the server serves at once.
const HEADROOM: f64 = 1.6;
/// The windows between probes.
const PROBE_INTERVAL: u32 = 30;
/// The fewest windows between probes.
const MIN_PROBE_INTERVAL: u32 = 8;
/// The windows without refused requests after which a limit above the ceiling is tried.
const MIN_CEILING_WINDOWS: u32 = 4;
const MAX_CEILING_WINDOWS: u32 = 12;
/// What an overload leaves of the limit.
const BACKOFF: f64 = 0.9;
/// Means differ by chance if the square of their difference is less than this times their variance.
const SIGNIFICANCE: f64 = 4.0;
/// The part of the requests that may be refused without an effect.
const NOISE: f64 = 0.05;

/// One request that has ended. Requests that were cancelled or failed in another way are not noted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub started: Instant,
    pub ended: Instant,
    /// How many requests ran when it ended, itself included. Completions that nobody has fetched do not count.
    pub in_flight: usize,
    pub outcome: Outcome,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Served,
    /// 429 or 503.
    Refused,
    TimedOut,
}

/// The adaptive limit. It has no clock, and its owner locks it.
#[derive(Debug)]
pub(super) struct Adaptive {
    /// At least 1.
    max: f64,
    /// 1 to `max`. Only its integer part counts.
    limit: f64,
    phase: Phase,
    window: Window,
    /// The no-load latency in seconds.
    no_load: Option<Mean>,
    windows_since_probe: u32,
    steady_limit: f64,
    /// Successive windows without a queue.
    windows_without_queue: u32,
    /// Recent overloads.
    overloads: f64,
    overload: Option<Overload>,
    /// The most requests in flight that the server accepted when it refused others.
    ceiling: Option<f64>,
    windows_since_overload: u32,
    ceiling_windows: u32,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// The limit doubles with each window.
    Start,
    /// The start has perhaps ended. A window with the same limit decides.
    Settle,
    /// The limit grows and shrinks in small steps.
    Steady,
    /// The limit is half of what it was. `latency` is the mean latency before, in seconds.
    Probe { from: f64, latency: Mean },
}

/// The last overload that reduced the limit.
#[derive(Debug, Clone, Copy)]
struct Overload {
    at: Instant,
    /// The limit does not fall below this in the same round trip.
    min_limit: f64,
}

/// The mean latency of a window.
#[derive(Debug, Clone, Copy)]
struct Mean {
    /// In seconds.
    value: f64,
    /// The square of the standard error.
    variance: f64,
}

/// The requests since the last decision.
#[derive(Debug, Default)]
struct Window {
    /// Requests that started before do not count.
    since: Option<Instant>,
    /// Requests to ignore first. The first ones to end are the short ones.
    skip: usize,
    served: usize,
    /// In seconds.
    latency: f64,
    /// The sum of the squares.
    squares: f64,
    peak_in_flight: usize,
}

impl Adaptive {
    pub fn new(max: usize) -> Adaptive {
        let max = max.max(1) as f64;
        Adaptive {
            max,
            limit: FIRST_LIMIT.min(max),
            phase: Phase::Start,
            window: Window::default(),
            no_load: None,
            windows_since_probe: 0,
            steady_limit: 1.0,
            windows_without_queue: 0,
            overloads: 0.0,
            overload: None,
            ceiling: None,
            windows_since_overload: 0,
            ceiling_windows: MIN_CEILING_WINDOWS,
        }
    }

    /// Sets the upper bound, at least 1.
    pub fn set_max(&mut self, max: usize) {
        self.max = max.max(1) as f64;
        self.set_limit(self.limit);
    }

    /// The number of requests that may be in flight: 1 to the upper bound.
    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    /// Notes a request that has ended.
    pub fn note(&mut self, sample: Sample) {
        self.window.peak_in_flight = self.window.peak_in_flight.max(sample.in_flight);
        match sample.outcome {
            Outcome::Served => self.note_served(&sample),
            Outcome::Refused | Outcome::TimedOut => self.note_overload(&sample),
        }
    }

    fn note_served(&mut self, sample: &Sample) {
        self.overloads = (self.overloads - NOISE).max(0.0);
        let window = &mut self.window;
        if window.since.is_some_and(|since| sample.started < since) {
            return;
        }
        if window.skip > 0 {
            window.skip -= 1;
            return;
        }
        window.served += 1;
        let latency = sample.ended.saturating_duration_since(sample.started).as_secs_f64();
        window.latency += latency;
        window.squares += latency * latency;
        if window.served >= self.window_size() {
            self.end_window(sample.ended);
        }
    }

    /// The number of requests in a window. If few run, it is small, so that the window ends.
    fn window_size(&self) -> usize {
        let round_trip = self.window.peak_in_flight.min(self.limit());
        match self.phase {
            Phase::Start => (round_trip * 3 / 4).max(MIN_WINDOW / 2),
            Phase::Settle | Phase::Steady | Phase::Probe { .. } => round_trip.max(MIN_WINDOW),
        }
    }

    fn end_window(&mut self, now: Instant) {
        let latency = self.window.mean();
        let is_full = self.window.peak_in_flight >= self.limit();
        self.windows_since_overload = self.windows_since_overload.saturating_add(1);
        self.window = Window { since: self.window.since, ..Window::default() };
        match self.phase {
            Phase::Start => self.start(latency, is_full, now),
            Phase::Settle => self.settle(latency, is_full, now),
            Phase::Steady => self.steady(latency, is_full, now),
            Phase::Probe { from, latency: before } => self.end_probe(from, before, latency, now),
        }
    }

    fn start(&mut self, latency: Mean, is_full: bool, now: Instant) {
        if self.no_load.is_some_and(|no_load| latency.exceeds(no_load, START_MAX_RATIO)) {
            self.phase = Phase::Settle;
            self.restart_window(self.limit(), now);
        } else if is_full {
            if self.no_load.is_none_or(|no_load| latency.value < no_load.value * NO_QUEUE) {
                self.no_load = Some(latency);
            }
            self.double(now);
        }
    }

    fn double(&mut self, now: Instant) {
        let limit = self.limit;
        self.grow(limit);
        if self.limit < limit * 1.5 {
            self.enter_steady();
        } else {
            self.phase = Phase::Start;
        }
        self.restart_window(0, now);
    }

    fn enter_steady(&mut self) {
        self.phase = Phase::Steady;
        self.windows_since_probe = 0;
        self.windows_without_queue = 0;
        self.steady_limit = self.limit;
    }

    fn settle(&mut self, latency: Mean, is_full: bool, now: Instant) {
        let ratio = self.no_load.map_or(1.0, |no_load| latency.value / no_load.value);
        if ratio > LONG_QUEUE {
            self.probe(latency, now);
        } else if is_full && ratio < SHORT_QUEUE {
            self.no_load = Some(latency);
            self.double(now);
        } else {
            self.enter_steady();
        }
    }

    fn steady(&mut self, latency: Mean, is_full: bool, now: Instant) {
        self.windows_since_probe += 1;
        let no_load = match self.no_load {
            // One request alone has no queue.
            Some(no_load) if self.limit < 2.0 => no_load.updated(latency),
            Some(no_load) => no_load,
            None => latency,
        };
        self.no_load = Some(no_load);
        let ratio = latency.value / no_load.value;
        if ratio >= NO_QUEUE || !is_full {
            self.windows_without_queue = 0;
        }
        let is_faster = no_load.exceeds(latency, 1.2);
        let is_odd = ratio > PROBE_RATIO || is_faster || self.limit < self.steady_limit * 0.75;
        let interval = if is_odd { MIN_PROBE_INTERVAL } else { PROBE_INTERVAL };
        if self.windows_since_probe >= interval && self.limit >= 2.0 {
            self.probe(latency, now);
        } else if ratio > LONG_QUEUE {
            self.set_limit(self.limit - (self.limit / 20.0).max(1.0));
        } else if is_full && ratio < NO_QUEUE && !is_faster {
            self.windows_without_queue += 1;
            if self.windows_without_queue >= 2 && self.ceiling.is_none_or(|ceiling| self.limit * 1.5 < ceiling) {
                self.double(now);
            } else {
                self.grow((self.limit / 4.0).max(1.0));
                self.window.skip = self.limit() / 2;
            }
        } else if is_full && ratio < SHORT_QUEUE && !is_faster {
            self.grow((self.limit / 10.0).max(1.0));
        }
    }

    /// Halves the limit. `latency` is the mean latency now.
    fn probe(&mut self, latency: Mean, now: Instant) {
        self.phase = Phase::Probe { from: self.limit, latency };
        self.set_limit(self.limit / 2.0);
        self.restart_window(self.limit(), now);
    }

    /// `ratio` is the latency before, divided by that in the probe.
    fn end_probe(&mut self, from: f64, before: Mean, latency: Mean, now: Instant) {
        let may_queue =
            self.limit <= FIRST_LIMIT || self.no_load.is_none_or(|no_load| latency.value > no_load.value * SHORT_QUEUE);
        if may_queue && before.exceeds(latency, STILL_QUEUE) && self.limit >= 2.0 {
            self.no_load = Some(latency);
            self.probe(latency, now);
            return;
        }
        let ratio = before.value / latency.value;
        let measured = if ratio < NO_QUEUE { latency.updated(before) } else { latency };
        self.no_load = Some(self.no_load.map_or(measured, |no_load| no_load.updated(measured)));
        let limit = self.limit;
        self.set_limit((HEADROOM * from / ratio).clamp(limit, from.max(limit)));
        self.enter_steady();
        self.restart_window(self.limit(), now);
    }

    fn note_overload(&mut self, sample: &Sample) {
        let is_refused = sample.outcome == Outcome::Refused;
        let accepted = sample.in_flight.saturating_sub(1) as f64;
        if let Some(overload) = self.overload.filter(|overload| sample.started < overload.at) {
            // The same round trip. The others that were in flight tell how many the server accepts.
            if is_refused {
                self.set_limit(self.limit.min(accepted).max(overload.min_limit));
                self.ceiling = self.ceiling.map(|ceiling| ceiling.min(self.limit.max(accepted)));
            }
            return;
        }
        self.overloads += 1.0;
        let is_below_ceiling = self.ceiling.is_some_and(|ceiling| self.limit < ceiling.floor());
        if self.overloads <= if is_below_ceiling { 4.0 } else { 2.0 } {
            return;
        }
        self.overloads = 0.0;
        let limit = self.limit;
        self.overload = Some(Overload { at: sample.ended, min_limit: limit / 2.0 });
        self.windows_since_overload = 0;
        if is_refused {
            self.ceiling_windows = if self.ceiling.is_some_and(|ceiling| limit > ceiling) {
                (self.ceiling_windows * 2).min(MAX_CEILING_WINDOWS)
            } else {
                MIN_CEILING_WINDOWS
            };
            self.ceiling = Some(accepted.clamp(1.0, limit));
            self.set_limit((limit * BACKOFF).min(accepted));
        } else {
            self.set_limit(limit * BACKOFF);
        }
        let is_start = matches!(self.phase, Phase::Start | Phase::Settle);
        self.enter_steady();
        if is_start && is_refused {
            self.phase = Phase::Settle;
        }
        self.restart_window(self.limit(), sample.ended);
    }

    /// Grows the limit up to the ceiling, and rarely by 1 above it.
    fn grow(&mut self, by: f64) {
        let mut limit = self.limit + by;
        if let Some(ceiling) = self.ceiling {
            if self.limit > ceiling {
                self.ceiling = None;
            } else if self.limit < ceiling.floor() {
                limit = limit.min(ceiling);
            } else if self.windows_since_overload >= self.ceiling_windows {
                limit = ceiling.floor() + 1.0;
            } else {
                return;
            }
        }
        self.set_limit(limit);
    }

    fn set_limit(&mut self, limit: f64) {
        self.limit = limit.clamp(1.0, self.max);
    }

    /// Begins a window of requests that start from now on, after a large change of the limit.
    fn restart_window(&mut self, skip: usize, now: Instant) {
        self.window = Window { since: Some(now), skip, ..Window::default() };
    }
}

impl Window {
    fn mean(&self) -> Mean {
        let count = self.served as f64;
        let value = self.latency / count;
        let variance = (self.squares / count - value * value).max(0.0) / count;
        // A mean of 0 would make ratios meaningless.
        Mean { value: value.max(1e-9), variance }
    }
}

impl Mean {
    /// Whether this is more than `other`, about `ratio` times as much, and not by chance.
    fn exceeds(self, other: Mean, ratio: f64) -> bool {
        let half = (1.0 + ratio) / 2.0;
        let difference = self.value - other.value * half;
        self.value > other.value * ratio
            && difference * difference > SIGNIFICANCE * (self.variance + other.variance * half * half)
    }

    /// Returns the mean of both, or `new` if they differ not by chance.
    fn updated(self, new: Mean) -> Mean {
        let difference = new.value - self.value;
        if difference * difference > SIGNIFICANCE * (self.variance + new.variance) {
            return new;
        }
        Mean { value: self.value + difference / 2.0, variance: (self.variance + new.variance) / 4.0 }
    }
}
