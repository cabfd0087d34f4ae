//! One exchange: a request out, an answer in, before a deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connect::Opener;
use super::connection::Connection;
use super::deadline::Deadline;
use super::failure::Failure;
use super::head::{self, Head};
use super::headers::Headers;
use super::incoming::Incoming;
use super::pool::Pool;
use super::tls::Tls;
use super::uri::GatewayUri;

/// The part that keeps connections between calls. Any number of threads may use it at once.
#[derive(Debug)]
pub struct Agent {
    pool: Pool,
    opener: Opener,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
        }
    }
}

/// What to ask. A `Post` has a JSON body.
pub struct Exchange<'a> {
    pub method: Method,
    pub uri: &'a GatewayUri,
    /// Below the URI; it begins with a slash.
    pub path: &'a str,
    pub headers: &'a Headers,
    pub body: &'a [u8],
    pub deadline: Instant,
    pub tls: &'a Arc<Tls>,
    /// As many connections are kept for later calls.
    pub max_connections: usize,
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
    /// Where a redirect points to, without its query.
    pub location: Option<String>,
}

impl Reply {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Agent {
    /// An agent for one gateway. Reads which proxy the environment names for it.
    pub fn new(uri: &GatewayUri) -> Agent {
        Agent { pool: Pool::default(), opener: Opener::new(uri.full()) }
    }

    /// Asks and reads the whole answer.
    pub fn exchange(&self, exchange: &Exchange) -> Result<Reply, Failure> {
        let mut incoming = self.open(exchange)?;
        let reply = incoming.reply()?;
        self.keep(incoming, exchange.tls, exchange.max_connections);
        Ok(reply)
    }

    /// Asks and reads the head of the answer.
    pub fn open(&self, exchange: &Exchange) -> Result<Incoming, Failure> {
        let uri = exchange.uri;
        let path = [uri.path(), exchange.path];
        let head = head::request(exchange.method, path, uri.authority(), exchange.headers.lines(), exchange.body.len());
        #[cfg(feature = "test-panic")]
        assert!(!exchange.body.windows(13).any(|part| part == b"panic, please"), "a panic was asked for");

        let (mut connection, sent) = self.send(&head, exchange)?;
        match (connection.receive_head(), sent) {
            (Ok(head), Ok(())) => Ok(Incoming::new(connection, head)),
            // A server may refuse a long question before it has read it to the end.
            (Ok(head), Err(_)) if !(200..300).contains(&head.status) => {
                Ok(Incoming::new(connection, Head { keep_alive: false, ..head }))
            }
            (_, Err(failure)) | (Err(failure), Ok(())) => Err(failure),
        }
    }

    /// Keeps an answer's connection for later calls, if it can be used again.
    pub fn keep(&self, incoming: Incoming, tls: &Arc<Tls>, max_connections: usize) {
        if let Some(connection) = incoming.reusable() {
            self.pool.put(connection, tls, max_connections);
        }
    }

    /// Sends on a connection that waits, or else on a new one. Where the server has just closed the waiting one and
    /// has seen nothing of the request, another one is as good.
    fn send(&self, head: &[u8], exchange: &Exchange) -> Result<(Connection, Result<(), Failure>), Failure> {
        while let Some(mut connection) = self.pool.take(exchange.tls) {
            connection.begin(exchange.deadline);
            match connection.send(head, exchange.body) {
                Err(not_sent) if not_sent.is_unseen => {}
                sent => return Ok((connection, sent.map_err(|not_sent| not_sent.failure))),
            }
        }
        let deadline = Deadline::new(exchange.deadline);
        let transport = self.opener.open(exchange.uri.full(), exchange.tls, &deadline)?;
        let mut connection = Connection::new(transport, deadline);
        let sent = connection.send(head, exchange.body).map_err(|not_sent| not_sent.failure);
        Ok((connection, sent))
    }
}
