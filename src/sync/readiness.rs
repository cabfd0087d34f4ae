//! A descriptor for the event loop of a program.

use std::io;
use std::os::fd::RawFd;

use super::waker::Waker;

/// A descriptor that is readable while something is ready. It is opened when the program first asks for it. All
/// functions are called under the lock of the value that is ready or not.
#[derive(Debug, Default)]
pub struct Readiness {
    waker: Option<Waker>,
    is_ready: bool,
}

impl Readiness {
    /// Makes the descriptor readable or not.
    pub fn set(&mut self, is_ready: bool) {
        if let Some(waker) = self.waker.as_ref().filter(|_| is_ready != self.is_ready) {
            if is_ready { waker.wake() } else { waker.clear() }
        }
        self.is_ready = is_ready;
    }

    /// Returns the descriptor.
    pub fn descriptor(&mut self) -> io::Result<RawFd> {
        if let Some(waker) = &self.waker {
            return Ok(waker.descriptor());
        }
        let waker = Waker::new()?;
        if self.is_ready {
            waker.wake();
        }
        Ok(self.waker.insert(waker).descriptor())
    }
}
