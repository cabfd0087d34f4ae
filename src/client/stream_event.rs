//! What a stream hands out.

use super::nul_string::NulString;
use crate::dialect::Usage;

/// What an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A part of the text.
    Text,
    /// A part of what the model writes before its answer.
    Reasoning,
    /// A part of the words in which it refuses.
    Refusal,
    /// A fragment of a tool call's arguments.
    ToolCall,
    /// Why a candidate ended.
    Finish,
    /// How many tokens the response took.
    Usage,
    /// Data that is none of these.
    Other,
}

/// A part of a response as it comes.
#[derive(Debug)]
pub struct Event<'a> {
    /// What it says.
    pub kind: EventKind,
    /// Which candidate's, beginning with 0.
    pub candidate: usize,
    /// With a NUL byte behind it.
    pub(super) text: Option<&'a str>,
    /// Of a fragment of one.
    pub tool_call: Option<EventToolCall<'a>>,
    /// Of that kind of event.
    pub usage: Option<&'a Usage>,
    pub(super) raw: RawEvent<'a>,
}

/// The tool call that an event is of.
#[derive(Debug)]
pub struct EventToolCall<'a> {
    /// Its place in the response's list.
    pub index: usize,
    pub id: Option<&'a NulString>,
    pub name: Option<&'a NulString>,
}

/// What the server sent, with a NUL byte behind each.
#[derive(Debug, Default, Clone, Copy)]
pub struct RawEvent<'a> {
    pub(crate) name: Option<&'a [u8]>,
    pub(crate) data: Option<&'a [u8]>,
}

impl<'a> Event<'a> {
    /// The text, the fragment of arguments, or the reason.
    pub fn text(&self) -> Option<&'a str> {
        self.text.map(|text| &text[..text.len() - 1])
    }

    /// With a NUL byte behind it.
    pub(crate) fn text_with_nul(&self) -> Option<&'a str> {
        self.text
    }

    pub(crate) fn raw(&self) -> RawEvent<'a> {
        self.raw
    }
}
