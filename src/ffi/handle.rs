//! Handles: pointers that C holds and that count references.

use std::sync::Arc;

use crate::client::{Error, Status};

/// Gives a value to C as a handle.
pub(super) fn give<T>(value: T) -> *mut T {
    Arc::into_raw(Arc::new(value)).cast_mut()
}

/// A reference of a call's own, so that the value outlives the call even if the handle is destroyed meanwhile.
///
/// # Safety
/// The handle is NULL, or came from [`give`] and was not yet ended.
pub(super) unsafe fn hold<T>(handle: *const T, name: &str) -> Result<Arc<T>, Error> {
    if handle.is_null() {
        return Err(null(name));
    }
    // SAFETY: the pointer came from Arc::into_raw in `give`, and its count is at least one.
    unsafe {
        Arc::increment_strong_count(handle);
        Ok(Arc::from_raw(handle))
    }
}

/// Destroys a handle; NULL is none.
///
/// # Safety
/// The handle is NULL, or came from [`give`] and was not yet ended.
pub(super) unsafe fn end<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: the pointer came from Arc::into_raw in `give`, and nobody ended it before.
        drop(unsafe { Arc::from_raw(handle) });
    }
}

/// Writes to a place of the caller's that must be there.
///
/// # Safety
/// The place is NULL or can be written to.
pub(super) unsafe fn check_place<T>(place: *mut T, name: &str) -> Result<Place<T>, Error> {
    if place.is_null() { Err(null(name)) } else { Ok(Place(place)) }
}

/// A place that is there.
pub(super) struct Place<T>(*mut T);

impl<T> Place<T> {
    pub fn write(self, value: T) {
        // SAFETY: `check_place`, the only maker, was promised a writable place.
        unsafe { self.0.write(value) }
    }
}

#[cold]
#[inline(never)]
pub(super) fn null(name: &str) -> Error {
    Error::new(Status::InvalidArgument, format!("the argument {name} is NULL"))
}
