//! Handles, the reference-counted pointers that C holds, and pointers to outputs.

use std::sync::Arc;

use crate::client::{Error, Status};

/// Creates a handle, which owns one reference to the value.
pub(super) fn create<T>(value: T) -> *mut T {
    Arc::into_raw(Arc::new(value)).cast_mut()
}

/// Returns another reference to the value, which keeps it alive during a call even if the handle is destroyed meanwhile.
///
/// # Safety
/// The handle is NULL, or came from [`create`] and was not destroyed.
pub(super) unsafe fn retain<T>(handle: *const T, name: &str) -> Result<Arc<T>, Error> {
    if handle.is_null() {
        return Err(null_argument(name));
    }
    // SAFETY: the pointer came from Arc::into_raw in `create`, and its count is at least one.
    unsafe {
        Arc::increment_strong_count(handle);
        Ok(Arc::from_raw(handle))
    }
}

/// Destroys a handle, which may be NULL.
///
/// # Safety
/// The handle is NULL, or came from [`create`] and was not destroyed.
pub(super) unsafe fn destroy<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: the pointer came from Arc::into_raw in `create`, and was not destroyed before.
        drop(unsafe { Arc::from_raw(handle) });
    }
}

/// An output of a function, which is not NULL.
pub(super) struct Output<T>(*mut T);

/// Checks an output that must not be NULL.
///
/// # Safety
/// The pointer is NULL or valid for writes.
pub(super) unsafe fn output<T>(pointer: *mut T, name: &str) -> Result<Output<T>, Error> {
    // SAFETY: guaranteed by the caller.
    unsafe { optional_output(pointer) }.ok_or_else(|| null_argument(name))
}

/// Returns an output; `None` for NULL.
///
/// # Safety
/// The pointer is NULL or valid for writes.
pub(super) unsafe fn optional_output<T>(pointer: *mut T) -> Option<Output<T>> {
    (!pointer.is_null()).then_some(Output(pointer))
}

impl<T> Output<T> {
    pub fn write(self, value: T) {
        // SAFETY: it is not NULL, and the caller of `optional_output`, the only constructor, guarantees the rest.
        unsafe { self.0.write(value) }
    }
}

/// Writes an output that may be NULL.
///
/// # Safety
/// The pointer is NULL or valid for writes.
pub(super) unsafe fn write_optional<T>(pointer: *mut T, value: T) {
    // SAFETY: guaranteed by the caller.
    if let Some(output) = unsafe { optional_output(pointer) } {
        output.write(value);
    }
}

#[cold]
#[inline(never)]
pub(super) fn null_argument(name: &str) -> Error {
    Error::new(Status::InvalidArgument, format!("the argument {name} is NULL"))
}
