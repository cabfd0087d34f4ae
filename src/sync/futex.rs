//! Sleeping until an integer in memory changes. Where the system has no futex, threads poll.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Sleeps while the word has the value `expected`, until a [`wake`], at most for `timeout`. May return at any time.
#[cfg(target_os = "linux")]
pub(super) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    let time = timeout.map(|timeout| libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos() as _,
    });
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the word and the time outlive the call.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, expected, time) };
}

/// Wakes at most `threads` threads that sleep on the word.
#[cfg(target_os = "linux")]
pub(super) fn wake(word: &AtomicU32, threads: i32) {
    // SAFETY: the system uses only the address of the word.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, threads) };
}

#[cfg(not(target_os = "linux"))]
pub(super) fn wait(_: &AtomicU32, _: u32, timeout: Option<Duration>) {
    const INTERVAL: Duration = Duration::from_millis(1);
    std::thread::sleep(timeout.map_or(INTERVAL, |timeout| timeout.min(INTERVAL)));
}

#[cfg(not(target_os = "linux"))]
pub(super) fn wake(_: &AtomicU32, _: i32) {}
