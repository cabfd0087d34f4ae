//! Whether the process was forked: parent and child then hold the same sockets.

use std::process;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

/// Any size up to a page's: the system maps a whole one.
const SIZE: usize = size_of::<AtomicU32>();

/// Notices a fork without asking the system each time.
#[derive(Debug)]
pub(super) enum ForkMark {
    /// A number on memory that the system clears in a child.
    Cleared(NonNull<AtomicU32>),
    /// The process's number, where there is no such memory.
    Process(AtomicU32),
}

// SAFETY: the page belongs to the mark alone, and what is on it is atomic.
unsafe impl Send for ForkMark {}
// SAFETY: as above.
unsafe impl Sync for ForkMark {}

impl Default for ForkMark {
    fn default() -> ForkMark {
        match cleared_on_fork() {
            Some(page) => {
                // SAFETY: the page is mapped until the mark is dropped, and zero is a valid number.
                unsafe { page.as_ref() }.store(1, Ordering::Relaxed);
                ForkMark::Cleared(page)
            }
            None => ForkMark::Process(AtomicU32::new(process::id())),
        }
    }
}

impl ForkMark {
    /// Whether this is another process than at the last call, or when the mark was made.
    pub fn is_new_process(&self) -> bool {
        match self {
            // SAFETY: the page is mapped until the mark is dropped.
            ForkMark::Cleared(page) => unsafe { page.as_ref() }.swap(1, Ordering::Relaxed) == 0,
            ForkMark::Process(known) => {
                let process = process::id();
                known.swap(process, Ordering::Relaxed) != process
            }
        }
    }
}

impl Drop for ForkMark {
    fn drop(&mut self) {
        if let ForkMark::Cleared(page) = self {
            // SAFETY: it was mapped with this size, and nobody else knows it.
            unsafe { libc::munmap(page.as_ptr().cast(), SIZE) };
        }
    }
}

/// Linux has such memory since 4.14.
#[cfg(target_os = "linux")]
fn cleared_on_fork() -> Option<NonNull<AtomicU32>> {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping of the system's choice touches no other memory.
    let page = unsafe { libc::mmap(ptr::null_mut(), SIZE, access, kind, -1, 0) };
    if page == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the page was just mapped.
    if unsafe { libc::madvise(page, SIZE, libc::MADV_WIPEONFORK) } != 0 {
        // SAFETY: as above, and nobody else knows it.
        unsafe { libc::munmap(page, SIZE) };
        return None;
    }
    NonNull::new(page.cast())
}

#[cfg(not(target_os = "linux"))]
fn cleared_on_fork() -> Option<NonNull<AtomicU32>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the mark says in a child, once and once more.
    fn in_child(mark: &ForkMark) -> [bool; 2] {
        // SAFETY: the child only asks the mark and exits.
        let child = unsafe { libc::fork() };
        assert!(child >= 0);
        if child == 0 {
            let answers = [mark.is_new_process(), mark.is_new_process()];
            // SAFETY: nothing of the parent's is to be run in the child.
            unsafe { libc::_exit(i32::from(answers[0]) + 2 * i32::from(answers[1])) };
        }
        let mut status = 0;
        // SAFETY: the child is ours, and the status has its place.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        let code = libc::WEXITSTATUS(status);
        [code & 1 != 0, code & 2 != 0]
    }

    #[test]
    fn a_fork_is_noticed_once_and_in_the_child_alone() {
        for mark in [ForkMark::default(), ForkMark::Process(AtomicU32::new(process::id()))] {
            assert!(!mark.is_new_process());
            assert_eq!(in_child(&mark), [true, false], "{mark:?}");
            assert!(!mark.is_new_process());
        }
    }
}
