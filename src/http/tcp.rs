//! The socket: one system call to send, one to receive, and deadlines that cost a call only when they must.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport};
use ureq::{Error, Timeout};

use super::deadline::Deadline;
use super::failure::{Failure, Phase};

/// An answer's head has to fit in, so this is also its limit.
pub(super) const BUFFER: usize = 16 * 1024;

/// Many small events, or a few large vectors, come with fewer calls.
const INPUT: usize = 4 * BUFFER;

/// How much later than the deadline a wait may end, for the sake of not setting the socket's timeout in every call.
const SLACK: Duration = Duration::from_millis(20);

/// How long an address is tried that is not the last one: an address family that leads nowhere must not use up the call.
const MAX_TRY: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct TcpTransport {
    stream: TcpStream,
    buffers: LazyBuffers,
    deadline: Deadline,
    /// As they were last set on the socket.
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl TcpTransport {
    /// Tries the addresses in turn.
    pub fn connect(addresses: &[SocketAddr], deadline: &Deadline) -> Result<TcpTransport, Failure> {
        let mut last = None;
        for (number, address) in addresses.iter().enumerate() {
            let left = deadline.left().ok_or(Failure::Timeout(Phase::Connect))?;
            let is_last = number + 1 == addresses.len();
            let budget = if is_last { left } else { MAX_TRY.min(left / 2) };
            match TcpStream::connect_timeout(address, budget) {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(|error| Failure::of_io(&error, Phase::Connect))?;
                    return Ok(TcpTransport {
                        stream,
                        buffers: LazyBuffers::new(INPUT, BUFFER),
                        deadline: deadline.clone(),
                        read_timeout: None,
                        write_timeout: None,
                    });
                }
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) if error.kind() != ErrorKind::TimedOut => Err(Failure::of_io(&error, Phase::Connect)),
            _ => Err(Failure::Timeout(Phase::Connect)),
        }
    }
}

/// Clears what was received: some answers are tokens.
pub(super) fn wipe(buffers: &mut LazyBuffers) {
    let received = buffers.input().len();
    buffers.input_consume(received);
    let all = buffers.input_append_buf();
    all.fill(0);
    // Lest it is left out, since nothing reads it.
    std::hint::black_box(all);
}

/// The time to wait for now, after making sure that the socket waits no longer.
fn arm(
    deadline: &Deadline,
    armed: &mut Option<Duration>,
    set: impl FnOnce(Option<Duration>) -> io::Result<()>,
) -> Result<(), Error> {
    let left = deadline.left().ok_or(Error::Timeout(Timeout::Global))?;
    if armed.is_none_or(|armed| left + SLACK < armed || armed < left) {
        set(Some(left))?;
        *armed = Some(left);
    }
    Ok(())
}

/// Whether the socket's timeout ran out or a signal came: both mean to look at the deadline and go on.
fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

impl Drop for TcpTransport {
    fn drop(&mut self) {
        wipe(&mut self.buffers);
    }
}

impl Transport for TcpTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let mut rest = &self.buffers.output()[..amount];
        let mut has_left = false;
        while !rest.is_empty() {
            arm(&self.deadline, &mut self.write_timeout, |timeout| self.stream.set_write_timeout(timeout))?;
            match (&self.stream).write(rest) {
                Ok(sent) => {
                    rest = &rest[sent..];
                    has_left = true;
                }
                Err(error) if is_pause(&error) => {}
                // Only where none of it left may the same be sent elsewhere.
                Err(error) if has_left => return Err(Failure::Lost(error.to_string()).into()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        loop {
            arm(&self.deadline, &mut self.read_timeout, |timeout| self.stream.set_read_timeout(timeout))?;
            let free = self.buffers.input_append_buf();
            match (&self.stream).read(free) {
                Ok(received) => {
                    self.buffers.input_appended(received);
                    return Ok(received > 0);
                }
                Err(error) if is_pause(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Anything to read on an idle connection is its end, or bytes that nobody asked for.
    fn is_open(&mut self) -> bool {
        let mut byte = 0u8;
        // SAFETY: the descriptor is open as long as `stream` is, and one byte may be written to `byte`.
        let peeked = unsafe {
            libc::recv(self.stream.as_raw_fd(), (&raw mut byte).cast(), 1, libc::MSG_PEEK | libc::MSG_DONTWAIT)
        };
        peeked < 0 && io::Error::last_os_error().kind() == ErrorKind::WouldBlock
    }
}
