//! The rate at which a route accepts requests, learned from its refusals: additive increase and multiplicative decrease
//! (AIMD) as in TCP, with the growth of CUBIC (RFC 9438), which is slow near the rate of the last refusal, and faster
//! and faster beyond it.

use std::time::{Duration, Instant};

/// After a refusal the rate is multiplied by this.
const DECREASE: f64 = 0.95;

/// The rate returns to the plateau in at least so many accepted requests, and in at least so many times the cost of a
/// refusal. Both double with each refusal that confirms the rate, at most `MAX_CONFIRMATIONS` times.
const REQUESTS: f64 = 32.0;
const COSTS: f64 = 4.0;
const MAX_CONFIRMATIONS: u32 = 5;

/// A rate confirmed so often is not given up for one long pause.
const SURE: u32 = 3;

/// A refusal at a greater progress (1.17 times the plateau) does not confirm the rate.
const CONFIRMED: f64 = 2.5;

/// The longest cost of a refusal, in seconds.
const MAX_COST: f64 = 2.0;

/// A slow start doubles the rate in at least so many accepted requests, and so many seconds.
const DOUBLING: f64 = 8.0;
const DOUBLING_SECONDS: f64 = 2.0;

/// Fewer accepted requests do not show a rate.
const SAMPLE: u32 = 8;

/// The lowest and the highest rate, in requests per second.
const MIN_RATE: f64 = 1.0 / 60.0;
const MAX_RATE: f64 = 1e6;

#[derive(Debug, Clone, Copy)]
pub(super) struct LearnedRate {
    growth: Growth,
    /// The rate that the route seems to allow, in requests per second.
    plateau: f64,
    /// Begins at 0. Cubic growth reaches the plateau at 1.
    progress: f64,
    confirmations: u32,
    /// Whether a slow start ended with a refusal, and no refusal has confirmed the rate since. There is no other then.
    is_tested: bool,
    /// The time that a refusal costs, in seconds.
    cost: f64,
    grown_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Growth {
    Cubic,
    /// Exponential, while the rate is little more than a guess.
    SlowStart,
}

/// What a refusal shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// The requests that were accepted in `seconds`: from the end of the pause before, to that of the pause after the
    /// refusal. Pauses are often longer than necessary, so this is a lower bound of the rate.
    pub accepted: u32,
    pub seconds: f64,
    /// The part of the requests in flight at the refusal that was refused, too.
    pub refused: f64,
    /// Whether the pause is much longer than necessary.
    pub is_rough: bool,
    /// The time until requests are sent again.
    pub cost: Duration,
}

impl LearnedRate {
    /// Learns from the first refusal.
    pub fn first(sample: &Sample) -> LearnedRate {
        let is_guess = sample.is_rough || sample.accepted < SAMPLE;
        let growth = if is_guess { Growth::SlowStart } else { Growth::Cubic };
        LearnedRate::new(sample, growth, sample.rate(), 1)
    }

    /// Learns from a further refusal.
    pub fn after(&self, sample: &Sample) -> LearnedRate {
        let ratio = sample.rate() / self.rate();
        let rate = self.rate() * (1.0 - sample.refused.min(1.0) / 2.0);
        let is_slow_start = self.growth == Growth::SlowStart;
        // Whether the route accepted so many requests before. The sample is the mean of a rate that grew.
        let was_reached = if is_slow_start { f64::from(sample.accepted) > self.rate() } else { self.progress > 1.0 };
        if !was_reached && ratio < 0.3 && sample.accepted >= SAMPLE && self.confirmations < SURE {
            // The route has become slower, or the earlier sample was a burst that the route allows once.
            let growth = if self.is_tested { Growth::Cubic } else { Growth::SlowStart };
            return LearnedRate { is_tested: self.is_tested, ..LearnedRate::new(sample, growth, sample.rate(), 1) };
        }
        let (plateau, confirmations) = if is_slow_start {
            // The rate before the refusal was noticed.
            (0.75 * rate, 1)
        } else if was_reached {
            // The rate was exceeded somewhere between.
            let is_far = self.progress > CONFIRMED;
            let confirmations = if is_far { self.confirmations / 2 } else { self.confirmations + 1 };
            (f64::midpoint(self.plateau, rate), confirmations)
        } else if self.confirmations >= SURE && ratio < 0.6 {
            // A single long pause says little about a rate that was confirmed again and again. Another will.
            (rate, 1)
        } else if sample.accepted < SAMPLE {
            (sample.rate().max(rate / 4.0), 1)
        } else if ratio < 0.6 {
            ((sample.rate() * rate).sqrt(), 1)
        } else if ratio < 0.8 {
            (0.95 * rate, self.confirmations)
        } else {
            (rate, self.confirmations + 1)
        };
        let is_tested = is_slow_start || self.is_tested && confirmations <= 1;
        let confirmations = confirmations.clamp(1, MAX_CONFIRMATIONS);
        LearnedRate { is_tested, ..LearnedRate::new(sample, Growth::Cubic, plateau, confirmations) }
    }

    fn new(sample: &Sample, growth: Growth, plateau: f64, confirmations: u32) -> LearnedRate {
        let cost = sample.cost.as_secs_f64().clamp(0.001, MAX_COST);
        LearnedRate { growth, plateau, progress: 0.0, confirmations, is_tested: false, cost, grown_at: None }
    }

    /// In requests per second.
    pub fn rate(&self) -> f64 {
        let rate = match self.growth {
            Growth::Cubic => self.plateau * (1.0 + (1.0 - DECREASE) * (self.progress - 1.0).powi(3)),
            Growth::SlowStart => self.plateau * DECREASE * (self.progress / DOUBLING).exp2(),
        };
        rate.clamp(MIN_RATE, MAX_RATE)
    }

    /// Grows after an accepted request.
    pub fn grow(&mut self, now: Instant) {
        let elapsed = self.grown_at.map_or(0.0, |before| now.saturating_duration_since(before).as_secs_f64());
        self.grown_at = Some(now);
        self.progress += match self.growth {
            Growth::Cubic => {
                // Beyond the plateau the rate is not confirmed, so it is found sooner.
                let doublings = if self.progress < 1.0 { self.confirmations } else { self.confirmations / 2 };
                f64::min(1.0 / REQUESTS, elapsed / (COSTS * self.cost)) / f64::from(1 << doublings)
            }
            Growth::SlowStart => f64::min(1.0, elapsed * DOUBLING / DOUBLING_SECONDS),
        };
    }
}

impl Sample {
    fn rate(&self) -> f64 {
        f64::from(self.accepted.max(1)) / self.seconds.max(0.001)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE_OF_FIFTY: Sample =
        Sample { accepted: 500, seconds: 10.0, refused: 0.0, is_rough: false, cost: Duration::from_secs(1) };

    /// Accepts requests at the rate. Returns the rate after each second.
    fn grow(rate: &mut LearnedRate, seconds: usize) -> Vec<f64> {
        let mut now = Instant::now();
        let end_of_second = (1..=seconds).map(|second| now + Duration::from_secs(second as u64));
        let rates = end_of_second.collect::<Vec<_>>().into_iter().map(|end| {
            while now < end {
                now += Duration::from_secs_f64(1.0 / rate.rate());
                rate.grow(now);
            }
            rate.rate()
        });
        rates.collect()
    }

    #[test]
    fn growth_is_slow_near_the_plateau_and_faster_and_faster_beyond() {
        let mut rate = LearnedRate::first(&SAMPLE_OF_FIFTY);
        assert_eq!(rate.rate(), 47.5);
        let rates = grow(&mut rate, 30);
        assert!(rates[5] > 49.7 && rates[9] < 50.5, "{rates:?}");
        assert!(rates[12] > 54.0 && rates[19] > 100.0, "{rates:?}");
    }

    #[test]
    fn refusal_near_the_plateau_lowers_the_rate_by_five_percent_and_slows_the_growth() {
        let mut rate = LearnedRate::first(&SAMPLE_OF_FIFTY);
        let growth = (0..7).map(|_| {
            let seconds = (1..1000).find(|_| grow(&mut rate, 1)[0] > 49.999).unwrap();
            rate = LearnedRate { progress: 1.0, ..rate }.after(&SAMPLE_OF_FIFTY);
            assert!((rate.rate() - 47.5).abs() < 1e-9);
            seconds
        });
        let growth: Vec<i32> = growth.collect();
        assert_eq!(growth, [8, 16, 31, 61, 121, 121, 121]);
    }

    #[test]
    fn rate_far_below_the_learned_one_is_taken_over_and_tested_by_a_slow_start() {
        let rate = LearnedRate::first(&SAMPLE_OF_FIFTY);
        let mut slow = rate.after(&Sample { accepted: 10, ..SAMPLE_OF_FIFTY });
        assert_eq!(slow.rate(), 0.95);
        let rates = grow(&mut slow, 30);
        assert!(rates[5] < 1.7 && rates[20] > 100.0, "{rates:?}");
        let tested = slow.after(&Sample { accepted: 20_000, ..SAMPLE_OF_FIFTY });
        assert_eq!((slow.growth, tested.growth), (Growth::SlowStart, Growth::Cubic));
        assert_eq!(tested.after(&Sample { accepted: 10, ..SAMPLE_OF_FIFTY }).growth, Growth::Cubic);
    }

    #[test]
    fn few_accepted_requests_lower_the_rate_to_a_quarter() {
        let rate = LearnedRate::first(&SAMPLE_OF_FIFTY);
        let slower = rate.after(&Sample { accepted: 1, ..SAMPLE_OF_FIFTY });
        assert!((slower.rate() - 47.5 / 4.0 * 0.95).abs() < 1e-9);
    }

    #[test]
    fn rate_has_limits() {
        let none = Sample { accepted: 0, seconds: 1e6, ..SAMPLE_OF_FIFTY };
        assert_eq!(LearnedRate::first(&none).rate(), MIN_RATE);
        assert_eq!(LearnedRate { progress: 1e6, ..LearnedRate::first(&none) }.rate(), MAX_RATE);
    }
}
