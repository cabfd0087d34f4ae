//! A value that threads use one at a time, each for as long as it needs.

use std::cell::UnsafeCell;
use std::mem::ManuallyDrop;

use super::lock::Lock;

/// A value that one thread at a time uses, for as long as it needs: for example a stream, while it waits for an event. In a
/// forked child whose parent was using the value it is lost: it can neither be used nor dropped.
pub struct Exclusive<T> {
    /// Whether the value is lost.
    lock: Lock<bool>,
    /// Outside of the lock, since it is also read without holding it.
    value: UnsafeCell<ManuallyDrop<T>>,
}

// SAFETY: `with` lets one thread at a time use the value; callers of `get` guarantee that no thread is in `with`.
unsafe impl<T: Send + Sync> Sync for Exclusive<T> {}

impl<T> Exclusive<T> {
    pub fn new(value: T) -> Exclusive<T> {
        let lock = Lock::recovering(false, |is_lost| *is_lost = true);
        Exclusive { lock, value: UnsafeCell::new(ManuallyDrop::new(value)) }
    }

    /// Runs `work` on the value once no other thread uses it; `None` if the value is lost.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        let is_lost = self.lock.lock();
        // SAFETY: the lock is held, and callers of `get` do not use the value meanwhile.
        (!*is_lost).then(|| work(unsafe { &mut *self.value.get() }))
    }

    /// Returns the value; `None` if it is lost.
    ///
    /// # Safety
    /// No thread is in [`Exclusive::with`] while the reference is used.
    pub unsafe fn get(&self) -> Option<&T> {
        let is_lost = *self.lock.lock();
        // SAFETY: the caller guarantees that no thread changes it meanwhile.
        (!is_lost).then(|| unsafe { &**self.value.get() })
    }
}

impl<T> Drop for Exclusive<T> {
    fn drop(&mut self) {
        if !*self.lock.lock() {
            // SAFETY: it is dropped only here, and not used afterwards.
            unsafe { ManuallyDrop::drop(self.value.get_mut()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::super::process::tests::in_child;
    use super::*;

    static DROPPED: AtomicU8 = AtomicU8::new(0);

    struct Counted(u8);

    impl Drop for Counted {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn value_in_use_at_fork_is_lost_in_child() {
        let value = Exclusive::new(Counted(1));
        let in_use = |value: &Exclusive<Counted>| {
            value.with(|_| {
                in_child(|| {
                    // SAFETY: the child has no other thread.
                    let is_lost = value.with(|_| ()).is_none() && unsafe { value.get() }.is_none();
                    // SAFETY: the child ends before its parent's value is dropped.
                    drop(unsafe { std::ptr::read(value) });
                    u8::from(is_lost && DROPPED.load(Ordering::Relaxed) == 0)
                })
            })
        };
        assert_eq!(in_use(&value), Some(1));
        // A value that is not in use can be used by the child, too.
        assert_eq!(in_child(|| value.with(|value| value.0).unwrap_or_default()), 1);
        assert_eq!(value.with(|value| std::mem::replace(&mut value.0, 2)), Some(1));
        // SAFETY: this test has one thread.
        assert_eq!(unsafe { value.get() }.map(|value| value.0), Some(2));
        drop(value);
        assert_eq!(DROPPED.load(Ordering::Relaxed), 1);
    }
}
