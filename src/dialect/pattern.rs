//! Reads the events of a stream. Most events repeat the JSON of the one before with another text, and need no parser.

use std::borrow::Cow;

use super::chunk::{Chunk, Event};
use super::error_response::ErrorResponse;
use super::reasoning::Reasoning;
use super::split_pairs::SplitPairs;
use super::{DecodeError, Dialect, response};

/// The name of an event that is an error.
const ERROR_EVENT: &[u8] = b"error";

/// Decodes the events of one stream, one after the other.
#[derive(Debug, Default)]
pub struct EventReader {
    pattern: Option<Pattern>,
    split: SplitPairs,
    /// Whether text has been streamed since the last complete item.
    has_text: bool,
}

/// The JSON of a chunk with nothing but text or reasoning: what precedes and what follows the string.
///
/// An event that starts and ends alike, with a string without quotes between, is the same JSON with another text: a
/// parser would be in the same state before the string, and after it.
#[derive(Debug)]
struct Pattern {
    prefix: Vec<u8>,
    suffix: Vec<u8>,
    candidate: u64,
    is_reasoning: bool,
}

impl EventReader {
    /// Decodes an event from its name and its data.
    pub fn read<'a>(&mut self, dialect: &dyn Dialect, name: &[u8], data: &'a [u8]) -> Result<Event<'a>, DecodeError> {
        if !name.is_empty() && name == ERROR_EVENT {
            return Ok(Event::Error(ErrorResponse::in_success(data)));
        }
        if let Some(pattern) = &self.pattern {
            if let Some(text) = pattern.match_text(data) {
                let candidate = pattern.candidate;
                self.has_text |= !pattern.is_reasoning;
                return Ok(match pattern.is_reasoning {
                    false => Event::Text(candidate, text),
                    true => Event::Reasoning(candidate, text),
                });
            }
        }
        let mut event = dialect.decode_event(data)?;
        if let Event::Item(item) = event {
            let deltas = if std::mem::take(&mut self.has_text) { Vec::new() } else { vec![item] };
            return Ok(Event::Chunk(Chunk { deltas, ..Chunk::default() }));
        }
        if let Event::Chunk(chunk) = &mut event {
            self.pattern = Pattern::new(data, chunk).or_else(|| self.pattern.take());
            self.has_text |= chunk.deltas.iter().any(|delta| delta.text.is_some());
            self.split.join(chunk);
            if !self.split.is_empty() {
                // The held surrogate must be joined with the next text.
                self.pattern = None;
            }
        }
        Ok(event)
    }

    /// Returns what is held back at the end of the stream: lone surrogates, as replacement characters.
    pub fn flush(&mut self) -> Chunk<'static> {
        self.split.flush()
    }
}

/// The maximum length of prefix and suffix together. Usually they are some hundred bytes; more is not worth a copy.
const MAX_PATTERN_BYTES: usize = 4096;

impl Pattern {
    /// Returns the pattern of a chunk; `None` if it contains more than text or reasoning.
    fn new(data: &[u8], chunk: &Chunk) -> Option<Pattern> {
        let [delta] = &chunk.deltas[..] else { return None };
        let has_more = chunk.usage.is_some() || delta.finish_reason.is_some() || !delta.tool_calls.is_empty();
        let (text, reasoning) = (delta.text.as_ref(), delta.reasoning.as_ref());
        let has_refusal = delta.refusal.as_ref().is_some_and(|refusal| !refusal.text.0.is_empty());
        // Only one of them: the other is missing, or empty in each event.
        let (string, is_reasoning) = match (text, reasoning) {
            (text, Some(Reasoning { text: string, signature: None, .. }))
                if text.is_none_or(|text| text.text.0.is_empty()) =>
            {
                (string, true)
            }
            (Some(text), None) => (text, false),
            _ => return None,
        };
        let Cow::Borrowed(text) = &string.text.0 else { return None };
        let start = (text.as_ptr() as usize).checked_sub(data.as_ptr() as usize)?;
        let (prefix, suffix) = (data.get(..start)?, data.get(start + text.len()..)?);
        if prefix.len() + suffix.len() > MAX_PATTERN_BYTES {
            return None;
        }
        let is_string = prefix.ends_with(b"\"") && suffix.starts_with(b"\"");
        (is_string && !has_more && !has_refusal).then(|| Pattern {
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
            candidate: delta.candidate,
            is_reasoning,
        })
    }

    /// Returns the text of an event that matches.
    fn match_text<'a>(&self, data: &'a [u8]) -> Option<Cow<'a, str>> {
        let rest = data.strip_prefix(&self.prefix[..])?;
        let text = rest.strip_suffix(&self.suffix[..])?;
        if text.is_empty() && self.is_reasoning {
            // Another field may contain the reasoning.
            return None;
        }
        if text.iter().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
            return self.unescape_text(data);
        }
        std::str::from_utf8(text).ok().map(Cow::Borrowed)
    }

    /// Returns a text with escapes, if it is a single string. Lone surrogates are left to the parser of the whole
    /// event.
    fn unescape_text(&self, data: &[u8]) -> Option<Cow<'static, str>> {
        response::check_memory(data).ok()?;
        let with_quotes = &data[self.prefix.len() - 1..data.len() - self.suffix.len() + 1];
        serde_json::from_slice(with_quotes).ok().map(Cow::Owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::DATABRICKS;

    fn chunk(index: u64, content: &str, rest: &str) -> String {
        format!(
            r#"{{"id":"x","choices":[{{"index":{index},"delta":{{"role":null,"content":{content}}}{rest}}}],"model":"m"}}"#
        )
    }

    /// Checks that a reader of all events decodes each like a new reader, and which events match the pattern.
    fn check_events(events: &[(String, bool)]) {
        let mut reader = EventReader::default();
        for (data, matches) in events {
            let fresh = EventReader::default().read(DATABRICKS, b"", data.as_bytes()).map(shown);
            let found = reader.read(DATABRICKS, b"", data.as_bytes());
            assert_eq!(matches!(found, Ok(Event::Text(..) | Event::Reasoning(..))), *matches, "{data}");
            assert_eq!(found.map(shown), fresh, "{data}");
        }
    }

    fn shown(event: Event) -> String {
        match event {
            Event::Text(candidate, text) => format!("{candidate} {text:?} \"\""),
            Event::Reasoning(candidate, text) => format!("{candidate} \"\" {text:?}"),
            Event::Chunk(Chunk { deltas, usage: None, .. })
                if deltas.len() == 1 && deltas[0].finish_reason.is_none() && deltas[0].tool_calls.is_empty() =>
            {
                let text = deltas[0].text.as_ref().map_or("", |text| &text.text.0);
                let reasoning = deltas[0].reasoning.as_ref().map_or("", |reasoning| &reasoning.text.text.0);
                format!("{} {text:?} {reasoning:?}", deltas[0].candidate)
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn reasoning_is_read_from_the_first_field_that_has_any() {
        let of = |first: &str, second: &str| {
            format!(r#"{{"choices":[{{"delta":{{"reasoning_content":"{first}","reasoning":"{second}"}}}}]}}"#)
        };
        let mut reader = EventReader::default();
        reader.read(DATABRICKS, b"", of("a", "b").as_bytes()).unwrap();
        let same = of("", "b");
        let Ok(Event::Chunk(chunk)) = reader.read(DATABRICKS, b"", same.as_bytes()) else { panic!() };
        assert_eq!(chunk.deltas[0].reasoning.as_ref().unwrap().text.text.0, "b");
    }

    #[test]
    fn matched_events_are_decoded_as_by_the_parser() {
        let ends = r#","finish_reason":"stop""#;
        check_events(&[
            (chunk(0, "\"a\"", ""), false),
            (chunk(0, "\" b\"", ""), true),
            (chunk(0, "\"\"", ""), true),
            (chunk(0, "\"é\u{1F600}\"", ""), true),
            (chunk(0, r#""\n\u00e9\ud83d\ude00""#, ""), true),
            (chunk(0, r#""\\""#, ""), true),
            (chunk(0, r#""a","x":"b""#, ""), false),
            (chunk(0, "\"b\"", ""), false),
            (chunk(0, r#""\"#, ""), false),
            (chunk(0, r#""\"""#, ""), true),
            (chunk(0, "\"c\"", ""), true),
            (chunk(0, "null", ""), false),
            (chunk(0, r#""x"},"y":{"z":"""#, ""), false),
            (chunk(0, "\"d\"", ends), false),
            (chunk(0, "\"e\"", ends), false),
            (chunk(0, "\"f\"", ""), false),
            (chunk(0, "\"f\"", ""), true),
            (chunk(1, "\"g\"", ""), false),
            (chunk(1, "\"h\"", ""), true),
            (chunk(0, "\"i\"", ""), false),
            (r#"{"choices":[],"usage":{"total_tokens":1}}"#.to_owned(), false),
            (chunk(0, "\"j\"", ""), true),
            (chunk(0, "\"line\nbreak\"", ""), false),
            (chunk(0, "\"j\"", ",\"delta\":1"), false),
            ("[DONE]".to_owned(), false),
        ]);
    }

    #[test]
    fn reasoning_matches_until_the_text_starts() {
        let of = |text: &str, reasoning: &str| {
            format!(r#"{{"choices":[{{"delta":{{"content":{text},"reasoning":{reasoning}}}}}]}}"#)
        };
        check_events(&[
            (of("null", "\"a\""), false),
            (of("null", "\"b\""), true),
            (of("\"c\"", "\"d\""), false),
            (of("null", "\"e\""), true),
            (of("\"\"", "\"f\""), false),
            (of("\"\"", "\"g\""), true),
            (of("\"h\"", "\"\""), false),
            (of("\"i\"", "\"\""), true),
            (of("\"i\"", "null"), false),
        ]);
    }

    #[test]
    fn invalid_bytes_do_not_match() {
        let mut reader = EventReader::default();
        let data = chunk(0, "\"a\"", "");
        assert!(reader.read(DATABRICKS, b"", data.as_bytes()).is_ok());
        let wrong = [
            &data.as_bytes()[..data.find("\"a\"").unwrap() + 1],
            b"\xff",
            &data.as_bytes()[data.find("\"a\"").unwrap() + 2..],
        ]
        .concat();
        assert!(reader.read(DATABRICKS, b"", &wrong).is_err());
        let overlapping = format!("{}{}", &data[..data.find("a\"").unwrap()], &data[data.find("\"a").unwrap() + 3..]);
        assert!(reader.read(DATABRICKS, b"", overlapping.as_bytes()).is_err());
    }
}
