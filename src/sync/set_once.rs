//! A value that is made when it is first needed. A forked child would wait forever for a `OnceLock` that another thread of
//! its parent was filling.

use std::fmt;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A value that is set at most once and then read by any number of threads. Threads never wait for each other: if several
/// make the value at the same time, the first one is kept, and the others are dropped.
pub struct SetOnce<T>(AtomicPtr<T>, PhantomData<Box<T>>);

// SAFETY: the value may be sent, and shared between threads.
unsafe impl<T: Send + Sync> Sync for SetOnce<T> {}

impl<T> SetOnce<T> {
    pub const fn new() -> SetOnce<T> {
        SetOnce(AtomicPtr::new(ptr::null_mut()), PhantomData)
    }

    pub fn get(&self) -> Option<&T> {
        // SAFETY: the pointer is null or came from a box, which is freed only through a unique reference.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// Sets the value unless one is set, and returns the one that is set.
    pub fn get_or_set(&self, value: T) -> &T {
        let new = Box::into_raw(Box::new(value));
        match self.0.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: as in `get`.
            Ok(_) => unsafe { &*new },
            Err(first) => {
                // SAFETY: it came from a box just now, and was not shared.
                drop(unsafe { Box::from_raw(new) });
                // SAFETY: as in `get`.
                unsafe { &*first }
            }
        }
    }

    /// Drops the value, so that it can be set again.
    pub fn clear(&mut self) {
        let value = std::mem::replace(self.0.get_mut(), ptr::null_mut());
        if !value.is_null() {
            // SAFETY: it came from a box, and no reference to it exists.
            drop(unsafe { Box::from_raw(value) });
        }
    }
}

impl<T> Default for SetOnce<T> {
    fn default() -> SetOnce<T> {
        SetOnce::new()
    }
}

impl<T> Drop for SetOnce<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<T: fmt::Debug> fmt::Debug for SetOnce<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::run_in_parallel;
    use super::*;

    #[test]
    fn first_value_stays_until_it_is_cleared() {
        let (mut once, one, other) = (SetOnce::new(), Arc::new(1), Arc::new(2));
        assert!(once.get().is_none());
        assert_eq!(**once.get_or_set(Arc::clone(&one)), 1);
        assert_eq!(**once.get_or_set(Arc::clone(&other)), 1);
        assert_eq!((Arc::strong_count(&one), Arc::strong_count(&other)), (2, 1));
        once.clear();
        assert!(once.get().is_none() && Arc::strong_count(&one) == 1);
        assert_eq!(**once.get_or_set(Arc::clone(&other)), 2);
        drop(once);
        assert_eq!(Arc::strong_count(&other), 1);
    }

    #[test]
    fn all_threads_get_the_same_value() {
        for _ in 0..100 {
            let (once, first) = (SetOnce::new(), SetOnce::new());
            run_in_parallel(4, &|| {
                let got = once.get_or_set(Box::new(0)).as_ref() as *const i32 as usize;
                assert_eq!(*first.get_or_set(got), got);
            });
        }
    }
}
