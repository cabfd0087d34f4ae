//! A value of one process, which a forked child must not use.

use std::fmt;

use super::process;

/// A value that belongs to the process that made it, for example a connection: after a fork both processes have the same
/// socket, and would read each other's responses. In a forked child [`ProcessLocal::get`] returns `None`. Dropping it
/// there drops the child's copy of the value, as usual.
#[derive(Clone)]
pub struct ProcessLocal<T> {
    process: u32,
    value: T,
}

impl<T> ProcessLocal<T> {
    pub fn new(value: T) -> ProcessLocal<T> {
        ProcessLocal { process: process::current(), value }
    }

    fn is_own(&self) -> bool {
        self.process == process::current()
    }

    /// Returns the value; `None` in a forked child.
    pub fn get(&self) -> Option<&T> {
        self.is_own().then_some(&self.value)
    }

    /// Returns the value; `None` in a forked child.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        if self.is_own() { Some(&mut self.value) } else { None }
    }

    /// Returns the value. In a forked child returns `None` and leaks the value: another thread of the parent may have been
    /// changing it at the fork, so that it cannot be dropped.
    pub fn into_inner(self) -> Option<T> {
        if self.is_own() {
            Some(self.value)
        } else {
            std::mem::forget(self.value);
            None
        }
    }
}

impl<T> fmt::Debug for ProcessLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProcessLocal")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::process::tests::in_child;
    use super::*;

    #[test]
    fn forked_child_cannot_get_value() {
        let mut local = ProcessLocal::new(Arc::new(1));
        let has_none = || local.get().is_none() && local.clone().get_mut().is_none();
        assert_eq!(in_child(|| u8::from(has_none())), 1);
        assert_eq!((local.get().map(|value| **value), local.get_mut().map(|value| **value)), (Some(1), Some(1)));
    }

    #[test]
    fn forked_child_drops_its_copy_unless_it_takes_it() {
        let value = Arc::new(1);
        let (dropped, taken) = (ProcessLocal::new(Arc::clone(&value)), ProcessLocal::new(Arc::clone(&value)));
        let counts = in_child(|| {
            // SAFETY: the child exits before the parent's values are dropped in it.
            let (dropped, taken) = unsafe { (std::ptr::read(&dropped), std::ptr::read(&taken)) };
            drop(dropped);
            let after_drop = Arc::strong_count(&value) as u8;
            assert!(taken.into_inner().is_none());
            10 * after_drop + Arc::strong_count(&value) as u8
        });
        assert_eq!(counts, 22);
        assert!(taken.into_inner().is_some_and(|value| *value == 1));
        drop(dropped);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
