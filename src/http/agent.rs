//! The HTTP client of a handle: makes exchanges, and keeps idle connections for later ones.

use std::sync::Arc;

use super::connect::Connector;
use super::connect_settings::ConnectSettings;
use super::connection::{Connection, SendFailure};
use super::deadline::Deadline;
use super::error::{Limit, Phase, TransportError};
use super::exchange::{Exchange, KeepAlive, Reply, Timestamps};
use super::head::{Head, RequestHead};
use super::method::Method;
use super::pool::Pool;
use super::proxy::Proxy;
use super::response_reader::ResponseReader;

/// A body of at most this many bytes is copied after the head, to send both from one block of memory.
const SMALL_BODY: usize = 16 * 1024;

/// The HTTP client of a handle. Any number of threads may use it at the same time.
#[derive(Debug, Default)]
pub struct Agent {
    pool: Pool,
    connector: Connector,
}

/// The result of [`Agent::exchange`].
#[derive(Debug)]
pub enum HttpResponse {
    /// The head of a successful response whose body is an event stream.
    Stream(Box<ResponseReader>),
    /// The whole response.
    Whole(Reply),
}

impl HttpResponse {
    pub fn status(&self) -> u16 {
        match self {
            HttpResponse::Stream(reader) => reader.status(),
            HttpResponse::Whole(reply) => reply.status,
        }
    }

    /// Returns the whole response. Reads the rest of an event stream.
    pub fn whole(self, deadline: &Deadline) -> Result<Reply, TransportError> {
        match self {
            HttpResponse::Stream(mut reader) => reader.reply(deadline),
            HttpResponse::Whole(reply) => Ok(reply),
        }
    }
}

impl Agent {
    /// Sends a request and reads the whole response, except the body of an event stream if the caller wants events.
    pub fn exchange(&self, exchange: &Exchange) -> Result<HttpResponse, TransportError> {
        let reading = exchange.deadline.in_phase(Phase::Read);
        let mut reader = self.open(exchange, &reading)?;
        if reader.is_success() {
            if let Some(encoding) = reader.encoding() {
                return Err(TransportError::Encoded(encoding.to_owned()));
            }
            if exchange.wants_events && reader.is_event_stream(&reading)? {
                return Ok(HttpResponse::Stream(Box::new(reader)));
            }
        }
        let reply = reader.reply(&reading)?;
        self.keep(reader, exchange.connect_settings, exchange.keep_alive);
        Ok(HttpResponse::Whole(reply))
    }

    /// Sends a request and reads the head of the response.
    fn open(&self, exchange: &Exchange, reading: &Deadline) -> Result<ResponseReader, TransportError> {
        let uri = exchange.uri;
        let proxy = exchange.connect_settings.forwarding_proxy(uri);
        let body = exchange.body.unwrap_or_default();
        let (small_body, large_body) = if body.len() <= SMALL_BODY { (body, &[][..]) } else { (&[][..], body) };
        let request = RequestHead {
            method: exchange.method,
            origin: if proxy.is_some() { ["http://", uri.authority()] } else { ["", ""] },
            path: [uri.path(), exchange.path],
            authority: uri.authority(),
            headers: exchange.headers.lines(),
            proxy_authorization: proxy.and_then(Proxy::authorization),
            content: exchange.content,
            body_len: exchange.body.map(<[u8]>::len),
        }
        .write(small_body);
        #[cfg(feature = "test-panic")]
        assert!(!body.windows(13).any(|part| part == b"panic, please"), "the test requests a panic");

        let (mut connection, sent) = self.send(&request.0, large_body, exchange)?;
        let waiting = exchange.deadline.in_phase(Phase::Wait).limited(Limit::FirstByte, exchange.timeouts.first_byte);
        let received = connection
            .await_first_byte(&waiting)
            .and_then(|first_byte| Ok((connection.receive_head(exchange.limits.head, reading)?, first_byte)));
        let received = match (received, sent) {
            (Ok(received), Ok(())) => Ok(received),
            // A server may reject a long request before it has read all of it.
            (Ok((head, first_byte)), Err(_)) if !head.is_success() => {
                Ok((Head { keep_alive: false, ..head }, first_byte))
            }
            (_, Err(error)) | (Err(error), Ok(())) => Err(connection.idle_loss_or(error)),
        };
        let (head, first_byte) = match proxy {
            Some(proxy) => check_forwarded(proxy, received)?,
            None => received?,
        };
        // The head describes a body that is not sent (RFC 9112, 6.3).
        let head = if exchange.method == Method::Head { head.without_body() } else { head };
        let timestamps = Timestamps { connected: connection.ready, first_byte };
        Ok(ResponseReader::new(connection, head, timestamps, exchange.limits.body))
    }

    /// Keeps the connection of a response for later exchanges, if it can be reused.
    pub fn keep(&self, reader: ResponseReader, connect_settings: &Arc<ConnectSettings>, keep_alive: KeepAlive) {
        if let Some((connection, server_keeps)) = reader.reusable() {
            self.pool.put(connection, connect_settings, keep_alive, server_keeps);
        }
    }

    /// Sends a request on an idle connection, or else on a new one. If the server closed an idle connection before it
    /// received any of the request, uses the next one.
    fn send(
        &self,
        first: &[u8],
        second: &[u8],
        exchange: &Exchange,
    ) -> Result<(Connection, Result<(), TransportError>), TransportError> {
        let sending = exchange.deadline.in_phase(Phase::Send);
        let take_idle = || {
            // Before a connection is taken, which a cancelled call would close.
            exchange.deadline.remaining()?;
            Ok(exchange.may_reuse.then(|| self.pool.take(exchange.connect_settings)).flatten())
        };
        while let Some(mut connection) = take_idle()? {
            connection.reuse();
            match connection.send(first, second, &sending) {
                Err(SendFailure { was_closed: true, .. }) => {}
                sent => return Ok((connection, sent.map_err(|failure| failure.error))),
            }
        }
        let connecting = exchange.deadline.limited(Limit::Connect, exchange.timeouts.connect);
        let mut connection = self.connector.connect(exchange.uri, exchange.connect_settings, &connecting)?;
        let sent = connection.send(first, second, &sending).map_err(|failure| failure.error);
        Ok((connection, sent))
    }
}

/// Attributes a response head or an error to the forwarding proxy if it is the proxy's own.
fn check_forwarded<T>(proxy: &Proxy, received: Result<(Head, T), TransportError>) -> Result<(Head, T), TransportError> {
    let proxy_error = |why| TransportError::Proxy { why, is_permanent: true };
    match received {
        Ok((Head { status: 407, .. }, _)) => {
            Err(proxy_error(format!("{proxy:?} rejected its credentials: HTTP status 407")))
        }
        Err(TransportError::Protocol(why)) => Err(proxy_error(format!("{proxy:?} does not speak HTTP/1.1: {why}"))),
        Err(TransportError::Lost(why, phase)) => Err(TransportError::Lost(format!("through {proxy:?}: {why}"), phase)),
        Err(TransportError::LostIdle(why)) => Err(TransportError::LostIdle(format!("through {proxy:?}: {why}"))),
        other => other,
    }
}
