//! pthread_cancel() on a thread inside a call takes effect after the call.
//!
//! A cancellation unwinds the stack of the thread from wherever it waits. A Rust function on that stack would abort the
//! process.

use std::cell::Cell;
use std::ffi::c_int;
use std::mem::{ManuallyDrop, MaybeUninit};

/// Runs the body, in which the calling thread cannot be cancelled.
///
/// A thread that can be cancelled at any instruction (PTHREAD_CANCEL_ASYNCHRONOUS) can be cancelled within `set_state`. Only
/// this function and the exported one are on its stack then. Neither has a landing pad: they drop nothing, and call only
/// `extern "C"` functions.
pub(super) extern "C" fn uncancellable<T, F: FnOnce() -> T>(body: F) -> T {
    const { assert!(!std::mem::needs_drop::<T>()) };
    let mut body = ManuallyDrop::new(body);
    let mut result = MaybeUninit::uninit();
    let former = set_state(DISABLE);
    run(&mut body, &mut result);
    set_state(former);
    // SAFETY: `run` has written it.
    unsafe { result.assume_init() }
}

/// Makes the calling thread uncancellable from the first [`Guard::hold`] to the end of the call.
pub(super) struct Guard(Cell<Option<c_int>>);

impl Guard {
    /// Must be called before every system call that is a cancellation point: those that may wait, and close().
    pub fn hold(&self) {
        if self.0.get().is_none() {
            self.0.set(Some(set_state(DISABLE)));
        }
    }
}

/// As [`uncancellable`], for a body that rarely waits: as long as it does not hold the guard, the state of the thread is not
/// changed. Until then, only a thread of the type PTHREAD_CANCEL_ASYNCHRONOUS can be cancelled.
pub(super) extern "C" fn uncancellable_while_held<T, F: FnOnce(&Guard) -> T>(body: F) -> T {
    const { assert!(!std::mem::needs_drop::<T>()) };
    let guard = Guard(Cell::new(None));
    let guard = &guard;
    let mut body = ManuallyDrop::new(move || body(guard));
    let mut result = MaybeUninit::uninit();
    run(&mut body, &mut result);
    if let Some(former) = guard.0.get() {
        set_state(former);
    }
    // SAFETY: `run` has written it.
    unsafe { result.assume_init() }
}

/// Not inlined, since it has a landing pad.
#[inline(never)]
extern "C" fn run<T, F: FnOnce() -> T>(body: &mut ManuallyDrop<F>, result: &mut MaybeUninit<T>) {
    // SAFETY: the callers pass the body once, and do not use it afterwards.
    result.write(unsafe { ManuallyDrop::take(body) }());
}

#[cfg(not(target_os = "android"))]
const DISABLE: c_int = if cfg!(target_vendor = "apple") { 0 } else { 1 };
#[cfg(not(target_os = "android"))]
const ENABLE: c_int = 1 - DISABLE;

/// Sets the cancelability of the calling thread, and returns the former one.
#[cfg(not(target_os = "android"))]
extern "C" fn set_state(state: c_int) -> c_int {
    unsafe extern "C" {
        fn pthread_setcancelstate(state: c_int, former: *mut c_int) -> c_int;
    }
    // Some systems write nothing in a program without threads.
    let mut former = ENABLE;
    // SAFETY: the pointer is valid for writes.
    unsafe { pthread_setcancelstate(state, &raw mut former) };
    former
}

/// Android has no pthread_cancel().
#[cfg(target_os = "android")]
const DISABLE: c_int = 0;

#[cfg(target_os = "android")]
extern "C" fn set_state(_: c_int) -> c_int {
    DISABLE
}
