//! The caller's word that it has had enough.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::lock::Lock;
use super::process;
use super::wait::WaitError;

/// Ends whatever waits with it, in any number of threads.
#[derive(Debug)]
pub struct CancelToken {
    is_cancelled: AtomicBool,
    /// Wakes those that wait. What it says is said by `is_cancelled`.
    bell: Bell,
    /// Whose bell it is: parent and child of a fork would wake each other.
    process: AtomicU32,
    renewing: Lock<()>,
}

impl CancelToken {
    /// It takes one descriptor of the process.
    pub fn new() -> io::Result<CancelToken> {
        let process = AtomicU32::new(process::current());
        Ok(CancelToken { is_cancelled: AtomicBool::new(false), bell: Bell::new()?, process, renewing: Lock::default() })
    }

    /// Nothing in it but stores and system calls that a signal handler may make; it keeps `errno`.
    pub fn cancel(&self) {
        let errno = Errno::keep();
        self.is_cancelled.store(true, Ordering::SeqCst);
        // Nobody waits for it yet in a process that was forked since.
        if self.process.load(Ordering::SeqCst) == process::current() {
            self.bell.ring();
        }
        errno.put_back();
    }

    /// Whether it was, and was not reset since.
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::SeqCst)
    }

    /// Makes it good for further calls.
    pub fn reset(&self) {
        self.is_cancelled.store(false, Ordering::SeqCst);
        if self.bell().is_some() {
            // As a waiting thread does that was woken for nothing.
            let _ = self.heed();
        }
    }

    /// What can be read from when it rings; `None` if this process has none.
    pub(super) fn bell(&self) -> Option<RawFd> {
        let process = process::current();
        if self.process.load(Ordering::SeqCst) != process {
            let _alone = self.renewing.lock();
            if self.process.load(Ordering::SeqCst) != process {
                self.bell.renew().ok()?;
                self.process.store(process, Ordering::SeqCst);
                // Whoever cancelled meanwhile has not rung.
                if self.is_cancelled() {
                    self.bell.ring();
                }
            }
        }
        Some(self.bell.read.as_raw_fd())
    }

    /// To be called when it rang: a ring that was for nothing is taken away.
    pub(super) fn heed(&self) -> Result<(), WaitError> {
        if self.is_cancelled() {
            return Err(WaitError::Cancelled);
        }
        self.bell.silence();
        if self.is_cancelled() {
            // The ring that was just taken away was for others as well.
            self.bell.ring();
            return Err(WaitError::Cancelled);
        }
        Ok(())
    }
}

/// The most tokens that one wait can have: the handle's and the request's.
pub(super) const MOST: usize = 2;

/// The tokens that cancel a call, each of them alone.
#[derive(Debug, Clone, Default)]
pub struct CancelTokens([Option<Arc<CancelToken>>; MOST]);

impl CancelTokens {
    pub fn of(tokens: [Option<&Arc<CancelToken>>; MOST]) -> CancelTokens {
        CancelTokens(tokens.map(Option::<&Arc<_>>::cloned))
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    pub fn is_cancelled(&self) -> bool {
        self.0.iter().flatten().any(|token| token.is_cancelled())
    }

    pub(super) fn each(&self) -> [Option<&CancelToken>; MOST] {
        self.0.each_ref().map(Option::as_deref)
    }
}

/// A descriptor that can be read from after it rang. On Linux both are the same, which is counted; elsewhere the ends of
/// a pipe.
#[derive(Debug)]
struct Bell {
    read: OwnedFd,
    #[cfg(not(target_os = "linux"))]
    write: OwnedFd,
}

impl Bell {
    #[cfg(target_os = "linux")]
    fn new() -> io::Result<Bell> {
        // SAFETY: the call takes no memory of ours.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        // SAFETY: what the system just gave is nobody else's.
        if descriptor < 0 { Err(io::Error::last_os_error()) } else { Ok(Bell { read: unsafe { owned(descriptor) } }) }
    }

    #[cfg(not(target_os = "linux"))]
    fn new() -> io::Result<Bell> {
        let mut ends = [0; 2];
        // SAFETY: there is room for two.
        if unsafe { libc::pipe(ends.as_mut_ptr()) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: what the system just gave is nobody else's.
        let [read, write] = ends.map(|end| unsafe { owned(end) });
        for end in ends {
            // SAFETY: it is open, and these calls take no memory.
            unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) };
            // SAFETY: as above.
            unsafe { libc::fcntl(end, libc::F_SETFL, libc::O_NONBLOCK) };
        }
        Ok(Bell { read, write })
    }

    /// One of this process's own in the place of its parent's, under the same number: a thread may read it just now.
    fn renew(&self) -> io::Result<()> {
        let new = Bell::new()?;
        replace(&new.read, &self.read)?;
        #[cfg(not(target_os = "linux"))]
        replace(&new.write, &self.write)?;
        Ok(())
    }

    fn ring(&self) {
        #[cfg(target_os = "linux")]
        let write = &self.read;
        #[cfg(not(target_os = "linux"))]
        let write = &self.write;
        let one = 1u64.to_ne_bytes();
        // SAFETY: the bytes are there. Where there is no room for more, it rings already.
        unsafe { libc::write(write.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    fn silence(&self) {
        let mut rest = [0u8; 512];
        // SAFETY: there is room for as many bytes. Where there is nothing, it is silent already.
        unsafe { libc::read(self.read.as_raw_fd(), rest.as_mut_ptr().cast(), rest.len()) };
    }
}

/// # Safety
/// The descriptor is open, and nobody else's.
unsafe fn owned(descriptor: RawFd) -> OwnedFd {
    // SAFETY: as promised by the caller.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

#[cfg(target_os = "linux")]
fn replace(new: &OwnedFd, old: &OwnedFd) -> io::Result<()> {
    // SAFETY: both are open, and the call takes no memory.
    let done = unsafe { libc::dup3(new.as_raw_fd(), old.as_raw_fd(), libc::O_CLOEXEC) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(not(target_os = "linux"))]
fn replace(new: &OwnedFd, old: &OwnedFd) -> io::Result<()> {
    // SAFETY: both are open, and the calls take no memory.
    let done = unsafe { libc::dup2(new.as_raw_fd(), old.as_raw_fd()) };
    // SAFETY: as above.
    unsafe { libc::fcntl(old.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A signal handler must not change it for what it interrupted.
struct Errno(libc::c_int);

impl Errno {
    fn place() -> *mut libc::c_int {
        #[cfg(target_os = "linux")]
        // SAFETY: the calling thread always has one.
        return unsafe { libc::__errno_location() };
        #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
        // SAFETY: as above.
        return unsafe { libc::__error() };
        #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
        // SAFETY: as above.
        return unsafe { libc::__errno() };
    }

    fn keep() -> Errno {
        // SAFETY: the place is the calling thread's own.
        Errno(unsafe { *Errno::place() })
    }

    fn put_back(self) {
        // SAFETY: as above.
        unsafe { *Errno::place() = self.0 };
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::process::tests::in_child;
    use super::super::wait::sleep;
    use super::*;

    #[test]
    fn parent_and_child_do_not_end_each_others_waiting() {
        let token = Arc::new(CancelToken::new().unwrap());
        let tokens = CancelTokens::of([None, Some(&token)]);
        let shortly = || Instant::now() + Duration::from_millis(30);
        let said = in_child(|| {
            let before = sleep(shortly(), &tokens).is_ok();
            token.cancel();
            u8::from(before && sleep(shortly(), &tokens) == Err(WaitError::Cancelled))
        });
        assert_eq!(said, 1);
        assert!(!token.is_cancelled());
        assert_eq!(sleep(shortly(), &tokens), Ok(()));
        token.cancel();
        // What was cancelled before the fork is so in the child.
        assert_eq!(in_child(|| u8::from(token.is_cancelled())), 1);
    }
}
