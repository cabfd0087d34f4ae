//! An event of a stream with its own strings. It outlives the stream.

use std::ops::Range;

use super::super::error::Error;
use super::super::nul_string::NulString;
use super::super::stream_event::{Event, EventKind, EventToolCall, RawEvent};
use crate::dialect::Usage;

/// A copy of an event.
#[derive(Debug)]
pub struct OwnedEvent {
    kind: EventKind,
    candidate: usize,
    /// The strings, each with a NUL terminator.
    bytes: Vec<u8>,
    text: Option<Range<usize>>,
    raw_name: Option<Range<usize>>,
    raw_data: Option<Range<usize>>,
    tool_call: Option<Box<OwnedToolCall>>,
    usage: Option<Box<Usage>>,
}

#[derive(Debug)]
struct OwnedToolCall {
    index: usize,
    id: Option<NulString>,
    name: Option<NulString>,
}

impl OwnedEvent {
    pub(super) fn copy(event: &Event) -> Result<OwnedEvent, Error> {
        let text = event.text_with_nul().map(str::as_bytes);
        let RawEvent { name, data } = event.raw();
        let size = [text, name, data].iter().flatten().map(|string| string.len()).sum();
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size).map_err(|_| Error::out_of_memory(size))?;
        let mut add = |string: Option<&[u8]>| {
            string.map(|string| {
                let start = bytes.len();
                bytes.extend_from_slice(string);
                start..bytes.len()
            })
        };
        let (text, raw_name, raw_data) = (add(text), add(name), add(data));
        let tool_call = event
            .tool_call
            .as_ref()
            .map(|call| Box::new(OwnedToolCall { index: call.index, id: call.id.cloned(), name: call.name.cloned() }));
        let usage = event.usage.map(|usage| Box::new(*usage));
        Ok(OwnedEvent {
            kind: event.kind,
            candidate: event.candidate,
            bytes,
            text,
            raw_name,
            raw_data,
            tool_call,
            usage,
        })
    }

    /// Returns the memory that it uses, about.
    pub(super) fn size(&self) -> usize {
        size_of::<OwnedEvent>() + self.bytes.len()
    }

    /// Returns the event.
    pub fn event(&self) -> Event<'_> {
        let string = |range: &Option<Range<usize>>| range.clone().and_then(|range| self.bytes.get(range));
        Event {
            kind: self.kind,
            candidate: self.candidate,
            text: string(&self.text).and_then(|text| std::str::from_utf8(text).ok()),
            tool_call: self.tool_call.as_ref().map(|call| EventToolCall {
                index: call.index,
                id: call.id.as_ref(),
                name: call.name.as_ref(),
            }),
            usage: self.usage.as_deref(),
            raw: RawEvent { name: string(&self.raw_name), data: string(&self.raw_data) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_equals_the_event() {
        let (id, name) = (NulString::new("call_1").unwrap(), NulString::new("f").unwrap());
        let usage = Usage { input: Some(3), ..Usage::default() };
        let call = EventToolCall { index: 1, id: Some(&id), name: Some(&name) };
        let raw = RawEvent { name: Some(b"message\0"), data: Some(b"{\xff\0}\0") };
        for event in [
            Event { kind: EventKind::Text, candidate: 2, text: Some("a\0b\0"), tool_call: None, usage: None, raw },
            Event {
                kind: EventKind::ToolCall,
                candidate: 0,
                text: Some("\0"),
                tool_call: Some(call),
                usage: None,
                raw,
            },
            Event {
                kind: EventKind::Usage,
                candidate: 0,
                text: None,
                tool_call: None,
                usage: Some(&usage),
                raw: RawEvent::default(),
            },
        ] {
            let copy = OwnedEvent::copy(&event).unwrap();
            assert_eq!(format!("{:?}", copy.event()), format!("{event:?}"));
        }
    }
}
