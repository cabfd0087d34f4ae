//! One connection, and one exchange on it at a time.

use std::fmt;

use ureq::Error;
use ureq::unversioned::transport::{NextTimeout, Transport};

use super::deadline::Deadline;
use super::failure::{Failure, Phase};
use super::head::{self, Head};

pub(super) struct Connection {
    transport: Box<dyn Transport>,
    /// The one that the socket below the transport looks at.
    pub deadline: Deadline,
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
    pub fn new(transport: Box<dyn Transport>, deadline: Deadline) -> Connection {
        Connection { transport, deadline }
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
            let sent = self.transport.transmit_output(of_head + of_body, NextTimeout::default());
            // It holds the client's credentials, and maybe other people's.
            self.transport.buffers().output()[..of_head + of_body].fill(0);
            sent.map_err(|error| NotSent { is_unseen: is_unseen && is_refused(&error), failure: self.failure(error) })?;
            is_unseen = false;
        }
        Ok(())
    }

    /// Waits until anything of an answer has come, or the server has closed.
    pub fn await_first_byte(&mut self) -> Result<(), Failure> {
        if self.input().is_empty() { self.more().map(drop) } else { Ok(()) }
    }

    /// Waits for the head of the answer, which may have so many bytes.
    pub fn receive_head(&mut self, limit: usize) -> Result<Head, Failure> {
        loop {
            let input = self.transport.buffers().input();
            let input = &input[..input.len().min(limit)];
            if let Some((head, used)) = head::response(input).map_err(Failure::Protocol)? {
                self.transport.buffers().input_consume(used);
                return Ok(head);
            }
            let is_first = input.is_empty();
            if input.len() >= limit {
                return Err(Failure::HeadTooLarge(limit));
            }
            if !self.more()? {
                let (when, phase) = if is_first {
                    ("before it answered", Phase::Wait)
                } else {
                    ("in the middle of the answer's head", Phase::Read)
                };
                return Err(Failure::Lost(format!("the server closed it {when}"), phase));
            }
        }
    }

    /// What lies below, for another use of it.
    pub fn into_transport(self) -> Box<dyn Transport> {
        self.transport
    }

    /// What came and was not yet passed over.
    pub fn input(&mut self) -> &[u8] {
        self.transport.buffers().input()
    }

    pub fn consume(&mut self, amount: usize) {
        self.transport.buffers().input_consume(amount);
    }

    /// Waits for more input; false if the server has closed.
    pub fn more(&mut self) -> Result<bool, Failure> {
        self.transport.await_input(NextTimeout::default()).map_err(|error| self.failure(error))
    }

    fn failure(&self, error: Error) -> Failure {
        Failure::of(error, self.deadline.phase())
    }
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
