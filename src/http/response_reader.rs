//! Reads a response: its head is there, its body is read piece by piece or as a whole.

use std::time::Duration;

use super::body::{Body, Step};
use super::connection::Connection;
use super::deadline::Deadline;
use super::error::{Phase, TransportError};
use super::exchange::{Reply, Timestamps};
use super::head::{ContentKind, Head};

/// More bytes than a line between chunks has.
const MAX_LINE: usize = 16 * 1024;

/// How lines of an event stream begin (WHATWG HTML, 9.2.6). No JSON begins so.
const EVENT_FIELDS: [&[u8]; 5] = [b":", b"data:", b"event:", b"id:", b"retry:"];

/// How much is kept of the body of an error response.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// How long to wait for the body of an error response. Its status alone says most.
const MAX_ERROR_BODY_WAIT: Duration = Duration::from_secs(2);

/// How much memory is reserved because of a Content-Length alone.
const MAX_RESERVED: u64 = 1024 * 1024;

/// How long to wait for the end of a body that needs no more data.
const MAX_END_WAIT: Duration = Duration::from_millis(10);

/// A response whose head has arrived.
#[derive(Debug)]
pub struct ResponseReader {
    connection: Connection,
    head: Head,
    timestamps: Timestamps,
    body: Body,
    /// How many bytes of the input the last piece was. They are consumed when the next one is read.
    lent: usize,
    /// The beginning of the body, if it was read to find out whether the body is an event stream.
    beginning: Option<Vec<u8>>,
    first_piece: Vec<u8>,
    is_complete: bool,
    /// The maximum length of a body that is read as a whole.
    limit: usize,
}

impl ResponseReader {
    pub(super) fn new(connection: Connection, head: Head, timestamps: Timestamps, limit: usize) -> ResponseReader {
        let body = Body::new(head.framing);
        ResponseReader {
            connection,
            head,
            timestamps,
            body,
            lent: 0,
            beginning: None,
            first_piece: Vec::new(),
            is_complete: false,
            limit,
        }
    }

    pub fn is_success(&self) -> bool {
        self.head.is_success()
    }

    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// Returns whether the body is an event stream. If the content type leaves that open, waits for the body to begin.
    pub(super) fn is_event_stream(&mut self, deadline: &Deadline) -> Result<bool, TransportError> {
        match self.head.content {
            ContentKind::EventStream => Ok(true),
            ContentKind::Any => self.begins_as_events(deadline),
            ContentKind::Other => Ok(false),
        }
    }

    fn begins_as_events(&mut self, deadline: &Deadline) -> Result<bool, TransportError> {
        let mut beginning = Vec::new();
        loop {
            let trimmed = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&beginning[..]).trim_ascii_start();
            let is_events = EVENT_FIELDS.iter().any(|field| trimmed.starts_with(field));
            let may_be = EVENT_FIELDS.iter().any(|field| field.starts_with(trimmed));
            if is_events || !may_be || beginning.len() > MAX_LINE {
                self.beginning = Some(beginning);
                return Ok(is_events);
            }
            match self.piece(deadline, &|| {})? {
                Some(piece) => beginning.extend_from_slice(piece),
                None => {
                    self.beginning = Some(beginning);
                    return Ok(false);
                }
            }
        }
    }

    /// Returns the content encoding of a body that cannot be read.
    pub(super) fn encoding(&self) -> Option<&str> {
        self.head.encoding.as_deref()
    }

    /// Returns the head as received.
    pub fn raw_head(&self) -> &[u8] {
        &self.head.raw
    }

    pub fn timestamps(&self) -> Timestamps {
        self.timestamps
    }

    /// Waits for the next bytes of the body. Returns `None` when the body is complete. Calls `before_waiting` unless
    /// the bytes have arrived already.
    pub fn piece(&mut self, deadline: &Deadline, before_waiting: &dyn Fn()) -> Result<Option<&[u8]>, TransportError> {
        self.connection.consume(std::mem::take(&mut self.lent));
        if let Some(beginning) = self.beginning.take().filter(|beginning| !beginning.is_empty()) {
            self.first_piece = beginning;
            return Ok(Some(&self.first_piece));
        }
        if self.is_complete {
            return Ok(None);
        }
        loop {
            let input = self.connection.input();
            match self.body.step(input).map_err(|why| TransportError::Protocol(why.to_owned()))? {
                Step::Data(range) => {
                    self.lent = range.end;
                    return Ok(Some(&self.connection.input()[range]));
                }
                Step::Skip(length) => self.connection.consume(length),
                Step::End => break,
                Step::More if input.len() >= MAX_LINE => {
                    return Err(TransportError::Protocol(format!("a line of more than {MAX_LINE} bytes")));
                }
                Step::More => {
                    before_waiting();
                    if !self.connection.receive(deadline)? {
                        if self.body.may_end() {
                            break;
                        }
                        let why = "the server closed it in the middle of the response body";
                        return Err(TransportError::Lost(why.to_owned(), Phase::Read));
                    }
                }
            }
        }
        self.is_complete = true;
        Ok(None)
    }

    /// Reads the whole response. Of an error response, reads as much as helps to explain it.
    pub(super) fn reply(&mut self, deadline: &Deadline) -> Result<Reply, TransportError> {
        let is_success = self.is_success();
        let limit = if is_success { self.limit } else { MAX_ERROR_BODY };
        let expected = self.body.expected().unwrap_or_default();
        if is_success && expected > limit as u64 {
            return Err(TransportError::TooLarge(limit));
        }
        let mut body = Vec::new();
        reserve(&mut body, expected.min(MAX_RESERVED) as usize)?;
        let read = match self.encoding() {
            // An encoded body is useless.
            Some(_) => Ok(()),
            None if is_success => self.read_rest(&mut body, limit, deadline),
            None => self.read_rest(&mut body, limit, &deadline.at_most(MAX_ERROR_BODY_WAIT)),
        };
        match read {
            // The status of an error response is of use without the rest of its body.
            Err(error) if is_success || matches!(error, TransportError::Cancelled(_)) => return Err(error),
            _ => {}
        }
        Ok(Reply {
            status: self.head.status,
            head: std::mem::take(&mut self.head.raw),
            body,
            retry_after: self.head.retry_after,
            location: self.head.location.take(),
            timestamps: self.timestamps,
        })
    }

    fn read_rest(&mut self, to: &mut Vec<u8>, limit: usize, deadline: &Deadline) -> Result<(), TransportError> {
        while let Some(piece) = self.piece(deadline, &|| {})? {
            let room = limit - to.len();
            let kept = piece.len().min(room);
            reserve(to, kept)?;
            to.extend_from_slice(&piece[..kept]);
            if kept < piece.len() {
                return Err(TransportError::TooLarge(limit));
            }
        }
        Ok(())
    }

    /// Reads the end of a body that needs no more data. It arrives shortly after the data, and the connection can be
    /// reused only after it.
    pub fn finish(&mut self, deadline: &Deadline) {
        if !self.is_complete {
            let _ = self.read_rest(&mut Vec::new(), 0, &deadline.at_most(MAX_END_WAIT));
        }
    }

    /// Returns the connection if it can be reused, and how long the server keeps it idle, if it announced that. Not
    /// after a server error: some servers then close the connection without saying so.
    pub(super) fn reusable(self) -> Option<(Connection, Option<Duration>)> {
        let is_reusable = self.is_complete && self.head.keep_alive && self.head.status < 500;
        is_reusable.then_some((self.connection, self.head.idle_timeout))
    }
}

/// Reserves memory, whose size the server determines, so there may not be enough.
fn reserve(to: &mut Vec<u8>, more: usize) -> Result<(), TransportError> {
    to.try_reserve(more).map_err(|_| TransportError::OutOfMemory(to.len() + more))
}
