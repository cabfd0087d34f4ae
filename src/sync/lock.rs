//! A lock that can be used after a fork. A lock of the standard library that another thread holds at the fork stays
//! locked in the child forever, since that thread does not exist there.

use std::cell::UnsafeCell;
use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};

use super::futex;
use super::process;

/// Set in the word of a lock if threads sleep on it.
const CONTENDED: u32 = 1 << 31;

/// How often a thread checks the lock again before it sleeps: these locks are held for less time than going to sleep
/// takes.
const SPINS: usize = 100;

/// A mutex around a value, held for a short time only. A forked child takes over a lock that another thread of its
/// parent held, and first repairs the value, which may be half changed.
pub struct Lock<T> {
    /// 0 while the lock is free; otherwise the process whose thread holds it, and [`CONTENDED`].
    word: AtomicU32,
    value: UnsafeCell<T>,
    /// Repairs the value in a child.
    recover: fn(&mut T),
}

// SAFETY: only the thread that holds the lock uses the value.
unsafe impl<T: Send> Send for Lock<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T: Default> Lock<T> {
    /// Creates a lock whose value a child replaces by the default one. The old value is leaked.
    pub fn new(value: T) -> Lock<T> {
        let recover = |value: &mut T| mem::forget(mem::take(value));
        Lock { word: AtomicU32::new(0), value: UnsafeCell::new(value), recover }
    }
}

impl<T> Lock<T> {
    /// Creates a lock whose value a child repairs by `recover`.
    pub(super) fn recovering(value: T, recover: fn(&mut T)) -> Lock<T> {
        Lock { word: AtomicU32::new(0), value: UnsafeCell::new(value), recover }
    }

    /// Creates a lock around a value of one word, which needs no repair: a child has the old or the new one.
    pub(super) fn word_sized(value: T) -> Lock<T> {
        const { assert!(size_of::<T>() <= size_of::<usize>()) };
        Lock { word: AtomicU32::new(0), value: UnsafeCell::new(value), recover: |_| {} }
    }

    /// Waits until no other thread of this process holds the lock.
    pub fn lock(&self) -> Guard<'_, T> {
        let me = process::current();
        if self.word.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.wait(me);
        }
        Guard(self)
    }

    #[cold]
    fn wait(&self, me: u32) {
        // Once this thread has slept, others may still sleep when it takes the lock.
        let (mut spins, mut held) = (0, me);
        loop {
            let word = self.word.load(Ordering::Relaxed);
            let take = |from| self.word.compare_exchange(from, held, Ordering::Acquire, Ordering::Relaxed);
            if word == 0 {
                if take(word).is_ok() {
                    return;
                }
            } else if word & !CONTENDED != me {
                // A thread of a parent process holds it.
                if take(word).is_ok() {
                    // SAFETY: the lock is held now, and the thread that used the value is not in this process.
                    (self.recover)(unsafe { &mut *self.value.get() });
                    return;
                }
            } else if word & CONTENDED == 0 && spins < SPINS {
                spins += 1;
                std::hint::spin_loop();
            } else if word & CONTENDED != 0
                || self.word.compare_exchange(word, word | CONTENDED, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            {
                futex::wait(&self.word, word | CONTENDED, None);
                held = me | CONTENDED;
            }
        }
    }
}

impl<T: Default> Default for Lock<T> {
    fn default() -> Lock<T> {
        Lock::new(T::default())
    }
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}

/// Access to the value of a lock, which is released when this is dropped.
pub struct Guard<'a, T>(&'a Lock<T>);

// SAFETY: it gives the same access as a reference to the value.
unsafe impl<T: Sync> Sync for Guard<'_, T> {}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        if self.0.word.swap(0, Ordering::Release) & CONTENDED != 0 {
            futex::wake(&self.0.word, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::process::tests::in_child;
    use super::*;

    #[test]
    fn one_thread_at_a_time_holds_the_lock() {
        let lock = Lock::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let mut value = lock.lock();
                        let before = *value;
                        *value = before + 1;
                    }
                });
            }
        });
        assert_eq!(*lock.lock(), 80_000);
        assert_eq!(lock.word.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn sleeping_thread_is_woken() {
        let lock = Lock::new(1);
        let mut held = lock.lock();
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| *lock.lock());
            std::thread::sleep(std::time::Duration::from_millis(50));
            *held = 2;
            drop(held);
            assert_eq!(sleeper.join().unwrap(), 2);
        });
    }

    #[test]
    fn lock_held_by_parent_is_free_in_child() {
        let lock = Lock::new(vec![1]);
        let word = Lock::word_sized(7u8);
        let (held, held_word) = (lock.lock(), word.lock());
        let is_free = in_child(|| u8::from(lock.lock().is_empty() && *word.lock() == 7 && lock.lock().is_empty()));
        assert_eq!(is_free, 1);
        drop((held, held_word));
        assert_eq!(*lock.lock(), [1]);
        // A value that was not locked is unchanged in the child.
        assert_eq!(in_child(|| lock.lock()[0]), 1);
    }
}
