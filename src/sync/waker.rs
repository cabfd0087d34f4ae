//! A descriptor that wakes threads which poll it.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// A descriptor that becomes readable: an eventfd on Linux, a pipe elsewhere.
#[derive(Debug)]
pub(super) struct Waker {
    read: OwnedFd,
    #[cfg(not(target_os = "linux"))]
    write: OwnedFd,
}

impl Waker {
    #[cfg(target_os = "linux")]
    pub fn new() -> io::Result<Waker> {
        // SAFETY: the call uses no memory of this process.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        // SAFETY: the descriptor was just opened, and has no other owner.
        if descriptor < 0 { Err(io::Error::last_os_error()) } else { Ok(Waker { read: unsafe { owned(descriptor) } }) }
    }

    #[cfg(not(target_os = "linux"))]
    pub fn new() -> io::Result<Waker> {
        let mut ends = [0; 2];
        // SAFETY: the array has room for two descriptors.
        if unsafe { libc::pipe(ends.as_mut_ptr()) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptors were just opened, and have no other owner.
        let [read, write] = ends.map(|end| unsafe { owned(end) });
        for end in ends {
            // SAFETY: the descriptor is open, and these calls use no memory.
            unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) };
            // SAFETY: as above.
            unsafe { libc::fcntl(end, libc::F_SETFL, libc::O_NONBLOCK) };
        }
        Ok(Waker { read, write })
    }

    /// Replaces the parent's descriptor by a new one under the same number, since another thread may be polling it.
    pub fn renew(&self) -> io::Result<()> {
        let new = Waker::new()?;
        replace(&new.read, &self.read)?;
        #[cfg(not(target_os = "linux"))]
        replace(&new.write, &self.write)?;
        Ok(())
    }

    /// Returns the descriptor to poll.
    pub fn descriptor(&self) -> RawFd {
        self.read.as_raw_fd()
    }

    /// Makes the descriptor readable.
    pub fn wake(&self) {
        #[cfg(target_os = "linux")]
        let write = &self.read;
        #[cfg(not(target_os = "linux"))]
        let write = &self.write;
        let one = 1u64.to_ne_bytes();
        // SAFETY: the buffer is valid. If there is no room for more, the descriptor is readable already.
        unsafe { libc::write(write.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Makes the descriptor unreadable.
    pub fn clear(&self) {
        let mut rest = [0u8; 512];
        // SAFETY: the buffer has that length. If nothing can be read, the descriptor is clear already.
        unsafe { libc::read(self.read.as_raw_fd(), rest.as_mut_ptr().cast(), rest.len()) };
    }
}

/// # Safety
/// The descriptor is open, and has no other owner.
unsafe fn owned(descriptor: RawFd) -> OwnedFd {
    // SAFETY: guaranteed by the caller.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

#[cfg(target_os = "linux")]
fn replace(new: &OwnedFd, old: &OwnedFd) -> io::Result<()> {
    // SAFETY: both descriptors are open, and the call uses no memory.
    let done = unsafe { libc::dup3(new.as_raw_fd(), old.as_raw_fd(), libc::O_CLOEXEC) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(not(target_os = "linux"))]
fn replace(new: &OwnedFd, old: &OwnedFd) -> io::Result<()> {
    // SAFETY: both descriptors are open, and the calls use no memory.
    let done = unsafe { libc::dup2(new.as_raw_fd(), old.as_raw_fd()) };
    // SAFETY: as above.
    unsafe { libc::fcntl(old.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
