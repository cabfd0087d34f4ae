//! The option requests_per_second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::pace::{Pace, duration};

/// The margin of the limit. Latency varies, so requests arrive closer together than they were sent.
const MARGIN: f64 = 1.01;

/// The most start times remembered.
const MAX_LOG: f64 = 1000.0;

/// Spaces requests evenly. In no second do more than the limit start, which also holds for the fixed windows that
/// servers count in. The log of starts ensures it: a pace alone must either lose the time by which each thread wakes up
/// late, or exceed the limit when it catches up.
#[derive(Debug)]
pub(super) struct RequestRate {
    interval: Duration,
    pace: Pace,
    /// The start times of the last `max_log` requests.
    log: VecDeque<Instant>,
    max_log: usize,
    /// The time in which at most `max_log` requests start.
    window: Duration,
}

impl RequestRate {
    /// `limit` is positive.
    pub fn new(limit: f64) -> RequestRate {
        let max_log = limit.floor().clamp(1.0, MAX_LOG);
        RequestRate {
            interval: duration(1.0 / limit),
            pace: Pace::default(),
            log: VecDeque::new(),
            max_log: max_log as usize,
            window: duration(MARGIN * max_log / limit),
        }
    }

    /// Changes the limit. Earlier starts still count.
    pub fn set_limit(&mut self, limit: f64) {
        let earlier = std::mem::replace(self, RequestRate::new(limit));
        let surplus = earlier.log.len().saturating_sub(self.max_log);
        self.log.extend(earlier.log.into_iter().skip(surplus));
    }

    pub fn interval(&self) -> Duration {
        self.interval
    }

    pub fn free_at(&self, now: Instant) -> Instant {
        let paced = self.pace.free_at(now);
        match self.log.front() {
            Some(first) if self.log.len() == self.max_log => paced.max(*first + self.window),
            _ => paced,
        }
    }

    pub fn take(&mut self, now: Instant) {
        self.pace.take(self.interval, now);
        if self.log.len() == self.max_log {
            self.log.pop_front();
        }
        self.log.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts requests as soon as allowed, waking up late by up to 8 ms. Returns the seconds of the starts.
    fn starts(rate: &mut RequestRate, count: usize) -> Vec<f64> {
        let begin = Instant::now() + Duration::from_secs(60);
        let mut now = begin;
        let starts = (0..count).map(|index| {
            let free_at = rate.free_at(now);
            if free_at > now {
                now = free_at + Duration::from_micros(index as u64 * 7919 % 8000);
            }
            rate.take(now);
            (now - begin).as_secs_f64()
        });
        starts.collect()
    }

    #[test]
    fn no_second_has_more_starts_than_the_limit_nor_many_fewer() {
        for limit in [1_u32, 3, 50, 400] {
            let starts = starts(&mut RequestRate::new(f64::from(limit)), 20 * limit as usize + 1);
            let crowded = starts.windows(limit as usize + 1).filter(|run| run[limit as usize] - run[0] < 1.0 - 1e-9);
            assert_eq!(crowded.count(), 0, "{limit}");
            assert!(starts[20 * limit as usize] < 20.0 * 1.02, "{limit}: {:?}", starts.last());
        }
    }

    #[test]
    fn requests_are_evenly_spaced() {
        let starts = starts(&mut RequestRate::new(50.0), 100);
        assert!(starts.windows(2).all(|pair| pair[1] - pair[0] > 0.01 - 1e-9));
    }

    #[test]
    fn half_a_request_per_second_is_one_every_two_seconds() {
        let starts = starts(&mut RequestRate::new(0.5), 10);
        assert!(starts.windows(2).all(|pair| (2.0..2.03).contains(&(pair[1] - pair[0]))), "{starts:?}");
    }

    #[test]
    fn changed_limit_counts_earlier_starts() {
        let now = Instant::now();
        let mut rate = RequestRate::new(50.0);
        rate.take(now);
        rate.take(now + Duration::from_millis(20));
        rate.set_limit(1.0);
        assert_eq!(rate.free_at(now), now + Duration::from_millis(1030));
    }
}
