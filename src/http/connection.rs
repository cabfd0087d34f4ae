//! One connection, which carries one exchange at a time.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::time::{Duration, Instant};

use super::deadline::Deadline;
use super::error::{Phase, TransportError};
use super::head::{self, Head};
use super::layer::{InputState, Layer, SendOutcome};

/// A reused connection that is lost this soon after a request was most likely closed by the server as idle. On slow
/// connections two round trips count instead.
const MAX_IDLE_LOSS: Duration = Duration::from_millis(250);

pub(super) struct Connection {
    layer: Box<dyn Layer>,
    round_trip: Duration,
    /// When the connection became ready for the current request.
    pub ready: Instant,
    /// Whether the connection has carried another request.
    is_reused: bool,
}

/// Shows nothing: the buffers hold headers and prompts.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

/// Why a request was not sent to its end.
pub(super) struct SendFailure {
    pub error: TransportError,
    /// Whether the server had closed the connection before the first byte was sent.
    pub was_closed: bool,
}

impl Connection {
    /// `round_trip` is how long the server, or the proxy before it, takes to reply to a packet.
    pub fn new(layer: Box<dyn Layer>, round_trip: Duration) -> Connection {
        Connection { layer, round_trip, ready: Instant::now(), is_reused: false }
    }

    /// Prepares an idle connection for another request.
    pub fn reuse(&mut self) {
        (self.ready, self.is_reused) = (Instant::now(), true);
    }

    pub fn is_open(&mut self) -> bool {
        self.layer.is_open()
    }

    /// Wipes the buffers. Returns false if the server sent more than a response: then the connection must not be
    /// reused.
    pub fn reset(&mut self) -> bool {
        self.layer.reset()
    }

    /// Returns the layer on top, for another connection over it.
    pub fn into_layer(self) -> Box<dyn Layer> {
        self.layer
    }

    pub fn round_trip(&self) -> Duration {
        self.round_trip
    }

    /// Sends a request, which is in two parts. If the server rejects it before all of it is sent, sending fails, and
    /// the response is in the input.
    pub fn send(&mut self, first: &[u8], second: &[u8], deadline: &Deadline) -> Result<(), SendFailure> {
        let (mut first, mut second) = (first, second);
        let (mut has_sent, mut stop_on_input) = (false, true);
        let lost = |why: &str| TransportError::Lost(why.to_owned(), Phase::Send);
        let failure = |error| SendFailure { error, was_closed: false };
        while !first.is_empty() || !second.is_empty() {
            let parts = [IoSlice::new(first), IoSlice::new(second)];
            let parts = if first.is_empty() { &parts[1..] } else { &parts[..1 + usize::from(!second.is_empty())] };
            match self.layer.send(parts, stop_on_input, deadline) {
                Ok(SendOutcome::Sent(sent)) => {
                    has_sent = true;
                    let of_first = sent.min(first.len());
                    (first, second) = (&first[of_first..], &second[sent - of_first..]);
                    if !(first.is_empty() && second.is_empty()) {
                        deadline.remaining().map_err(failure)?;
                    }
                }
                Ok(SendOutcome::InputAvailable) => match self.layer.receive_available(deadline) {
                    Ok(_) if self.has_error_response() => {
                        return Err(failure(lost("the server rejected the request before all of it was sent")));
                    }
                    Ok(InputState::Open) => stop_on_input = !self.layer.input().free().is_empty(),
                    Ok(InputState::EndOfStream) => {
                        return Err(failure(lost("the server closed it before sending a response")));
                    }
                    Err(error) => return Err(failure(TransportError::from_io(error, deadline.phase()))),
                },
                Err(error) => {
                    let was_closed = !has_sent && is_closed(&error);
                    return Err(SendFailure { error: TransportError::from_io(error, deadline.phase()), was_closed });
                }
            }
        }
        Ok(())
    }

    /// Returns whether a response has arrived that makes the rest of the request useless.
    fn has_error_response(&mut self) -> bool {
        matches!(head::response(self.input()), Ok(Some((head, _))) if !head.is_success())
    }

    /// Returns the error, or [`TransportError::LostIdle`] if the connection was reused and lost soon after the request.
    pub fn idle_loss_or(&self, error: TransportError) -> TransportError {
        let soon = MAX_IDLE_LOSS.max(2 * self.round_trip);
        match error {
            TransportError::Lost(why, Phase::Send | Phase::Wait) if self.is_reused && self.ready.elapsed() <= soon => {
                TransportError::LostIdle(why)
            }
            other => other,
        }
    }

    /// Waits until the first byte of the response has arrived, or the server has closed the connection. Returns when.
    pub fn await_first_byte(&mut self, deadline: &Deadline) -> Result<Instant, TransportError> {
        if self.input().is_empty() {
            self.receive(deadline)?;
        }
        Ok(Instant::now())
    }

    /// Receives the head of the response, which may have at most `limit` bytes.
    pub fn receive_head(&mut self, limit: usize, deadline: &Deadline) -> Result<Head, TransportError> {
        loop {
            let input = self.input();
            let input = &input[..input.len().min(limit)];
            if let Some((head, length)) = head::response(input)? {
                self.consume(length);
                return Ok(head);
            }
            let is_first = input.is_empty();
            if input.len() >= limit {
                return Err(TransportError::HeadTooLarge(limit));
            }
            if !self.receive(deadline)? {
                let (when, phase) = if is_first {
                    ("before sending a response", Phase::Wait)
                } else {
                    ("in the middle of the response head", Phase::Read)
                };
                return Err(TransportError::Lost(format!("the server closed it {when}"), phase));
            }
        }
    }

    /// Returns the bytes that were received and not consumed.
    pub fn input(&mut self) -> &[u8] {
        self.layer.input().unread()
    }

    pub fn consume(&mut self, amount: usize) {
        self.layer.input().consume(amount);
    }

    /// Waits for more input. Returns false if the server has closed the connection.
    pub fn receive(&mut self, deadline: &Deadline) -> Result<bool, TransportError> {
        match self.layer.receive(deadline) {
            Ok(state) => Ok(state == InputState::Open),
            Err(error) => Err(TransportError::from_io(error, deadline.phase())),
        }
    }
}

/// Returns whether the server had closed the connection, so that it did not receive the bytes.
fn is_closed(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected)
}
