//! Waking threads that wait for a change of the value in a lock.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use super::futex;
use super::lock::{Guard, Lock};

/// Threads that wait for a change of the value in one [`Lock`]. It costs no system call to notify if no thread waits.
#[derive(Debug, Default)]
pub struct Signal {
    /// Changes with each notification.
    word: AtomicU32,
    /// The number of threads that wait and were not notified. Used only by threads that hold the lock, as `notified`.
    waiting: AtomicU32,
    /// The number of threads that were notified and have not returned.
    notified: AtomicU32,
}

impl Signal {
    /// Releases the lock, waits for a notification or the deadline, and takes the lock again. May return at any time.
    pub fn wait<'a, T>(&self, lock: &'a Lock<T>, guard: Guard<'a, T>, deadline: Option<Instant>) -> Guard<'a, T> {
        let word = self.word.load(Ordering::Relaxed);
        add(&self.waiting, 1);
        drop(guard);
        futex::wait(&self.word, word, deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())));
        let guard = lock.lock();
        // If a thread takes the notification of another one, their roles are swapped, and the numbers stay right.
        let counter = if self.notified.load(Ordering::Relaxed) > 0 { &self.notified } else { &self.waiting };
        add(counter, u32::MAX);
        guard
    }

    /// Notifies at most `threads` threads of those that wait. They are woken when the notification is dropped, which
    /// should be after the lock is released.
    pub fn notify<T>(&self, _: &Guard<'_, T>, threads: usize) -> Notification<'_> {
        let threads = self.waiting.load(Ordering::Relaxed).min(u32::try_from(threads).unwrap_or(u32::MAX));
        if threads > 0 {
            add(&self.waiting, threads.wrapping_neg());
            add(&self.notified, threads);
            self.word.fetch_add(1, Ordering::Relaxed);
        }
        Notification { signal: self, threads }
    }
}

/// Wakes the threads that were notified when it is dropped.
#[must_use]
pub struct Notification<'a> {
    signal: &'a Signal,
    threads: u32,
}

impl Drop for Notification<'_> {
    fn drop(&mut self) {
        if self.threads > 0 {
            futex::wake(&self.signal.word, i32::try_from(self.threads).unwrap_or(i32::MAX));
        }
    }
}

/// Adds to a counter that only threads which hold the lock use.
fn add(counter: &AtomicU32, amount: u32) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_notification_wakes_one_thread() {
        let (lock, signal) = (Lock::new(0), Signal::default());
        std::thread::scope(|scope| {
            let takers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..1000 {
                            let mut items = lock.lock();
                            while *items == 0 {
                                items = signal.wait(&lock, items, None);
                            }
                            *items -= 1;
                        }
                    })
                })
                .collect();
            for _ in 0..8000 {
                let mut items = lock.lock();
                *items += 1;
                let notification = signal.notify(&items, 1);
                drop(items);
                drop(notification);
            }
            takers.into_iter().for_each(|taker| taker.join().unwrap());
        });
        assert_eq!(*lock.lock(), 0);
        assert_eq!((signal.waiting.into_inner(), signal.notified.into_inner()), (0, 0));
    }

    #[test]
    fn wait_ends_at_the_deadline() {
        let (lock, signal) = (Lock::new(()), Signal::default());
        let deadline = Instant::now() + Duration::from_millis(30);
        let mut guard = lock.lock();
        while Instant::now() < deadline {
            guard = signal.wait(&lock, guard, Some(deadline));
        }
        assert_eq!(signal.notify(&guard, 1).threads, 0);
    }
}
