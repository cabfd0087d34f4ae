//! A lock that survives a fork. A standard one that another thread holds at that moment stays locked in the child for
//! ever, since there is no such thread in it.

use std::cell::UnsafeCell;
use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};

use super::futex;
use super::process;

/// In the lock's word beside the process whose thread holds it: others sleep on it.
const CONTENDED: u32 = 1 << 31;

/// So often is looked again before sleeping: what is done under these locks is shorter than falling asleep.
const SPINS: usize = 100;

/// Lets one thread at a time use a value, each for a short moment.
pub struct Lock<T> {
    /// 0: nobody holds it.
    word: AtomicU32,
    value: UnsafeCell<T>,
    /// What to do in a child with a value that a thread of the parent's was changing.
    recover: fn(&mut T),
}

// SAFETY: only who holds the lock gets at the value.
unsafe impl<T: Send> Send for Lock<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T: Default> Lock<T> {
    /// In a child whose parent was changing the value, it begins anew. What it held is lost, and not freed.
    pub fn new(value: T) -> Lock<T> {
        let recover = |value: &mut T| mem::forget(mem::take(value));
        Lock { word: AtomicU32::new(0), value: UnsafeCell::new(value), recover }
    }
}

impl<T> Lock<T> {
    /// In a child whose parent's other thread held it, `recover` puts the value in order.
    pub fn recovering(value: T, recover: fn(&mut T)) -> Lock<T> {
        Lock { word: AtomicU32::new(0), value: UnsafeCell::new(value), recover }
    }

    /// For a value of one word, of which a child has the old or the new one.
    pub fn of_word(value: T) -> Lock<T> {
        const { assert!(size_of::<T>() <= size_of::<usize>()) };
        Lock { word: AtomicU32::new(0), value: UnsafeCell::new(value), recover: |_| {} }
    }

    /// Waits until nobody else in this process holds it.
    pub fn lock(&self) -> Guard<'_, T> {
        let me = process::current();
        if self.word.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.wait(me);
        }
        Guard(self)
    }

    #[cold]
    fn wait(&self, me: u32) {
        let mut spins = 0;
        loop {
            let word = self.word.load(Ordering::Relaxed);
            let take = |from| self.word.compare_exchange(from, me | CONTENDED, Ordering::Acquire, Ordering::Relaxed);
            if word == 0 {
                // Whether others sleep on it is not known.
                if take(word).is_ok() {
                    return;
                }
            } else if word & !CONTENDED != me {
                // Of a process that this one was forked from.
                if take(word).is_ok() {
                    // SAFETY: the lock is held now, and the thread that was at the value is not in this process.
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

/// Holds the lock.
pub struct Guard<'a, T>(&'a Lock<T>);

// SAFETY: it gives what a reference to the value gives.
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
    fn one_at_a_time() {
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
    fn a_sleeper_is_woken() {
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
    fn what_the_parent_holds_is_free_in_the_child() {
        let lock = Lock::new(vec![1]);
        let word = Lock::of_word(7u8);
        let (held, held_word) = (lock.lock(), word.lock());
        let said = in_child(|| u8::from(lock.lock().is_empty() && *word.lock() == 7 && lock.lock().is_empty()));
        assert_eq!(said, 1);
        drop((held, held_word));
        assert_eq!(*lock.lock(), [1]);
        // One that nobody held is as it was.
        assert_eq!(in_child(|| lock.lock()[0]), 1);
    }
}
