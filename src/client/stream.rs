//! A response as it is made.

use std::sync::Arc;
use std::time::Instant;

use super::call::{Accepted, Call, Operation};
use super::completion;
use super::error::Error;
use super::gathered::{GatherError, Gathered, QueuedEvent};
use super::options::CallOptions;
use super::raw::{self, Raw, Verdict};
use super::report::{self, ErrorContext, ResponseContext, Secrets};
use super::response::Response;
use super::response_body::Body;
use super::retry::Attempts;
use super::settings::Settings;
use super::stream_deadline::StreamDeadline;
use super::stream_event::{Event, EventKind, RawEvent};
use super::target::Target;
use crate::dialect::{self, Content, DecodeError, Dialect, EventReader, is_done};
use crate::http::{Events, Headers, HttpResponse, Method, Phase, Reply, ResponseReader, TransportError};
use crate::sync::ProcessLocal;

/// A response that comes in events. Dropping it before its end closes the connection, which ends the response.
#[derive(Debug)]
pub struct Stream {
    source: Source,
    events: Events,
    reader: EventReader,
    gathered: Gathered,
    /// Where the events come from that are handed out.
    origin: Origin,
    /// What it came to in the end.
    verdict: Option<Result<(), Error>>,
    /// Whether what was gathered was given away.
    is_taken: bool,
}

#[derive(Debug)]
enum Origin {
    /// The last event of the server's.
    Event,
    /// A response that came as a whole.
    Whole(Arc<Body>),
    /// What was held back until the end.
    Nothing,
}

/// What came of reading on.
enum Progress {
    Event(QueuedEvent),
    /// There may be events in the queue, or more to read.
    Some,
    /// The response is complete.
    Complete,
}

/// Where the stream comes from.
#[derive(Debug)]
struct Source {
    target: Arc<Target>,
    settings: Arc<Settings>,
    /// `None` of a raw request, of whose events nothing is read.
    dialect: Option<&'static dyn Dialect>,
    method: String,
    /// What is shown of it.
    path: String,
    headers: Headers,
    options: CallOptions,
    deadline: StreamDeadline,
    started: Instant,
    /// Until the verdict.
    incoming: ProcessLocal<Option<Box<ResponseReader>>>,
    /// Whether the body has ended, though an event of it may be left.
    has_ended: bool,
}

impl Stream {
    /// Asks, and waits for the head of the answer.
    pub(super) fn open(call: &Call, question: Content) -> Result<Stream, Error> {
        let (opened, asked) = call.open(question, Operation::Stream)?.split();
        match opened {
            HttpResponse::Stream(incoming) => {
                call.learn(&asked);
                let source = Source::new(call, Some(asked.plan.dialect), Method::Post, &asked.path);
                Stream::begin(call, source, &asked.attempts, incoming)
            }
            HttpResponse::Whole(reply) => Stream::of_whole(call, asked.with(reply)),
        }
    }

    /// Sends a raw request, and waits for the head of the response.
    pub(super) fn open_raw(call: &Call, raw: Raw) -> Result<Stream, Error> {
        let mut attempts = Attempts::default();
        let opened = raw.open(call, true, &mut attempts);
        let source = Source::new(call, None, raw.method(), raw.target.path_without_query());
        match opened.map_err(|error| error.with_attempts(&attempts))? {
            HttpResponse::Stream(incoming) => Stream::begin(call, source, &attempts, incoming),
            HttpResponse::Whole(reply) => {
                let has_payload = !reply.body.is_empty();
                let mut stream = Stream::of_response(call, source, raw::read(call, reply, &attempts)?);
                if has_payload {
                    stream.gathered.add_whole_raw_response();
                }
                Ok(stream)
            }
        }
    }

    fn begin(call: &Call, source: Source, attempts: &Attempts, incoming: Box<ResponseReader>) -> Result<Stream, Error> {
        let mut response = Response::of_head(incoming.status(), incoming.raw_head())?;
        response.note_attempts(attempts)?;
        response.times.note_timestamps(call.started, incoming.timestamps());
        Ok(Stream {
            events: Events::new(call.options.max_event_bytes),
            reader: EventReader::default(),
            gathered: Gathered::new(response, &call.options),
            origin: Origin::Event,
            source: Source { incoming: ProcessLocal::new(Some(incoming)), ..source },
            verdict: None,
            is_taken: false,
        })
    }

    /// Where the server answered all at once, it gives the same kinds of events.
    fn of_whole(call: &Call, asked: Accepted<Reply>) -> Result<Stream, Error> {
        let source = Source::new(call, Some(asked.plan.dialect), Method::Post, &asked.path);
        let mut stream = Stream::of_response(call, source, completion::whole(call, asked)?);
        stream.gathered.add_whole_response()?;
        stream.note_tokens();
        Ok(stream)
    }

    /// A response that came as a whole, of which no event was made yet.
    fn of_response(call: &Call, source: Source, response: Response) -> Stream {
        let origin = response.shared_body().map_or(Origin::Nothing, Origin::Whole);
        let gathered = Gathered::new(response, &call.options);
        let (events, reader) = (Events::new(0), EventReader::default());
        Stream { events, reader, gathered, origin, source, verdict: Some(Ok(())), is_taken: false }
    }

    /// Waits for the next event; `None` if the response is complete. After a failure it fails in the same way again.
    /// `before_waiting` runs before anything is read or closed, which is seldom necessary.
    pub fn next(&mut self, before_waiting: &dyn Fn()) -> Result<Option<Event<'_>>, Error> {
        if self.source.incoming.get().is_none() {
            return Err(report::not_ours(&self.source.tried()));
        }
        if self.verdict.is_none() && self.source.deadline.is_cancelled() {
            before_waiting();
            self.gathered.clear_events();
            let error = self.source.failed(TransportError::Cancelled(Phase::Event));
            self.end(Err(error));
        }
        loop {
            if let Some(queued) = self.gathered.next_event() {
                return Ok(Some(self.event(queued)));
            }
            if let Some(verdict) = &self.verdict {
                return verdict.clone().map(|()| None);
            }
            match self.advance(before_waiting) {
                Ok(Progress::Event(queued)) => return Ok(Some(self.event(queued))),
                Ok(Progress::Some) => {}
                Ok(Progress::Complete) => {
                    before_waiting();
                    self.end(Ok(()));
                }
                Err(error) => {
                    before_waiting();
                    self.end(Err(error));
                }
            }
        }
    }

    fn event(&self, queued: QueuedEvent) -> Event<'_> {
        let raw = match &self.origin {
            Origin::Event => {
                let (name, data) = self.events.last_with_nul();
                RawEvent { name, data: Some(data) }
            }
            Origin::Whole(body) => RawEvent { name: None, data: Some(body.with_nul()) },
            Origin::Nothing => RawEvent::default(),
        };
        self.gathered.event(queued, raw)
    }

    /// Hands over each event, until the response is complete or `take` returns false: then the connection is closed,
    /// which ends the response, and the stream fails as cancelled, also if all of the response has come already.
    pub fn for_each(&mut self, mut take: impl FnMut(Event) -> bool) -> Result<(), Error> {
        while let Some(event) = self.next(&|| {})? {
            if !take(event) {
                self.stop("the callback stopped the stream");
            }
        }
        Ok(())
    }

    /// Ends the response as cancelled, though it may be complete already, or have failed.
    fn stop(&mut self, why: &str) {
        self.gathered.clear_events();
        self.end(Err(report::stopped(&self.source.tried(), why)));
    }

    /// What was gathered so far.
    pub fn response(&self) -> &Response {
        &self.gathered.response
    }

    /// What was gathered so far, and ends the response. `None` if it was taken before.
    pub fn take_response(&mut self) -> Option<Response> {
        self.gathered.clear_events();
        if self.verdict.is_none() {
            self.stop("the response was taken before it was complete");
        }
        let is_taken = std::mem::replace(&mut self.is_taken, true);
        (!is_taken).then(|| std::mem::take(&mut self.gathered.response))
    }

    /// What was gathered.
    pub fn into_response(self) -> Response {
        self.gathered.response
    }

    /// Reads on to the end of one event, or of what has come.
    fn advance(&mut self, before_waiting: &dyn Fn()) -> Result<Progress, Error> {
        let status = self.gathered.response.http_status;
        let event = match self.events.next() {
            Ok(Some(event)) => event,
            Ok(None) => return self.read(before_waiting),
            Err(problem) => {
                let (tried, answered) = (self.source.tried(), ResponseContext::in_stream(status, b""));
                return Err(match problem {
                    TransportError::EventTooLarge(limit) => report::event_too_large(&tried, answered, limit),
                    TransportError::OutOfMemory(size) => report::no_memory(&tried, answered, size),
                    other => self.source.failed(other),
                });
            }
        };
        let answered = ResponseContext::in_stream(status, event.data);
        let Some(dialect) = self.source.dialect else {
            return match raw::verdict(event.name, event.data) {
                Some(Verdict::Done) => Ok(Progress::Complete),
                Some(Verdict::Error(refusal)) => Err(report::error_event(&self.source.tried(), answered, refusal)),
                None => {
                    self.source.deadline.note_event();
                    self.gathered.add_other();
                    Ok(Progress::Some)
                }
            };
        };
        let (kind, candidate, text) = match self.reader.read(dialect, event.name, event.data) {
            Ok(dialect::Event::Text(candidate, text)) => (EventKind::Text, candidate, text),
            Ok(dialect::Event::Reasoning(candidate, text)) => (EventKind::Reasoning, candidate, text),
            Ok(dialect::Event::Chunk(chunk)) => {
                // An empty one is what keeps a connection alive, and not the response.
                if !chunk.deltas.is_empty() || chunk.usage.is_some() {
                    self.source.deadline.note_event();
                }
                match self.gathered.add_chunk(&chunk) {
                    Ok(true) => self.note_tokens(),
                    Ok(false) => self.gathered.add_other(),
                    Err(stop) => return Err(self.source.stopped(stop, answered)),
                }
                return Ok(Progress::Some);
            }
            Ok(dialect::Event::Done) => return self.complete(),
            // The reader makes a chunk of it, or nothing.
            Ok(dialect::Event::Item(_)) => return Ok(Progress::Some),
            Ok(dialect::Event::Error(refusal)) => {
                return Err(report::error_event(&self.source.tried(), answered, refusal));
            }
            Err(malformed) => return Err(report::malformed(&self.source.tried(), answered, malformed)),
        };
        match self.gathered.add_delta(kind, candidate, &text) {
            Ok(queued) => {
                self.source.deadline.note_event();
                let is_text = kind == EventKind::Text;
                self.gathered.response.times.note_token(self.source.started, is_text);
                Ok(Progress::Event(queued))
            }
            Err(stop) => Err(self.source.stopped(stop, answered)),
        }
    }

    /// Notes when the first of what the model says has come.
    fn note_tokens(&mut self) {
        let (has_text, has_others) = self.gathered.has_tokens();
        if has_text || has_others {
            self.gathered.response.times.note_token(self.source.started, has_text);
        }
    }

    fn read(&mut self, before_waiting: &dyn Fn()) -> Result<Progress, Error> {
        // A server that says that it is done may leave out the blank line, and stay.
        if self.events.partial_data().is_some_and(is_done) {
            return self.complete();
        }
        let piece = match self.source.incoming.get_mut() {
            Some(Some(incoming)) => incoming.piece(&self.source.deadline.of_next_event(), before_waiting),
            _ => Ok(None),
        };
        let fed = match piece {
            Ok(Some(piece)) => self.events.feed(piece).map(|()| Progress::Some),
            Ok(None) => return self.end_of_body(),
            Err(TransportError::Lost(why, _)) => return Err(self.truncated(&why)),
            Err(failure) => Err(failure),
        };
        fed.map_err(|failure| self.source.failed(failure))
    }

    /// A last event may lack its blank line, but what it says about the end counts.
    fn end_of_body(&mut self) -> Result<Progress, Error> {
        let status = self.gathered.response.http_status;
        self.events.feed(b"\n\n").map_err(|failure| self.source.failed(failure))?;
        let Some(dialect) = self.source.dialect else {
            let is_over = std::mem::replace(&mut self.source.has_ended, true);
            return Ok(if is_over { Progress::Complete } else { Progress::Some });
        };
        while let Ok(Some(event)) = self.events.next() {
            match self.reader.read(dialect, event.name, event.data) {
                Ok(dialect::Event::Done) => return self.complete(),
                Ok(dialect::Event::Error(refusal)) => {
                    let answered = ResponseContext::in_stream(status, event.data);
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

    fn complete(&mut self) -> Result<Progress, Error> {
        if self.source.dialect.is_none() {
            return Ok(Progress::Complete);
        }
        let answered = ResponseContext::in_stream(self.gathered.response.http_status, b"");
        if self.gathered.response.candidates.is_empty() {
            return Err(report::malformed(&self.source.tried(), answered, DecodeError::NoCandidates));
        }
        let rest = self.gathered.add_chunk(&self.reader.flush());
        rest.map_err(|stop| self.source.stopped(stop, answered))?;
        self.origin = Origin::Nothing;
        Ok(Progress::Complete)
    }

    fn truncated(&self, why: &str) -> Error {
        let answered = ResponseContext::in_stream(self.gathered.response.http_status, b"");
        let has_begun = match self.source.dialect {
            Some(_) => !self.gathered.response.candidates.is_empty(),
            None => self.source.deadline.has_begun(),
        };
        report::truncated(&self.source.tried(), answered, why, has_begun)
    }

    /// Keeps the verdict, and the connection if it is good for another question.
    fn end(&mut self, verdict: Result<(), Error>) {
        let incoming = self.source.incoming.get_mut().and_then(Option::take);
        let verdict = verdict.map_err(|error| match &incoming {
            Some(incoming) => report::with_head(&self.source.tried(), error, incoming.raw_head()),
            None => error,
        });
        if let (Ok(()), Some(mut incoming)) = (&verdict, incoming) {
            incoming.finish(&self.source.deadline.of_next_event());
            let options = self.source.settings.options();
            self.source.target.agent.keep(*incoming, &options.connect, options.keep_alive);
        }
        self.gathered.response.times.total.get_or_insert_with(|| self.source.started.elapsed());
        let attempts = self.gathered.response.attempts_of_error();
        self.verdict = Some(verdict.map_err(|error| error.with_attempts(&attempts)));
    }
}

impl Source {
    fn new(call: &Call, dialect: Option<&'static dyn Dialect>, method: Method, path: &str) -> Source {
        Source {
            target: Arc::clone(call.target),
            settings: Arc::clone(call.settings()),
            dialect,
            method: method.as_str().to_owned(),
            path: path.to_owned(),
            headers: call.headers().clone(),
            options: call.options,
            deadline: StreamDeadline::new(call),
            started: call.started,
            incoming: ProcessLocal::new(None),
            has_ended: false,
        }
    }

    fn failed(&self, failure: TransportError) -> Error {
        report::failure(&self.tried(), failure, &self.options)
    }

    fn stopped(&self, stop: GatherError, answered: ResponseContext) -> Error {
        match stop {
            GatherError::Error(error) => error,
            GatherError::TooMany(what, most) => report::too_many(&self.tried(), answered, what, most),
            GatherError::TooLong => report::too_much_gathered(&self.tried(), answered, self.options.max_gathered_bytes),
        }
    }

    fn tried(&self) -> ErrorContext<'_> {
        let secrets = Secrets { headers: &self.headers, auth: &self.settings.options().auth };
        ErrorContext { method: Method::new(&self.method), uri: &self.target.uri, path: &self.path, secrets }
    }
}
