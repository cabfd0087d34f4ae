//! Gathers the chunks of a stream into a response, and queues its events.

use std::collections::VecDeque;
use std::ops::Range;

use super::candidate::Candidate;
use super::error::Error;
use super::nul_string::NulString;
use super::options::CallOptions;
use super::response::Response;
use super::stream_event::{Event, EventKind, EventToolCall, RawEvent};
use crate::dialect::{Chunk, Delta, Fragment, Text, ToolCall};

/// More candidates, or tool calls of one, than any model generates.
const MAX_COUNT: usize = 1024;

/// More fields than any provider adds to a tool call.
const MAX_EXTRA_FIELDS: usize = 64;

/// More bytes than any role, finish reason, or ID or name of a tool call has.
const MAX_NAME_BYTES: usize = 1024;

/// The memory of a tool call beside its strings.
const TOOL_CALL_BYTES: usize = 256;

/// The response so far, and the events that the program has not read yet.
#[derive(Debug)]
pub(super) struct Gathered {
    pub response: Response,
    keeps_text: bool,
    max_bytes: usize,
    /// The size of the gathered text and tool calls.
    bytes: usize,
    /// The strings of the events, each with a NUL terminator.
    event_text: String,
    events: VecDeque<QueuedEvent>,
}

/// An event whose strings are stored elsewhere.
#[derive(Debug)]
pub(super) struct QueuedEvent {
    kind: EventKind,
    candidate: usize,
    text: StringPlace,
    tool_call: usize,
}

#[derive(Debug)]
enum StringPlace {
    None,
    EventText(Range<usize>),
    /// From this offset to the end of the candidate's text or reasoning.
    Gathered(usize),
}

/// Why a stream fails while it is gathered.
pub(super) enum GatherError {
    Error(Error),
    /// More of these than the maximum.
    TooMany(&'static str, usize),
    /// A name, or all that is gathered, is too long.
    TooLong,
}

impl Gathered {
    pub fn new(response: Response, options: &CallOptions) -> Gathered {
        let (keeps_text, max_bytes) = (options.gather_stream, options.max_gathered_bytes);
        Gathered { response, keeps_text, max_bytes, bytes: 0, event_text: String::new(), events: VecDeque::new() }
    }

    /// Removes the next event from the queue.
    pub fn next_event(&mut self) -> Option<QueuedEvent> {
        self.events.pop_front()
    }

    pub fn clear_events(&mut self) {
        self.events.clear();
    }

    /// Adds a chunk. Returns whether it has any event.
    pub fn add_chunk(&mut self, chunk: &Chunk) -> Result<bool, GatherError> {
        self.event_text.clear();
        self.response.add_details(chunk)?;
        let before = self.events.len();
        for delta in &chunk.deltas {
            self.add_candidate_delta(delta)?;
        }
        if chunk.usage.is_some() {
            self.push(EventKind::Usage, 0, StringPlace::None);
        }
        Ok(self.events.len() > before)
    }

    /// Adds an event whose data is not understood.
    pub fn add_other(&mut self) {
        self.push(EventKind::Other, 0, StringPlace::None);
    }

    fn add_candidate_delta(&mut self, delta: &Delta) -> Result<(), GatherError> {
        let index = usize::try_from(delta.candidate).unwrap_or(usize::MAX);
        if index >= MAX_COUNT {
            return Err(GatherError::TooMany("candidates", MAX_COUNT));
        }
        if is_long(delta.role.as_ref()) || is_long(delta.finish_reason.as_ref()) {
            return Err(GatherError::TooLong);
        }
        let candidates = &mut self.response.candidates;
        while index >= candidates.len() {
            candidates.push(Candidate::of_stream(self.keeps_text));
        }
        let is_new_reason = candidates[index].add_role_and_finish_reason(delta)?;
        if let Some(reasoning) = &delta.reasoning {
            if let Some(signature) = reasoning.signature.as_ref().filter(|_| self.keeps_text) {
                self.bytes += signature.0.len();
                self.response.candidates[index].set_signature(signature)?;
            }
            self.response.candidates[index].set_reasoning_form(reasoning.form);
            self.add_text(EventKind::Reasoning, index, Some(&reasoning.text))?;
        }
        self.add_text(EventKind::Text, index, delta.text.as_ref())?;
        self.add_text(EventKind::Refusal, index, delta.refusal.as_ref())?;
        for fragment in &delta.tool_calls {
            self.add_tool_call(index, fragment)?;
        }
        if let Some(reason) = delta.finish_reason.as_ref().filter(|_| is_new_reason) {
            let text = self.copy(&reason.0)?;
            self.push(EventKind::Finish, index, text);
        }
        Ok(())
    }

    fn add_text(&mut self, kind: EventKind, index: usize, fragment: Option<&Fragment>) -> Result<(), GatherError> {
        let Some(text) = fragment.map(|fragment| fragment.text.0.as_ref()).filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        if self.keeps_text {
            self.bytes += text.len();
            self.response.candidates[index].push(kind, text)?;
        }
        let text = self.copy(text)?;
        self.push(kind, index, text);
        self.check_size()
    }

    fn add_tool_call(&mut self, index: usize, fragment: &ToolCall) -> Result<(), GatherError> {
        if is_long(fragment.id.as_ref()) || is_long(fragment.name.as_ref()) {
            return Err(GatherError::TooLong);
        }
        let candidate = &mut self.response.candidates[index];
        let calls = candidate.tool_calls.len();
        let (tool_call, growth) = candidate.push_tool_call(fragment)?;
        if growth.extra_fields > MAX_EXTRA_FIELDS {
            return Err(GatherError::TooMany("fields in a tool call", MAX_EXTRA_FIELDS));
        }
        let count = candidate.tool_calls.len();
        if count > MAX_COUNT {
            return Err(GatherError::TooMany("tool calls", MAX_COUNT));
        }
        self.bytes += growth.bytes + if count > calls { TOOL_CALL_BYTES } else { 0 };
        let text = self.copy(fragment.arguments.as_ref().map_or("", |arguments| &arguments.0))?;
        self.events.push_back(QueuedEvent { kind: EventKind::ToolCall, candidate: index, text, tool_call });
        self.check_size()
    }

    /// Adds text or reasoning, which most events consist of. The event bypasses the queue, and gathered text is not
    /// copied twice.
    pub fn add_delta(&mut self, kind: EventKind, candidate: u64, text: &str) -> Result<QueuedEvent, GatherError> {
        self.event_text.clear();
        let index = candidate as usize;
        let event = |kind, text| QueuedEvent { kind, candidate: index, text, tool_call: 0 };
        if text.is_empty() {
            return Ok(QueuedEvent { kind: EventKind::Other, candidate: 0, text: StringPlace::None, tool_call: 0 });
        }
        let candidate = match self.response.candidates.get_mut(index) {
            Some(candidate) if self.keeps_text => candidate,
            _ => return Ok(event(kind, self.copy(text)?)),
        };
        let start = candidate.push(kind, text)?;
        self.bytes += text.len();
        let event = event(kind, StringPlace::Gathered(start));
        if self.bytes > self.max_bytes {
            // The program reads this event before the stream fails.
            self.events.push_back(event);
            return Err(GatherError::TooLong);
        }
        Ok(event)
    }

    /// Queues the events of a response that was not streamed.
    pub fn add_whole_response(&mut self) -> Result<(), Error> {
        let candidates = std::mem::take(&mut self.response.candidates);
        for (index, candidate) in candidates.iter().enumerate() {
            let strings = [
                (EventKind::Reasoning, candidate.reasoning()),
                (EventKind::Text, candidate.text()),
                (EventKind::Refusal, candidate.refusal()),
            ];
            for (kind, text) in strings {
                if let Some(text) = text.map(NulString::as_str).filter(|text| !text.is_empty()) {
                    let text = self.copy(text)?;
                    self.push(kind, index, text);
                }
            }
            for (tool_call, call) in candidate.tool_calls.iter().enumerate() {
                let text = self.copy(call.arguments().as_str())?;
                self.events.push_back(QueuedEvent { kind: EventKind::ToolCall, candidate: index, text, tool_call });
            }
            if let Some(reason) = candidate.finish_reason() {
                let text = self.copy(reason.as_str())?;
                self.push(EventKind::Finish, index, text);
            }
        }
        self.response.candidates = candidates;
        if self.response.usage().is_known() {
            self.push(EventKind::Usage, 0, StringPlace::None);
        }
        self.discard_text();
        Ok(())
    }

    /// Queues the event of a raw response that was not streamed.
    pub fn add_whole_raw_response(&mut self) {
        self.add_other();
        self.discard_text();
    }

    fn discard_text(&mut self) {
        if !self.keeps_text {
            self.response.discard_text();
        }
    }

    fn push(&mut self, kind: EventKind, candidate: usize, text: StringPlace) {
        self.events.push_back(QueuedEvent { kind, candidate, text, tool_call: 0 });
    }

    fn copy(&mut self, text: &str) -> Result<StringPlace, Error> {
        let start = self.event_text.len();
        self.event_text.try_reserve(text.len() + 1).map_err(|_| Error::out_of_memory(text.len()))?;
        self.event_text.push_str(text);
        self.event_text.push('\0');
        Ok(StringPlace::EventText(start..self.event_text.len()))
    }

    fn check_size(&self) -> Result<(), GatherError> {
        if self.bytes > self.max_bytes { Err(GatherError::TooLong) } else { Ok(()) }
    }

    /// Returns whether text is queued, and whether other output of the model is.
    pub fn has_tokens(&self) -> (bool, bool) {
        let has = |kind| self.events.iter().any(|event| event.kind == kind);
        let has_others = has(EventKind::Reasoning) || has(EventKind::Refusal) || has(EventKind::ToolCall);
        (has(EventKind::Text), has_others)
    }

    /// Returns an event with its strings.
    pub fn event<'a>(&'a self, queued: QueuedEvent, raw: RawEvent<'a>) -> Event<'a> {
        let QueuedEvent { kind, candidate, text, tool_call } = queued;
        let text = match text {
            StringPlace::None => None,
            StringPlace::EventText(range) => self.event_text.get(range),
            StringPlace::Gathered(start) => {
                self.response.candidates.get(candidate).and_then(|candidate| candidate.with_nul_from(kind, start))
            }
        };
        let mut event = Event { kind, candidate, text, tool_call: None, usage: None, raw };
        match kind {
            EventKind::ToolCall => {
                let call =
                    self.response.candidates.get(candidate).and_then(|candidate| candidate.tool_calls.get(tool_call));
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

    /// Returns whether every candidate has a finish reason.
    pub fn is_finished(&self) -> bool {
        let candidates = &self.response.candidates;
        !candidates.is_empty() && candidates.iter().all(|candidate| candidate.finish_reason.is_some())
    }
}

fn is_long(name: Option<&Text>) -> bool {
    name.is_some_and(|name| name.0.len() > MAX_NAME_BYTES)
}

impl From<Error> for GatherError {
    fn from(error: Error) -> GatherError {
        GatherError::Error(error)
    }
}
