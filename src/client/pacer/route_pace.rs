//! The pace of a route that refused a request with HTTP status 429: its pauses and its learned rate.

use std::time::{Duration, Instant};

use super::learned_rate::{LearnedRate, Sample};
use super::line::Line;
use super::pace::{Pace, SLACK, after, duration};

/// The first pause of our own. It doubles with each refusal until a request is accepted.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const MAX_DOUBLINGS: u32 = 4;

/// The first request after a pause is followed by others if it was not refused within this time. Refusals are fast;
/// generating text is not.
const PATIENCE: Duration = Duration::from_secs(1);

/// A first pause longer than this shows nothing of the rate.
const LONG: Duration = Duration::from_secs(60);

/// A route without requests for this long is idle.
const IDLE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct RoutePace {
    gate: Gate,
    /// When the last pause ends or ended.
    pause_end: Instant,
    /// The length of the last pause.
    pause: Duration,
    /// The refusals of requests that were sent before the pause began, except the first.
    late_refusals: u32,
    /// The time from sending the refused request to its response.
    round_trip: Duration,
    /// The Retry-After of the last pause.
    retry_after: Option<Duration>,
    /// Refusals without Retry-After since a request was accepted.
    doublings: u32,
    pace: Pace,
    /// `None` only during `new`.
    rate: Option<LearnedRate>,
    /// The rate before the last refusal.
    rate_before: Option<LearnedRate>,
    /// Requests from the end of the pause before the last one to its beginning.
    before_pause: Window,
    /// Requests since the end of the last pause.
    window: Window,
    /// Whether requests wait for the pace.
    is_limiting: bool,
    pub line: Line,
    pub used_at: Instant,
}

/// Whether requests may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    /// At the learned rate.
    Open,
    /// After the end of the pause, one.
    Closed,
    /// One was sent at that time. Its response opens or closes the gate.
    HalfOpen(Instant),
}

/// A span of time and the requests started in it that were not refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub began: Instant,
    pub started: u32,
}

impl RoutePace {
    /// The pace after the first refusal. `window` are the requests before it, without the refused one. `random` is
    /// from 0 to 1.
    pub fn new(
        window: Window,
        started: Instant,
        retry_after: Option<Duration>,
        random: f64,
        now: Instant,
    ) -> RoutePace {
        let mut pace = RoutePace {
            gate: Gate::Open,
            pause_end: window.began,
            pause: Duration::ZERO,
            late_refusals: 0,
            round_trip: Duration::ZERO,
            retry_after: None,
            doublings: 0,
            pace: Pace::default(),
            rate: None,
            rate_before: None,
            before_pause: window,
            window,
            is_limiting: true,
            line: Line::default(),
            used_at: now,
        };
        pace.close(started, retry_after, random, now);
        pace.learn();
        pace
    }

    pub fn interval(&self) -> Duration {
        self.rate.map_or(Duration::ZERO, |rate| duration(1.0 / rate.rate()))
    }

    /// Returns when the next request may start. `Err`: when the first request after a pause must have been accepted.
    pub fn free_at(&mut self, now: Instant) -> Result<Instant, Instant> {
        match self.gate {
            Gate::Closed => Ok(self.pause_end.max(now)),
            Gate::HalfOpen(since) if now < since + PATIENCE => Err(since + PATIENCE),
            Gate::HalfOpen(_) | Gate::Open => {
                let free_at = self.pace.free_at(now);
                self.is_limiting |= free_at > now;
                Ok(free_at)
            }
        }
    }

    pub fn pause_end(&self) -> Instant {
        self.pause_end
    }

    /// Whether a new request should go first after the pause: retries are limited, and the last one was refused.
    pub fn prefers_new(&self) -> bool {
        self.gate == Gate::Closed && self.doublings > 1
    }

    pub fn take(&mut self, now: Instant) {
        self.used_at = now;
        let interval = self.interval();
        let idle = self.pace.idle(now);
        if self.gate == Gate::Closed {
            self.gate = Gate::HalfOpen(now);
            self.window.began = now;
        } else {
            self.gate = Gate::Open;
            self.is_limiting &= idle <= interval.max(SLACK);
            if idle > IDLE.max(2 * interval) {
                self.window = Window { began: now, started: 0 };
            }
        }
        self.window.started += 1;
        self.pace.take(interval, now);
    }

    /// Notes a response other than a refusal to the request started at `started`. Returns whether waiting requests may
    /// start earlier.
    pub fn accepted(&mut self, started: Instant, now: Instant) -> bool {
        if started < self.pause_end {
            return false;
        }
        self.doublings = 0;
        if let Some(rate) = self.rate.as_mut().filter(|_| self.is_limiting) {
            rate.grow(now);
        }
        let opens = self.gate == Gate::HalfOpen(started);
        if opens {
            self.gate = Gate::Open;
        }
        opens
    }

    /// Notes a request that failed otherwise. Returns whether waiting requests may start earlier.
    pub fn failed(&mut self, started: Instant) -> bool {
        self.uncount(started);
        let opens = self.gate == Gate::HalfOpen(started);
        if opens {
            self.gate = Gate::Closed;
        }
        opens
    }

    /// Notes that the request started at `started` was refused. `random` is from 0 to 1.
    pub fn refused(&mut self, started: Instant, retry_after: Option<Duration>, random: f64, now: Instant) {
        self.uncount(started);
        if started >= self.pause_end {
            if self.gate == Gate::HalfOpen(started) {
                self.pause(started, retry_after, random, now);
            } else {
                self.close(started, retry_after, random, now);
            }
        } else {
            // Sent before the pause. It does not extend it unless the server requests a longer one.
            self.late_refusals += 1;
            if retry_after > self.retry_after && self.gate != Gate::Open {
                self.pause(started, retry_after, random, now);
            }
        }
        match self.gate {
            Gate::Open => {}
            Gate::HalfOpen(_) => self.learn(),
            Gate::Closed => {
                self.learn();
                self.pace = Pace::default();
            }
        }
    }

    /// Begins a pause after the first refusal since the gate was opened.
    fn close(&mut self, started: Instant, retry_after: Option<Duration>, random: f64, now: Instant) {
        self.rate_before = self.rate;
        self.before_pause = self.window;
        self.late_refusals = 0;
        self.pause(started, retry_after, random, now);
    }

    fn pause(&mut self, started: Instant, retry_after: Option<Duration>, random: f64, now: Instant) {
        self.pause = retry_after.unwrap_or_else(|| {
            let longest = FIRST_BACKOFF * (1 << self.doublings);
            self.doublings = (self.doublings + 1).min(MAX_DOUBLINGS);
            longest.mul_f64(0.5 + 0.5 * random)
        });
        self.round_trip = now.saturating_duration_since(started);
        self.retry_after = retry_after;
        self.gate = Gate::Closed;
        self.pause_end = after(now, self.pause).max(self.pause_end);
        self.window = Window { began: self.pause_end, started: 0 };
        self.is_limiting = true;
    }

    /// Removes a request that was not accepted from its window.
    fn uncount(&mut self, started: Instant) {
        let windows = [&mut self.window, &mut self.before_pause];
        if let Some(window) = windows.into_iter().find(|window| started >= window.began) {
            window.started = window.started.saturating_sub(1);
        }
    }

    fn learn(&mut self) {
        let span = self.pause_end.saturating_duration_since(self.before_pause.began);
        let unneeded = match self.retry_after {
            // Most servers round it up to whole seconds.
            Some(_) if self.rate_before.is_some() => self.round_trip + (self.pause / 2).min(Duration::from_millis(500)),
            Some(_) => self.round_trip,
            None if self.doublings > 1 => self.pause / 2,
            None => Duration::ZERO,
        };
        let in_flight = self.rate_before.map_or(0.0, |before| before.rate()) * self.round_trip.as_secs_f64();
        let sample = Sample {
            accepted: self.before_pause.started,
            seconds: span.saturating_sub(unneeded).as_secs_f64(),
            refused: f64::from(self.late_refusals) / in_flight.max(8.0),
            is_rough: self.retry_after.is_none() && self.doublings > 1 || self.pause > LONG,
            cost: self.pause.min(Duration::from_secs(1)) + self.round_trip,
        };
        self.rate = Some(self.rate_before.map_or_else(|| LearnedRate::first(&sample), |before| before.after(&sample)));
    }
}
