//! When requests may start: the limits of the program, and the pauses and rates of routes that refuse requests.

mod learned_rate;
mod line;
mod pace;
mod request_rate;
mod route_pace;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod simulation;
mod token_rate;

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

pub(super) use self::line::Place;
use self::request_rate::RequestRate;
use self::route_pace::{RoutePace, Window};
use self::token_rate::TokenRate;

/// The most routes remembered.
const MAX_ROUTES: usize = 1000;

/// The least time of a window of `RecentStarts`.
const RECENT: Duration = Duration::from_secs(1);

/// The time in which new requests may go before retries, if the route prefers them.
const PRECEDENCE: Duration = Duration::from_millis(50);

/// The rates and pauses of a queue. A route is remembered from its first refusal (HTTP status 429) on.
#[derive(Debug)]
pub(super) struct Pacer {
    requests: Option<RequestRate>,
    tokens: Option<TokenRate>,
    routes: HashMap<Box<str>, RoutePace>,
    recent: RecentStarts,
    /// The state of a xorshift generator, for pauses of random length.
    random: u64,
}

/// A request that was started. Each must be noted once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    at: Instant,
    /// The tokens charged.
    tokens: f64,
}

/// The result of an HTTP attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The server accepted the request.
    Accepted,
    /// HTTP status 429.
    Refused { retry_after: Option<Duration> },
    /// It was cancelled, or failed otherwise.
    Failed,
}

/// Requests of all routes started in the last one or two seconds: what is known of a route at its first refusal.
#[derive(Debug, Default)]
struct RecentStarts {
    current: Option<Window>,
    previous: Option<Window>,
}

impl Default for Pacer {
    fn default() -> Pacer {
        Pacer::new(RandomState::new().build_hasher().finish())
    }
}

impl Start {
    /// Returns when the request was started.
    pub fn at(&self) -> Instant {
        self.at
    }
}

impl Pacer {
    /// `seed` selects the random pauses.
    pub fn new(seed: u64) -> Pacer {
        Pacer {
            requests: None,
            tokens: None,
            routes: HashMap::new(),
            recent: RecentStarts::default(),
            // A xorshift generator must not begin with zero.
            random: seed | 1,
        }
    }

    /// Limits the requests of all routes together; `None` for no limit. The limit is positive.
    pub fn set_requests_per_second(&mut self, limit: Option<f64>) {
        match (&mut self.requests, limit) {
            (Some(rate), Some(limit)) => rate.set_limit(limit),
            (rate, limit) => *rate = limit.map(RequestRate::new),
        }
    }

    /// Limits the tokens of all routes together; `None` for no limit. The limit is positive.
    pub fn set_tokens_per_minute(&mut self, limit: Option<u64>) {
        match (&mut self.tokens, limit) {
            (Some(rate), Some(limit)) => rate.set_limit(limit),
            (rate, limit) => *rate = limit.map(TokenRate::new),
        }
    }

    /// Starts a new request with a prompt of `size` bytes if that is allowed. `Err`: when to ask again.
    pub fn start(&mut self, route: &str, size: usize, now: Instant) -> Result<Start, Instant> {
        if self.is_unlimited() {
            return Ok(self.take(None, size, now));
        }
        self.start_limited(route, size, None, now)
    }

    /// Starts a request that was refused again, in preference to new ones. `Err`: when to ask again, with the same
    /// `place`. A retry that is given up must `leave`.
    pub fn retry(&mut self, route: &str, size: usize, place: &mut Place, now: Instant) -> Result<Start, Instant> {
        self.start_limited(route, size, Some(place), now)
    }

    /// Gives up the place of a retry.
    pub fn leave(&mut self, route: &str, place: &mut Place) {
        if let Some(pace) = self.routes.get_mut(route) {
            pace.line.leave(place);
        }
    }

    /// Notes the result of a request, as soon as it is known: for an accepted request from the head of the response.
    /// Returns whether those that wait should ask again now.
    #[must_use]
    pub fn note(&mut self, route: &str, start: Start, outcome: Outcome, now: Instant) -> bool {
        if outcome != Outcome::Accepted {
            if let Some(tokens) = &mut self.tokens {
                tokens.refund(start.tokens);
            }
        }
        if let Outcome::Refused { retry_after } = outcome {
            self.refused(route, start.at, retry_after, now);
            return false;
        }
        if self.routes.is_empty() {
            return false;
        }
        match self.routes.get_mut(route) {
            Some(pace) if outcome == Outcome::Accepted => pace.accepted(start.at, now),
            Some(pace) => pace.failed(start.at),
            None => false,
        }
    }

    /// Notes the tokens that the response to these requests reports.
    pub fn note_tokens(&mut self, starts: &[Start], reported: u64) {
        if let Some(tokens) = &mut self.tokens {
            tokens.correct(starts.iter().map(|start| start.tokens).sum(), reported);
        }
    }

    /// Whether the outcomes of attempts must be noted.
    pub fn is_limited(&self) -> bool {
        !self.is_unlimited()
    }

    pub fn is_counting_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Whether a route has a rate or a pause of its own.
    pub fn is_route_limited(&self, route: &str) -> bool {
        self.routes.contains_key(route)
    }

    fn is_unlimited(&self) -> bool {
        self.requests.is_none() && self.tokens.is_none() && self.routes.is_empty()
    }

    fn start_limited(
        &mut self,
        route: &str,
        size: usize,
        place: Option<&mut Place>,
        now: Instant,
    ) -> Result<Start, Instant> {
        let mut free_at = now;
        let mut interval = Duration::ZERO;
        if let Some(rate) = &self.requests {
            free_at = free_at.max(rate.free_at(now));
            interval = interval.max(rate.interval());
        }
        if let Some(rate) = &mut self.tokens {
            free_at = free_at.max(rate.free_at(now));
            interval = interval.max(rate.interval());
        }
        let Some(pace) = self.routes.get_mut(route) else {
            return if free_at > now { Err(free_at) } else { Ok(self.take(None, size, now)) };
        };
        let mut open_at = pace.free_at(now)?;
        if pace.prefers_new() && place.is_some() {
            open_at = open_at.max(pace.pause_end() + PRECEDENCE);
        }
        free_at = free_at.max(open_at);
        interval = interval.max(pace.interval());
        match place {
            Some(place) if free_at > now => return Err(pace.line.wait(place, free_at, interval, now)),
            Some(place) => pace.line.leave(place),
            None if free_at > now => return Err(free_at),
            None if pace.prefers_new() => {}
            None => pace.line.blocks_until(interval, now).map_or(Ok(()), Err)?,
        }
        Ok(self.take(Some(route), size, now))
    }

    /// `route` is given if it is remembered.
    fn take(&mut self, route: Option<&str>, size: usize, now: Instant) -> Start {
        self.recent.count(now);
        if let Some(rate) = &mut self.requests {
            rate.take(now);
        }
        if let Some(pace) = route.and_then(|route| self.routes.get_mut(route)) {
            pace.take(now);
        }
        Start { at: now, tokens: self.tokens.as_mut().map_or(0.0, |rate| rate.take(size)) }
    }

    fn refused(&mut self, route: &str, started: Instant, retry_after: Option<Duration>, now: Instant) {
        // Some servers round down to 0, which tells nothing.
        let retry_after = retry_after.filter(|wait| !wait.is_zero());
        let random = self.random();
        if let Some(pace) = self.routes.get_mut(route) {
            pace.refused(started, retry_after, random, now);
            return;
        }
        if self.routes.len() >= MAX_ROUTES {
            let oldest = self.routes.iter().min_by_key(|(_, pace)| pace.used_at).map(|(route, _)| route.clone());
            oldest.and_then(|oldest| self.routes.remove(&oldest));
        }
        let mut window = self.recent.window(started);
        window.started = window.started.saturating_sub(1);
        self.routes.insert(route.into(), RoutePace::new(window, started, retry_after, random, now));
    }

    /// Returns a random number from 0 to 1.
    fn random(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl RecentStarts {
    fn count(&mut self, now: Instant) {
        match &mut self.current {
            Some(window) if now.saturating_duration_since(window.began) < RECENT => window.started += 1,
            _ => self.previous = self.current.replace(Window { began: now, started: 1 }),
        }
    }

    /// Returns the window in which a request was started, to now.
    fn window(&self, started: Instant) -> Window {
        let current = self.current.unwrap_or(Window { began: started, started: 1 });
        match self.previous {
            Some(previous) if current.began.saturating_duration_since(previous.began) < 2 * RECENT => {
                Window { began: previous.began, started: previous.started + current.started }
            }
            _ => current,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MILLISECOND: Duration = Duration::from_millis(1);

    fn refused(retry_after: Option<u64>) -> Outcome {
        Outcome::Refused { retry_after: retry_after.map(Duration::from_secs) }
    }

    /// A pacer whose route "a" refused a request at the instant returned, and requests a pause of 10 s.
    fn paused() -> (Pacer, Instant) {
        let mut pacer = Pacer::new(1);
        let now = Instant::now();
        for _ in 0..20 {
            pacer.start("a", 0, now).unwrap();
        }
        let start = pacer.start("a", 0, now).unwrap();
        let now = now + SECOND;
        assert!(!pacer.note("a", start, refused(Some(10)), now));
        (pacer, now)
    }

    #[test]
    fn routes_are_not_remembered_before_a_refusal() {
        let mut pacer = Pacer::new(1);
        let now = Instant::now();
        for _ in 0..1000 {
            let start = pacer.start("a", 0, now).unwrap();
            assert!(!pacer.note("a", start, Outcome::Accepted, now));
        }
        assert_eq!(pacer.routes.capacity(), 0);
    }

    #[test]
    fn refusal_pauses_its_route_only() {
        let (mut pacer, now) = paused();
        assert_eq!(pacer.start("a", 0, now).unwrap_err(), now + 10 * SECOND);
        assert!(pacer.start("b", 0, now).is_ok());
        assert!(pacer.start("a", 0, now + 10 * SECOND).is_ok());
    }

    #[test]
    fn one_request_goes_first_after_a_pause() {
        let (mut pacer, now) = paused();
        let now = now + 10 * SECOND;
        let first = pacer.start("a", 0, now).unwrap();
        assert!(pacer.start("a", 0, now + 500 * MILLISECOND).is_err());
        assert!(pacer.note("a", first, Outcome::Accepted, now + 600 * MILLISECOND));
        let second = pacer.start("a", 0, now + 600 * MILLISECOND).unwrap();
        // At the learned pace: 20 requests in 10 s.
        let next = pacer.start("a", 0, now + 600 * MILLISECOND).unwrap_err() - now;
        assert!(next > SECOND && next < 1200 * MILLISECOND, "{next:?}");
        assert!(!pacer.note("a", second, Outcome::Accepted, now + SECOND));
    }

    #[test]
    fn request_without_a_response_holds_the_others_for_a_second() {
        let (mut pacer, now) = paused();
        let now = now + 10 * SECOND;
        pacer.start("a", 0, now).unwrap();
        assert_eq!(pacer.start("a", 0, now).unwrap_err(), now + SECOND);
        assert!(pacer.start("a", 0, now + SECOND).is_ok());
    }

    #[test]
    fn another_request_goes_first_if_the_first_one_fails() {
        let (mut pacer, now) = paused();
        let now = now + 10 * SECOND;
        let first = pacer.start("a", 0, now).unwrap();
        assert!(pacer.note("a", first, Outcome::Failed, now + MILLISECOND));
        assert!(pacer.start("a", 0, now + MILLISECOND).is_ok());
        assert!(pacer.start("a", 0, now + 2 * MILLISECOND).is_err());
    }

    #[test]
    fn backoff_doubles_until_a_request_is_accepted() {
        let mut pacer = Pacer::new(1);
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        // A Retry-After of 0 is none.
        for outcome in [[refused(None); 6], [refused(Some(0)); 6]].concat() {
            let start = pacer.start("a", 0, now).unwrap();
            assert!(!pacer.note("a", start, outcome, now));
            let end = pacer.start("a", 0, now).unwrap_err();
            pauses.push((end - now).as_secs_f64());
            now = end;
            if pauses.len() == 6 {
                let start = pacer.start("a", 0, now).unwrap();
                assert!(pacer.note("a", start, Outcome::Accepted, now));
                now += 100 * SECOND;
            }
        }
        for (pause, longest) in pauses.iter().zip([0.5, 1.0, 2.0, 4.0, 8.0, 8.0].repeat(2)) {
            assert!((longest / 2.0..longest).contains(pause), "{pauses:?}");
        }
        assert!(pauses[4] != pauses[5]);
    }

    #[test]
    fn late_refusals_do_not_extend_a_pause_unless_the_server_requests_more() {
        let mut pacer = Pacer::new(1);
        let now = Instant::now();
        let starts: Vec<Start> = (0..40).map(|_| pacer.start("a", 0, now).unwrap()).collect();
        for (index, start) in (0..).zip(&starts[..38]) {
            assert!(!pacer.note("a", *start, refused(Some(5)), now + index * MILLISECOND));
        }
        assert_eq!(pacer.start("a", 0, now + SECOND).unwrap_err(), now + 5 * SECOND);
        assert!(!pacer.note("a", starts[38], refused(None), now + SECOND));
        assert_eq!(pacer.start("a", 0, now + SECOND).unwrap_err(), now + 5 * SECOND);
        assert!(!pacer.note("a", starts[39], refused(Some(30)), now + SECOND));
        assert_eq!(pacer.start("a", 0, now + SECOND).unwrap_err(), now + 31 * SECOND);
    }

    #[test]
    fn late_refusals_do_not_double_the_backoff() {
        let mut pacer = Pacer::new(1);
        let now = Instant::now();
        let starts: Vec<Start> = (0..40).map(|_| pacer.start("a", 0, now).unwrap()).collect();
        for start in starts {
            assert!(!pacer.note("a", start, refused(None), now));
        }
        assert!(pacer.start("a", 0, now).unwrap_err() <= now + 500 * MILLISECOND);
    }

    #[test]
    fn retries_go_before_new_requests_until_they_leave() {
        let (mut pacer, now) = paused();
        let (mut first, mut second) = (Place::default(), Place::default());
        let end = now + 10 * SECOND;
        assert_eq!(pacer.retry("a", 0, &mut first, now).unwrap_err(), end);
        let turn = pacer.retry("a", 0, &mut second, now).unwrap_err();
        assert!(turn > end + 400 * MILLISECOND && turn < end + 600 * MILLISECOND);
        assert!(pacer.start("a", 0, end).unwrap_err() > end);
        let start = pacer.retry("a", 0, &mut first, end).unwrap();
        assert!(pacer.note("a", start, Outcome::Accepted, end));
        assert!(pacer.start("a", 0, turn + 100 * MILLISECOND).unwrap_err() > turn + 100 * MILLISECOND);
        pacer.leave("a", &mut second);
        assert!(pacer.start("a", 0, turn + 100 * MILLISECOND).is_ok());
    }

    #[test]
    fn requests_that_were_not_accepted_cost_no_tokens() {
        let mut pacer = Pacer::new(1);
        pacer.set_tokens_per_minute(Some(600));
        let now = Instant::now();
        let start = pacer.start("a", 400, now).unwrap();
        assert!(pacer.start("a", 400, now).unwrap_err() > now + 8 * SECOND);
        assert!(!pacer.note("a", start, Outcome::Failed, now));
        let start = pacer.start("a", 400, now).unwrap();
        pacer.note_tokens(&[start], 5);
        assert!(pacer.start("a", 400, now).is_ok());
        pacer.set_tokens_per_minute(Some(6000));
        pacer.set_tokens_per_minute(None);
        assert!(pacer.start("a", 400, now).is_ok());
    }

    #[test]
    fn least_recently_used_route_is_forgotten() {
        let mut pacer = Pacer::new(1);
        let now = Instant::now();
        for index in 0..=MAX_ROUTES as u32 {
            let now = now + index * MILLISECOND;
            let start = pacer.start(&index.to_string(), 0, now).unwrap();
            assert!(!pacer.note(&index.to_string(), start, refused(Some(60)), now));
        }
        assert_eq!(pacer.routes.len(), MAX_ROUTES);
        assert!(pacer.start("0", 0, now + 2 * SECOND).is_ok());
        assert!(pacer.start("1", 0, now + 2 * SECOND).is_err());
    }
}
