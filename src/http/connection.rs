//! One connection, and one exchange on it at a time.

use std::fmt;
use std::time::Instant;

use ureq::Error;
use ureq::unversioned::transport::{NextTimeout, Transport};

use super::agent::Reply;
use super::body::{Body, Step};
use super::deadline::Deadline;
use super::failure::{Failure, Phase};
use super::head::{self, Head};
use super::tcp::BUFFER;

/// The longest answer that is read; an answer is text or vectors, so a longer one is a fault.
const MAX_ANSWER: usize = 256 * 1024 * 1024;

/// As much of a refusal as is kept.
const MAX_REFUSAL: usize = 64 * 1024;

/// As much as is reserved for an answer on the server's word alone.
const MAX_RESERVED: u64 = 1024 * 1024;

pub(super) struct Connection {
    transport: Box<dyn Transport>,
    deadline: Deadline,
}

/// The transport's buffers hold headers and prompts, so none of it is shown.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

/// Why a request did not leave.
pub(super) struct NotSent {
    pub failure: Failure,
    /// Whether the server cannot have seen any of it.
    pub is_unseen: bool,
}

impl Connection {
    /// `deadline` is the one that the socket below the transport looks at.
    pub fn new(transport: Box<dyn Transport>, deadline: Deadline) -> Connection {
        Connection { transport, deadline }
    }

    pub fn begin(&self, deadline: Instant) {
        self.deadline.set(deadline);
    }

    pub fn is_open(&mut self) -> bool {
        self.transport.buffers().input().is_empty() && self.transport.is_open()
    }

    /// Sends head and body, in one packet if they fit.
    pub fn send(&mut self, head: &[u8], body: &[u8]) -> Result<(), NotSent> {
        let (mut head, mut body) = (head, body);
        let mut is_unseen = true;
        while !head.is_empty() || !body.is_empty() {
            let output = self.transport.buffers().output();
            let of_head = fill(output, &mut head);
            let of_body = fill(&mut output[of_head..], &mut body);
            self.transport
                .transmit_output(of_head + of_body, NextTimeout::default())
                .map_err(|error| NotSent { is_unseen: is_unseen && is_refused(&error), failure: failure(error) })?;
            is_unseen = false;
        }
        Ok(())
    }

    /// Reads the answer, and says whether the connection can be used again.
    pub fn receive(&mut self) -> Result<(Reply, bool), Failure> {
        let head = self.receive_head()?;
        let mut reply =
            Reply { status: head.status, body: Vec::new(), retry_after: head.retry_after, location: head.location };
        let limit = if reply.is_success() { MAX_ANSWER } else { MAX_REFUSAL };
        let mut body = Body::new(head.framing);
        if reply.is_success() && body.expected().is_some_and(|expected| expected > limit as u64) {
            return Err(Failure::TooLarge(limit));
        }
        match self.receive_body(&mut body, &mut reply.body, limit) {
            Ok(()) => Ok((reply, head.keep_alive)),
            // A refusal's status says enough, whatever became of the rest of its text.
            Err(_) if !reply.is_success() => Ok((reply, false)),
            Err(failure) => Err(failure),
        }
    }

    fn receive_head(&mut self) -> Result<Head, Failure> {
        loop {
            let input = self.transport.buffers().input();
            if let Some((head, used)) = head::response(input).map_err(Failure::Protocol)? {
                self.transport.buffers().input_consume(used);
                return Ok(head);
            }
            let is_first = input.is_empty();
            if input.len() >= BUFFER {
                return Err(Failure::Protocol(format!("a head of more than {BUFFER} bytes")));
            }
            if !self.more()? {
                let when = if is_first { "before it answered" } else { "in the middle of the answer's head" };
                return Err(Failure::Lost(format!("the server closed it {when}")));
            }
        }
    }

    fn receive_body(&mut self, body: &mut Body, to: &mut Vec<u8>, limit: usize) -> Result<(), Failure> {
        reserve(to, body.expected().unwrap_or_default().min(MAX_RESERVED) as usize)?;
        loop {
            let input = self.transport.buffers().input();
            let used = match body.step(input).map_err(|why| Failure::Protocol(why.to_owned()))? {
                Step::Data(range) => {
                    let used = range.end;
                    let data = &input[range];
                    let room = limit - to.len();
                    if data.len() > room {
                        reserve(to, room)?;
                        to.extend_from_slice(&data[..room]);
                        return Err(Failure::TooLarge(limit));
                    }
                    reserve(to, data.len())?;
                    to.extend_from_slice(data);
                    used
                }
                Step::Skip(used) => used,
                Step::End => return Ok(()),
                Step::More if input.len() >= BUFFER => {
                    return Err(Failure::Protocol(format!("a line of more than {BUFFER} bytes")));
                }
                Step::More => {
                    if !self.more()? {
                        return if body.may_end() {
                            Ok(())
                        } else {
                            Err(Failure::Lost("the server closed it in the middle of the answer".to_owned()))
                        };
                    }
                    0
                }
            };
            self.transport.buffers().input_consume(used);
        }
    }

    /// Waits for more input; false if the server has closed.
    fn more(&mut self) -> Result<bool, Failure> {
        self.transport.await_input(NextTimeout::default()).map_err(failure)
    }
}

fn failure(error: Error) -> Failure {
    Failure::of(error, Phase::Exchange)
}

/// The server says how long its answer is, so there may be no memory for it.
fn reserve(to: &mut Vec<u8>, more: usize) -> Result<(), Failure> {
    to.try_reserve(more).map_err(|_| Failure::OutOfMemory(to.len() + more))
}

/// Whether the server had closed the connection before, so that none of the bytes left.
fn is_refused(error: &Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    let Error::Io(error) = error else { return false };
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected)
}

/// Moves as much as fits.
fn fill(output: &mut [u8], from: &mut &[u8]) -> usize {
    let amount = from.len().min(output.len());
    output[..amount].copy_from_slice(&from[..amount]);
    *from = &from[amount..];
    amount
}
