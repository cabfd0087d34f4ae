//! What the chunks of a stream have in common: all but a few words of each is the same, and need be understood once.

use std::borrow::Cow;

use super::chunk::{Chunk, Event};
use super::error_response::ErrorResponse;
use super::reasoning::Reasoning;
use super::split_pairs::SplitPairs;
use super::{DecodeError, Dialect, response};

/// The name of an event whose data, if it has any, is an error.
const ERROR: &[u8] = b"error";

/// Understands the events of one stream, one after the other.
#[derive(Debug, Default)]
pub struct EventReader {
    pattern: Option<Pattern>,
    split: SplitPairs,
    /// Whether a text has come since the last whole item.
    has_text: bool,
}

/// A chunk with a text or reasoning and nothing else that is new: what stands before and behind the string.
///
/// An event that begins and ends in the same way, with an unescaped string between, is the same JSON with another text:
/// up to the text a parser would be where it was then, and behind it again.
#[derive(Debug)]
struct Pattern {
    before: Vec<u8>,
    behind: Vec<u8>,
    candidate: u64,
    is_reasoning: bool,
}

impl EventReader {
    /// What an event says, by its name and its data.
    pub fn read<'a>(&mut self, dialect: &dyn Dialect, name: &[u8], data: &'a [u8]) -> Result<Event<'a>, DecodeError> {
        if !name.is_empty() && name == ERROR {
            return Ok(Event::Error(ErrorResponse::in_success(data)));
        }
        if let Some(pattern) = &self.pattern {
            if let Some(text) = pattern.text(data) {
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
            let pieces = if std::mem::take(&mut self.has_text) { Vec::new() } else { vec![item] };
            return Ok(Event::Chunk(Chunk { pieces, ..Chunk::default() }));
        }
        if let Event::Chunk(chunk) = &mut event {
            self.pattern = Pattern::of(data, chunk).or_else(|| self.pattern.take());
            self.has_text |= chunk.pieces.iter().any(|piece| piece.text.is_some());
            self.split.join(chunk);
            if !self.split.is_empty() {
                // The next text is not all that comes next.
                self.pattern = None;
            }
        }
        Ok(event)
    }

    /// What is left at the end of the stream: halves of characters whose other halves did not come.
    pub fn rest(&mut self) -> Chunk<'static> {
        self.split.rest()
    }
}

/// What is around a text is some hundreds of bytes. More is not worth a copy.
const MAX_FRAME: usize = 4096;

impl Pattern {
    fn of(data: &[u8], chunk: &Chunk) -> Option<Pattern> {
        let [piece] = &chunk.pieces[..] else { return None };
        let says_more = chunk.usage.is_some() || piece.finish_reason.is_some() || !piece.tool_calls.is_empty();
        let (text, reasoning) = (piece.text.as_ref(), piece.reasoning.as_ref());
        let refuses = piece.refusal.as_ref().is_some_and(|refusal| !refusal.text.0.is_empty());
        // One of them: the other is not there, or empty each time.
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
        let (before, behind) = (data.get(..start)?, data.get(start + text.len()..)?);
        if before.len() + behind.len() > MAX_FRAME {
            return None;
        }
        let is_string = before.ends_with(b"\"") && behind.starts_with(b"\"");
        (is_string && !says_more && !refuses).then(|| Pattern {
            before: before.to_owned(),
            behind: behind.to_owned(),
            candidate: piece.candidate,
            is_reasoning,
        })
    }

    fn text<'a>(&self, data: &'a [u8]) -> Option<Cow<'a, str>> {
        let rest = data.strip_prefix(&self.before[..])?;
        let text = rest.strip_suffix(&self.behind[..])?;
        if text.is_empty() && self.is_reasoning {
            // Then another field may have it.
            return None;
        }
        if text.iter().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
            return self.escaped(data);
        }
        std::str::from_utf8(text).ok().map(Cow::Borrowed)
    }

    /// A string with escapes, if it is one string to its end. Halves of characters are for the parser of the whole.
    fn escaped(&self, data: &[u8]) -> Option<Cow<'static, str>> {
        response::check_memory(data).ok()?;
        let with_quotes = &data[self.before.len() - 1..data.len() - self.behind.len() + 1];
        serde_json::from_slice(with_quotes).ok().map(Cow::Owned)
    }
}

#[cfg(test)]
mod tests {
    use super::super::deployments::Deployments;
    use super::*;

    fn chunk(index: u64, content: &str, rest: &str) -> String {
        format!(
            r#"{{"id":"x","choices":[{{"index":{index},"delta":{{"role":null,"content":{content}}}{rest}}}],"model":"m"}}"#
        )
    }

    /// What a reader says that has read the others before must be what one says that has not; and how, fast or not.
    fn same(events: &[(String, bool)]) {
        let mut reader = EventReader::default();
        for (data, is_fast) in events {
            let fresh = EventReader::default().read(&Deployments, b"", data.as_bytes()).map(shown);
            let found = reader.read(&Deployments, b"", data.as_bytes());
            assert_eq!(matches!(found, Ok(Event::Text(..) | Event::Reasoning(..))), *is_fast, "{data}");
            assert_eq!(found.map(shown), fresh, "{data}");
        }
    }

    fn shown(event: Event) -> String {
        match event {
            Event::Text(candidate, text) => format!("{candidate} {text:?} \"\""),
            Event::Reasoning(candidate, text) => format!("{candidate} \"\" {text:?}"),
            Event::Chunk(Chunk { pieces, usage: None, .. })
                if pieces.len() == 1 && pieces[0].finish_reason.is_none() && pieces[0].tool_calls.is_empty() =>
            {
                let text = pieces[0].text.as_ref().map_or("", |text| &text.text.0);
                let reasoning = pieces[0].reasoning.as_ref().map_or("", |reasoning| &reasoning.text.text.0);
                format!("{} {text:?} {reasoning:?}", pieces[0].candidate)
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn reasoning_in_two_fields_is_that_of_the_first_that_has_any() {
        let of = |first: &str, second: &str| {
            format!(r#"{{"choices":[{{"delta":{{"reasoning_content":"{first}","reasoning":"{second}"}}}}]}}"#)
        };
        let mut reader = EventReader::default();
        reader.read(&Deployments, b"", of("a", "b").as_bytes()).unwrap();
        let same = of("", "b");
        let Ok(Event::Chunk(chunk)) = reader.read(&Deployments, b"", same.as_bytes()) else { panic!() };
        assert_eq!(chunk.pieces[0].reasoning.as_ref().unwrap().text.text.0, "b");
    }

    #[test]
    fn what_is_understood_fast_is_understood_alike() {
        let ends = r#","finish_reason":"stop""#;
        same(&[
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
    fn reasoning_is_understood_fast_until_the_text_begins() {
        let of = |text: &str, reasoning: &str| {
            format!(r#"{{"choices":[{{"delta":{{"content":{text},"reasoning":{reasoning}}}}}]}}"#)
        };
        same(&[
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
    fn wrong_bytes_are_not_passed_over() {
        let mut reader = EventReader::default();
        let data = chunk(0, "\"a\"", "");
        assert!(reader.read(&Deployments, b"", data.as_bytes()).is_ok());
        let wrong = [
            &data.as_bytes()[..data.find("\"a\"").unwrap() + 1],
            b"\xff",
            &data.as_bytes()[data.find("\"a\"").unwrap() + 2..],
        ]
        .concat();
        assert!(reader.read(&Deployments, b"", &wrong).is_err());
        let overlapping = format!("{}{}", &data[..data.find("a\"").unwrap()], &data[data.find("\"a").unwrap() + 3..]);
        assert!(reader.read(&Deployments, b"", overlapping.as_bytes()).is_err());
    }
}
