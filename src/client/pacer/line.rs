//! The line of retries of a route. Each is told when its turn comes, so that they do not all wake up for one start. They
//! go before new requests.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::pace::after;

/// A retry that does not come within this time after its turn has left.
const GRACE: Duration = Duration::from_secs(1);

/// The place of a retry in the line; kept by the thread that waits.
#[derive(Debug, Default)]
pub(in crate::client) struct Place(Option<u64>);

#[derive(Debug, Default)]
pub(super) struct Line {
    /// In order of their numbers.
    places: VecDeque<Waiting>,
    next: u64,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    turn: Instant,
}

impl Line {
    /// Returns when the turn of a retry comes. The next start is possible at `free_at`.
    pub fn wait(&mut self, place: &mut Place, free_at: Instant, interval: Duration, now: Instant) -> Instant {
        let index = self.index(place).unwrap_or_else(|| {
            place.0 = Some(self.next);
            self.places.push_back(Waiting { number: self.next, turn: now });
            self.next += 1;
            self.places.len() - 1
        });
        let waiting = &mut self.places[index];
        if waiting.turn < free_at || waiting.turn <= now {
            let before = u32::try_from(index).unwrap_or(u32::MAX);
            waiting.turn = after(free_at, interval.saturating_mul(before));
        }
        waiting.turn
    }

    pub fn leave(&mut self, place: &mut Place) {
        if let Some(index) = self.index(place) {
            self.places.remove(index);
        }
        place.0 = None;
    }

    /// Returns when a new request may ask again; `None` if no retry needs the start that is possible now.
    pub fn blocks_until(&mut self, interval: Duration, now: Instant) -> Option<Instant> {
        while self.places.front().is_some_and(|first| first.turn + GRACE < now) {
            self.places.pop_front();
        }
        let first = self.places.front().filter(|first| first.turn < now + interval)?;
        Some(first.turn.max(now) + interval)
    }

    fn index(&self, place: &Place) -> Option<usize> {
        let number = place.0?;
        self.places.binary_search_by_key(&number, |waiting| waiting.number).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(20);

    #[test]
    fn turns_are_in_order_and_spaced() {
        let now = Instant::now();
        let mut line = Line::default();
        let mut places = [const { Place(None) }; 3];
        let free_at = now + Duration::from_secs(1);
        let turns = places.each_mut().map(|place| line.wait(place, free_at, INTERVAL, now) - free_at);
        assert_eq!(turns, [Duration::ZERO, INTERVAL, 2 * INTERVAL]);
        // Asking again early changes nothing.
        assert_eq!(line.wait(&mut places[1], free_at, INTERVAL, now), free_at + INTERVAL);
        // The first is refused again and goes to the end, also if it asks first.
        let later = free_at + Duration::from_secs(5);
        line.leave(&mut places[0]);
        let turns = places.each_mut().map(|place| line.wait(place, later, INTERVAL, free_at) - later);
        assert_eq!(turns, [2 * INTERVAL, Duration::ZERO, INTERVAL]);
    }

    #[test]
    fn new_requests_use_only_starts_that_no_retry_needs() {
        let now = Instant::now();
        let mut line = Line::default();
        let (mut first, mut second) = (Place::default(), Place::default());
        assert_eq!(line.blocks_until(INTERVAL, now), None);
        let turn = line.wait(&mut first, now + INTERVAL, INTERVAL, now);
        line.wait(&mut second, now + INTERVAL, INTERVAL, now);
        assert_eq!(line.blocks_until(INTERVAL, turn), Some(turn + INTERVAL));
        line.leave(&mut first);
        assert_eq!(line.blocks_until(INTERVAL, turn), None);
        assert_eq!(line.blocks_until(INTERVAL, turn + INTERVAL), Some(turn + 2 * INTERVAL));
    }

    #[test]
    fn retry_that_does_not_come_loses_its_place() {
        let now = Instant::now();
        let mut line = Line::default();
        let mut place = Place::default();
        let turn = line.wait(&mut place, now + INTERVAL, INTERVAL, now);
        assert!(line.blocks_until(INTERVAL, turn + GRACE).is_some());
        assert_eq!(line.blocks_until(INTERVAL, turn + GRACE + INTERVAL), None);
        let late = turn + GRACE + INTERVAL;
        assert_eq!(line.wait(&mut place, late + INTERVAL, INTERVAL, late), late + INTERVAL);
    }
}
