//! Streaming: a response in events, as the model generates it.

use std::sync::Arc;
use std::time::Instant;

use super::attempts::Attempts;
use super::call::Call;
use super::completion;
use super::context::CallContext;
use super::error::Error;
use super::gathered::{GatherError, Gathered, QueuedEvent};
use super::options::CallOptions;
use super::plan::Operation;
use super::raw::{self, StreamEnd};
use super::report::{self, ErrorContext, ResponseContext, Secrets};
use super::request::RawRequest;
use super::response::Response;
use super::response_body::Body;
use super::settings::Settings;
use super::stream_deadline::StreamDeadline;
use super::stream_event::{Event, EventKind, RawEvent};
use super::target::Target;
use crate::dialect::{self, Content, DecodeError, Dialect, EventReader, is_done};
use crate::http::{Events, Headers, HttpResponse, Method, Phase, ResponseReader, TransportError};
use crate::sync::ProcessLocal;

/// A response in events. Dropping it before its end closes the connection, which ends the response.
#[derive(Debug)]
pub struct Stream {
    source: Source,
    events: Events,
    reader: EventReader,
    gathered: Gathered,
    /// Where the raw data of an event is from.
    origin: Origin,
    /// The outcome, once the stream has ended.
    outcome: Option<Result<(), Error>>,
    /// Whether the gathered response was taken.
    is_taken: bool,
}

#[derive(Debug)]
enum Origin {
    /// The last event of the server.
    Event,
    /// The body of a response without events.
    Whole(Arc<Body>),
    /// None: the end of the stream completed the event.
    Nothing,
}

/// The result of one step of reading.
enum Progress {
    Event(QueuedEvent),
    /// There may be events in the queue, or more to read.
    Continue,
    /// The response is complete.
    Complete,
}

/// The call and the connection of a stream.
#[derive(Debug)]
struct Source {
    target: Arc<Target>,
    settings: Arc<Settings>,
    /// `None` for a raw request, whose events are not decoded.
    dialect: Option<&'static dyn Dialect>,
    method: String,
    /// The path for messages.
    path: String,
    headers: Headers,
    options: CallOptions,
    deadline: StreamDeadline,
    started: Instant,
    /// `None` after the end. A forked child must not read from it.
    incoming: ProcessLocal<Option<Box<ResponseReader>>>,
    /// Whether the body has ended. One event of it may be left.
    has_ended: bool,
}

impl Stream {
    /// Sends a request, and waits for the head of the response.
    pub(super) fn open(call: &Call, content: Content) -> Result<Stream, Error> {
        let (response, request) = call.send(content, Operation::Stream)?;
        let source = Source::new(&call.context, Some(request.plan.dialect), Method::Post, &request.path);
        match response {
            HttpResponse::Stream(incoming) => {
                call.remember(&request);
                Stream::begin(source, &request.attempts, incoming)
            }
            // The server did not stream. The events are made from the whole response.
            HttpResponse::Whole(reply) => {
                let mut stream = Stream::from_response(source, completion::to_response(call, reply, &request, false)?);
                stream.gathered.add_whole_response()?;
                stream.note_tokens();
                Ok(stream)
            }
        }
    }

    /// Sends a raw request, and waits for the head of the response.
    pub(super) fn open_raw(context: &CallContext, raw: RawRequest) -> Result<Stream, Error> {
        let mut attempts = Attempts::default();
        let response = raw::open(context, raw, true, &mut attempts);
        let source = Source::new(context, None, raw.method(), raw.target.path_without_query());
        match response.map_err(|error| error.with_attempts(&attempts))? {
            HttpResponse::Stream(incoming) => Stream::begin(source, &attempts, incoming),
            HttpResponse::Whole(reply) => {
                let has_payload = !reply.body.is_empty();
                let mut stream = Stream::from_response(source, raw::to_response(context, reply, &attempts)?);
                if has_payload {
                    stream.gathered.add_whole_raw_response();
                }
                Ok(stream)
            }
        }
    }

    fn begin(source: Source, attempts: &Attempts, incoming: Box<ResponseReader>) -> Result<Stream, Error> {
        let mut response = Response::from_head(incoming.status(), incoming.raw_head())?;
        response.note_attempts(attempts)?;
        response.times.note_timestamps(source.started, incoming.timestamps());
        Ok(Stream {
            events: Events::new(source.options.max_event_bytes),
            reader: EventReader::default(),
            gathered: Gathered::new(response, &source.options),
            origin: Origin::Event,
            source: Source { incoming: ProcessLocal::new(Some(incoming)), ..source },
            outcome: None,
            is_taken: false,
        })
    }

    /// Creates a stream that has ended with this response. Its events must be added.
    fn from_response(source: Source, response: Response) -> Stream {
        let origin = response.shared_body().map_or(Origin::Nothing, Origin::Whole);
        let gathered = Gathered::new(response, &source.options);
        let (events, reader) = (Events::new(0), EventReader::default());
        Stream { events, reader, gathered, origin, source, outcome: Some(Ok(())), is_taken: false }
    }

    /// Waits for the next event; `None` if the response is complete. A failed stream returns the same error each time.
    /// `before_waiting` runs before the connection is read or closed. Most events need neither.
    pub fn next(&mut self, before_waiting: &dyn Fn()) -> Result<Option<Event<'_>>, Error> {
        if self.source.incoming.get().is_none() {
            return Err(report::foreign_process(&self.source.error_context()));
        }
        if self.outcome.is_none() && self.source.deadline.is_cancelled() {
            before_waiting();
            self.fail(self.source.transport_error(TransportError::Cancelled(Phase::Event)));
        }
        loop {
            if let Some(queued) = self.gathered.next_event() {
                return Ok(Some(self.event(queued)));
            }
            if let Some(outcome) = &self.outcome {
                return outcome.clone().map(|()| None);
            }
            match self.advance(before_waiting) {
                Ok(Progress::Event(queued)) => return Ok(Some(self.event(queued))),
                Ok(Progress::Continue) => {}
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

    /// Passes each event to `take`, until the response is complete or `take` returns false. Then the connection is
    /// closed, and the stream fails as cancelled even if the whole response has arrived.
    pub fn for_each(&mut self, mut take: impl FnMut(Event) -> bool) -> Result<(), Error> {
        while let Some(event) = self.next(&|| {})? {
            if !take(event) {
                self.stop("the callback stopped the stream");
            }
        }
        Ok(())
    }

    /// Waits until the condition holds. If the stream is cancelled or has to end before, nothing more of it is read.
    pub(super) fn wait_until(&mut self, condition: &mut dyn FnMut() -> bool) {
        if let (Err(error), None) = (self.source.deadline.wait_until(condition), &self.outcome) {
            self.fail(self.source.transport_error(error));
        }
    }

    /// Ends the response as cancelled, even if it is complete or has failed.
    fn stop(&mut self, why: &str) {
        self.fail(report::stopped(&self.source.error_context(), why));
    }

    /// Ends the response with an error. Events that were received before are discarded.
    fn fail(&mut self, error: Error) {
        self.gathered.clear_events();
        self.end(Err(error));
    }

    /// Returns the response gathered so far.
    pub fn response(&self) -> &Response {
        &self.gathered.response
    }

    /// Takes the response gathered so far, and ends the stream; `None` if it was taken before.
    pub fn take_response(&mut self) -> Option<Response> {
        self.gathered.clear_events();
        if self.outcome.is_none() {
            self.stop("the response was taken before it was complete");
        }
        let is_taken = std::mem::replace(&mut self.is_taken, true);
        (!is_taken).then(|| std::mem::take(&mut self.gathered.response))
    }

    /// Returns the gathered response.
    pub fn into_response(self) -> Response {
        self.gathered.response
    }

    /// Handles the next event, or reads more if none is complete.
    fn advance(&mut self, before_waiting: &dyn Fn()) -> Result<Progress, Error> {
        let status = self.gathered.response.http_status;
        let event = match self.events.next() {
            Ok(Some(event)) => event,
            Ok(None) => return self.read(before_waiting),
            Err(error) => {
                let (error_context, response) = (self.source.error_context(), ResponseContext::in_stream(status, b""));
                return Err(match error {
                    TransportError::EventTooLarge(limit) => report::event_too_large(&error_context, response, limit),
                    TransportError::OutOfMemory(size) => report::event_out_of_memory(&error_context, response, size),
                    other => self.source.transport_error(other),
                });
            }
        };
        let response = ResponseContext::in_stream(status, event.data);
        let Some(dialect) = self.source.dialect else {
            return match raw::stream_end(event.name, event.data) {
                Some(StreamEnd::Done) => Ok(Progress::Complete),
                Some(StreamEnd::Error(error)) => {
                    Err(report::error_event(&self.source.error_context(), response, error))
                }
                None => {
                    self.source.deadline.note_event();
                    self.gathered.add_other();
                    Ok(Progress::Continue)
                }
            };
        };
        let (kind, candidate, text) = match self.reader.read(dialect, event.name, event.data) {
            Ok(dialect::Event::Text(candidate, text)) => (EventKind::Text, candidate, text),
            Ok(dialect::Event::Reasoning(candidate, text)) => (EventKind::Reasoning, candidate, text),
            Ok(dialect::Event::Chunk(chunk)) => {
                // Servers send empty chunks to keep the connection alive.
                if !chunk.deltas.is_empty() || chunk.usage.is_some() {
                    self.source.deadline.note_event();
                }
                match self.gathered.add_chunk(&chunk) {
                    Ok(true) => self.note_tokens(),
                    Ok(false) => self.gathered.add_other(),
                    Err(error) => return Err(self.source.gather_error(error, response)),
                }
                return Ok(Progress::Continue);
            }
            Ok(dialect::Event::Done) => return self.complete(),
            // The reader returns items as chunks.
            Ok(dialect::Event::Item(_)) => return Ok(Progress::Continue),
            Ok(dialect::Event::Error(error)) => {
                return Err(report::error_event(&self.source.error_context(), response, error));
            }
            Err(error) => return Err(report::decode_error(&self.source.error_context(), response, error)),
        };
        match self.gathered.add_fragment(kind, candidate, &text) {
            Ok(queued) => {
                self.source.deadline.note_event();
                let is_text = kind == EventKind::Text;
                self.gathered.response.times.note_token(self.source.started, is_text);
                Ok(Progress::Event(queued))
            }
            Err(error) => Err(self.source.gather_error(error, response)),
        }
    }

    /// Notes the time of the first output of the model.
    fn note_tokens(&mut self) {
        let (has_text, has_others) = self.gathered.has_tokens();
        if has_text || has_others {
            self.gathered.response.times.note_token(self.source.started, has_text);
        }
    }

    fn read(&mut self, before_waiting: &dyn Fn()) -> Result<Progress, Error> {
        // A server may omit the blank line after the last event and keep the connection open.
        if self.events.partial_data().is_some_and(is_done) {
            return self.complete();
        }
        let piece = match self.source.incoming.get_mut() {
            Some(Some(incoming)) => incoming.piece(&self.source.deadline.next_event(), before_waiting),
            _ => Ok(None),
        };
        let progress = match piece {
            Ok(Some(piece)) => self.events.feed(piece).map(|()| Progress::Continue),
            Ok(None) => return self.end_of_body(),
            Err(TransportError::Lost(why, _)) => return Err(self.truncated(&why)),
            Err(error) => Err(error),
        };
        progress.map_err(|error| self.source.transport_error(error))
    }

    /// Completes the last event, which may lack its blank line but end the response.
    fn end_of_body(&mut self) -> Result<Progress, Error> {
        let status = self.gathered.response.http_status;
        self.events.feed(b"\n\n").map_err(|error| self.source.transport_error(error))?;
        let Some(dialect) = self.source.dialect else {
            let was_ended = std::mem::replace(&mut self.source.has_ended, true);
            return Ok(if was_ended { Progress::Complete } else { Progress::Continue });
        };
        while let Ok(Some(event)) = self.events.next() {
            match self.reader.read(dialect, event.name, event.data) {
                Ok(dialect::Event::Done) => return self.complete(),
                Ok(dialect::Event::Error(error)) => {
                    let response = ResponseContext::in_stream(status, event.data);
                    return Err(report::error_event(&self.source.error_context(), response, error));
                }
                _ => {}
            }
        }
        if self.gathered.is_finished() { self.complete() } else { Err(self.truncated("there is no final event")) }
    }

    fn complete(&mut self) -> Result<Progress, Error> {
        if self.source.dialect.is_none() {
            return Ok(Progress::Complete);
        }
        let response = ResponseContext::in_stream(self.gathered.response.http_status, b"");
        if self.gathered.response.candidates.is_empty() {
            return Err(report::decode_error(&self.source.error_context(), response, DecodeError::NoCandidates));
        }
        let rest = self.gathered.add_chunk(&self.reader.flush());
        rest.map_err(|error| self.source.gather_error(error, response))?;
        self.origin = Origin::Nothing;
        Ok(Progress::Complete)
    }

    fn truncated(&self, why: &str) -> Error {
        let response = ResponseContext::in_stream(self.gathered.response.http_status, b"");
        let has_begun = match self.source.dialect {
            Some(_) => !self.gathered.response.candidates.is_empty(),
            None => self.source.deadline.has_begun(),
        };
        report::truncated(&self.source.error_context(), response, why, has_begun)
    }

    /// Notes the outcome, and keeps the connection if other requests can use it.
    fn end(&mut self, outcome: Result<(), Error>) {
        let incoming = self.source.incoming.get_mut().and_then(Option::take);
        let outcome = outcome.map_err(|error| match &incoming {
            Some(incoming) => report::with_head(&self.source.error_context(), error, incoming.raw_head()),
            None => error,
        });
        if let (Ok(()), Some(mut incoming)) = (&outcome, incoming) {
            incoming.finish(&self.source.deadline.next_event());
            let options = self.source.settings.options();
            self.source.target.agent.keep(*incoming, &options.connect, options.keep_alive);
        }
        self.gathered.response.times.total.get_or_insert_with(|| self.source.started.elapsed());
        let attempts = self.gathered.response.error_attempts();
        self.outcome = Some(outcome.map_err(|error| error.with_attempts(&attempts)));
    }
}

impl Source {
    fn new(context: &CallContext, dialect: Option<&'static dyn Dialect>, method: Method, path: &str) -> Source {
        Source {
            target: Arc::clone(context.target),
            settings: Arc::clone(&context.settings),
            dialect,
            method: method.as_str().to_owned(),
            path: path.to_owned(),
            headers: context.headers().clone(),
            options: context.options,
            deadline: StreamDeadline::new(context),
            started: context.started,
            incoming: ProcessLocal::new(None),
            has_ended: false,
        }
    }

    fn transport_error(&self, error: TransportError) -> Error {
        report::transport_error(&self.error_context(), error, &self.options)
    }

    fn gather_error(&self, error: GatherError, response: ResponseContext) -> Error {
        let error_context = self.error_context();
        match error {
            GatherError::Error(error) => error,
            GatherError::TooMany(elements, limit) => report::too_many(&error_context, response, elements, limit),
            GatherError::TooLong => {
                report::too_much_gathered(&error_context, response, self.options.max_gathered_bytes)
            }
        }
    }

    fn error_context(&self) -> ErrorContext<'_> {
        let secrets = Secrets { headers: &self.headers, auth: &self.settings.options().auth };
        ErrorContext { method: Method::new(&self.method), uri: &self.target.uri, path: &self.path, secrets }
    }
}
