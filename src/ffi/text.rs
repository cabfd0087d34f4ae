//! Strings from C and to C.

use std::ffi::{CStr, c_char};
use std::ptr;

use super::handle::{Place, null};
use crate::client::{Error, Status};

/// A NUL-terminated UTF-8 argument, which may be NULL.
///
/// # Safety
/// The pointer is NULL or points to a NUL-terminated string that stays as it is for the time of the call.
pub(super) unsafe fn optional<'a>(text: *const c_char, name: &str) -> Result<Option<&'a str>, Error> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: as promised by the caller.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(Some).map_err(|error| {
        Error::new(
            Status::InvalidArgument,
            format!("the argument {name} is not UTF-8: the byte at offset {} is wrong", error.valid_up_to()),
        )
    })
}

/// A NUL-terminated UTF-8 argument.
///
/// # Safety
/// As [`optional`].
pub(super) unsafe fn required<'a>(text: *const c_char, name: &str) -> Result<&'a str, Error> {
    // SAFETY: as promised by the caller.
    unsafe { optional(text, name) }?.ok_or_else(|| null(name))
}

/// Gives a text to C, which frees it by [`free`]. `length` may be NULL.
///
/// # Safety
/// `length` is NULL or can be written to.
pub(super) unsafe fn give(text: &str, to: Place<*mut c_char>, length: *mut usize) -> Result<(), Error> {
    // SAFETY: any size may be asked for; what came is checked.
    let copy = unsafe { libc::malloc(text.len() + 1) }.cast::<u8>();
    if copy.is_null() {
        return Err(Error::new(Status::OutOfMemory, format!("no memory for a text of {} bytes", text.len())));
    }
    // SAFETY: the new block holds the text and one byte more, and nothing else knows it yet.
    unsafe {
        ptr::copy_nonoverlapping(text.as_ptr(), copy, text.len());
        copy.add(text.len()).write(0);
    }
    to.write(copy.cast());
    if !length.is_null() {
        // SAFETY: as promised by the caller.
        unsafe { length.write(text.len()) };
    }
    Ok(())
}

/// Frees what [`give`] gave; NULL is nothing.
///
/// # Safety
/// The pointer is NULL, or came from [`give`] and was not yet freed.
pub(super) unsafe fn free(text: *mut c_char) {
    // SAFETY: `give` allocated it with malloc.
    unsafe { libc::free(text.cast()) }
}
