//! The TLS layer, over TCP or over a proxy's tunnel.

use std::io::{self, ErrorKind, IoSlice, Read, Write};

use rustls::ClientConnection;

use super::deadline::Deadline;
use super::error::{Phase, TransportError};
use super::input_buffer::InputBuffer;
use super::layer::{InputState, Layer, SendOutcome};

/// The length of a record's header: its type, version and length (RFC 8446, 5.1).
const RECORD_HEADER: usize = 5;

pub(super) struct TlsTransport {
    client: ClientConnection,
    records: Records,
    buffer: InputBuffer,
    /// How many bytes of the request are encrypted, but not yet sent to the end of their records.
    pending: usize,
    /// Whether any of the pending records was sent.
    has_sent: bool,
}

impl TlsTransport {
    /// Makes the handshake.
    pub fn handshake(
        mut client: ClientConnection,
        below: Box<dyn Layer>,
        deadline: &Deadline,
    ) -> Result<TlsTransport, TransportError> {
        let mut records = Records { below, framing: RecordFraming::default() };
        client.complete_io(&mut records.io(deadline)).map_err(|error| TransportError::from_io(error, Phase::Tls))?;
        Ok(TlsTransport { client, records, buffer: InputBuffer::default(), pending: 0, has_sent: false })
    }

    /// Moves decrypted bytes into the buffer, as many as there are and fit.
    fn take_plaintext(&mut self) -> io::Result<InputState> {
        let free = self.buffer.free();
        match self.client.reader().read(free) {
            Ok(0) if !free.is_empty() => Ok(InputState::EndOfStream),
            Ok(received) => {
                self.buffer.add(received);
                Ok(InputState::Open)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(InputState::Open),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                let why = "the server closed it without a TLS close_notify, so the end may be missing";
                Err(io::Error::new(ErrorKind::UnexpectedEof, why))
            }
            Err(error) => Err(error),
        }
    }

    /// Reads records from the layer below and decrypts them. Sends what TLS itself has to reply.
    fn read_records(&mut self, deadline: &Deadline) -> io::Result<()> {
        self.client.read_tls(&mut self.records.io(deadline))?;
        let processed =
            self.client.process_new_packets().map_err(|error| io::Error::new(ErrorKind::InvalidData, error));
        // After a failure this is the alert that reports it to the server.
        while self.client.wants_write() {
            match self.client.write_tls(&mut self.records.io(deadline)) {
                Ok(_) => {}
                Err(_) if processed.is_err() => break,
                Err(error) => return Err(error),
            }
        }
        processed.map(drop)
    }
}

impl Layer for TlsTransport {
    fn input(&mut self) -> &mut InputBuffer {
        &mut self.buffer
    }

    fn send(&mut self, parts: &[IoSlice], stop_on_input: bool, deadline: &Deadline) -> io::Result<SendOutcome> {
        if self.pending == 0 {
            self.pending = self.client.writer().write_vectored(parts)?;
            self.has_sent = false;
        }
        while self.client.wants_write() {
            let mut io = RecordIo { stop_on_input, ..self.records.io(deadline) };
            let written = self.client.write_tls(&mut io);
            self.has_sent |= io.has_sent;
            match written {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(SendOutcome::InputAvailable),
                // Not the system's error, after which a request is sent again if none of it was sent.
                Err(error) if self.has_sent => return Err(TransportError::from_io(error, Phase::Send).into()),
                Err(error) => return Err(error),
            }
        }
        Ok(SendOutcome::Sent(std::mem::take(&mut self.pending)))
    }

    fn receive(&mut self, deadline: &Deadline) -> io::Result<InputState> {
        let before = self.buffer.unread().len();
        loop {
            let state = self.take_plaintext()?;
            if state == InputState::EndOfStream || self.buffer.unread().len() > before {
                return Ok(state);
            }
            self.read_records(deadline)?;
        }
    }

    fn receive_available(&mut self, deadline: &Deadline) -> io::Result<InputState> {
        let state = self.records.below.receive_available(deadline)?;
        while !self.records.below.input().unread().is_empty() && !self.buffer.free().is_empty() {
            self.read_records(deadline)?;
            self.take_plaintext()?;
        }
        Ok(state)
    }

    /// Bytes that no request asked for may also be in one of the layers.
    fn is_open(&mut self) -> bool {
        let is_quiet = self
            .client
            .process_new_packets()
            .is_ok_and(|state| state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed());
        is_quiet && self.records.are_complete() && self.records.below.is_open()
    }

    fn reset(&mut self) -> bool {
        self.buffer.reset() && self.records.below.reset()
    }
}

/// The layer below TLS, which carries records.
struct Records {
    below: Box<dyn Layer>,
    framing: RecordFraming,
}

impl Records {
    fn io<'a>(&'a mut self, deadline: &'a Deadline<'a>) -> RecordIo<'a> {
        let Records { below, framing } = self;
        RecordIo { below: below.as_mut(), framing, deadline, stop_on_input: false, has_sent: false }
    }

    /// Returns whether rustls has read all received records to their ends.
    fn are_complete(&mut self) -> bool {
        self.framing.is_between_records() && self.below.input().unread().is_empty()
    }
}

/// Follows where records end. rustls does not report whether it holds the first part of one.
#[derive(Default)]
struct RecordFraming {
    header: [u8; RECORD_HEADER],
    header_len: usize,
    /// How many bytes of the record are to come.
    left: usize,
}

impl RecordFraming {
    fn is_between_records(&self) -> bool {
        self.header_len == 0 && self.left == 0
    }

    fn follow(&mut self, mut bytes: &[u8]) {
        while let Some(byte) = bytes.first() {
            if self.left > 0 {
                let passed = self.left.min(bytes.len());
                self.left -= passed;
                bytes = &bytes[passed..];
            } else {
                self.header[self.header_len] = *byte;
                self.header_len += 1;
                bytes = &bytes[1..];
                if self.header_len == RECORD_HEADER {
                    self.header_len = 0;
                    self.left = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
                }
            }
        }
    }
}

/// Lets rustls read and write records until a deadline. Made for one call of rustls.
struct RecordIo<'a> {
    below: &'a mut dyn Layer,
    framing: &'a mut RecordFraming,
    deadline: &'a Deadline<'a>,
    /// Whether to stop sending when input arrives; the write then fails with [`ErrorKind::WouldBlock`].
    stop_on_input: bool,
    has_sent: bool,
}

impl Read for RecordIo<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.below.input().unread().is_empty() {
            self.below.receive(self.deadline)?;
        }
        let input = self.below.input();
        let received = input.unread().len().min(buffer.len());
        buffer[..received].copy_from_slice(&input.unread()[..received]);
        input.consume(received);
        self.framing.follow(&buffer[..received]);
        Ok(received)
    }
}

impl Write for RecordIo<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    /// Sends all records that are ready at once.
    fn write_vectored(&mut self, parts: &[IoSlice]) -> io::Result<usize> {
        match self.below.send(parts, self.stop_on_input, self.deadline)? {
            SendOutcome::Sent(sent) => {
                self.has_sent = true;
                Ok(sent)
            }
            SendOutcome::InputAvailable => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::error::Limit;
    use super::super::tls::Tls;
    use super::*;
    use crate::sync::CancelTokens;

    /// Accepts some bytes, and fails afterwards.
    struct FailingLayer {
        accepted: usize,
        error: fn() -> io::Error,
        buffer: InputBuffer,
    }

    impl Layer for FailingLayer {
        fn input(&mut self) -> &mut InputBuffer {
            &mut self.buffer
        }

        fn send(&mut self, _: &[IoSlice], _: bool, _: &Deadline) -> io::Result<SendOutcome> {
            match std::mem::take(&mut self.accepted) {
                0 => Err((self.error)()),
                accepted => Ok(SendOutcome::Sent(accepted)),
            }
        }

        fn receive(&mut self, _: &Deadline) -> io::Result<InputState> {
            Ok(InputState::EndOfStream)
        }

        fn receive_available(&mut self, _: &Deadline) -> io::Result<InputState> {
            Ok(InputState::EndOfStream)
        }

        fn is_open(&mut self) -> bool {
            false
        }

        fn reset(&mut self) -> bool {
            false
        }
    }

    /// Sends the first record of a connection.
    fn send(accepted: usize, error: fn() -> io::Error) -> io::Error {
        let below = FailingLayer { accepted, error, buffer: InputBuffer::default() };
        let mut transport = TlsTransport {
            client: Tls::default().client("gateway.example").unwrap(),
            records: Records { below: Box::new(below), framing: RecordFraming::default() },
            buffer: InputBuffer::default(),
            pending: 0,
            has_sent: false,
        };
        let tokens = CancelTokens::default();
        let deadline = Deadline::new(Instant::now() + Duration::from_secs(5), Limit::Total, &tokens);
        transport.send(&[IoSlice::new(b"GET / HTTP/1.1\r\n\r\n")], true, &deadline.in_phase(Phase::Send)).unwrap_err()
    }

    #[test]
    fn only_an_unsent_request_fails_with_the_error_of_the_system() {
        let broken = || ErrorKind::BrokenPipe.into();
        assert_eq!(send(0, broken).kind(), ErrorKind::BrokenPipe);
        let partly_sent = send(10, broken);
        assert_eq!(partly_sent.kind(), ErrorKind::Other);
        assert!(matches!(TransportError::from_io(partly_sent, Phase::Send), TransportError::Lost(_, Phase::Send)));
    }

    #[test]
    fn deadline_that_expires_within_a_record_is_a_timeout() {
        const TIMEOUT: TransportError = TransportError::Timeout(Limit::Total, Phase::Send);
        for accepted in [0, 10] {
            let error = send(accepted, || TIMEOUT.into());
            assert_eq!(TransportError::from_io(error, Phase::Send), TIMEOUT, "{accepted}");
        }
    }
}
