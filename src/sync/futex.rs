//! To sleep until a number in memory changes.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Sleeps while the word is this, until it is woken, and no longer than this. It may return at any time.
#[cfg(target_os = "linux")]
pub(super) fn wait(word: &AtomicU32, while_it_is: u32, most: Option<Duration>) {
    let time = most.map(|most| libc::timespec {
        tv_sec: libc::time_t::try_from(most.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: most.subsec_nanos() as _,
    });
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the word and the time are there as long as the call lasts.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, while_it_is, time) };
}

/// Wakes so many threads that sleep on it.
#[cfg(target_os = "linux")]
pub(super) fn wake(word: &AtomicU32, threads: i32) {
    // SAFETY: the system only takes the word's address.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, threads) };
}

#[cfg(not(target_os = "linux"))]
pub(super) fn wait(_: &AtomicU32, _: u32, most: Option<Duration>) {
    const LOOK_AGAIN: Duration = Duration::from_millis(1);
    std::thread::sleep(most.map_or(LOOK_AGAIN, |most| most.min(LOOK_AGAIN)));
}

#[cfg(not(target_os = "linux"))]
pub(super) fn wake(_: &AtomicU32, _: i32) {}
