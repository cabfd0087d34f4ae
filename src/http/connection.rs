//! One connection, and one exchange on it at a time.

use std::fmt;
use std::io::IoSlice;
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::unversioned::transport::NextTimeout;

use super::deadline::Deadline;
use super::error::{Phase, TransportError};
use super::head::{self, Head, HeadError, MAX_HEADERS};
use super::layer::{InputState, Layer, SendOutcome};

/// How soon after a request the loss of a connection that was idle means that the server had closed it as idle, where
/// two round trips are shorter.
const MAX_IDLE_LOSS: Duration = Duration::from_millis(250);

pub(super) struct Connection {
    layer: Box<dyn Layer>,
    /// The one that the socket below looks at.
    pub deadline: Deadline,
    round_trip: Duration,
    /// Since when the request under way can be sent.
    pub ready: Instant,
    /// Whether the connection was idle before.
    is_reused: bool,
}

/// The buffers hold headers and prompts, so none of it is shown.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

/// Why a request did not leave.
pub(super) struct NotSent {
    pub failure: TransportError,
    /// Whether the server cannot have seen any of it.
    pub is_unseen: bool,
}

impl Connection {
    /// `round_trip` is how long the server takes for an exchange of packets.
    pub fn new(layer: Box<dyn Layer>, deadline: Deadline, round_trip: Duration) -> Connection {
        Connection { layer, deadline, round_trip, ready: Instant::now(), is_reused: false }
    }

    /// Makes an idle connection ready for another request.
    pub fn reuse(&mut self) {
        (self.ready, self.is_reused) = (Instant::now(), true);
    }

    pub fn is_open(&mut self) -> bool {
        self.layer.is_open()
    }

    /// Gives back memory; false if the server sent more than a response, so that the connection is not to be kept.
    pub fn go_idle(&mut self) -> bool {
        self.layer.go_idle()
    }

    /// Sends a message in two parts. Where the server refuses it before it has read it, that is a failure to send, and
    /// the refusal is in the input.
    pub fn send(&mut self, first: &[u8], second: &[u8]) -> Result<(), NotSent> {
        let (mut first, mut second) = (first, second);
        let (mut is_unseen, mut watch) = (true, true);
        while !first.is_empty() || !second.is_empty() {
            let parts = [IoSlice::new(first), IoSlice::new(second)];
            let parts = if first.is_empty() { &parts[1..] } else { &parts[..1 + usize::from(!second.is_empty())] };
            let failed = |failure, is_unseen| Err(NotSent { failure, is_unseen });
            match self.layer.send(parts, watch) {
                Ok(SendOutcome::Bytes(sent)) => {
                    is_unseen = false;
                    let of_first = sent.min(first.len());
                    (first, second) = (&first[of_first..], &second[sent - of_first..]);
                    if !(first.is_empty() && second.is_empty()) {
                        self.deadline.left().map_err(|failure| NotSent { failure, is_unseen })?;
                    }
                }
                Ok(SendOutcome::InputAvailable) => match self.layer.take_input() {
                    Ok(_) if self.is_refused() => {
                        let why = "the server refused it before it was sent";
                        return failed(TransportError::Lost(why.to_owned(), Phase::Send), false);
                    }
                    Ok(InputState::Received) => watch = !self.layer.buffers().input_append_buf().is_empty(),
                    Ok(InputState::EndOfStream) => {
                        let why = "the server closed it before it answered";
                        return failed(TransportError::Lost(why.to_owned(), Phase::Send), false);
                    }
                    Err(error) => return failed(self.failure(error), false),
                },
                Err(error) => {
                    let is_unseen = is_unseen && is_closed(&error);
                    return failed(self.failure(error), is_unseen);
                }
            }
        }
        Ok(())
    }

    /// Whether the response that came already makes the rest of the request useless.
    fn is_refused(&mut self) -> bool {
        let input = self.layer.buffers().input();
        matches!(head::response(input), Ok(Some((head, _))) if !(200..300).contains(&head.status))
    }

    /// The same failure, unless the connection was idle before and broke so soon that the server had closed it as idle.
    pub fn as_idle_loss(&self, failure: TransportError) -> TransportError {
        let soon = MAX_IDLE_LOSS.max(2 * self.round_trip);
        match failure {
            TransportError::Lost(why, Phase::Send | Phase::Wait) if self.is_reused && self.ready.elapsed() <= soon => {
                TransportError::LostIdle(why)
            }
            other => other,
        }
    }

    /// Waits until anything of an answer has come, or the server has closed.
    pub fn await_first_byte(&mut self) -> Result<(), TransportError> {
        if self.input().is_empty() { self.more().map(drop) } else { Ok(()) }
    }

    /// Waits for the head of the answer, which may have so many bytes.
    pub fn receive_head(&mut self, limit: usize) -> Result<Head, TransportError> {
        loop {
            let input = self.layer.buffers().input();
            let input = &input[..input.len().min(limit)];
            match head::response(input) {
                Ok(Some((head, used))) => {
                    self.layer.buffers().input_consume(used);
                    return Ok(head);
                }
                Ok(None) => {}
                Err(HeadError::Wrong(why)) => return Err(TransportError::Protocol(why)),
                Err(HeadError::TooManyHeaders) => return Err(TransportError::TooManyHeaders(MAX_HEADERS)),
            }
            let is_first = input.is_empty();
            if input.len() >= limit {
                return Err(TransportError::HeadTooLarge(limit));
            }
            if !self.more()? {
                let (when, phase) = if is_first {
                    ("before it answered", Phase::Wait)
                } else {
                    ("in the middle of the answer's head", Phase::Read)
                };
                return Err(TransportError::Lost(format!("the server closed it {when}"), phase));
            }
        }
    }

    /// What lies below, for another use of it.
    pub fn into_layer(self) -> Box<dyn Layer> {
        self.layer
    }

    /// What came and was not yet passed over.
    pub fn input(&mut self) -> &[u8] {
        self.layer.buffers().input()
    }

    pub fn consume(&mut self, amount: usize) {
        self.layer.buffers().input_consume(amount);
    }

    /// Waits for more input; false if the server has closed.
    pub fn more(&mut self) -> Result<bool, TransportError> {
        self.layer.await_input(NextTimeout::default()).map_err(|error| self.failure(error))
    }

    fn failure(&self, error: Error) -> TransportError {
        TransportError::of(error, self.deadline.phase())
    }
}

/// Whether the server had closed the connection before, so that none of the bytes left.
fn is_closed(error: &Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    let Error::Io(error) = error else { return false };
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected)
}
