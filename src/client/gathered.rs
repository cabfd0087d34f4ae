//! What a stream brings: gathered into a response, and handed out as events.

use std::collections::VecDeque;
use std::ops::Range;

use super::candidate::Candidate;
use super::error::Error;
use super::nul_string::{NulString, no_memory};
use super::options::CallOptions;
use super::response::Response;
use super::stream_event::{Event, EventKind, EventToolCall, RawEvent};
use crate::dialect::{Chunk, Delta, Fragment, Text, ToolCall};

/// More candidates, or tool calls of one, than any model gives.
const MOST: usize = 1024;

/// More fields than any provider adds to a tool call.
const MOST_EXTRAS: usize = 64;

/// More bytes than any role, reason, or id or name of a tool call has.
const MAX_NAME: usize = 1024;

/// As much is kept of a tool call beside its strings.
const CALL: usize = 256;

/// What came out of the stream.
#[derive(Debug)]
pub(super) struct Gathered {
    pub response: Response,
    keeps_texts: bool,
    most: usize,
    /// So many bytes of texts and tool calls are kept.
    kept: usize,
    /// The texts of the events, with a NUL byte behind each.
    texts: String,
    /// Those events that were not yet handed out.
    events: VecDeque<Queued>,
}

/// An event, of which the strings are elsewhere.
#[derive(Debug)]
pub(super) struct Queued {
    kind: EventKind,
    candidate: usize,
    text: Place,
    tool_call: usize,
}

#[derive(Debug)]
enum Place {
    None,
    Texts(Range<usize>),
    /// From here to the end of the candidate's text or reasoning.
    Gathered(usize),
}

/// Why the stream cannot go on.
pub(super) enum GatherError {
    Error(Error),
    /// More of something than this many.
    TooMany(&'static str, usize),
    TooLong,
}

impl Gathered {
    pub fn new(response: Response, options: &CallOptions) -> Gathered {
        let (keeps_texts, most) = (options.gather_stream, options.max_gathered_bytes);
        Gathered { response, keeps_texts, most, kept: 0, texts: String::new(), events: VecDeque::new() }
    }

    /// The next event that was taken in and not yet handed out.
    pub fn next(&mut self) -> Option<Queued> {
        self.events.pop_front()
    }

    pub fn forget_events(&mut self) {
        self.events.clear();
    }

    /// Takes in what the data of an event of the server's says; says whether that was anything.
    pub fn take(&mut self, chunk: &Chunk) -> Result<bool, GatherError> {
        self.texts.clear();
        self.response.note(chunk)?;
        let before = self.events.len();
        for piece in &chunk.deltas {
            self.take_piece(piece)?;
        }
        if chunk.usage.is_some() {
            self.push(EventKind::Usage, 0, Place::None);
        }
        Ok(self.events.len() > before)
    }

    /// The data was none of what is known.
    pub fn take_other(&mut self) {
        self.push(EventKind::Other, 0, Place::None);
    }

    fn take_piece(&mut self, piece: &Delta) -> Result<(), GatherError> {
        let index = usize::try_from(piece.candidate).unwrap_or(usize::MAX);
        if index >= MOST {
            return Err(GatherError::TooMany("candidates", MOST));
        }
        if is_long(piece.role.as_ref()) || is_long(piece.finish_reason.as_ref()) {
            return Err(GatherError::TooLong);
        }
        let candidates = &mut self.response.candidates;
        while index >= candidates.len() {
            candidates.push(Candidate::of_stream(self.keeps_texts));
        }
        let is_finish = candidates[index].note(piece)?;
        if let Some(reasoning) = &piece.reasoning {
            if let Some(signature) = reasoning.signature.as_ref().filter(|_| self.keeps_texts) {
                self.kept += signature.0.len();
                self.response.candidates[index].set_signature(signature)?;
            }
            self.response.candidates[index].set_reasoning_form(reasoning.form);
            self.take_fragment(EventKind::Reasoning, index, Some(&reasoning.text))?;
        }
        self.take_fragment(EventKind::Text, index, piece.text.as_ref())?;
        self.take_fragment(EventKind::Refusal, index, piece.refusal.as_ref())?;
        for fragment in &piece.tool_calls {
            self.take_call(index, fragment)?;
        }
        if let Some(reason) = piece.finish_reason.as_ref().filter(|_| is_finish) {
            let place = self.copy(&reason.0)?;
            self.push(EventKind::Finish, index, place);
        }
        Ok(())
    }

    fn take_fragment(&mut self, kind: EventKind, index: usize, fragment: Option<&Fragment>) -> Result<(), GatherError> {
        let Some(text) = fragment.map(|fragment| fragment.text.0.as_ref()).filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        if self.keeps_texts {
            self.kept += text.len();
            self.response.candidates[index].push(kind, text)?;
        }
        let place = self.copy(text)?;
        self.push(kind, index, place);
        self.check_size()
    }

    fn take_call(&mut self, index: usize, fragment: &ToolCall) -> Result<(), GatherError> {
        if is_long(fragment.id.as_ref()) || is_long(fragment.name.as_ref()) {
            return Err(GatherError::TooLong);
        }
        let candidate = &mut self.response.candidates[index];
        let calls = candidate.tool_calls.len();
        let (tool_call, growth) = candidate.push_tool_call(fragment)?;
        if growth.extras > MOST_EXTRAS {
            return Err(GatherError::TooMany("fields in a tool call", MOST_EXTRAS));
        }
        let count = candidate.tool_calls.len();
        if count > MOST {
            return Err(GatherError::TooMany("tool calls", MOST));
        }
        self.kept += growth.bytes + if count > calls { CALL } else { 0 };
        let text = self.copy(fragment.arguments.as_ref().map_or("", |arguments| &arguments.0))?;
        self.events.push_back(Queued { kind: EventKind::ToolCall, candidate: index, text, tool_call });
        self.check_size()
    }

    /// More of a candidate that has begun, and nothing else: the event itself, without a queue and, where it is
    /// gathered, without a second copy.
    pub fn take_delta(&mut self, kind: EventKind, candidate: u64, text: &str) -> Result<Queued, GatherError> {
        self.texts.clear();
        let index = candidate as usize;
        let event = |kind, text| Queued { kind, candidate: index, text, tool_call: 0 };
        if text.is_empty() {
            return Ok(Queued { kind: EventKind::Other, candidate: 0, text: Place::None, tool_call: 0 });
        }
        let candidate = match self.response.candidates.get_mut(index) {
            Some(candidate) if self.keeps_texts => candidate,
            _ => return Ok(event(kind, self.copy(text)?)),
        };
        let start = candidate.push(kind, text)?;
        self.kept += text.len();
        let event = event(kind, Place::Gathered(start));
        if self.kept > self.most {
            // It is handed out before the stream fails.
            self.events.push_back(event);
            return Err(GatherError::TooLong);
        }
        Ok(event)
    }

    /// The events of a response that came as a whole.
    pub fn take_whole(&mut self) -> Result<(), Error> {
        let candidates = std::mem::take(&mut self.response.candidates);
        for (index, candidate) in candidates.iter().enumerate() {
            let strings = [
                (EventKind::Reasoning, candidate.reasoning()),
                (EventKind::Text, candidate.text()),
                (EventKind::Refusal, candidate.refusal()),
            ];
            for (kind, text) in strings {
                if let Some(text) = text.map(NulString::as_str).filter(|text| !text.is_empty()) {
                    let place = self.copy(text)?;
                    self.push(kind, index, place);
                }
            }
            for (tool_call, call) in candidate.tool_calls.iter().enumerate() {
                let text = self.copy(call.arguments().as_str())?;
                self.events.push_back(Queued { kind: EventKind::ToolCall, candidate: index, text, tool_call });
            }
            if let Some(reason) = candidate.finish_reason() {
                let place = self.copy(reason.as_str())?;
                self.push(EventKind::Finish, index, place);
            }
        }
        self.response.candidates = candidates;
        if self.response.usage().is_known() {
            self.push(EventKind::Usage, 0, Place::None);
        }
        self.end_of_whole();
        Ok(())
    }

    /// The event of a response that came as a whole, of which nothing is read.
    pub fn take_other_whole(&mut self) {
        self.take_other();
        self.end_of_whole();
    }

    fn end_of_whole(&mut self) {
        if !self.keeps_texts {
            self.response.forget_texts();
        }
    }

    fn push(&mut self, kind: EventKind, candidate: usize, text: Place) {
        self.events.push_back(Queued { kind, candidate, text, tool_call: 0 });
    }

    fn copy(&mut self, text: &str) -> Result<Place, Error> {
        let start = self.texts.len();
        self.texts.try_reserve(text.len() + 1).map_err(|_| no_memory(text.len()))?;
        self.texts.push_str(text);
        self.texts.push('\0');
        Ok(Place::Texts(start..self.texts.len()))
    }

    fn check_size(&self) -> Result<(), GatherError> {
        if self.kept > self.most { Err(GatherError::TooLong) } else { Ok(()) }
    }

    /// Whether a text, and whether anything else that the model says, is to be handed out.
    pub fn has_tokens(&self) -> (bool, bool) {
        let has = |kind| self.events.iter().any(|event| event.kind == kind);
        let has_others = has(EventKind::Reasoning) || has(EventKind::Refusal) || has(EventKind::ToolCall);
        (has(EventKind::Text), has_others)
    }

    /// An event with its strings.
    pub fn event<'a>(&'a self, queued: Queued, raw: RawEvent<'a>) -> Event<'a> {
        let Queued { kind, candidate, text, tool_call } = queued;
        let text = match text {
            Place::None => None,
            Place::Texts(range) => self.texts.get(range),
            Place::Gathered(start) => self.response.candidates.get(candidate).and_then(|it| it.end_of(kind, start)),
        };
        let mut event = Event { kind, candidate, text, tool_call: None, usage: None, raw };
        match kind {
            EventKind::ToolCall => {
                let call = self.response.candidates.get(candidate).and_then(|it| it.tool_calls.get(tool_call));
                event.tool_call = Some(EventToolCall {
                    index: tool_call,
                    id: call.and_then(|call| call.id()),
                    name: call.and_then(|call| call.name()),
                });
            }
            EventKind::Usage => event.usage = Some(self.response.usage()),
            _ => {}
        }
        event
    }

    /// Whether each candidate was said to be at its end.
    pub fn is_finished(&self) -> bool {
        let candidates = &self.response.candidates;
        !candidates.is_empty() && candidates.iter().all(|candidate| candidate.finish_reason.is_some())
    }
}

fn is_long(name: Option<&Text>) -> bool {
    name.is_some_and(|name| name.0.len() > MAX_NAME)
}

impl From<Error> for GatherError {
    fn from(error: Error) -> GatherError {
        GatherError::Error(error)
    }
}
