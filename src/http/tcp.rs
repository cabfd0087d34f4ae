//! The socket: one system call to send, one to receive, and deadlines that cost a call only when they must.

use std::io::{self, ErrorKind, IoSlice};
use std::mem;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use ureq::Error;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

use super::buffers::ConnectionBuffers;
use super::deadline::Deadline;
use super::layer::{InputState, Layer, SendOutcome, send_all};
use crate::sync::ProcessLocal;

/// A shorter wait is left to `poll`, which ends it exactly. A socket's timeout is counted in the system's ticks.
const MIN_ARMED: Duration = Duration::from_millis(20);

/// Two of the system's longest ticks.
const TICKS: Duration = Duration::from_millis(8);

#[derive(Debug)]
pub(super) struct TcpTransport {
    stream: ProcessLocal<TcpStream>,
    buffers: ConnectionBuffers,
    deadline: Deadline,
    /// As it was last set on the socket.
    read_timeout: Option<Duration>,
}

impl TcpTransport {
    pub fn new(stream: TcpStream, deadline: &Deadline) -> TcpTransport {
        TcpTransport {
            stream: ProcessLocal::new(stream),
            buffers: ConnectionBuffers::default(),
            deadline: deadline.clone(),
            read_timeout: None,
        }
    }

    fn stream(&self) -> io::Result<&TcpStream> {
        self.stream.get().ok_or_else(|| ErrorKind::NotConnected.into())
    }

    /// Makes sure that reading waits no longer than it may; false if `poll` has to wait. The socket's timeout ends well
    /// before the deadline, so that it need not be set in each call; then `poll` waits for the rest.
    fn arm(&mut self) -> Result<bool, Error> {
        let left = self.deadline.left()?;
        if left < MIN_ARMED {
            return Ok(false);
        }
        // The system may end a long wait late by an eighth of it.
        if self.read_timeout.is_none_or(|armed| armed + armed / 7 + TICKS > left) {
            let armed = left / 2;
            self.stream()?.set_read_timeout(Some(armed))?;
            self.read_timeout = Some(armed);
        }
        Ok(true)
    }

    /// Receives into the input buffer. Without flags it waits, at most for the timeout of the socket.
    fn receive(&mut self, flags: libc::c_int) -> io::Result<usize> {
        let descriptor = self.stream()?.as_raw_fd();
        let free = self.buffers.input_append_buf();
        // SAFETY: there is room for as many bytes.
        counted(unsafe { libc::recv(descriptor, free.as_mut_ptr().cast(), free.len(), flags) })
    }
}

/// Whether the socket's timeout ran out or a signal came: both mean to look at the deadline and go on.
fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// As many bytes, or why there are none.
fn counted(count: isize) -> io::Result<usize> {
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

impl Drop for TcpTransport {
    fn drop(&mut self) {
        // A forked child has the socket, too, and keeps the connection open unless it is shut down.
        if let Some(stream) = self.stream.get() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

#[cfg(not(target_vendor = "apple"))]
const AT_ONCE: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
/// Where a socket itself says that it gives no signals.
#[cfg(target_vendor = "apple")]
const AT_ONCE: libc::c_int = libc::MSG_DONTWAIT;

impl Transport for TcpTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let output = self.buffers.output()[..amount].to_vec();
        send_all(self, &output)
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let mut must_poll = self.deadline.can_be_cancelled();
        loop {
            let received = if must_poll || !self.arm()? {
                self.deadline.ready(self.stream()?.as_raw_fd(), libc::POLLIN)?;
                self.receive(AT_ONCE)
            } else {
                self.receive(0)
            };
            match received {
                Ok(received) => {
                    self.buffers.input_appended(received);
                    return Ok(received > 0);
                }
                Err(error) if is_pause(&error) => must_poll |= error.kind() != ErrorKind::Interrupted,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Anything to read on an idle connection is its end, or bytes that nobody asked for.
    fn is_open(&mut self) -> bool {
        let Some(stream) = self.stream.get() else { return false };
        let mut byte = 0u8;
        // SAFETY: the descriptor is open as long as `stream` is, and one byte may be written to `byte`.
        let peeked =
            unsafe { libc::recv(stream.as_raw_fd(), (&raw mut byte).cast(), 1, libc::MSG_PEEK | libc::MSG_DONTWAIT) };
        peeked < 0 && io::Error::last_os_error().kind() == ErrorKind::WouldBlock
    }
}

impl Layer for TcpTransport {
    fn send(&mut self, parts: &[IoSlice], watch: bool) -> Result<SendOutcome, Error> {
        let descriptor = self.stream()?.as_raw_fd();
        loop {
            // SAFETY: all zeroes are a valid value: no address, no control data, no parts.
            let mut message: libc::msghdr = unsafe { mem::zeroed() };
            // An `IoSlice` is an `iovec` in memory, as the standard library promises. Nothing is written to it.
            message.msg_iov = parts.as_ptr().cast_mut().cast();
            message.msg_iovlen = parts.len() as _;
            // SAFETY: the parts and what they point to are there as long as the call lasts.
            match counted(unsafe { libc::sendmsg(descriptor, &raw const message, AT_ONCE) }) {
                Ok(sent) => return Ok(SendOutcome::Bytes(sent)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_pause(&error) => {
                    let input = if watch { libc::POLLIN } else { 0 };
                    let events = self.deadline.ready(descriptor, libc::POLLOUT | input)?;
                    if watch && events & libc::POLLIN != 0 {
                        return Ok(SendOutcome::InputAvailable);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn take_input(&mut self) -> Result<InputState, Error> {
        match self.receive(AT_ONCE) {
            Ok(0) => Ok(InputState::EndOfStream),
            Ok(received) => {
                self.buffers.input_appended(received);
                Ok(InputState::Received)
            }
            Err(error) if is_pause(&error) => Ok(InputState::Received),
            Err(error) => Err(error.into()),
        }
    }

    fn go_idle(&mut self) -> bool {
        self.buffers.go_idle()
    }
}
