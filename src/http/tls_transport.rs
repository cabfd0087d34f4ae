//! TLS over a socket, or over a proxy's tunnel.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice, Read, Write};

use rustls::ClientConnection;
use ureq::Error;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

use super::buffers::ConnectionBuffers;
use super::error::{Phase, TransportError};
use super::layer::{InputState, Layer, SendOutcome, send_all};

/// The head of a record: its type, version and length (RFC 8446, 5.1).
const RECORD_HEAD: usize = 5;

pub(super) struct TlsTransport {
    client: ClientConnection,
    records: Records,
    buffers: ConnectionBuffers,
    /// So many bytes of a request were encrypted whose records have not all been sent.
    pending: usize,
}

/// What it holds is not to be seen.
impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}

impl TlsTransport {
    /// Shakes hands.
    pub fn open(mut client: ClientConnection, below: Box<dyn Layer>) -> Result<TlsTransport, TransportError> {
        let mut records =
            Records { below, watch: false, has_sent: false, head: [0; RECORD_HEAD], head_len: 0, left: 0 };
        client.complete_io(&mut records).map_err(|error| TransportError::of(Error::from(error), Phase::Tls))?;
        Ok(TlsTransport { client, records, buffers: ConnectionBuffers::default(), pending: 0 })
    }

    /// Moves what was decrypted into the buffer, as far as there is any, and room for it.
    fn take_plaintext(&mut self) -> io::Result<InputState> {
        let free = self.buffers.input_append_buf();
        match self.client.reader().read(free) {
            Ok(0) if !free.is_empty() => Ok(InputState::EndOfStream),
            Ok(received) => {
                self.buffers.input_appended(received);
                Ok(InputState::Received)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(InputState::Received),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                let why = "the server closed it without saying so by TLS, so that the end may be missing";
                Err(io::Error::new(ErrorKind::UnexpectedEof, why))
            }
            Err(error) => Err(error),
        }
    }

    /// Understands what came from below, which may be a request for an answer of TLS's own.
    fn process(&mut self) -> io::Result<()> {
        let processed =
            self.client.process_new_packets().map_err(|error| io::Error::new(ErrorKind::InvalidData, error));
        // Where it failed, this tells the server why; where not, a key may have changed.
        while self.client.wants_write() {
            match self.client.write_tls(&mut self.records) {
                Ok(_) => {}
                Err(_) if processed.is_err() => break,
                Err(error) => return Err(error),
            }
        }
        processed.map(drop)
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let output = self.buffers.output()[..amount].to_vec();
        send_all(self, &output)
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let before = self.buffers.input().len();
        loop {
            let came = self.take_plaintext()?;
            if came == InputState::EndOfStream || self.buffers.input().len() > before {
                return Ok(came == InputState::Received);
            }
            self.client.read_tls(&mut self.records)?;
            self.process()?;
        }
    }

    /// What the server sent unasked may also wait in one of the layers.
    fn is_open(&mut self) -> bool {
        let is_quiet = self
            .client
            .process_new_packets()
            .is_ok_and(|state| state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed());
        is_quiet && self.records.is_between_records() && self.records.is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl Layer for TlsTransport {
    fn send(&mut self, parts: &[IoSlice], watch: bool) -> Result<SendOutcome, Error> {
        if self.pending == 0 {
            self.pending = self.client.writer().write_vectored(parts)?;
            self.records.has_sent = false;
        }
        while self.client.wants_write() {
            self.records.watch = watch;
            let written = self.client.write_tls(&mut self.records);
            self.records.watch = false;
            match written {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(SendOutcome::InputAvailable),
                // Only where none of it left may the same be sent elsewhere.
                Err(error) if self.records.has_sent => {
                    return Err(TransportError::Lost(error.to_string(), Phase::Send).into());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(SendOutcome::Bytes(std::mem::take(&mut self.pending)))
    }

    fn take_input(&mut self) -> Result<InputState, Error> {
        let came = self.records.below.take_input()?;
        while !self.records.below.buffers().input().is_empty() && !self.buffers.input_append_buf().is_empty() {
            self.client.read_tls(&mut self.records)?;
            self.process()?;
            self.take_plaintext()?;
        }
        Ok(came)
    }

    fn go_idle(&mut self) -> bool {
        self.buffers.go_idle() && self.records.below.go_idle()
    }
}

/// The bytes below TLS, with an eye on where records end: rustls does not tell whether it holds the first part of one.
struct Records {
    below: Box<dyn Layer>,
    /// Whether to stop sending when input comes.
    watch: bool,
    has_sent: bool,
    head: [u8; RECORD_HEAD],
    head_len: usize,
    /// As many bytes of the record are to come.
    left: usize,
}

impl Records {
    fn is_between_records(&self) -> bool {
        self.head_len == 0 && self.left == 0
    }

    fn is_open(&mut self) -> bool {
        self.below.buffers().input().is_empty() && self.below.is_open()
    }

    fn follow(&mut self, mut bytes: &[u8]) {
        while let Some(byte) = bytes.first() {
            if self.left > 0 {
                let passed = self.left.min(bytes.len());
                self.left -= passed;
                bytes = &bytes[passed..];
            } else {
                self.head[self.head_len] = *byte;
                self.head_len += 1;
                bytes = &bytes[1..];
                if self.head_len == RECORD_HEAD {
                    self.head_len = 0;
                    self.left = usize::from(u16::from_be_bytes([self.head[3], self.head[4]]));
                }
            }
        }
    }
}

impl Read for Records {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.below.buffers().input().is_empty() {
            self.below.await_input(NextTimeout::default()).map_err(Error::into_io)?;
        }
        let input = self.below.buffers().input();
        let received = input.len().min(buffer.len());
        buffer[..received].copy_from_slice(&input[..received]);
        self.below.buffers().input_consume(received);
        self.follow(&buffer[..received]);
        Ok(received)
    }
}

impl Write for Records {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    /// All records that are ready at once.
    fn write_vectored(&mut self, parts: &[IoSlice]) -> io::Result<usize> {
        match self.below.send(parts, self.watch).map_err(Error::into_io)? {
            SendOutcome::Bytes(sent) => {
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
