//! The socket: one system call to send, one to receive, and deadlines that cost a call only when they must.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport};

use super::deadline::Deadline;
use super::failure::{Failure, Limit, Phase};
use super::socket;
use crate::sync::current_process;

/// What is sent at once.
pub(super) const BUFFER: usize = 16 * 1024;

/// What may have come and not be understood yet. An answer's head has to fit in. Many small events, or a few large
/// vectors, come with fewer calls.
pub(super) const INPUT: usize = 4 * BUFFER;

/// How much later than the deadline a wait may end, for the sake of not setting the socket's timeout in every call.
const SLACK: Duration = Duration::from_millis(20);

/// Up to here the system ends a socket's wait late by a few milliseconds only.
const EXACT: Duration = Duration::from_millis(100);

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
    /// Whose connection it is.
    process: u32,
}

impl TcpTransport {
    /// Tries the addresses in turn.
    pub fn connect(addresses: &[SocketAddr], deadline: &Deadline) -> Result<TcpTransport, Failure> {
        deadline.enter(Phase::Connect);
        let mut last = None;
        for (number, address) in addresses.iter().enumerate() {
            let left = deadline.left()?;
            let is_last = number + 1 == addresses.len();
            let connected = if is_last {
                socket::connect(address, deadline)
            } else {
                let until = Instant::now() + MAX_TRY.min(left / 2);
                socket::connect(address, &Deadline::new(until, deadline.token().as_ref()))
            };
            match connected {
                Ok(stream) => {
                    return Ok(TcpTransport {
                        stream,
                        buffers: LazyBuffers::new(INPUT, BUFFER),
                        deadline: deadline.clone(),
                        read_timeout: None,
                        write_timeout: None,
                        process: current_process(),
                    });
                }
                Err(Failure::Cancelled(phase)) => return Err(Failure::Cancelled(phase)),
                Err(failure) => last = Some(failure),
            }
        }
        Err(last.unwrap_or(Failure::Timeout(Limit::Total, Phase::Connect)))
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

/// Makes sure that a call on the socket waits no longer than it may.
fn arm(
    deadline: &Deadline,
    armed: &mut Option<Duration>,
    set: impl FnOnce(Option<Duration>) -> io::Result<()>,
) -> Result<(), Error> {
    let left = deadline.left()?;
    // One that is too short only wakes the call up. The system may end a long one late by an eighth of it.
    if armed.is_none_or(|armed| left + SLACK < armed + armed / 7) {
        let most = if left > EXACT { left / 4 * 3 } else { left };
        set(Some(most))?;
        *armed = Some(most);
    }
    Ok(())
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
        wipe(&mut self.buffers);
        // A process that was forked meanwhile has the socket as well, and would keep the connection open. Its own end
        // of it says nothing.
        if self.process == current_process() {
            let _ = self.stream.shutdown(Shutdown::Both);
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
        let mut rest = &self.buffers.output()[..amount];
        let mut has_left = false;
        let can_be_cancelled = self.deadline.can_be_cancelled();
        while !rest.is_empty() {
            let sent = if can_be_cancelled {
                self.deadline.left()?;
                // SAFETY: the bytes are there as long as the call lasts.
                counted(unsafe { libc::send(self.stream.as_raw_fd(), rest.as_ptr().cast(), rest.len(), AT_ONCE) })
            } else {
                arm(&self.deadline, &mut self.write_timeout, |timeout| self.stream.set_write_timeout(timeout))?;
                (&self.stream).write(rest)
            };
            match sent {
                Ok(sent) => {
                    rest = &rest[sent..];
                    has_left = true;
                }
                Err(error) if is_pause(&error) => {
                    self.write_timeout = None;
                    if can_be_cancelled {
                        self.deadline.ready(self.stream.as_raw_fd(), libc::POLLOUT)?;
                    }
                }
                // Only where none of it left may the same be sent elsewhere.
                Err(error) if has_left => {
                    return Err(Failure::Lost(error.to_string(), self.deadline.phase()).into());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let can_be_cancelled = self.deadline.can_be_cancelled();
        loop {
            let received = if can_be_cancelled {
                self.deadline.ready(self.stream.as_raw_fd(), libc::POLLIN)?;
                let free = self.buffers.input_append_buf();
                // SAFETY: there is room for as many bytes.
                counted(unsafe { libc::recv(self.stream.as_raw_fd(), free.as_mut_ptr().cast(), free.len(), AT_ONCE) })
            } else {
                arm(&self.deadline, &mut self.read_timeout, |timeout| self.stream.set_read_timeout(timeout))?;
                (&self.stream).read(self.buffers.input_append_buf())
            };
            match received {
                Ok(received) => {
                    self.buffers.input_appended(received);
                    return Ok(received > 0);
                }
                Err(error) if is_pause(&error) => self.read_timeout = None,
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
