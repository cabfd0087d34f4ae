//! Strings from C and for C.

use std::ffi::{CStr, c_char, c_void};
use std::str::Utf8Error;
use std::{ptr, slice};

use super::export_value::export_value;
use super::handle::{self, Output, null_argument};
use crate::client::{Error, NulString, Status};

/// Free a string that the caller owns, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlflow_gateway_string_free(text: *mut c_char) {
    export_value!((), {
        // SAFETY: the caller passes NULL or a string that `write_copy` allocated with malloc(), and that was not freed.
        unsafe { libc::free(text.cast()) }
    })
}

/// Reads a NUL-terminated UTF-8 argument, which may be NULL.
///
/// # Safety
/// The pointer is NULL, or points to a NUL-terminated string that does not change during the call.
pub(super) unsafe fn optional<'a>(text: *const c_char, name: &str) -> Result<Option<&'a str>, Error> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: guaranteed by the caller.
    let text = unsafe { CStr::from_ptr(text) };
    utf8(text.to_bytes(), name).map(Some)
}

fn utf8<'a>(text: &'a [u8], name: &str) -> Result<&'a str, Error> {
    std::str::from_utf8(text).map_err(|error| not_utf8(error, name))
}

#[cold]
#[inline(never)]
fn not_utf8(error: Utf8Error, name: &str) -> Error {
    let problem = format!("the argument {name} is not UTF-8: invalid byte at offset {}", error.valid_up_to());
    Error::new(Status::InvalidArgument, problem)
}

/// Reads a NUL-terminated UTF-8 argument.
///
/// # Safety
/// As [`optional`].
pub(super) unsafe fn required<'a>(text: *const c_char, name: &str) -> Result<&'a str, Error> {
    // SAFETY: guaranteed by the caller.
    unsafe { optional(text, name) }?.ok_or_else(|| null_argument(name))
}

/// The length of a NUL-terminated string, MLFLOW_GATEWAY_NUL_TERMINATED in the header. build.rs writes that macro.
pub(super) const NUL_TERMINATED: usize = usize::MAX;

/// Reads a UTF-8 argument with a length, or NUL-terminated. NULL with the length 0 is the empty string, for which Go has no
/// other pointer.
///
/// # Safety
/// The pointer is NULL, or points to `len` bytes, or is as in [`optional`]. The string does not change during the call.
pub(super) unsafe fn sized<'a>(text: *const c_char, len: usize, name: &str) -> Result<&'a str, Error> {
    if len == NUL_TERMINATED {
        // SAFETY: guaranteed by the caller.
        return unsafe { required(text, name) };
    }
    // SAFETY: guaranteed by the caller.
    utf8(unsafe { bytes(text.cast(), len, name) }?, name)
}

/// Reads an argument of bytes. NULL with the length 0 is an empty array.
///
/// # Safety
/// The pointer is NULL, or points to `len` bytes, which do not change during the call.
pub(super) unsafe fn bytes<'a>(bytes: *const c_void, len: usize, name: &str) -> Result<&'a [u8], Error> {
    if bytes.is_null() {
        return if len == 0 { Ok(&[]) } else { Err(null_argument(name)) };
    }
    if isize::try_from(len).is_err() {
        let problem = format!("the argument {name} cannot be {len} bytes long");
        return Err(Error::new(Status::InvalidArgument, problem));
    }
    // SAFETY: guaranteed by the caller, and the length is valid for a slice.
    Ok(unsafe { slice::from_raw_parts(bytes.cast(), len) })
}

/// Returns a string that belongs to an object and lives as long. `len` receives its length, and may be NULL.
///
/// # Safety
/// `len` is NULL or valid for writes.
pub(super) unsafe fn borrow(text: Option<&NulString>, len: *mut usize) -> *const c_char {
    // SAFETY: guaranteed by the caller.
    unsafe { handle::write_optional(len, text.map_or(0, |text| text.as_str().len())) };
    text.map_or(ptr::null(), |text| text.with_nul().as_ptr().cast())
}

/// Copies a string to an output. C frees it by mlflow_gateway_string_free(). `len` receives its length, and may be NULL.
///
/// # Safety
/// `len` is NULL or valid for writes.
pub(super) unsafe fn write_copy(text: &str, output: Output<*mut c_char>, len: *mut usize) -> Result<(), Error> {
    // SAFETY: malloc() may be called with any size. A failure is checked below.
    let copy = unsafe { libc::malloc(text.len() + 1) }.cast::<u8>();
    if copy.is_null() {
        return Err(Error::new(Status::OutOfMemory, format!("no memory for a string of {} bytes", text.len())));
    }
    // SAFETY: the new block has room for the string and a NUL, and is not shared yet.
    unsafe {
        ptr::copy_nonoverlapping(text.as_ptr(), copy, text.len());
        copy.add(text.len()).write(0);
    }
    output.write(copy.cast());
    // SAFETY: guaranteed by the caller.
    unsafe { handle::write_optional(len, text.len()) };
    Ok(())
}

/// As [`write_copy`], for an output that may be NULL.
///
/// # Safety
/// Both pointers are NULL or valid for writes.
pub(super) unsafe fn write_optional_copy(text: &str, output: *mut *mut c_char, len: *mut usize) -> Result<(), Error> {
    // SAFETY: guaranteed by the caller.
    unsafe {
        match handle::optional_output(output) {
            Some(output) => write_copy(text, output, len),
            None => {
                handle::write_optional(len, text.len());
                Ok(())
            }
        }
    }
}
