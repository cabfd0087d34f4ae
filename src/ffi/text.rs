//! Strings from C and to C.

use std::ffi::{CStr, c_char, c_void};
use std::str::Utf8Error;
use std::{ptr, slice};

use super::export::export;
use super::handle::{Place, null};
use crate::client::{Error, NulString, Status};

/// Free a string that the caller owns, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_string_free(text: *mut c_char) {
    export!(or(), {
        // SAFETY: the caller passes NULL or a text that was given to it and not freed.
        unsafe { self::free(text) }
    })
}

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
    utf8(text.to_bytes(), name).map(Some)
}

fn utf8<'a>(text: &'a [u8], name: &str) -> Result<&'a str, Error> {
    std::str::from_utf8(text).map_err(|error| not_utf8(error, name))
}

#[cold]
#[inline(never)]
fn not_utf8(error: Utf8Error, name: &str) -> Error {
    let problem = format!("the argument {name} is not UTF-8: the byte at offset {} is wrong", error.valid_up_to());
    Error::new(Status::InvalidArgument, problem)
}

/// A NUL-terminated UTF-8 argument.
///
/// # Safety
/// As [`optional`].
pub(super) unsafe fn required<'a>(text: *const c_char, name: &str) -> Result<&'a str, Error> {
    // SAFETY: as promised by the caller.
    unsafe { optional(text, name) }?.ok_or_else(|| null(name))
}

/// What C passes as a length to say that the text is NUL-terminated. The header's macro is written by build.rs.
const NUL_TERMINATED: usize = usize::MAX;

/// A UTF-8 argument of a length, or NUL-terminated. NULL with the length 0 is the empty text: Go has no other.
///
/// # Safety
/// The pointer is NULL, or points to as many bytes as `len` says, or as [`optional`], and they stay as they are for the
/// time of the call.
pub(super) unsafe fn sized<'a>(text: *const c_char, len: usize, name: &str) -> Result<&'a str, Error> {
    if len == NUL_TERMINATED {
        // SAFETY: as promised by the caller.
        return unsafe { required(text, name) };
    }
    // SAFETY: as promised by the caller.
    utf8(unsafe { bytes(text.cast(), len, name) }?, name)
}

/// An argument of bytes of any kind. NULL with the length 0 is none of them.
///
/// # Safety
/// The pointer is NULL, or points to as many bytes as `len` says, which stay as they are for the time of the call.
pub(super) unsafe fn bytes<'a>(bytes: *const c_void, len: usize, name: &str) -> Result<&'a [u8], Error> {
    if bytes.is_null() {
        return if len == 0 { Ok(&[]) } else { Err(null(name)) };
    }
    if isize::try_from(len).is_err() {
        let problem = format!("the argument {name} cannot be {len} bytes long");
        return Err(Error::new(Status::InvalidArgument, problem));
    }
    // SAFETY: as promised by the caller; no object is longer than what was checked.
    Ok(unsafe { slice::from_raw_parts(bytes.cast(), len) })
}

/// Lends a text to C, which lives as long as its object. `len` may be NULL.
///
/// # Safety
/// `len` is NULL or can be written to.
pub(super) unsafe fn lend(text: Option<&NulString>, len: *mut usize) -> *const c_char {
    if !len.is_null() {
        // SAFETY: as promised by the caller.
        unsafe { len.write(text.map_or(0, |text| text.as_str().len())) };
    }
    text.map_or(ptr::null(), |text| text.with_nul().as_ptr().cast())
}

/// A count for C, where -1 says that it is not known.
pub(super) fn count(count: Option<u64>) -> i64 {
    count.map_or(-1, |count| i64::try_from(count).unwrap_or(i64::MAX))
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
