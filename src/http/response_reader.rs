//! An answer as it comes in: its head, and then its body piece by piece.

use std::time::{Duration, Instant};

use super::agent::{Reply, Timestamps};
use super::body::{Body, Step};
use super::connection::Connection;
use super::error::{Limit, Phase, TransportError};
use super::head::{ContentKind, Head};

/// More bytes than a line of a chunked body's framing has.
const MAX_LINE: usize = 16 * 1024;

/// What the lines of an event stream begin with (WHATWG HTML, 9.2.6): no JSON does.
const EVENT_FIELDS: [&[u8]; 5] = [b":", b"data:", b"event:", b"id:", b"retry:"];

/// As much of a refusal as is kept.
const MAX_REFUSAL: usize = 64 * 1024;

/// How long the words of a refusal are waited for, whose status is known.
const MAX_WORDS_WAIT: Duration = Duration::from_secs(2);

/// As much as is reserved for an answer on the server's word alone.
const MAX_RESERVED: u64 = 1024 * 1024;

/// How long the end of a body is waited for that has no more to say.
const MAX_FAREWELL: Duration = Duration::from_millis(10);

/// An answer of which at least the head has come.
#[derive(Debug)]
pub struct ResponseReader {
    connection: Connection,
    head: Head,
    moments: Timestamps,
    body: Body,
    /// As many bytes of the input were handed out, and are to be passed over next.
    handed_out: usize,
    /// The beginning of the body, where it had to be looked at before it is handed out.
    beginning: Option<Vec<u8>>,
    first_piece: Vec<u8>,
    is_complete: bool,
    /// The longest body that is read as a whole.
    limit: usize,
}

impl ResponseReader {
    pub(super) fn new(connection: Connection, head: Head, moments: Timestamps, limit: usize) -> ResponseReader {
        let body = Body::new(head.framing);
        ResponseReader {
            connection,
            head,
            moments,
            body,
            handed_out: 0,
            beginning: None,
            first_piece: Vec::new(),
            is_complete: false,
            limit,
        }
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.head.status)
    }

    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// Whether the body is server-sent events. Where its type leaves that open, its beginning is waited for.
    pub fn is_event_stream(&mut self) -> Result<bool, TransportError> {
        match self.head.content {
            ContentKind::EventStream => Ok(true),
            ContentKind::Any => self.begins_as_events(),
            ContentKind::Other => Ok(false),
        }
    }

    fn begins_as_events(&mut self) -> Result<bool, TransportError> {
        let mut beginning = Vec::new();
        loop {
            let trimmed = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&beginning[..]).trim_ascii_start();
            let is_events = EVENT_FIELDS.iter().any(|field| trimmed.starts_with(field));
            let may_be = EVENT_FIELDS.iter().any(|field| field.starts_with(trimmed));
            if is_events || !may_be || beginning.len() > MAX_LINE {
                self.beginning = Some(beginning);
                return Ok(is_events);
            }
            match self.piece(&|| {})? {
                Some(piece) => beginning.extend_from_slice(piece),
                None => {
                    self.beginning = Some(beginning);
                    return Ok(false);
                }
            }
        }
    }

    /// What the server calls the encoding of a body that cannot be read.
    pub(super) fn encoding(&self) -> Option<&str> {
        self.head.encoding.as_deref()
    }

    /// The head as it came.
    pub fn raw_head(&self) -> &[u8] {
        &self.head.raw
    }

    pub fn moments(&self) -> Timestamps {
        self.moments
    }

    /// From now on the stream may go on until then.
    pub fn extend(&self, end: Instant) {
        self.connection.deadline.extend(end, Limit::Stream);
    }

    /// The next event may be waited for so long, beginning now.
    pub fn allow_idle(&self, most: Duration) {
        self.connection.deadline.allow(Phase::Event, Limit::Idle, most);
    }

    /// Waits for the next bytes of the body; `None` when it is complete. `before_waiting` runs unless they have come.
    pub fn piece(&mut self, before_waiting: &dyn Fn()) -> Result<Option<&[u8]>, TransportError> {
        self.connection.consume(std::mem::take(&mut self.handed_out));
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
                    self.handed_out = range.end;
                    return Ok(Some(&self.connection.input()[range]));
                }
                Step::Skip(used) => self.connection.consume(used),
                Step::End => break,
                Step::More if input.len() >= MAX_LINE => {
                    return Err(TransportError::Protocol(format!("a line of more than {MAX_LINE} bytes")));
                }
                Step::More => {
                    before_waiting();
                    if !self.connection.more()? {
                        if self.body.may_end() {
                            break;
                        }
                        let why = "the server closed it in the middle of the answer";
                        return Err(TransportError::Lost(why.to_owned(), Phase::Read));
                    }
                }
            }
        }
        self.is_complete = true;
        Ok(None)
    }

    /// Reads the whole answer: of a success all of it, of a refusal as much as is of use.
    pub fn reply(&mut self) -> Result<Reply, TransportError> {
        let is_success = self.is_success();
        let limit = if is_success { self.limit } else { MAX_REFUSAL };
        let expected = self.body.expected().unwrap_or_default();
        if is_success && expected > limit as u64 {
            return Err(TransportError::TooLarge(limit));
        }
        let mut body = Vec::new();
        reserve(&mut body, expected.min(MAX_RESERVED) as usize)?;
        if !is_success {
            self.connection.deadline.hurry(MAX_WORDS_WAIT);
        }
        let read = match self.encoding() {
            // What cannot be read is as good as none.
            Some(_) => Ok(()),
            None => self.rest(&mut body, limit),
        };
        match read {
            // A refusal's status says enough, whatever became of the rest of its text.
            Err(failure) if is_success || matches!(failure, TransportError::Cancelled(_)) => return Err(failure),
            _ => {}
        }
        Ok(Reply {
            status: self.head.status,
            head: std::mem::take(&mut self.head.raw),
            body,
            retry_after: self.head.retry_after,
            location: self.head.location.take(),
            moments: self.moments,
        })
    }

    fn rest(&mut self, to: &mut Vec<u8>, limit: usize) -> Result<(), TransportError> {
        while let Some(piece) = self.piece(&|| {})? {
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

    /// Reads the end of a body that has said all: it is a moment behind the last words, and the connection is good for
    /// another question only after it.
    pub fn finish(&mut self) {
        self.connection.deadline.hurry(MAX_FAREWELL);
        if !self.is_complete {
            let _ = self.rest(&mut Vec::new(), 0);
        }
    }

    /// The connection, if the answer is complete and the server may well keep it: some close it after a failure of their
    /// own without a word. With it comes how long the server says that it keeps it idle.
    pub(super) fn reusable(self) -> Option<(Connection, Option<Duration>)> {
        let is_kept = self.is_complete && self.head.keep_alive && self.head.status < 500;
        is_kept.then_some((self.connection, self.head.idle_timeout))
    }
}

/// The server says how long its answer is, so there may be no memory for it.
fn reserve(to: &mut Vec<u8>, more: usize) -> Result<(), TransportError> {
    to.try_reserve(more).map_err(|_| TransportError::OutOfMemory(to.len() + more))
}
