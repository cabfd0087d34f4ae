//! A value that grows in place.

use std::convert::Infallible;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, compiler_fence};

use super::lock::Lock;

/// A value of which any thread takes snapshots while others change it, and which may be large: a change is made in place,
/// or on a copy if a snapshot is in use. A forked child whose parent was changing the value has an empty one.
#[derive(Debug)]
pub struct CopyOnWrite<T>(Lock<State<T>>);

#[derive(Debug)]
struct State<T> {
    /// Whether a change is under way. A child can use the value if another thread of its parent only read it.
    is_changing: AtomicBool,
    value: Arc<T>,
}

impl<T: Default> Default for CopyOnWrite<T> {
    fn default() -> CopyOnWrite<T> {
        CopyOnWrite::new(Arc::default())
    }
}

impl<T: Default> CopyOnWrite<T> {
    pub fn new(value: Arc<T>) -> CopyOnWrite<T> {
        let state = State { is_changing: AtomicBool::new(false), value };
        CopyOnWrite(Lock::recovering(state, |state| {
            if *state.is_changing.get_mut() {
                mem::forget(mem::take(&mut state.value));
                *state.is_changing.get_mut() = false;
            }
        }))
    }
}

impl<T: Clone> CopyOnWrite<T> {
    pub fn snapshot(&self) -> Arc<T> {
        Arc::clone(&self.0.lock().value)
    }

    /// Changes the value. A `change` that fails must leave it as it was.
    pub fn change<E>(&self, change: impl FnOnce(&mut T) -> Result<(), E>) -> Result<(), E> {
        let mut state = self.0.lock();
        let State { is_changing, value } = &mut *state;
        is_changing.store(true, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        let changed = change(Arc::make_mut(value));
        compiler_fence(Ordering::SeqCst);
        is_changing.store(false, Ordering::Relaxed);
        changed
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
    fn value_is_copied_only_while_a_snapshot_is_in_use() {
        let value = CopyOnWrite::new(Arc::new(vec![1]));
        let place = Arc::as_ptr(&value.snapshot());
        value.update(|value| value.push(2));
        let snapshot = value.snapshot();
        assert_eq!((Arc::as_ptr(&snapshot), &*snapshot), (place, &vec![1, 2]));
        value.update(|value| value.push(3));
        assert_eq!((&*snapshot, &*value.snapshot()), (&vec![1, 2], &vec![1, 2, 3]));
    }

    #[test]
    fn forked_child_has_an_empty_value_if_its_parent_was_changing_it() {
        let value = CopyOnWrite::new(Arc::new(vec![1]));
        let in_a_child = value.change(|changed| {
            changed.push(2);
            Err(in_child(|| {
                let was_empty = value.snapshot().is_empty();
                value.update(|value| value.push(3));
                u8::from(was_empty && *value.snapshot() == [3])
            }))
        });
        assert_eq!(in_a_child, Err(1));
        let reading = value.0.lock();
        assert_eq!(in_child(|| value.snapshot().len() as u8), 2);
        drop(reading);
    }
}
