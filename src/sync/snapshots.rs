//! A value that is replaced as a whole.

use std::convert::Infallible;
use std::mem;
use std::sync::Arc;

use super::lock::Lock;

/// A value of which any thread takes snapshots while others change it. A change is made on a copy, which then replaces the
/// value; snapshots taken before keep the old one. A forked child has the value before or after a change that another
/// thread of its parent was making.
#[derive(Debug)]
pub struct Snapshots<T> {
    current: Lock<Arc<T>>,
    changing: Lock<()>,
}

impl<T: Clone> Snapshots<T> {
    pub fn new(value: T) -> Snapshots<T> {
        Snapshots { current: Lock::word_sized(Arc::new(value)), changing: Lock::default() }
    }

    pub fn snapshot(&self) -> Arc<T> {
        Arc::clone(&self.current.lock())
    }

    /// Changes the value, one thread at a time. A change that fails leaves it as it was.
    pub fn change<E>(&self, change: impl FnOnce(&mut T) -> Result<(), E>) -> Result<(), E> {
        let guard = self.changing.lock();
        let mut changed = T::clone(&self.snapshot());
        change(&mut changed)?;
        let old = mem::replace(&mut *self.current.lock(), Arc::new(changed));
        drop(guard);
        // After both locks are released: dropping the old value may run a callback of the program, which may call `change`.
        drop(old);
        Ok(())
    }

    /// As `change`, for a change that cannot fail.
    pub fn update(&self, update: impl FnOnce(&mut T)) {
        let Ok(()) = self.change(|value| {
            update(value);
            Ok::<(), Infallible>(())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::process::tests::in_child;
    use super::*;

    #[test]
    fn snapshots_keep_the_value_of_their_time() {
        let value = Snapshots::new(vec![1]);
        let first = value.snapshot();
        value.update(|value| value.push(2));
        assert_eq!((&*first, &*value.snapshot()), (&vec![1], &vec![1, 2]));
    }

    #[test]
    fn failed_change_leaves_the_value_as_it_was() {
        let value = Snapshots::new(vec![1]);
        let failed = value.change(|value| {
            value.clear();
            Err("no")
        });
        assert_eq!((failed, &*value.snapshot()), (Err("no"), &vec![1]));
    }

    #[test]
    fn forked_child_has_the_value_before_a_change_under_way_and_can_change_it() {
        let value = Snapshots::new(vec![1]);
        let change = value.change(|changed| {
            changed.push(2);
            match in_child(|| {
                let before = value.snapshot().len();
                value.update(|value| value.push(3));
                u8::from(before == 1 && *value.snapshot() == [1, 3])
            }) {
                1 => Ok(()),
                other => Err(other),
            }
        });
        assert_eq!((change, &*value.snapshot()), (Ok(()), &vec![1, 2]));
    }

    #[test]
    fn old_value_is_dropped_outside_of_the_locks() {
        #[derive(Clone)]
        struct Reentrant(Option<Arc<Snapshots<Reentrant>>>);
        impl Drop for Reentrant {
            fn drop(&mut self) {
                if let Some(value) = &self.0 {
                    value.update(|value| value.0 = None);
                }
            }
        }
        let value = Arc::new(Snapshots::new(Reentrant(None)));
        value.update(|changed| changed.0 = Some(Arc::clone(&value)));
        value.update(|changed| changed.0 = None);
        assert!(value.snapshot().0.is_none());
    }
}
