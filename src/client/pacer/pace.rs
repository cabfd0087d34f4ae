//! Evenly spaced starts: the generic cell rate algorithm (GCRA) with a burst of one.

use std::time::{Duration, Instant};

/// Threads wake up late. A start that is late by at most this much does not delay those after it.
pub(super) const SLACK: Duration = Duration::from_millis(10);

/// The longest interval and pause. Keeps times in the range of `Instant`.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Pace {
    /// When the next start is due.
    next: Option<Instant>,
}

impl Pace {
    /// Returns when the next start is allowed; `now` if it is overdue.
    pub fn free_at(&self, now: Instant) -> Instant {
        self.next.map_or(now, |next| next.max(now))
    }

    pub fn take(&mut self, interval: Duration, now: Instant) {
        let due = match (self.next, now.checked_sub(SLACK)) {
            (Some(next), Some(earliest)) => next.max(earliest),
            _ => now,
        };
        self.next = Some(due + interval);
    }

    /// Returns for how long the next start is overdue.
    pub fn idle(&self, now: Instant) -> Duration {
        self.next.map_or(Duration::ZERO, |next| now.saturating_duration_since(next))
    }
}

/// Returns the instant `wait` after `now`, at most a day.
pub(super) fn after(now: Instant, wait: Duration) -> Instant {
    now + wait.min(LONGEST)
}

/// Converts seconds, at most a day.
pub(super) fn duration(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, LONGEST.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(20);

    #[test]
    fn late_start_does_not_delay_the_next_ones() {
        let begin = Instant::now() + Duration::from_secs(60);
        let mut pace = Pace::default();
        assert_eq!(pace.free_at(begin), begin);
        pace.take(INTERVAL, begin);
        assert_eq!(pace.free_at(begin), begin + INTERVAL);
        pace.take(INTERVAL, begin + INTERVAL + Duration::from_millis(3));
        assert_eq!(pace.free_at(begin), begin + 2 * INTERVAL);
    }

    #[test]
    fn idle_time_is_not_saved_for_a_burst() {
        let begin = Instant::now() + Duration::from_secs(60);
        let mut pace = Pace::default();
        pace.take(INTERVAL, begin);
        let later = begin + Duration::from_secs(30);
        assert_eq!(pace.idle(later), Duration::from_secs(30) - INTERVAL);
        pace.take(INTERVAL, later);
        assert_eq!(pace.free_at(later), later + INTERVAL - SLACK);
    }

    #[test]
    fn extreme_times_are_limited() {
        assert_eq!(duration(f64::INFINITY), LONGEST);
        assert_eq!(duration(-1.0), Duration::ZERO);
        let now = Instant::now();
        assert_eq!(after(now, Duration::MAX), now + LONGEST);
    }
}
