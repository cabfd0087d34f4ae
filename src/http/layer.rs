//! The layers of a connection: TCP at the bottom, and TLS over TCP or over a proxy's tunnel.

use std::io::{self, IoSlice};

use super::deadline::Deadline;
use super::input_buffer::InputBuffer;

/// Why [`Layer::send`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SendOutcome {
    /// This many bytes were accepted, at least one. The system may still hold them.
    Sent(usize),
    /// Nothing was accepted, and there is input for [`Layer::receive_available`].
    InputAvailable,
}

/// Whether the server may send more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InputState {
    Open,
    EndOfStream,
}

/// A failure of our own, such as an expired deadline, is a [`TransportError`](super::error::TransportError) inside of
/// the [`io::Error`].
pub(super) trait Layer: Send + Sync {
    /// Returns the buffer of received bytes.
    fn input(&mut self) -> &mut InputBuffer;

    /// Sends bytes from `parts`, as many as are accepted at once, and waits until at least one is. With
    /// `stop_on_input`, input ends the wait, too: a server may reject a long request before it has read all of it.
    /// After [`SendOutcome::InputAvailable`] the same bytes must be sent next.
    fn send(&mut self, parts: &[IoSlice], stop_on_input: bool, deadline: &Deadline) -> io::Result<SendOutcome>;

    /// Waits for input. On [`InputState::Open`] there is more of it than before.
    fn receive(&mut self, deadline: &Deadline) -> io::Result<InputState>;

    /// Receives what has arrived, without waiting for more. On [`InputState::Open`] that may be nothing yet.
    fn receive_available(&mut self, deadline: &Deadline) -> io::Result<InputState>;

    /// Returns whether the server has neither closed an idle connection nor sent anything on it.
    fn is_open(&mut self) -> bool;

    /// Wipes the buffers, and frees the memory that an idle connection does not need. Returns false if a buffer holds
    /// input: such a connection must not be reused.
    fn reset(&mut self) -> bool;
}
