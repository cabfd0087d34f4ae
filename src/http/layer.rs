//! What a connection's layers do beside what ureq's trait asks of a transport: TCP at the bottom, TLS over it or over a
//! proxy's tunnel.

use std::io::IoSlice;

use ureq::Error;
use ureq::unversioned::transport::Transport;

/// Why [`Layer::send`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SendOutcome {
    /// At least one byte of these was taken. The system may hold them still.
    Bytes(usize),
    /// Nothing was taken, and something came that [`Layer::take_input`] gets.
    InputAvailable,
}

/// What came without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InputState {
    /// Maybe nothing yet that means anything to the layer above.
    Received,
    /// The server sends no more.
    EndOfStream,
}

pub(super) trait Layer: Transport {
    /// Sends from where the bytes are, as much as is taken at once, and waits until any is. With `watch` it ends that
    /// wait for input, too: a server may refuse a long request before it has read it. After [`SendOutcome::InputAvailable`] the same
    /// bytes must be sent next.
    fn send(&mut self, parts: &[IoSlice], watch: bool) -> Result<SendOutcome, Error>;

    /// Takes in what has come, without waiting for more.
    fn take_input(&mut self) -> Result<InputState, Error>;

    /// Wipes the buffers and gives back the memory that an idle connection does not need; false if something waits in
    /// them, so that the connection is not to be kept.
    fn go_idle(&mut self) -> bool;
}

/// Sends all of it, without an eye on what comes.
pub(super) fn send_all<L: Layer + ?Sized>(layer: &mut L, bytes: &[u8]) -> Result<(), Error> {
    let mut rest = bytes;
    while !rest.is_empty() {
        if let SendOutcome::Bytes(sent) = layer.send(&[IoSlice::new(rest)], false)? {
            rest = &rest[sent..];
        }
    }
    Ok(())
}
