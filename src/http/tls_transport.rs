//! TLS over a socket, or over a proxy's tunnel.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::{ClientConnection, StreamOwned};
use ureq::Error;
use ureq::unversioned::transport::time::Instant;
use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport, TransportAdapter};

use super::failure::{Failure, Phase};
use super::tcp::{BUFFER, INPUT, wipe};

/// The head of a record: its type, version and length (RFC 8446, 5.1).
const RECORD_HEAD: usize = 5;

#[derive(Debug)]
pub(super) struct TlsTransport {
    stream: Stream,
    buffers: LazyBuffers,
}

struct Stream(StreamOwned<ClientConnection, Records>);

/// What it holds is not to be seen.
impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("TLS")
    }
}

impl TlsTransport {
    /// Shakes hands.
    pub fn open(mut client: ClientConnection, below: Box<dyn Transport>) -> Result<TlsTransport, Failure> {
        let below = TransportAdapter::new(below, Arc::new(Instant::now));
        let mut below = Records { below, head: [0; RECORD_HEAD], head_len: 0, left: 0 };
        client.complete_io(&mut below).map_err(|error| Failure::of(Error::from(error), Phase::Tls))?;
        let stream = Stream(StreamOwned::new(client, below));
        Ok(TlsTransport { stream, buffers: LazyBuffers::new(INPUT, BUFFER) })
    }
}

impl Drop for TlsTransport {
    fn drop(&mut self) {
        wipe(&mut self.buffers);
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        self.stream.0.write_all(&self.buffers.output()[..amount])?;
        // Writing alone keeps what the socket said to itself.
        self.stream.0.flush()?;
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let received = match self.stream.0.read(self.buffers.input_append_buf()) {
            Ok(received) => received,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                let why = "the server closed it without saying so by TLS, so that the end may be missing";
                return Err(io::Error::new(ErrorKind::UnexpectedEof, why).into());
            }
            Err(error) => return Err(error.into()),
        };
        self.buffers.input_appended(received);
        Ok(received > 0)
    }

    /// What the server sent unasked may also wait in one of the layers.
    fn is_open(&mut self) -> bool {
        let StreamOwned { conn, sock } = &mut self.stream.0;
        let is_quiet = conn
            .process_new_packets()
            .is_ok_and(|state| state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed());
        is_quiet && sock.is_between_records() && sock.is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

/// The bytes below TLS, with an eye on where records end: rustls does not tell whether it holds the first part of one.
struct Records {
    below: TransportAdapter,
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
        let below = self.below.get_mut();
        below.buffers().input().is_empty() && below.is_open()
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
        let received = self.below.read(buffer)?;
        self.follow(&buffer[..received]);
        Ok(received)
    }
}

impl Write for Records {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.below.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.below.flush()
    }
}
