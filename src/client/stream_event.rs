//! The events that a stream returns.

use super::nul_string::NulString;
use crate::dialect::Usage;

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A fragment of the text.
    Text,
    /// A fragment of the reasoning.
    Reasoning,
    /// A fragment of the refusal.
    Refusal,
    /// A fragment of a tool call's arguments.
    ToolCall,
    /// The finish reason of a candidate.
    Finish,
    /// The token counts.
    Usage,
    /// Any other data.
    Other,
}

/// An event of a stream.
#[derive(Debug)]
pub struct Event<'a> {
    /// The kind.
    pub kind: EventKind,
    /// The index of the candidate.
    pub candidate: usize,
    /// With a NUL terminator.
    pub(super) text: Option<&'a str>,
    /// Set if the kind is `ToolCall`.
    pub tool_call: Option<EventToolCall<'a>>,
    /// Set if the kind is `Usage`.
    pub usage: Option<&'a Usage>,
    pub(super) raw: RawEvent<'a>,
}

/// The tool call of an event.
#[derive(Debug)]
pub struct EventToolCall<'a> {
    /// The position in the candidate's tool calls.
    pub index: usize,
    pub id: Option<&'a NulString>,
    pub name: Option<&'a NulString>,
}

/// The event as received, with NUL terminators.
#[derive(Debug, Default, Clone, Copy)]
pub struct RawEvent<'a> {
    pub(crate) name: Option<&'a [u8]>,
    pub(crate) data: Option<&'a [u8]>,
}

impl<'a> Event<'a> {
    /// Returns the text, the fragment of arguments, or the finish reason.
    pub fn text(&self) -> Option<&'a str> {
        self.text.map(|text| &text[..text.len() - 1])
    }

    /// As [`Event::text`], with a NUL terminator.
    pub(crate) fn text_with_nul(&self) -> Option<&'a str> {
        self.text
    }

    pub(crate) fn raw(&self) -> RawEvent<'a> {
        self.raw
    }
}
