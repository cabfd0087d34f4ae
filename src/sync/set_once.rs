//! A value that is made when it is first needed. A standard `OnceLock` that another thread is just filling at a fork is
//! waited for by the child for ever.

use std::fmt;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Empty, or a value that any number of threads read. Nothing in it waits.
pub struct SetOnce<T>(AtomicPtr<T>, PhantomData<Box<T>>);

// SAFETY: it sends the value, and gives each thread a reference to it.
unsafe impl<T: Send + Sync> Sync for SetOnce<T> {}

impl<T> SetOnce<T> {
    pub const fn new() -> SetOnce<T> {
        SetOnce(AtomicPtr::new(ptr::null_mut()), PhantomData)
    }

    pub fn get(&self) -> Option<&T> {
        // SAFETY: it is null or came from a box, which is freed by nothing that has only a shared reference.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// Sets this value, unless another thread was faster, and returns the one that is set.
    pub fn get_or_set(&self, value: T) -> &T {
        let new = Box::into_raw(Box::new(value));
        match self.0.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: as in `get`.
            Ok(_) => unsafe { &*new },
            Err(first) => {
                // SAFETY: it came from a box just now, and nobody else has seen it.
                drop(unsafe { Box::from_raw(new) });
                // SAFETY: as in `get`.
                unsafe { &*first }
            }
        }
    }

    pub fn clear(&mut self) {
        let value = std::mem::replace(self.0.get_mut(), ptr::null_mut());
        if !value.is_null() {
            // SAFETY: it came from a box, and no reference to it is left.
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

    use super::super::side_by_side;
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
    fn all_threads_get_the_same() {
        for _ in 0..100 {
            let (once, first) = (SetOnce::new(), SetOnce::new());
            side_by_side(4, &|| {
                let got = once.get_or_set(Box::new(0)).as_ref() as *const i32 as usize;
                assert_eq!(*first.get_or_set(got), got);
            });
        }
    }
}
