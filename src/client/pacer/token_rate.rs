//! The option tokens_per_minute.

use std::time::{Duration, Instant};

use super::pace::duration;

/// The time in which an idle bucket becomes full.
const BURST_SECONDS: f64 = 1.0;

/// The typical size of a token of a prompt.
const BYTES_PER_TOKEN: f64 = 4.0;

/// The share of a new report in the running mean.
const WEIGHT: f64 = 0.1;

/// A token bucket that may go into debt. The tokens of a request are known only from its response, so a request is
/// charged an estimate when it starts.
#[derive(Debug)]
pub(super) struct TokenRate {
    per_second: f64,
    /// Negative while in debt.
    balance: f64,
    filled_at: Option<Instant>,
    /// The running mean of the tokens of a request; `None` until a response reports them.
    mean: Option<f64>,
}

impl TokenRate {
    /// `limit` is positive.
    pub fn new(limit: u64) -> TokenRate {
        let per_second = limit as f64 / 60.0;
        TokenRate { per_second, balance: per_second * BURST_SECONDS, filled_at: None, mean: None }
    }

    /// Changes the limit. A debt remains.
    pub fn set_limit(&mut self, limit: u64) {
        self.per_second = limit as f64 / 60.0;
        self.balance = self.balance.min(self.per_second * BURST_SECONDS);
    }

    /// The time between requests of the mean size.
    pub fn interval(&self) -> Duration {
        duration(self.mean.unwrap_or_default() / self.per_second)
    }

    pub fn free_at(&mut self, now: Instant) -> Instant {
        self.fill(now);
        if self.balance > 0.0 {
            return now;
        }
        // A nanosecond more, so that the balance is then positive.
        now + duration(-self.balance / self.per_second) + Duration::from_nanos(1)
    }

    /// Charges a request with a prompt of `size` bytes. Returns the tokens charged.
    pub fn take(&mut self, size: usize) -> f64 {
        let tokens = self.mean.unwrap_or((size as f64 / BYTES_PER_TOKEN).max(1.0));
        self.balance -= tokens;
        tokens
    }

    /// Replaces what was charged for a request by what its response reports.
    pub fn correct(&mut self, charged: f64, reported: u64) {
        let reported = reported as f64;
        self.balance += charged - reported;
        self.mean = Some(self.mean.map_or(reported, |mean| mean + WEIGHT * (reported - mean)));
    }

    pub fn refund(&mut self, charged: f64) {
        self.balance += charged;
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = self.filled_at.map_or(Duration::ZERO, |before| now.saturating_duration_since(before));
        let full = self.per_second * BURST_SECONDS;
        self.balance = (self.balance + elapsed.as_secs_f64() * self.per_second).min(full);
        self.filled_at = Some(self.filled_at.map_or(now, |before| before.max(now)));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    const LATENCY: Duration = Duration::from_millis(500);
    const MAX_IN_FLIGHT: usize = 64;

    /// Starts requests as soon as allowed for `seconds`. Each response reports `tokens` after half a second. Returns the
    /// tokens used.
    fn used(rate: &mut TokenRate, seconds: u64, size: usize, tokens: impl Fn(u64) -> Option<u64>) -> u64 {
        let mut now = Instant::now();
        let end = now + Duration::from_secs(seconds);
        let mut used = 0;
        let mut in_flight = VecDeque::new();
        for index in 0.. {
            loop {
                let free_at = if in_flight.len() < MAX_IN_FLIGHT { rate.free_at(now) } else { end };
                match in_flight.front() {
                    Some((ends_at, charged, reported)) if *ends_at <= free_at => {
                        now = *ends_at;
                        if let Some(reported) = reported {
                            rate.correct(*charged, *reported);
                        }
                        in_flight.pop_front();
                    }
                    _ if free_at == now => break,
                    _ => now = free_at,
                }
            }
            if now >= end {
                break;
            }
            in_flight.push_back((now + LATENCY, rate.take(size), tokens(index)));
            used += tokens(index).unwrap_or(size as u64 / 4);
        }
        used
    }

    #[test]
    fn limit_is_used_and_not_exceeded() {
        for (size, tokens) in [(400, 100), (4, 1000), (40_000, 10)] {
            let used = used(&mut TokenRate::new(60_000), 600, size, |_| Some(tokens));
            assert!((594_000..=665_000).contains(&used), "{size} {tokens}: {used}");
        }
        let mixed = used(&mut TokenRate::new(60_000), 600, 40, |index| Some(10 + index * 7919 % 500));
        assert!((594_000..=602_000).contains(&mixed), "{mixed}");
    }

    #[test]
    fn response_without_tokens_leaves_the_estimate_charged() {
        let used = used(&mut TokenRate::new(60_000), 60, 400, |_| None);
        assert!((59_900..=61_100).contains(&used), "{used}");
    }

    #[test]
    fn request_larger_than_the_bucket_starts_and_leaves_a_debt() {
        let now = Instant::now();
        let mut rate = TokenRate::new(60);
        assert_eq!(rate.free_at(now), now);
        assert_eq!(rate.take(400), 100.0);
        let free_at = rate.free_at(now);
        assert_eq!((free_at - now).as_secs(), 99);
        assert_eq!(rate.free_at(free_at), free_at);
        rate.refund(100.0);
        assert_eq!(rate.free_at(now), now);
    }

    #[test]
    fn idle_time_is_saved_for_a_second_only() {
        let now = Instant::now();
        let mut rate = TokenRate::new(6000);
        rate.correct(0.0, 10);
        assert_eq!(rate.interval(), Duration::from_millis(100));
        let later = now + Duration::from_secs(3600);
        rate.free_at(now);
        let burst = (0..100).take_while(|_| rate.free_at(later) == later && rate.take(0) == 10.0).count();
        assert_eq!(burst, 10);
    }
}
