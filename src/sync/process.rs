//! The identity of the process, which differs in a forked child.

use std::process;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A whole page of memory, since the system clears pages only.
#[cfg_attr(target_arch = "aarch64", repr(C, align(65536)))]
#[cfg_attr(not(target_arch = "aarch64"), repr(C, align(4096)))]
struct Page {
    id: AtomicU32,
}

/// Zero until [`current`] is called, and zero again in a child.
static PAGE: Page = Page { id: AtomicU32::new(0) };

/// Returns a number that differs between this process, its parents and its children. It is never 0, and its highest bit is
/// not set.
pub fn current() -> u32 {
    match PAGE.id.load(Ordering::Relaxed) {
        0 => determine(),
        id => id,
    }
}

#[cold]
fn determine() -> u32 {
    // Remembered, so that only the first call makes the system calls.
    static IS_UNSUPPORTED: AtomicBool = AtomicBool::new(false);
    if IS_UNSUPPORTED.load(Ordering::Relaxed) || !is_cleared_on_fork(advise) {
        IS_UNSUPPORTED.store(true, Ordering::Relaxed);
        return process::id();
    }
    // The process ID alone is not enough: in another PID namespace a child may have the ID of its parent. No allocation
    // here, since a signal handler may be the first caller.
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for writes.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    let mixed = process::id().wrapping_mul(0x9e37_79b1) ^ (now.tv_sec as u32).rotate_left(16) ^ now.tv_nsec as u32;
    let id = (mixed >> 1).max(1);
    match PAGE.id.compare_exchange(0, id, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => id,
        Err(other) => other,
    }
}

/// Returns whether the system clears the page in a child, which saves a system call each time. Linux does since 4.14 if it
/// is advised to. Some emulators (qemu-user) accept any advice and ignore it; they are recognized by accepting advice that
/// does not exist.
fn is_cleared_on_fork(advise: impl Fn(Advice) -> bool) -> bool {
    !advise(Advice::NoSuch) && advise(Advice::WipeOnFork)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Advice {
    NoSuch,
    WipeOnFork,
}

/// Gives the advice for the page, and returns whether the system accepts it.
#[cfg(target_os = "linux")]
fn advise(advice: Advice) -> bool {
    let number = match advice {
        Advice::NoSuch => -1,
        Advice::WipeOnFork => libc::MADV_WIPEONFORK,
    };
    let page = (&raw const PAGE).cast_mut().cast();
    // SAFETY: only this module uses the page, and its content does not change in this process.
    unsafe { libc::madvise(page, size_of::<Page>(), number) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn advise(_: Advice) -> bool {
    false
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Runs `work` in a forked child, and returns its result.
    pub fn in_child(work: impl FnOnce() -> u8) -> u8 {
        // SAFETY: the child only runs `work`, and exits.
        let child = unsafe { libc::fork() };
        assert!(child >= 0);
        if child == 0 {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(u8::MAX);
            // SAFETY: the exit handlers of the parent must not run in the child.
            unsafe { libc::_exit(i32::from(result)) };
        }
        let mut status = 0;
        // SAFETY: the child was forked above, and the pointer to the status is valid.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert!(libc::WIFEXITED(status));
        libc::WEXITSTATUS(status) as u8
    }

    #[test]
    fn forked_child_is_another_process() {
        let parent = current();
        assert!(parent > 0 && parent < 1 << 31);
        assert_eq!(parent, current());
        assert_eq!(in_child(|| u8::from(current() != parent && current() == current())), 1);
        assert_eq!(parent, current());
    }

    #[test]
    fn page_counts_as_cleared_only_if_unknown_advice_is_refused() {
        for (accepted, is_cleared) in [
            (&[Advice::WipeOnFork][..], true),
            (&[Advice::NoSuch, Advice::WipeOnFork], false),
            (&[Advice::NoSuch], false),
            (&[], false),
        ] {
            assert_eq!(is_cleared_on_fork(|advice| accepted.contains(&advice)), is_cleared, "{accepted:?}");
        }
    }
}
