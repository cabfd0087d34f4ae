//! The TCP layer. Usually it makes one system call to send and one to receive, and none for the deadline.

use std::io::{self, ErrorKind, IoSlice};
use std::mem;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use super::deadline::Deadline;
use super::input_buffer::InputBuffer;
use super::layer::{InputState, Layer, SendOutcome};
use crate::sync::ProcessLocal;

/// For a shorter wait `poll` is used, which ends on time. The system counts a socket's timeout in ticks.
const MIN_READ_TIMEOUT: Duration = Duration::from_millis(20);

/// Two of the system's longest ticks.
const TICKS: Duration = Duration::from_millis(8);

pub(super) struct TcpTransport {
    stream: ProcessLocal<TcpStream>,
    buffer: InputBuffer,
    /// The timeout that was last set on the socket.
    read_timeout: Option<Duration>,
}

impl TcpTransport {
    pub fn new(stream: TcpStream) -> TcpTransport {
        TcpTransport { stream: ProcessLocal::new(stream), buffer: InputBuffer::default(), read_timeout: None }
    }

    fn stream(&self) -> io::Result<&TcpStream> {
        self.stream.get().ok_or_else(|| ErrorKind::NotConnected.into())
    }

    /// Sets the socket's read timeout to end a read before the deadline. Returns false if only `poll` is precise
    /// enough. The timeout is far shorter than the deadline, so most calls need not set it again. After it, `poll`
    /// waits for the rest.
    fn set_read_timeout(&mut self, deadline: &Deadline) -> io::Result<bool> {
        let remaining = deadline.remaining()?;
        if remaining < MIN_READ_TIMEOUT {
            return Ok(false);
        }
        // The system may end a long wait too late, by an eighth of it.
        if self.read_timeout.is_none_or(|timeout| timeout + timeout / 7 + TICKS > remaining) {
            let timeout = remaining / 2;
            self.stream()?.set_read_timeout(Some(timeout))?;
            self.read_timeout = Some(timeout);
        }
        Ok(true)
    }

    /// Receives into the buffer. Without flags it waits, at most for the timeout of the socket.
    fn receive_with(&mut self, flags: libc::c_int) -> io::Result<usize> {
        let descriptor = self.stream()?.as_raw_fd();
        let free = self.buffer.free();
        // SAFETY: `free` has room for `free.len()` bytes.
        counted(unsafe { libc::recv(descriptor, free.as_mut_ptr().cast(), free.len(), flags) })
    }

    /// Adds received bytes to the input. An amount of 0 means that the server has closed the connection.
    fn received(&mut self, amount: usize) -> InputState {
        self.buffer.add(amount);
        if amount == 0 { InputState::EndOfStream } else { InputState::Open }
    }
}

/// Returns whether the socket's timeout expired or a signal arrived. The caller checks the deadline and continues.
fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Converts the result of a system call.
fn counted(count: isize) -> io::Result<usize> {
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

impl Drop for TcpTransport {
    fn drop(&mut self) {
        // A forked child has the same socket, and closing one of the two would not close the connection. So the process
        // that opened it shuts it down. The child must not.
        if let Some(stream) = self.stream.get() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

#[cfg(not(target_vendor = "apple"))]
const AT_ONCE: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
/// On Apple's systems a socket option suppresses the signal.
#[cfg(target_vendor = "apple")]
const AT_ONCE: libc::c_int = libc::MSG_DONTWAIT;

impl Layer for TcpTransport {
    fn input(&mut self) -> &mut InputBuffer {
        &mut self.buffer
    }

    fn send(&mut self, parts: &[IoSlice], stop_on_input: bool, deadline: &Deadline) -> io::Result<SendOutcome> {
        let descriptor = self.stream()?.as_raw_fd();
        loop {
            // SAFETY: all zeroes are a valid value: no address, no control data, no parts.
            let mut message: libc::msghdr = unsafe { mem::zeroed() };
            // An `IoSlice` has the layout of an `iovec`, as the standard library promises. Nothing is written to it.
            message.msg_iov = parts.as_ptr().cast_mut().cast();
            message.msg_iovlen = parts.len() as _;
            // SAFETY: the parts and what they point to outlive the call.
            match counted(unsafe { libc::sendmsg(descriptor, &raw const message, AT_ONCE) }) {
                Ok(sent) => return Ok(SendOutcome::Sent(sent)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_pause(&error) => {
                    let input = if stop_on_input { libc::POLLIN } else { 0 };
                    let events = deadline.wait_ready(descriptor, libc::POLLOUT | input)?;
                    if events & input != 0 {
                        return Ok(SendOutcome::InputAvailable);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn receive(&mut self, deadline: &Deadline) -> io::Result<InputState> {
        let queue_token = deadline.tokens().only_queue();
        let mut must_poll = queue_token.is_none() && !deadline.tokens().is_empty();
        loop {
            let received = if must_poll || !self.set_read_timeout(deadline)? {
                deadline.wait_ready(self.stream()?.as_raw_fd(), libc::POLLIN)?;
                self.receive_with(AT_ONCE)
            } else if let Some(token) = queue_token {
                let socket = self.stream()?.as_raw_fd();
                // If the token is cancelled, the check of the deadline fails next.
                token.receive(socket, || self.receive_with(0)).unwrap_or_else(|| Err(ErrorKind::Interrupted.into()))
            } else {
                self.receive_with(0)
            };
            match received {
                Ok(amount) => return Ok(self.received(amount)),
                Err(error) if is_pause(&error) => must_poll |= error.kind() != ErrorKind::Interrupted,
                Err(error) => return Err(error),
            }
        }
    }

    fn receive_available(&mut self, _: &Deadline) -> io::Result<InputState> {
        match self.receive_with(AT_ONCE) {
            Ok(amount) => Ok(self.received(amount)),
            Err(error) if is_pause(&error) => Ok(InputState::Open),
            Err(error) => Err(error),
        }
    }

    /// Input on an idle connection is its end, or bytes that belong to no response.
    fn is_open(&mut self) -> bool {
        let Some(stream) = self.stream.get() else { return false };
        let mut byte = 0u8;
        // SAFETY: the descriptor is open as long as `stream` is, and one byte may be written to `byte`.
        let peeked =
            unsafe { libc::recv(stream.as_raw_fd(), (&raw mut byte).cast(), 1, libc::MSG_PEEK | libc::MSG_DONTWAIT) };
        peeked < 0 && io::Error::last_os_error().kind() == ErrorKind::WouldBlock
    }

    fn reset(&mut self) -> bool {
        self.buffer.reset()
    }
}
