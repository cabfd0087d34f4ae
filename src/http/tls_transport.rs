//! TLS over a socket, or over a proxy's tunnel.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::{ClientConnection, StreamOwned};
use ureq::Error;
use ureq::unversioned::transport::time::Instant;
use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport, TransportAdapter};

use super::failure::{Failure, Phase};
use super::tcp::BUFFER;

#[derive(Debug)]
pub(super) struct TlsTransport {
    stream: Stream,
    buffers: LazyBuffers,
}

struct Stream(StreamOwned<ClientConnection, TransportAdapter>);

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TLS")
    }
}

impl TlsTransport {
    /// Shakes hands.
    pub fn open(mut client: ClientConnection, below: Box<dyn Transport>) -> Result<TlsTransport, Failure> {
        let mut below = TransportAdapter::new(below, Arc::new(Instant::now));
        client.complete_io(&mut below).map_err(|error| {
            if error.kind() == ErrorKind::UnexpectedEof {
                return Failure::Tls("the server ended the handshake".to_owned());
            }
            Failure::of(Error::from(error), Phase::Connect)
        })?;
        let stream = Stream(StreamOwned::new(client, below));
        Ok(TlsTransport { stream, buffers: LazyBuffers::new(BUFFER, BUFFER) })
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        self.stream.0.write_all(&self.buffers.output()[..amount])?;
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let received = self.stream.0.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(received);
        Ok(received > 0)
    }

    /// What the server sent unasked may also wait in one of the layers.
    fn is_open(&mut self) -> bool {
        let StreamOwned { conn, sock } = &mut self.stream.0;
        let is_quiet = conn
            .process_new_packets()
            .is_ok_and(|state| state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed());
        let below = sock.get_mut();
        is_quiet && below.buffers().input().is_empty() && below.is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
