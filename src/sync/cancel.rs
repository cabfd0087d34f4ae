//! Cancel tokens.

use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::lock::Lock;
use super::process;
use super::waker::Waker;

/// Cancels every wait that has it, on any number of threads.
#[derive(Debug)]
pub struct CancelToken {
    is_cancelled: AtomicBool,
    /// Wakes the waiting threads, which then read `is_cancelled`.
    waker: Waker,
    /// The process that made the waker. With a shared one, parent and child of a fork would wake each other.
    process: AtomicU32,
    renewing: Lock<()>,
    /// The sockets from which threads receive, if that is to end by shutting the sockets down.
    receiving: Lock<Vec<RawFd>>,
}

impl CancelToken {
    /// Creates a token, which uses one file descriptor.
    pub fn new() -> io::Result<CancelToken> {
        let process = AtomicU32::new(process::current());
        Ok(CancelToken {
            is_cancelled: AtomicBool::new(false),
            waker: Waker::new()?,
            process,
            renewing: Lock::default(),
            receiving: Lock::default(),
        })
    }

    /// Cancels. Async-signal-safe: it makes only stores and async-signal-safe system calls, and preserves `errno`.
    pub fn cancel(&self) {
        let errno = Errno::save();
        self.is_cancelled.store(true, Ordering::SeqCst);
        self.wake();
        errno.restore();
    }

    /// As [`CancelToken::cancel`], and also ends [`CancelToken::receive`]. Not async-signal-safe.
    pub fn cancel_receiving(&self) {
        self.cancel();
        for socket in self.receiving.lock().iter() {
            // SAFETY: the socket is open while it is noted there, and the call uses no memory.
            unsafe { libc::shutdown(*socket, libc::SHUT_RD) };
        }
    }

    /// Receives from a socket without polling the descriptor of the token. [`CancelToken::cancel_receiving`] ends it and
    /// makes the socket unusable. `None` if the token is cancelled.
    pub fn receive<T>(&self, socket: RawFd, receive: impl FnOnce() -> T) -> Option<T> {
        self.receiving.lock().push(socket);
        let received = (!self.is_cancelled()).then(receive);
        self.receiving.lock().retain(|other| *other != socket);
        received.filter(|_| !self.is_cancelled())
    }

    /// Wakes the waiting threads without a cancellation, so that they check what else they wait for.
    pub fn wake(&self) {
        // In a forked child, no thread waits with the token while the waker is still that of the parent.
        if self.process.load(Ordering::SeqCst) == process::current() {
            self.waker.wake();
        }
    }

    /// Returns whether the token was cancelled and not reset since.
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::SeqCst)
    }

    /// Makes the token usable for further calls.
    pub fn reset(&self) {
        self.is_cancelled.store(false, Ordering::SeqCst);
        if self.descriptor().is_some() {
            self.confirm();
        }
    }

    /// Returns the descriptor to poll, which becomes readable on cancellation; `None` if this process cannot open one.
    pub(super) fn descriptor(&self) -> Option<RawFd> {
        let process = process::current();
        if self.process.load(Ordering::SeqCst) != process {
            let _guard = self.renewing.lock();
            if self.process.load(Ordering::SeqCst) != process {
                self.waker.renew().ok()?;
                self.process.store(process, Ordering::SeqCst);
                // A thread that cancelled before the store did not wake.
                if self.is_cancelled() {
                    self.waker.wake();
                }
            }
        }
        Some(self.waker.descriptor())
    }

    /// Returns whether the token is cancelled, after its descriptor became readable. A wake-up without a cancellation,
    /// left over from before a reset, is cleared.
    pub(super) fn confirm(&self) -> bool {
        if self.is_cancelled() {
            return true;
        }
        self.waker.clear();
        let is_cancelled = self.is_cancelled();
        if is_cancelled {
            // The wake-up that was just cleared was also for other threads.
            self.waker.wake();
        }
        is_cancelled
    }
}

/// The maximum number of tokens of one wait: the handle's, the request's and that of a queue.
pub(super) const MAX_TOKENS: usize = 3;

/// The tokens of a call. Each of them cancels it.
#[derive(Debug, Clone, Default)]
pub struct CancelTokens([Option<Arc<CancelToken>>; MAX_TOKENS]);

impl CancelTokens {
    pub fn new(of_handle: Option<&Arc<CancelToken>>, of_request: Option<&Arc<CancelToken>>) -> CancelTokens {
        CancelTokens([of_handle.cloned(), of_request.cloned(), None])
    }

    /// Returns the token of a queue if it is the only one.
    pub fn only_queue(&self) -> Option<&CancelToken> {
        match &self.0 {
            [None, None, Some(token)] => Some(token),
            _ => None,
        }
    }

    /// Adds the token of a queue.
    pub fn with_queue(mut self, token: &Arc<CancelToken>) -> CancelTokens {
        self.0[MAX_TOKENS - 1] = Some(Arc::clone(token));
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    pub fn is_cancelled(&self) -> bool {
        self.0.iter().flatten().any(|token| token.is_cancelled())
    }

    pub(super) fn each(&self) -> [Option<&CancelToken>; MAX_TOKENS] {
        self.0.each_ref().map(Option::as_deref)
    }
}

/// The value of `errno`, which a signal handler must preserve for the code that it interrupted.
struct Errno(libc::c_int);

impl Errno {
    fn location() -> *mut libc::c_int {
        #[cfg(target_os = "linux")]
        // SAFETY: every thread has one.
        return unsafe { libc::__errno_location() };
        #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
        // SAFETY: as above.
        return unsafe { libc::__error() };
        #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
        // SAFETY: as above.
        return unsafe { libc::__errno() };
    }

    fn save() -> Errno {
        // SAFETY: the location belongs to the calling thread.
        Errno(unsafe { *Errno::location() })
    }

    fn restore(self) {
        // SAFETY: as above.
        unsafe { *Errno::location() = self.0 };
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::process::tests::in_child;
    use super::super::wait::{WaitError, sleep};
    use super::*;

    #[test]
    fn parent_and_child_do_not_cancel_each_others_waits() {
        let token = Arc::new(CancelToken::new().unwrap());
        let tokens = CancelTokens::new(None, Some(&token));
        let shortly = || Instant::now() + Duration::from_millis(30);
        let in_a_child = in_child(|| {
            let before = sleep(shortly(), &tokens).is_ok();
            token.cancel();
            u8::from(before && sleep(shortly(), &tokens) == Err(WaitError::Cancelled))
        });
        assert_eq!(in_a_child, 1);
        assert!(!token.is_cancelled());
        assert_eq!(sleep(shortly(), &tokens), Ok(()));
        token.cancel();
        // A token that was cancelled before the fork is cancelled in the child.
        assert_eq!(in_child(|| u8::from(token.is_cancelled())), 1);
    }
}
