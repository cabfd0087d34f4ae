//! Letting other threads run before a thread sleeps. Often they bring what it waits for, which saves the system calls of
//! sleeping and waking.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::lock::{Guard, Lock};

/// How often a thread yields before it sleeps.
const YIELDS: u32 = 2;

/// A longer yield should have been worth it.
const LONG: Duration = Duration::from_micros(500);

/// If the value in the lock changes less often, the processor is busy with other work: a thread that sleeps is woken
/// earlier than one that yields.
const TIME_OF_CHANGE: Duration = Duration::from_micros(20);

/// The number of waits without yields after a yield that was not worth it.
const PAUSE: u32 = 1000;

/// What threads share that wait for changes of the value in one [`Lock`].
#[derive(Debug, Default)]
pub struct Yielding {
    /// The number of waits that are still to do without yields.
    pause: AtomicU32,
}

impl Yielding {
    /// Returns how often a thread that begins to wait may yield before it sleeps.
    pub fn begin(&self) -> u32 {
        let pause = self.pause.load(Ordering::Relaxed);
        if pause == 0 {
            return YIELDS;
        }
        self.pause.store(pause - 1, Ordering::Relaxed);
        0
    }

    /// Releases the lock, lets other threads run, and takes the lock again. `changes` counts the changes of the value.
    pub fn yield_now<'a, T>(
        &self,
        yields: &mut u32,
        lock: &'a Lock<T>,
        guard: Guard<'a, T>,
        changes: impl Fn(&T) -> usize,
    ) -> Guard<'a, T> {
        let before = changes(&guard);
        drop(guard);
        let start = Instant::now();
        std::thread::yield_now();
        let took = start.elapsed();
        let guard = lock.lock();
        *yields -= 1;
        if !is_worth_it(took, changes(&guard).wrapping_sub(before)) {
            *yields = 0;
            self.pause.store(PAUSE, Ordering::Relaxed);
        }
        guard
    }
}

fn is_worth_it(took: Duration, changes: usize) -> bool {
    took <= LONG || took <= TIME_OF_CHANGE.saturating_mul(u32::try_from(changes).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_do_without_yields_for_a_while_after_a_long_one_without_changes() {
        let (yielding, lock) = (Yielding::default(), Lock::new(0));
        let mut yields = yielding.begin();
        assert_eq!(yields, YIELDS);
        drop(yielding.yield_now(&mut yields, &lock, lock.lock(), |value| *value));
        assert!(yields < YIELDS);
        yielding.pause.store(PAUSE, Ordering::Relaxed);
        assert!((0..PAUSE).all(|_| yielding.begin() == 0));
        assert_eq!(yielding.begin(), YIELDS);
    }

    #[test]
    fn long_yield_is_worth_it_if_much_changes() {
        assert!(is_worth_it(LONG, 0) && is_worth_it(Duration::from_millis(2), 100));
        assert!(!is_worth_it(Duration::from_millis(1), 2) && !is_worth_it(Duration::from_millis(20), 100));
    }
}
