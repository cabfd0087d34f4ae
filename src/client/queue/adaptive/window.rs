//! The mean latency of the requests between two decisions about the limit.

use std::time::Instant;

/// A latency counts at most this many times the mean of the window before.
const OUTLIER: f64 = 3.0;
/// Two means differ by chance if the square of their difference is at most this many times its variance.
const SIGNIFICANCE: f64 = 4.0;

/// The requests since the last decision.
#[derive(Debug)]
pub(super) struct Window {
    /// Requests that started earlier do not count.
    since: Option<Instant>,
    /// How many requests to ignore first: of those that started together, the short ones end first.
    skip: usize,
    served: usize,
    /// In seconds.
    latency: f64,
    /// The sum of the squares of the latencies.
    squares: f64,
    /// The longest latency that counts, in seconds.
    longest: f64,
    pub peak_in_flight: usize,
}

impl Window {
    /// Begins the first window.
    pub fn new() -> Window {
        Window {
            since: None,
            skip: 0,
            served: 0,
            latency: 0.0,
            squares: 0.0,
            longest: f64::INFINITY,
            peak_in_flight: 0,
        }
    }

    /// Begins a window of requests that start from now on.
    pub fn restart(&mut self, skip: usize, now: Instant) {
        *self = Window { since: Some(now), skip, longest: self.longest, ..Window::new() };
    }

    /// Ignores the next requests.
    pub fn skip(&mut self, requests: usize) {
        self.skip = requests;
    }

    /// Counts a request. Returns how many have counted.
    pub fn note(&mut self, started: Instant, ended: Instant) -> usize {
        if self.since.is_some_and(|since| started < since) {
            return self.served;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return self.served;
        }
        let latency = ended.saturating_duration_since(started).as_secs_f64().min(self.longest);
        self.served += 1;
        self.latency += latency;
        self.squares += latency * latency;
        self.served
    }

    /// Ends the window, of at least one request, and begins the next one.
    pub fn end(&mut self) -> Mean {
        let count = self.served as f64;
        // A mean of 0 would make ratios meaningless.
        let value = (self.latency / count).max(1e-9);
        let variance = (self.squares / count - value * value).max(0.0) / count;
        *self = Window { since: self.since, longest: value * OUTLIER, ..Window::new() };
        Mean { value, variance }
    }
}

/// A mean latency.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mean {
    /// In seconds.
    pub value: f64,
    /// The square of the standard error.
    variance: f64,
}

impl Mean {
    /// Whether this is more than `ratio` times the other mean, and not by chance.
    pub fn exceeds(self, other: Mean, ratio: f64) -> bool {
        // By chance, it would be less than half as much above the other mean.
        let half = (1.0 + ratio) / 2.0;
        let difference = self.value - other.value * half;
        self.value > other.value * ratio
            && difference * difference > SIGNIFICANCE * (self.variance + other.variance * half * half)
    }

    /// Returns the mean of both, or the newer one if the latency has changed.
    pub fn updated(self, newer: Mean) -> Mean {
        let difference = newer.value - self.value;
        let variance = self.variance + newer.variance;
        if difference * difference > SIGNIFICANCE * variance {
            return newer;
        }
        Mean { value: self.value + difference / 2.0, variance: variance / 4.0 }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn mean(milliseconds: &[u64]) -> Mean {
        let start = Instant::now();
        let mut window = Window::new();
        for latency in milliseconds {
            window.note(start, start + Duration::from_millis(*latency));
        }
        window.end()
    }

    #[test]
    fn window_counts_requests_that_started_in_it_after_those_to_skip() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut window = Window::new();
        window.restart(1, at(10));
        assert_eq!(window.note(at(9), at(11)), 0);
        assert_eq!(window.note(at(10), at(11)), 0);
        assert_eq!(window.note(at(10), at(12)), 1);
        assert_eq!(window.note(at(10), at(14)), 2);
        assert_eq!(window.end().value, 3.0);
        // 9 is three times the mean of the window before.
        window.note(at(10), at(100));
        assert_eq!(window.end().value, 9.0);
    }

    #[test]
    fn means_of_few_varying_latencies_differ_by_chance() {
        let short = mean(&[100; 8]);
        assert!(mean(&[200; 8]).exceeds(short, 1.5) && !mean(&[140; 8]).exceeds(short, 1.5));
        assert!(!mean(&[50, 350]).exceeds(short, 1.5));
        assert!((short.updated(mean(&[50, 350])).value - 0.15).abs() < 1e-9);
        assert!((short.updated(mean(&[200; 8])).value - 0.2).abs() < 1e-9);
    }

    #[test]
    fn latencies_of_zero_have_a_finite_ratio() {
        let zero = mean(&[0, 0]);
        assert!((zero.value / zero.value).is_finite());
    }
}
