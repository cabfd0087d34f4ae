//! What becomes of pthread_cancel() on a thread inside a call: it takes effect after the call.
//!
//! Cancelling unwinds a thread's stack from wherever it waits, and a Rust function through which that goes aborts the
//! process.

use std::cell::Cell;
use std::ffi::c_int;
use std::mem::{ManuallyDrop, MaybeUninit};

/// Runs the body, in which the calling thread cannot be cancelled.
///
/// A thread that may be cancelled at any instruction (PTHREAD_CANCEL_ASYNCHRONOUS) is so within `set_state`. Only this
/// function and the exported one are below it then, and neither has anything to do when it unwinds, since all that they
/// call is `extern "C"`, and nothing of theirs is dropped.
pub(super) extern "C" fn uncancelled<T, F: FnOnce() -> T>(body: F) -> T {
    const { assert!(!std::mem::needs_drop::<T>()) };
    let mut body = ManuallyDrop::new(body);
    let mut result = MaybeUninit::uninit();
    let before = set_state(DISABLE);
    run(&mut body, &mut result);
    set_state(before);
    // SAFETY: `run` has written it.
    unsafe { result.assume_init() }
}

/// Keeps the calling thread from being cancelled, from the first [`Guard::hold`] to the end of the call.
pub(super) struct Guard(Cell<Option<c_int>>);

impl Guard {
    /// To be called before anything in which the system lets a thread be cancelled: whatever may wait, and closing.
    pub fn hold(&self) {
        if self.0.get().is_none() {
            self.0.set(Some(set_state(DISABLE)));
        }
    }
}

/// As [`uncancelled`], for a body that seldom waits: what it has at hand costs no change of the thread's state. Until the
/// guard is held, only a thread of the type PTHREAD_CANCEL_ASYNCHRONOUS could be cancelled.
pub(super) extern "C" fn uncancelled_once_held<T, F: FnOnce(&Guard) -> T>(body: F) -> T {
    const { assert!(!std::mem::needs_drop::<T>()) };
    let guard = Guard(Cell::new(None));
    let guard = &guard;
    let mut body = ManuallyDrop::new(move || body(guard));
    let mut result = MaybeUninit::uninit();
    run(&mut body, &mut result);
    if let Some(before) = guard.0.get() {
        set_state(before);
    }
    // SAFETY: `run` has written it.
    unsafe { result.assume_init() }
}

/// Not inlined: it has something to do when it unwinds.
#[inline(never)]
extern "C" fn run<T, F: FnOnce() -> T>(body: &mut ManuallyDrop<F>, result: &mut MaybeUninit<T>) {
    // SAFETY: the only caller gives it here once, and does not use it afterwards.
    result.write(unsafe { ManuallyDrop::take(body) }());
}

#[cfg(not(target_os = "android"))]
const DISABLE: c_int = if cfg!(target_vendor = "apple") { 0 } else { 1 };
#[cfg(not(target_os = "android"))]
const ENABLE: c_int = 1 - DISABLE;

/// Sets whether the calling thread can be cancelled, and returns whether it could.
#[cfg(not(target_os = "android"))]
extern "C" fn set_state(state: c_int) -> c_int {
    unsafe extern "C" {
        fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
    }
    // In a program without threads some systems write nothing.
    let mut before = ENABLE;
    // SAFETY: there is a place for the state.
    unsafe { pthread_setcancelstate(state, &raw mut before) };
    before
}

/// Nothing can be cancelled there.
#[cfg(target_os = "android")]
const DISABLE: c_int = 0;

#[cfg(target_os = "android")]
extern "C" fn set_state(_: c_int) -> c_int {
    DISABLE
}
