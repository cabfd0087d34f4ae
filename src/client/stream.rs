//! An answer as it is made.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answers;
use super::call::{Asked, Call, Wanted};
use super::candidate::Candidate;
use super::error::Error;
use super::options::CallOptions;
use super::report::{self, Answered, Secrets, Tried};
use super::response::Response;
use super::settings::Settings;
use super::targets::Target;
use super::text::no_memory;
use crate::dialect::{Chunk, Dialect, Event, EventReader, Malformed, Question, Text, is_done};
use crate::http::{EventProblem, Events, Failure, Headers, Incoming, Method, Opened, Phase, Reply};
use crate::sync::{CancelTokens, current_process};

/// More candidates, or calls of tools in one, than any model gives.
const MOST: usize = 1024;

/// More fields than any provider adds to a tool call.
const MOST_EXTRAS: usize = 64;

/// More bytes than any role, reason, or id or name of a tool's call has.
const MAX_NAME: usize = 1024;

/// As much is kept of a call of a tool beside its arguments.
const CALL: usize = 256;

/// An answer that comes in deltas. Dropping it before its end closes the connection, which ends the answer.
#[derive(Debug)]
pub struct Stream {
    source: Source,
    events: Events,
    reader: EventReader,
    gathered: Gathered,
    /// What it came to in the end.
    verdict: Option<Result<(), Error>>,
}

/// A part of one candidate's text.
#[derive(Debug, PartialEq, Eq)]
pub struct Delta<'a> {
    /// Which candidate's, beginning with 0.
    pub candidate: usize,
    with_nul: &'a str,
}

/// Where the stream comes from.
#[derive(Debug)]
struct Source {
    target: Arc<Target>,
    settings: Arc<Settings>,
    dialect: &'static dyn Dialect,
    path: String,
    headers: Headers,
    options: CallOptions,
    cancel: CancelTokens,
    started: Instant,
    /// Another one has the same connection, but must not read from it.
    process: u32,
    /// Until the verdict.
    incoming: Option<Box<Incoming>>,
    /// Whether an event has come.
    has_begun: bool,
    /// Whether the time runs in which an event has to come.
    is_waiting: bool,
}

/// What came out of the stream.
#[derive(Debug)]
struct Gathered {
    response: Response,
    keeps_texts: bool,
    most: usize,
    /// So many bytes of texts and calls of tools are kept.
    kept: usize,
    /// The texts of the last event's deltas, with a NUL byte behind each.
    texts: String,
    /// Those deltas that were not yet given out.
    deltas: VecDeque<(usize, Range<usize>)>,
}

/// Why the answer cannot go on.
enum Stop {
    Error(Error),
    /// More of something than this many.
    TooMany(&'static str, usize),
    TooLong,
}

impl Stream {
    /// Asks, and waits for the head of the answer.
    pub(super) fn open(call: &Call, question: Question) -> Result<Stream, Error> {
        let (opened, asked) = call.open(question, Wanted::Stream)?.split();
        match opened {
            Opened::Stream(incoming) => {
                call.learn(&asked);
                Stream::begin(call, asked, incoming)
            }
            Opened::Whole(reply) => Stream::of_whole(call, asked.with(reply)),
        }
    }

    fn begin(call: &Call, asked: Asked<()>, incoming: Box<Incoming>) -> Result<Stream, Error> {
        let mut response = Response::of_head(incoming.status(), incoming.raw_head())?;
        response.note_attempts(&asked.attempts)?;
        response.elapsed = call.started.elapsed();
        Ok(Stream {
            events: Events::new(call.options.max_event_bytes),
            reader: EventReader::default(),
            gathered: Gathered::new(response, &call.options),
            source: Source::new(call, &asked, Some(incoming)),
            verdict: None,
        })
    }

    /// Where the server answered all at once, each text is one delta. The rest is as of any stream.
    fn of_whole(call: &Call, asked: Asked<Reply>) -> Result<Stream, Error> {
        let source = Source::new(call, &asked, None);
        let response = answers::whole(call, asked)?;
        let mut gathered = Gathered::new(response, &call.options);
        gathered.queue_whole()?;
        Ok(Stream { events: Events::new(0), reader: EventReader::default(), gathered, source, verdict: Some(Ok(())) })
    }

    /// Waits for the next delta; `None` if the answer is complete. After a failure it fails in the same way again.
    /// `before_waiting` runs before anything is read or closed, which is seldom necessary.
    pub fn next(&mut self, before_waiting: &dyn Fn()) -> Result<Option<Delta<'_>>, Error> {
        if self.source.process != current_process() {
            return Err(report::not_ours(&self.source.tried()));
        }
        if self.verdict.is_none() && self.source.is_cancelled() {
            before_waiting();
            self.gathered.deltas.clear();
            let error = self.source.failed(Failure::Cancelled(Phase::Event));
            self.end(Err(error));
        }
        loop {
            if let Some((candidate, place)) = self.gathered.deltas.pop_front() {
                return Ok(Some(Delta { candidate, with_nul: &self.gathered.texts[place] }));
            }
            if let Some(verdict) = &self.verdict {
                return verdict.clone().map(|()| None);
            }
            if let Some(verdict) = self.advance(before_waiting).transpose() {
                before_waiting();
                self.end(verdict);
            }
        }
    }

    /// Hands over each delta, until the answer is complete or `take` returns false: then the connection is closed,
    /// which ends the answer, and the stream fails as cancelled.
    pub fn for_each(&mut self, mut take: impl FnMut(Delta) -> bool) -> Result<(), Error> {
        while let Some(delta) = self.next(&|| {})? {
            if !take(delta) {
                self.gathered.deltas.clear();
                self.end(Err(report::stopped(&self.source.tried())));
            }
        }
        Ok(())
    }

    /// What was gathered so far.
    pub fn response(&self) -> &Response {
        &self.gathered.response
    }

    /// What was gathered.
    pub fn into_response(self) -> Response {
        self.gathered.response
    }

    /// Reads on to the end of one event, or of what has come; says when the answer is complete.
    fn advance(&mut self, before_waiting: &dyn Fn()) -> Result<Option<()>, Error> {
        let status = self.gathered.response.http_status;
        let event = match self.events.next() {
            Ok(Some(event)) => event,
            Ok(None) => return self.read(before_waiting),
            Err(problem) => {
                let (tried, answered) = (self.source.tried(), Answered::in_stream(status, b""));
                return Err(match problem {
                    EventProblem::TooLarge(limit) => report::event_too_large(&tried, answered, limit),
                    EventProblem::OutOfMemory(size) => report::no_memory(&tried, answered, size),
                });
            }
        };
        let answered = Answered::in_stream(status, event.data);
        match self.reader.read(self.source.dialect, event.name, event.data) {
            Ok(Event::Text(candidate, text)) => match self.gathered.take_text(candidate, text) {
                Ok(()) => {
                    self.source.note_event();
                    Ok(None)
                }
                Err(stop) => Err(self.source.stopped(stop, answered)),
            },
            Ok(Event::Chunk(chunk)) => {
                // An empty one is what keeps a connection alive, and not the answer.
                if !chunk.pieces.is_empty() || chunk.usage.is_some() {
                    self.source.note_event();
                }
                match self.gathered.take(chunk) {
                    Ok(()) => Ok(None),
                    Err(stop) => Err(self.source.stopped(stop, answered)),
                }
            }
            Ok(Event::Done) => self.complete(),
            // The reader makes a chunk of it, or nothing.
            Ok(Event::Item(_)) => Ok(None),
            Ok(Event::Error(refusal)) => Err(report::error_event(&self.source.tried(), answered, refusal)),
            Err(malformed) => Err(report::malformed(&self.source.tried(), answered, malformed)),
        }
    }

    fn read(&mut self, before_waiting: &dyn Fn()) -> Result<Option<()>, Error> {
        // A server that says that it is done may leave out the blank line, and stay.
        if self.events.begun().is_some_and(is_done) {
            return self.complete();
        }
        let piece = match &mut self.source.incoming {
            Some(incoming) => {
                // Comments and other bytes that make no event do not begin it anew.
                // Until the first event only the whole call's time counts.
                if !std::mem::replace(&mut self.source.is_waiting, true) {
                    let idle_timeout = self.source.options.idle_timeout;
                    incoming.allow_idle(if self.source.has_begun { idle_timeout } else { Duration::ZERO });
                }
                incoming.piece(before_waiting)
            }
            None => Ok(None),
        };
        let fed = match piece {
            Ok(Some(piece)) => self.events.feed(piece).map(|()| None),
            Ok(None) => return self.end_of_body(),
            Err(Failure::Lost(why, _)) => return Err(self.truncated(&why)),
            Err(failure) => Err(failure),
        };
        fed.map_err(|failure| self.source.failed(failure))
    }

    /// A last event may lack its blank line, but what it says about the end counts.
    fn end_of_body(&mut self) -> Result<Option<()>, Error> {
        let (status, dialect) = (self.gathered.response.http_status, self.source.dialect);
        self.events.feed(b"\n\n").map_err(|failure| self.source.failed(failure))?;
        while let Ok(Some(event)) = self.events.next() {
            match self.reader.read(dialect, event.name, event.data) {
                Ok(Event::Done) => return self.complete(),
                Ok(Event::Error(refusal)) => {
                    let answered = Answered::in_stream(status, event.data);
                    return Err(report::error_event(&self.source.tried(), answered, refusal));
                }
                _ => {}
            }
        }
        if self.gathered.is_finished() {
            self.complete()
        } else {
            Err(self.truncated("no end of the answer was announced"))
        }
    }

    fn complete(&mut self) -> Result<Option<()>, Error> {
        let answered = Answered::in_stream(self.gathered.response.http_status, b"");
        if self.gathered.response.candidates.is_empty() {
            return Err(report::malformed(&self.source.tried(), answered, Malformed::NoCandidates));
        }
        let rest = self.gathered.take(self.reader.rest());
        rest.map_err(|stop| self.source.stopped(stop, answered))?;
        Ok(Some(()))
    }

    fn truncated(&self, why: &str) -> Error {
        let answered = Answered::in_stream(self.gathered.response.http_status, b"");
        report::truncated(&self.source.tried(), answered, why, !self.gathered.response.candidates.is_empty())
    }

    /// Keeps the verdict, and the connection if it is good for another question.
    fn end(&mut self, verdict: Result<(), Error>) {
        let verdict = verdict.map_err(|error| match &self.source.incoming {
            Some(incoming) => report::with_head(&self.source.tried(), error, incoming.raw_head()),
            None => error,
        });
        let incoming = self.source.incoming.take();
        if let (Ok(()), Some(mut incoming)) = (&verdict, incoming) {
            incoming.finish();
            let options = self.source.settings.options();
            self.source.target.agent.keep(*incoming, &options.way, options.keep_alive);
        }
        self.gathered.response.elapsed = self.source.started.elapsed();
        let attempts = self.gathered.response.told_attempts();
        self.verdict = Some(verdict.map_err(|error| error.with_attempts(&attempts)));
    }
}

impl Source {
    fn new<R>(call: &Call, asked: &Asked<R>, incoming: Option<Box<Incoming>>) -> Source {
        Source {
            target: Arc::clone(call.target),
            settings: Arc::clone(call.settings()),
            dialect: asked.plan.dialect,
            path: asked.path.clone(),
            headers: call.headers().clone(),
            options: call.options,
            cancel: call.cancel.clone(),
            started: call.started,
            process: call.process,
            incoming,
            has_begun: false,
            is_waiting: false,
        }
    }

    /// The first event ends the time that the whole call has: the stream has a longer one.
    fn note_event(&mut self) {
        self.is_waiting = false;
        if !std::mem::replace(&mut self.has_begun, true) {
            if let Some(incoming) = &self.incoming {
                incoming.extend(self.started + self.options.stream_timeout);
            }
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    fn failed(&self, failure: Failure) -> Error {
        report::failure(&self.tried(), failure, &self.options)
    }

    fn stopped(&self, stop: Stop, answered: Answered) -> Error {
        match stop {
            Stop::Error(error) => error,
            Stop::TooMany(what, most) => report::too_many(&self.tried(), answered, what, most),
            Stop::TooLong => report::too_much_gathered(&self.tried(), answered, self.options.max_gathered_bytes),
        }
    }

    fn tried(&self) -> Tried<'_> {
        let secrets = Secrets { headers: &self.headers, auth: &self.settings.options().auth };
        Tried { method: Method::Post, uri: &self.target.uri, path: &self.path, secrets }
    }
}

impl Gathered {
    fn new(response: Response, options: &CallOptions) -> Gathered {
        let (keeps_texts, most) = (options.gather_stream, options.max_gathered_bytes);
        Gathered { response, keeps_texts, most, kept: 0, texts: String::new(), deltas: VecDeque::new() }
    }

    fn take(&mut self, chunk: Chunk) -> Result<(), Stop> {
        self.texts.clear();
        self.response.note(chunk.model.as_ref(), chunk.usage)?;
        for piece in &chunk.pieces {
            let index = usize::try_from(piece.candidate).unwrap_or(usize::MAX);
            if index >= MOST {
                return Err(Stop::TooMany("candidates", MOST));
            }
            let candidates = &mut self.response.candidates;
            if index >= candidates.len() {
                candidates.resize_with(index + 1, Candidate::default);
            }
            let candidate = &mut candidates[index];
            if is_long(piece.role.as_ref()) || is_long(piece.finish_reason.as_ref()) {
                return Err(Stop::TooLong);
            }
            candidate.note(piece)?;
            if self.keeps_texts {
                for fragment in &piece.tool_calls {
                    if is_long(fragment.id.as_ref()) || is_long(fragment.name.as_ref()) {
                        return Err(Stop::TooLong);
                    }
                    let calls = candidate.tool_calls.len();
                    let growth = candidate.push_tool_call(fragment)?;
                    if growth.extras > MOST_EXTRAS {
                        return Err(Stop::TooMany("fields in a tool call", MOST_EXTRAS));
                    }
                    self.kept += growth.bytes;
                    let has_more = candidate.tool_calls.len() > calls;
                    self.kept += if has_more { CALL } else { 0 };
                }
                if candidate.tool_calls.len() > MOST {
                    return Err(Stop::TooMany("calls of tools", MOST));
                }
                if self.kept > self.most {
                    return Err(Stop::TooLong);
                }
            }
            if let Some(text) = piece.text.as_ref() {
                self.take_delta(index, &text.0)?;
            }
        }
        Ok(())
    }

    /// More of a candidate that has begun.
    fn take_text(&mut self, candidate: u64, text: &str) -> Result<(), Stop> {
        self.texts.clear();
        self.take_delta(candidate as usize, text)
    }

    fn take_delta(&mut self, index: usize, text: &str) -> Result<(), Stop> {
        if text.is_empty() {
            return Ok(());
        }
        match self.response.candidates.get_mut(index) {
            Some(candidate) if self.keeps_texts => {
                candidate.push_text(text)?;
                self.kept += text.len();
            }
            _ => {}
        }
        self.queue(index, text)?;
        if self.kept > self.most { Err(Stop::TooLong) } else { Ok(()) }
    }

    fn queue(&mut self, candidate: usize, text: &str) -> Result<(), Error> {
        let start = self.texts.len();
        self.texts.try_reserve(text.len() + 1).map_err(|_| no_memory(text.len()))?;
        self.texts.push_str(text);
        self.texts.push('\0');
        self.deltas.push_back((candidate, start..self.texts.len()));
        Ok(())
    }

    fn queue_whole(&mut self) -> Result<(), Error> {
        let mut candidates = std::mem::take(&mut self.response.candidates);
        for (index, candidate) in candidates.iter_mut().enumerate() {
            match &candidate.text {
                Some(text) if !text.as_str().is_empty() => self.queue(index, text.as_str())?,
                _ => {}
            }
            if !self.keeps_texts {
                candidate.forget_texts();
            }
        }
        self.response.candidates = candidates;
        Ok(())
    }

    /// Whether each candidate was said to be at its end.
    fn is_finished(&self) -> bool {
        let candidates = &self.response.candidates;
        !candidates.is_empty() && candidates.iter().all(|candidate| candidate.finish_reason.is_some())
    }
}

fn is_long(name: Option<&Text>) -> bool {
    name.is_some_and(|name| name.0.len() > MAX_NAME)
}

impl Delta<'_> {
    /// The text, which is not empty.
    pub fn text(&self) -> &str {
        &self.with_nul[..self.with_nul.len() - 1]
    }

    /// With a NUL byte behind it.
    pub(crate) fn with_nul(&self) -> &str {
        self.with_nul
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Error(error)
    }
}
