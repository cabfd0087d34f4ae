//! One exchange: a request out, an answer in, before a deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connect::{Connector, OpenConnection};
use super::connect_settings::ConnectSettings;
use super::connection::Connection;
use super::deadline::Deadline;
use super::error::{Limit, Phase, TransportError};
use super::head::{Head, RequestHead};
use super::headers::Headers;
use super::method::Method;
use super::pool::{KeepAlive, Pool};
use super::proxy::Proxy;
use super::response_reader::ResponseReader;
use super::uri::GatewayUri;
use crate::sync::CancelTokens;

/// A body up to here is copied behind the head, so that both leave in one piece of memory.
const SMALL_BODY: usize = 16 * 1024;

/// The part that keeps connections between calls. Any number of threads may use it at once.
#[derive(Debug, Default)]
pub struct Agent {
    pool: Pool,
    opener: Connector,
}

/// How a request's body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentType {
    Json,
    /// As a web page's form is sent.
    Form,
}

impl ContentType {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            ContentType::Json => "application/json",
            ContentType::Form => "application/x-www-form-urlencoded",
        }
    }
}

/// How long parts of an exchange may take. Where it is nothing, only the deadline counts.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// From the host's name to a connection that can be used.
    pub connect: Duration,
    /// From the question's last byte to the answer's first.
    pub first_byte: Duration,
}

/// How many bytes an answer may have.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub head: usize,
    pub body: usize,
}

/// What to ask.
pub struct Exchange<'a> {
    pub method: Method<'a>,
    pub uri: &'a GatewayUri,
    /// Below the URI; it begins with a slash.
    pub path: &'a str,
    pub headers: &'a Headers,
    pub content: ContentType,
    pub body: Option<&'a [u8]>,
    /// When it ends, and by which limit.
    pub deadline: Instant,
    pub limit: Limit,
    pub timeouts: Timeouts,
    pub limits: Limits,
    /// Each ends it before the deadline.
    pub tokens: &'a CancelTokens,
    pub way: &'a Arc<ConnectSettings>,
    pub keep_alive: KeepAlive,
    /// Whether a connection that is idle may be used: one that the server closes meanwhile loses the request.
    pub may_reuse: bool,
    /// Whether an answer in events is to be read as they come.
    pub wants_events: bool,
}

/// What came back: any status, the success and the refusal alike.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// As it came; see [`super::header_fields`].
    pub head: Vec<u8>,
    /// Of a refusal, the first 64 KiB; else the whole.
    pub body: Vec<u8>,
    /// How long the server asks to wait before the next attempt.
    pub retry_after: Option<Duration>,
    /// Where a redirect points to, as the server writes it; see [`super::without_secrets`].
    pub location: Option<String>,
    pub moments: Timestamps,
}

/// When parts of an exchange were done.
#[derive(Debug, Clone, Copy)]
pub struct Timestamps {
    /// There was a connection to send on.
    pub connected: Instant,
    /// The first byte of the response had come.
    pub first_byte: Instant,
}

impl Reply {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// An answer, as far as it is read.
#[derive(Debug)]
pub enum HttpResponse {
    /// The head of a success that comes in events.
    Stream(Box<ResponseReader>),
    /// All of it.
    Whole(Reply),
}

impl HttpResponse {
    pub fn status(&self) -> u16 {
        match self {
            HttpResponse::Stream(incoming) => incoming.status(),
            HttpResponse::Whole(reply) => reply.status,
        }
    }

    /// All of it, whatever it takes.
    pub fn whole(self) -> Result<Reply, TransportError> {
        match self {
            HttpResponse::Stream(mut incoming) => incoming.reply(),
            HttpResponse::Whole(reply) => Ok(reply),
        }
    }
}

impl Agent {
    /// Asks, and reads the whole answer but for a success that comes in events, if those are wanted.
    pub fn exchange(&self, exchange: &Exchange) -> Result<HttpResponse, TransportError> {
        let mut incoming = self.open(exchange)?;
        if incoming.is_success() {
            if let Some(encoding) = incoming.encoding() {
                return Err(TransportError::Encoded(encoding.to_owned()));
            }
            if exchange.wants_events && incoming.is_event_stream()? {
                return Ok(HttpResponse::Stream(Box::new(incoming)));
            }
        }
        let reply = incoming.reply()?;
        self.keep(incoming, exchange.way, exchange.keep_alive);
        Ok(HttpResponse::Whole(reply))
    }

    /// Asks and reads the head of the answer.
    fn open(&self, exchange: &Exchange) -> Result<ResponseReader, TransportError> {
        let uri = exchange.uri;
        let forwarder = exchange.way.forwarder(uri);
        let body = exchange.body.unwrap_or_default();
        let (small_body, large_body) = if body.len() <= SMALL_BODY { (body, &[][..]) } else { (&[][..], body) };
        let message = RequestHead {
            method: exchange.method,
            origin: if forwarder.is_some() { ["http://", uri.authority()] } else { ["", ""] },
            path: [uri.path(), exchange.path],
            authority: uri.authority(),
            headers: exchange.headers.lines(),
            proxy_authorization: forwarder.and_then(Proxy::authorization),
            content: exchange.content,
            body_len: exchange.body.map(<[u8]>::len),
        }
        .write(small_body);
        #[cfg(feature = "test-panic")]
        assert!(!body.windows(13).any(|part| part == b"panic, please"), "a panic was asked for");

        let (mut connection, sent) = self.send(&message.0, large_body, exchange)?;
        connection.deadline.allow(Phase::Wait, Limit::FirstByte, exchange.timeouts.first_byte);
        let mut moments = Timestamps { connected: connection.ready, first_byte: connection.ready };
        let received = connection.await_first_byte().and_then(|()| {
            moments.first_byte = Instant::now();
            connection.deadline.allow(Phase::Read, Limit::Total, Duration::ZERO);
            connection.receive_head(exchange.limits.head)
        });
        let head = match (received, sent) {
            (Ok(head), Ok(())) => Ok(head),
            // A server may refuse a long question before it has read it to the end.
            (Ok(head), Err(_)) if !(200..300).contains(&head.status) => Ok(Head { keep_alive: false, ..head }),
            (_, Err(failure)) | (Err(failure), Ok(())) => Err(connection.as_idle_loss(failure)),
        };
        let head = match (head, exchange.method) {
            // Its head tells of a body that is not sent (RFC 9112, 6.3).
            (Ok(head), Method::Head) => Ok(head.without_body()),
            (head, _) => head,
        };
        let head = match forwarder {
            Some(proxy) => by_way_of(proxy, head)?,
            None => head?,
        };
        Ok(ResponseReader::new(connection, head, moments, exchange.limits.body))
    }

    /// Keeps an answer's connection for later calls, if it can be used again.
    pub fn keep(&self, incoming: ResponseReader, way: &Arc<ConnectSettings>, keep_alive: KeepAlive) {
        if let Some((connection, server_keeps)) = incoming.reusable() {
            self.pool.put(connection, way, keep_alive, server_keeps);
        }
    }

    /// Sends on a connection that is idle, or else on a new one. Where the server has just closed the idle one and has
    /// seen nothing of the request, another one is as good.
    fn send(
        &self,
        message: &[u8],
        rest: &[u8],
        exchange: &Exchange,
    ) -> Result<(Connection, Result<(), TransportError>), TransportError> {
        while let Some(mut connection) = exchange.may_reuse.then(|| self.pool.take(exchange.way)).flatten() {
            connection.deadline.begin(exchange.deadline, exchange.limit, exchange.tokens);
            connection.deadline.left()?;
            connection.deadline.enter(Phase::Send);
            connection.reuse();
            match connection.send(message, rest) {
                Err(not_sent) if not_sent.is_unseen => {}
                sent => return Ok((connection, sent.map_err(|not_sent| not_sent.failure))),
            }
        }
        let deadline = Deadline::new(exchange.deadline, exchange.limit, exchange.tokens);
        deadline.allow(Phase::Resolve, Limit::Connect, exchange.timeouts.connect);
        let OpenConnection { layer, round_trip } = self.opener.open(exchange.uri, exchange.way, &deadline)?;
        deadline.allow(Phase::Send, Limit::Total, Duration::ZERO);
        let mut connection = Connection::new(layer, deadline, round_trip);
        let sent = connection.send(message, rest).map_err(|not_sent| not_sent.failure);
        Ok((connection, sent))
    }
}

/// What came from a proxy that passes requests on, where it is the proxy that said it.
fn by_way_of(proxy: &Proxy, head: Result<Head, TransportError>) -> Result<Head, TransportError> {
    match head {
        Ok(Head { status: 407, .. }) => {
            let why = format!("{proxy:?} wants other credentials than it got: HTTP status 407");
            Err(TransportError::Proxy { why, is_lasting: true })
        }
        Err(TransportError::Protocol(why)) => {
            Err(TransportError::Proxy { why: format!("{proxy:?} does not speak HTTP/1.1: {why}"), is_lasting: true })
        }
        Err(TransportError::Lost(why, phase)) => {
            Err(TransportError::Lost(format!("by way of {proxy:?}: {why}"), phase))
        }
        Err(TransportError::LostIdle(why)) => Err(TransportError::LostIdle(format!("by way of {proxy:?}: {why}"))),
        other => other,
    }
}
