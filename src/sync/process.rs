//! Which process this is. A fork makes two of one, with the same locks and sockets in both.

use std::process;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A whole page of the system's, so that nothing else is cleared with it.
#[cfg_attr(target_arch = "aarch64", repr(C, align(65536)))]
#[cfg_attr(not(target_arch = "aarch64"), repr(C, align(4096)))]
struct Page {
    id: AtomicU32,
}

/// Zero until it is asked for, and again in a child.
static PAGE: Page = Page { id: AtomicU32::new(0) };

/// A number that another process does not have that was forked from this one, or from which this one was forked. It is
/// never 0, and its highest bit is not set.
pub fn current() -> u32 {
    match PAGE.id.load(Ordering::Relaxed) {
        0 => ask(),
        id => id,
    }
}

#[cold]
fn ask() -> u32 {
    // Where it cannot be, it is not tried again each time.
    static IS_LEFT: AtomicBool = AtomicBool::new(false);
    if IS_LEFT.load(Ordering::Relaxed) || !is_cleared_on_fork(advise) {
        IS_LEFT.store(true, Ordering::Relaxed);
        return process::id();
    }
    // Not the process's number alone: in another namespace a child may have its parent's. No allocation here, since a
    // signal handler may be the first to ask.
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: there is a place for the time.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    let mixed = process::id().wrapping_mul(0x9e37_79b1) ^ (now.tv_sec as u32).rotate_left(16) ^ now.tv_nsec as u32;
    let id = (mixed >> 1).max(1);
    match PAGE.id.compare_exchange(0, id, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => id,
        Err(other) => other,
    }
}

/// Whether the page is cleared in a child, which spares asking for the process's number each time. Linux does so since
/// 4.14 if it is advised to. Some emulators (qemu-user) accept any advice and ignore it: one that accepts advice that
/// does not exist is not believed.
fn is_cleared_on_fork(advise: impl Fn(Advice) -> bool) -> bool {
    !advise(Advice::NoSuch) && advise(Advice::WipeOnFork)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Advice {
    NoSuch,
    WipeOnFork,
}

/// Whether the system accepts the advice for the page.
#[cfg(target_os = "linux")]
fn advise(advice: Advice) -> bool {
    let number = match advice {
        Advice::NoSuch => -1,
        Advice::WipeOnFork => libc::MADV_WIPEONFORK,
    };
    let page = (&raw const PAGE).cast_mut().cast();
    // SAFETY: the page is this module's alone, and stays as it is in this process.
    unsafe { libc::madvise(page, size_of::<Page>(), number) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn advise(_: Advice) -> bool {
    false
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What `say` says in a child.
    pub fn in_child(say: impl FnOnce() -> u8) -> u8 {
        // SAFETY: the child only does what it is asked for, and exits.
        let child = unsafe { libc::fork() };
        assert!(child >= 0);
        if child == 0 {
            let said = say();
            // SAFETY: nothing of the parent's is to be run in the child.
            unsafe { libc::_exit(i32::from(said)) };
        }
        let mut status = 0;
        // SAFETY: the child is ours, and the status has its place.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert!(libc::WIFEXITED(status));
        libc::WEXITSTATUS(status) as u8
    }

    #[test]
    fn a_child_is_another_process() {
        let parent = current();
        assert!(parent > 0 && parent < 1 << 31);
        assert_eq!(parent, current());
        assert_eq!(in_child(|| u8::from(current() != parent && current() == current())), 1);
        assert_eq!(parent, current());
    }

    #[test]
    fn advice_is_believed_only_where_wrong_advice_is_refused() {
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
