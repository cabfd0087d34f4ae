//! Event streams: the events are those that the standard defines, however the stream is split. A chunk that matches the
//! pattern of the event before is decoded as by the parser.
//!
//! Input: a byte for the split (see `pieces`), a byte for the maximum length of an event (a printable character:
//! large), a byte for the dialect (a digit), and the stream.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mlflow_ai_gateway::fuzz::dialect::{Chunk, DISCOVERED, Dialect, Event, EventReader};
use mlflow_ai_gateway::fuzz::http;
use mlflow_ai_gateway::fuzz::http::{Events, TransportError};
use mlflow_ai_gateway_fuzz::pieces::pieces;

/// The name and the data of an event.
type NamedEvent = (Vec<u8>, Vec<u8>);

fuzz_target!(|input: &[u8]| {
    let [pattern, limit, dialect, stream @ ..] = input else { return };
    let is_limited = *limit < b' ';
    let limit = if is_limited { 8 * (usize::from(*limit) + 1) } else { 1 << 20 };
    let whole = events(std::iter::once(stream), limit);
    for pattern in [1, *pattern] {
        assert_eq!(events(pieces(stream, pattern), limit), whole, "in another split");
    }
    if is_limited {
        assert!(whole.0.iter().all(|(name, data)| name.len().max(data.len()) <= limit), "an event exceeds the limit");
    } else {
        assert_eq!(whole, (parse_by_the_standard(stream), None), "not the events of the standard");
    }
    read(DISCOVERED[usize::from(*dialect) % DISCOVERED.len()], &whole.0);
});

fn events<'a>(pieces: impl Iterator<Item = &'a [u8]>, limit: usize) -> (Vec<NamedEvent>, Option<TransportError>) {
    let (mut events, mut found) = (Events::new(limit), Vec::new());
    for piece in pieces {
        events.feed(piece).expect("there is memory");
        loop {
            match events.next() {
                Ok(Some(http::Event { name, data })) => {
                    let event = (name.to_owned(), data.to_owned());
                    let (last_name, last_data) = events.last_with_nul();
                    assert_eq!(last_data.split_last(), Some((&0, &event.1[..])), "the data with a NUL byte at the end");
                    assert!(last_name.is_none_or(|name| name.split_last() == Some((&0, &event.0[..]))));
                    found.push(event);
                }
                Ok(None) => break,
                Err(problem) => return (found, Some(problem)),
            }
        }
    }
    (found, None)
}

/// Parses a stream literally by WHATWG HTML, 9.2.6, except for errors: a field named "error" is an event, and an error
/// event may have no data.
fn parse_by_the_standard(stream: &[u8]) -> Vec<NamedEvent> {
    let mut rest = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let (mut events, mut name, mut data) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        let line = &rest[..end];
        rest = &rest[end + if rest[end..].starts_with(b"\r\n") { 2 } else { 1 }..];
        if line.is_empty() {
            let lines: Vec<&[u8]> = std::mem::take(&mut data);
            let event = (std::mem::take(&mut name), lines.join(&b'\n'));
            // The standard dispatches events with empty data, too; the library ignores them.
            events.extend(Some(event).filter(|(name, data)| !data.is_empty() || name == b"error"));
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = colon.map_or((line, &b""[..]), |colon| (&line[..colon], &line[colon + 1..]));
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => data.push(value),
            b"event" => name = value.to_owned(),
            b"error" => events.push((b"error".to_vec(), value.to_owned())),
            _ => {}
        }
    }
    events
}

fn read(dialect: &dyn Dialect, events: &[NamedEvent]) {
    let mut reader = EventReader::default();
    // The reader holds back a high surrogate for the next event.
    let has_halves = events.iter().any(|(_, data)| data.windows(3).any(|three| matches!(three, b"\\ud" | b"\\uD")));
    for (name, data) in events {
        let alone = dialect.decode_event(data);
        match (reader.read(dialect, name, data), &alone) {
            (read, _) if name == b"error" => assert!(matches!(read, Ok(Event::Error(_)))),
            _ if has_halves => {}
            (Ok(Event::Text(candidate, text)), Ok(Event::Chunk(chunk))) => {
                assert_eq!(only(chunk), (candidate, text.as_ref(), ""));
            }
            (Ok(Event::Reasoning(candidate, text)), Ok(Event::Chunk(chunk))) => {
                assert_eq!(only(chunk), (candidate, "", text.as_ref()));
            }
            (read, alone) => assert_eq!(format!("{read:?}"), format!("{alone:?}")),
        }
    }
    let rest = reader.flush();
    assert!(has_halves || rest.deltas.is_empty());
}

/// Returns the candidate, the text and the reasoning of a chunk that has nothing else.
fn only<'a>(chunk: &'a Chunk) -> (u64, &'a str, &'a str) {
    let [delta] = &chunk.deltas[..] else { panic!("not a single delta: {chunk:?}") };
    assert!(chunk.usage.is_none() && delta.finish_reason.is_none() && delta.tool_calls.is_empty());
    assert!(delta.refusal.as_ref().is_none_or(|refusal| refusal.text.0.is_empty()));
    let text = delta.text.as_ref().map_or("", |text| &text.text.0);
    (delta.candidate, text, delta.reasoning.as_ref().map_or("", |reasoning| &reasoning.text.text.0))
}
