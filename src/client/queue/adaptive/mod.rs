//! The adaptive limit on the number of requests in flight.
//!
//! The algorithm is TCP Vegas, as Netflix's concurrency-limits applies it to requests (`VegasLimit`,
//! <https://github.com/Netflix/concurrency-limits>). If the latency without load is known, the latency tells how many of
//! the requests in flight wait in a queue of the server: `limit * (1 - no-load latency / latency)`. The limit grows while
//! this queue is short, and shrinks while it is long. Gradient2, of the same library, compares the latency with its own
//! long-term mean. It drifts upwards if requests always wait for the limit, as they do here.
//!
//! The latency of a language model varies with the number of tokens, and the program needs throughput. So this differs
//! from `VegasLimit`:
//! - Decisions use the mean latency of a window of about `limit` requests, and its standard error.
//! - The queue may be as long as half of the limit. A queue at the server costs no throughput.
//! - The no-load latency is not a minimum, which one short response would spoil, but the latency with half the limit. A
//!   probe measures it from time to time, and when the latency has changed, as PROBE_RTT of TCP BBR does. If half the
//!   limit halves the latency, the other half was a queue, and the lower limit stays. If it does not, the server has
//!   become slower, and the limit returns to its value.
//! - At the start, each window doubles the limit while the latency stays the same, as in the slow start of TCP.
//! - A few refused requests and timeouts are noise. More reduce the limit, once in a round trip. The number of requests
//!   that the server accepted becomes a ceiling, and the limit rarely goes beyond it.

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod window;

use std::time::Instant;

use window::{Mean, Window};

const FIRST_LIMIT: f64 = 10.0;
/// The fewest requests whose mean latency counts.
const MIN_WINDOW: usize = 16;

/// The start has ended if the latency is more than this many times the no-load latency.
const START_RATIO: f64 = 1.3;
/// Below this ratio of the latency to the no-load latency, no requests wait at the server.
const NO_QUEUE: f64 = 1.25;
/// Below this ratio the limit grows.
const SHORT_QUEUE: f64 = 1.5;
/// Above this ratio the limit shrinks.
const LONG_QUEUE: f64 = 1.9;
/// Above this ratio, a probe finds out whether the server has become slower.
const PROBE_RATIO: f64 = 2.3;
/// A probe is followed by another if the latency before was more than this many times the latency in the probe.
const NEXT_PROBE_RATIO: f64 = 1.8;
/// The limit after a probe, in multiples of the number of requests that the server serves at once.
const HEADROOM: f64 = 1.6;

/// The windows from one probe to the next.
const PROBE_INTERVAL: u32 = 30;
/// The same if the latency has changed.
const MIN_PROBE_INTERVAL: u32 = 6;
/// The limit has changed if it is below this part of what it was.
const CHANGED_LIMIT: f64 = 0.75;

/// How many recent overloads are noise.
const TOLERATED: f64 = 2.0;
/// The same below the ceiling, where the server has accepted as many requests before.
const TOLERATED_BELOW_CEILING: f64 = 4.0;
/// How many overloads each served request outweighs.
const OVERLOADS_PER_SERVED: f64 = 0.05;
/// What an overload leaves of the limit.
const BACKOFF: f64 = 0.9;
/// The same below the ceiling, where it means that the server accepts fewer requests than before.
const BACKOFF_BELOW_CEILING: f64 = 0.75;
/// What all overloads of one round trip leave of the limit at least.
const MAX_BACKOFF: f64 = 0.5;
/// The windows without an overload before the limit exceeds the ceiling. They double each time that the server refuses.
const MIN_CEILING_WINDOWS: u32 = 2;
const MAX_CEILING_WINDOWS: u32 = 12;

/// A request that has ended: a response, 429 or 503, or a timeout. Other errors say nothing about the load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub started: Instant,
    pub ended: Instant,
    /// How many requests the gateway had when this one ended, itself included. Requests that wait for a retry, and
    /// completions that the program has not fetched, do not count.
    pub in_flight: usize,
    pub outcome: Outcome,
}

/// How a request has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Served,
    /// 429 or 503.
    Refused,
    TimedOut,
}

/// The adaptive limit. It has no clock and no lock.
#[derive(Debug)]
pub(super) struct Adaptive {
    max: f64,
    /// From 1 to `max`, rounded down for use.
    limit: f64,
    phase: Phase,
    window: Window,
    no_load: Option<Mean>,
    windows_since_probe: u32,
    /// Consecutive windows in which no requests waited at the server.
    windows_without_queue: u32,
    /// The limit when the steady phase began.
    steady_limit: f64,
    /// The number of recent overloads that have not reduced the limit.
    overloads: f64,
    reduction: Option<Reduction>,
    windows_since_reduction: u32,
    /// The number of requests that the server accepted when it refused others.
    ceiling: Option<f64>,
    /// The windows without an overload before the limit exceeds the ceiling.
    ceiling_windows: u32,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Each window doubles the limit.
    Start,
    /// The start seems to have ended. A window with the same limit confirms it.
    Settle,
    /// Each window changes the limit by a small step.
    Steady,
    /// The limit is half of `limit`, which had the mean latency `latency`.
    Probe { limit: f64, latency: Mean },
}

/// The last reduction of the limit because of an overload. Requests that started earlier do not reduce it again.
#[derive(Debug, Clone, Copy)]
struct Reduction {
    at: Instant,
    min_limit: f64,
}

impl Adaptive {
    pub fn new(max: usize) -> Adaptive {
        let mut adaptive = Adaptive {
            max: 1.0,
            limit: FIRST_LIMIT,
            phase: Phase::Start,
            window: Window::new(),
            no_load: None,
            windows_since_probe: 0,
            windows_without_queue: 0,
            steady_limit: 1.0,
            overloads: 0.0,
            reduction: None,
            windows_since_reduction: 0,
            ceiling: None,
            ceiling_windows: MIN_CEILING_WINDOWS,
        };
        adaptive.set_max(max);
        adaptive
    }

    /// Sets the upper bound of the limit, at least 1.
    pub fn set_max(&mut self, max: usize) {
        self.max = max.max(1) as f64;
        self.set_limit(self.limit);
    }

    /// Returns how many requests may be in flight, at least 1.
    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    /// Notes a request that has ended.
    pub fn note(&mut self, sample: Sample) {
        self.window.peak_in_flight = self.window.peak_in_flight.max(sample.in_flight);
        match sample.outcome {
            Outcome::Served => {
                self.overloads = (self.overloads - OVERLOADS_PER_SERVED).max(0.0);
                if self.window.note(sample.started, sample.ended) >= self.window_size() {
                    self.end_window(sample.ended);
                }
            }
            Outcome::Refused | Outcome::TimedOut => self.note_overload(&sample),
        }
    }

    /// The number of requests of a window. It depends on those in flight, so that a window ends although few run.
    fn window_size(&self) -> usize {
        let in_flight = self.window.peak_in_flight.min(self.limit());
        match self.phase {
            Phase::Start => (in_flight * 3 / 4).max(MIN_WINDOW / 2),
            Phase::Settle | Phase::Steady | Phase::Probe { .. } => in_flight.max(MIN_WINDOW),
        }
    }

    fn end_window(&mut self, now: Instant) {
        // If not, the program limits the requests in flight, and a higher limit would be a guess.
        let is_full = self.window.peak_in_flight >= self.limit();
        let latency = self.window.end();
        self.windows_since_reduction = self.windows_since_reduction.saturating_add(1);
        match self.phase {
            Phase::Start => self.end_start_window(latency, is_full, now),
            Phase::Settle => self.end_settle_window(latency, is_full, now),
            Phase::Steady => self.end_steady_window(latency, is_full, now),
            Phase::Probe { limit, latency: before } => self.end_probe(limit, before, latency, now),
        }
    }

    fn end_start_window(&mut self, latency: Mean, is_full: bool, now: Instant) {
        if self.no_load.is_some_and(|no_load| latency.exceeds(no_load, START_RATIO)) {
            self.settle(now);
        } else if is_full {
            if self.no_load.is_none_or(|no_load| latency.value < no_load.value * NO_QUEUE) {
                self.no_load = Some(latency);
            }
            self.double(now);
        }
    }

    fn end_settle_window(&mut self, latency: Mean, is_full: bool, now: Instant) {
        if self.no_load.is_some_and(|no_load| latency.value > no_load.value * SHORT_QUEUE) {
            self.probe(latency, now);
        } else if is_full {
            self.no_load = Some(latency);
            self.double(now);
        } else {
            self.enter_steady();
        }
    }

    fn end_steady_window(&mut self, latency: Mean, is_full: bool, now: Instant) {
        self.windows_since_probe += 1;
        let no_load = match self.no_load {
            // A single request never waits for another.
            Some(no_load) if self.limit < 2.0 => no_load.updated(latency),
            Some(no_load) => no_load,
            None => latency,
        };
        self.no_load = Some(no_load);
        let ratio = latency.value / no_load.value;
        let is_faster = no_load.exceeds(latency, NO_QUEUE);
        let may_grow = is_full && !is_faster;
        self.windows_without_queue = if may_grow && ratio < NO_QUEUE { self.windows_without_queue + 1 } else { 0 };

        let has_changed = ratio > PROBE_RATIO || is_faster || self.limit < self.steady_limit * CHANGED_LIMIT;
        let probe_interval = if has_changed { MIN_PROBE_INTERVAL } else { PROBE_INTERVAL };
        if self.windows_since_probe >= probe_interval && self.limit >= 2.0 {
            self.probe(latency, now);
        } else if ratio > LONG_QUEUE {
            self.set_limit(self.limit - (self.limit / 20.0).max(1.0));
        } else if self.windows_without_queue >= 2 && self.is_far_below_ceiling() {
            self.double(now);
        } else if may_grow && ratio < NO_QUEUE {
            self.grow((self.limit / 4.0).max(1.0));
            self.window.skip(self.limit() / 2);
        } else if may_grow && ratio < SHORT_QUEUE {
            self.grow((self.limit / 10.0).max(1.0));
        }
    }

    /// `before` is the mean latency with `limit`, and `latency` that with half of it.
    fn end_probe(&mut self, limit: f64, before: Mean, latency: Mean, now: Instant) {
        if latency.exceeds(before, NO_QUEUE) {
            // The server has become slower during the probe.
            self.settle(now);
            return;
        }
        let ratio = before.value / latency.value;
        let may_wait =
            self.limit <= FIRST_LIMIT || self.no_load.is_none_or(|no_load| latency.value > no_load.value * SHORT_QUEUE);
        if before.exceeds(latency, NEXT_PROBE_RATIO) && may_wait && self.limit >= 2.0 {
            self.no_load = Some(latency);
            self.probe(latency, now);
            return;
        }
        let no_load = match self.no_load {
            // No requests waited with either limit.
            _ if ratio < NO_QUEUE => latency.updated(before),
            // Requests waited with both limits.
            Some(no_load) if ratio > NEXT_PROBE_RATIO && no_load.value < latency.value => no_load,
            Some(no_load) => no_load.updated(latency),
            None => latency,
        };
        self.no_load = Some(no_load);
        let half = self.limit;
        let served_at_once = limit * no_load.value / before.value;
        self.set_limit((served_at_once * HEADROOM).clamp(half, limit.max(half)));
        self.enter_steady();
        self.window.restart(self.limit(), now);
    }

    fn double(&mut self, now: Instant) {
        let limit = self.limit;
        self.grow(limit);
        if self.limit < limit * 1.5 {
            self.enter_steady();
        } else {
            self.phase = Phase::Start;
        }
        self.window.restart(0, now);
    }

    fn settle(&mut self, now: Instant) {
        self.phase = Phase::Settle;
        self.window.restart(self.limit(), now);
    }

    fn enter_steady(&mut self) {
        self.phase = Phase::Steady;
        self.windows_since_probe = 0;
        self.windows_without_queue = 0;
        self.steady_limit = self.limit;
    }

    /// Halves the limit. `latency` is the mean latency with the present one.
    fn probe(&mut self, latency: Mean, now: Instant) {
        self.phase = Phase::Probe { limit: self.limit, latency };
        self.set_limit(self.limit / 2.0);
        self.window.restart(self.limit(), now);
    }

    fn note_overload(&mut self, sample: &Sample) {
        let is_refused = sample.outcome == Outcome::Refused;
        let accepted = sample.in_flight.saturating_sub(1) as f64;
        if let Some(reduction) = self.reduction.filter(|reduction| sample.started < reduction.at) {
            if is_refused {
                self.set_limit(self.limit.min(accepted).max(reduction.min_limit));
                self.ceiling = self.ceiling.map(|ceiling| ceiling.min(self.limit.max(accepted)));
            }
            return;
        }
        let is_below_ceiling = self.ceiling.is_some_and(|ceiling| self.limit < ceiling.floor());
        let (tolerated, backoff) =
            if is_below_ceiling { (TOLERATED_BELOW_CEILING, BACKOFF_BELOW_CEILING) } else { (TOLERATED, BACKOFF) };
        self.overloads += 1.0;
        if self.overloads > tolerated {
            self.reduce(self.limit * backoff, is_refused.then_some(accepted), sample.ended);
        }
    }

    /// Reduces the limit because of an overload. `accepted` is the number of requests that the server has not refused.
    fn reduce(&mut self, limit: f64, accepted: Option<f64>, now: Instant) {
        self.overloads = 0.0;
        self.reduction = Some(Reduction { at: now, min_limit: self.limit * MAX_BACKOFF });
        self.windows_since_reduction = 0;
        if let Some(accepted) = accepted {
            let was_above_ceiling = self.ceiling.is_some_and(|ceiling| self.limit > ceiling);
            self.ceiling_windows =
                if was_above_ceiling { MAX_CEILING_WINDOWS.min(self.ceiling_windows * 2) } else { MIN_CEILING_WINDOWS };
            self.ceiling = Some(accepted.clamp(1.0, self.limit));
        }
        self.set_limit(limit.min(accepted.unwrap_or(limit)));
        // The start has measured the no-load latency with few requests. The next window measures it again.
        let is_start = matches!(self.phase, Phase::Start | Phase::Settle);
        self.enter_steady();
        if is_start && accepted.is_some() {
            self.phase = Phase::Settle;
        }
        self.window.restart(self.limit(), now);
    }

    fn is_far_below_ceiling(&self) -> bool {
        self.ceiling.is_none_or(|ceiling| self.limit * 1.5 < ceiling)
    }

    /// Raises the limit up to the ceiling, and beyond it by one request from time to time.
    fn grow(&mut self, step: f64) {
        let mut limit = self.limit + step;
        if let Some(ceiling) = self.ceiling.map(f64::floor) {
            if self.limit < ceiling {
                limit = limit.min(ceiling);
            } else if self.limit >= ceiling + 1.0 {
                // The server has accepted more.
                self.ceiling = None;
            } else if self.windows_since_reduction >= self.ceiling_windows {
                limit = ceiling + 1.0;
            } else {
                return;
            }
        }
        self.set_limit(limit);
    }

    fn set_limit(&mut self, limit: f64) {
        self.limit = limit.clamp(1.0, self.max);
    }
}
