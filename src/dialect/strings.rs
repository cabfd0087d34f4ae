//! JSON strings. A lone surrogate becomes U+FFFD, unless a stream sends the two surrogates of a pair in two events.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// The start of the error message if there is no memory for a string.
pub(super) const NO_MEMORY: &str = "no memory for a string";

/// Replaces a lone surrogate.
pub(super) const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// A string: borrowed from the JSON, or owned if it has escapes there.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

/// Lone surrogates at the ends of a string. Their other halves may be in the strings before and after it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SurrogateHalves {
    /// The low surrogate in place of which the string starts with a replacement character.
    pub low: Option<u16>,
    /// The high surrogate in place of which the string ends with a replacement character.
    pub high: Option<u16>,
}

/// A string that may be part of a longer one.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Fragment<'a> {
    pub text: Text<'a>,
    pub halves: SurrogateHalves,
}

impl<'a> Fragment<'a> {
    /// Parses checked JSON; `None` if it is not a string.
    pub(super) fn from_json(json: &'a str) -> Option<Fragment<'a>> {
        let inner = json.strip_prefix('"')?.strip_suffix('"')?;
        if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
            return Some(Fragment::from(Cow::Borrowed(inner)));
        }
        match serde_json::from_str::<String>(json) {
            Ok(text) => Some(Fragment::from(Cow::Owned(text))),
            // The only errors in checked JSON are lone surrogates.
            Err(_) => Some(Fragment::from_surrogates(&serde_json::from_str::<Bytes>(json).ok()?.0)),
        }
    }

    /// Decodes UTF-8 in which lone surrogates are encoded like characters (WTF-8).
    fn from_surrogates(mut bytes: &[u8]) -> Fragment<'a> {
        let (mut text, mut halves) = (String::with_capacity(bytes.len()), SurrogateHalves::default());
        loop {
            let valid = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
            text.push_str(std::str::from_utf8(&bytes[..valid]).unwrap_or_default());
            let [_, second, third, rest @ ..] = &bytes[valid..] else { break };
            let half = 0xd000 | u16::from(second & 0x3f) << 6 | u16::from(third & 0x3f);
            if text.is_empty() {
                halves.low = Some(half).filter(|half| !is_high(*half));
            }
            if rest.is_empty() {
                halves.high = Some(half).filter(|half| is_high(*half));
            }
            text.push(REPLACEMENT);
            bytes = rest;
        }
        Fragment { text: Text(Cow::Owned(text)), halves }
    }

    /// Appends the string that follows, joining a surrogate pair that is split between them.
    pub(super) fn join(self, next: Fragment<'a>) -> Fragment<'a> {
        if next.text.0.is_empty() {
            return self;
        }
        if self.text.0.is_empty() {
            return next;
        }
        let mut text = self.text.0.into_owned();
        let mut rest: &str = &next.text.0;
        if let (Some(high), Some(low)) = (self.halves.high, next.halves.low) {
            text.pop();
            text.extend(char::decode_utf16([high, low]).map(|pair| pair.unwrap_or(REPLACEMENT)));
            rest = &rest[REPLACEMENT.len_utf8()..];
        }
        text.push_str(rest);
        Fragment {
            text: Text(Cow::Owned(text)),
            halves: SurrogateHalves { low: self.halves.low, high: next.halves.high },
        }
    }

    /// Like [`join`](Self::join), but fails if there is no memory.
    pub(super) fn try_join(self, next: Fragment<'a>) -> Result<Fragment<'a>, String> {
        if self.text.0.is_empty() {
            return Ok(next);
        }
        let (mut text, halves) = (self.text.0.into_owned(), self.halves);
        text.try_reserve(next.text.0.len()).map_err(|_| NO_MEMORY.to_owned())?;
        Ok(Fragment { text: Text(text.into()), halves }.join(next))
    }

    /// Splits off the high surrogate at the end.
    pub(super) fn split_high(mut self) -> (Text<'a>, Option<u16>) {
        if self.halves.high.is_some() {
            self.text.0.to_mut().pop();
        }
        (self.text, self.halves.high)
    }

    /// Returns a string of a single high surrogate.
    pub(super) fn from_high(high: u16) -> Fragment<'a> {
        let text = Text(Cow::Owned(REPLACEMENT.to_string()));
        Fragment { text, halves: SurrogateHalves { low: None, high: Some(high) } }
    }
}

impl<'a> From<Cow<'a, str>> for Fragment<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Fragment { text: Text(text), halves: SurrogateHalves::default() }
    }
}

fn is_high(half: u16) -> bool {
    half < 0xdc00
}

/// The bytes of a string, which may not be UTF-8.
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        struct BytesVisitor;
        impl Visitor<'_> for BytesVisitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_owned()))
            }
        }
        deserializer.deserialize_bytes(BytesVisitor)
    }
}

/// Returns the type of a value, for an error message.
pub(super) fn describe_kind(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// Encodes a text as a JSON string, with its quotes; `None` if there is no memory.
pub fn quote(text: &str) -> Option<String> {
    let extra = |byte: u8| if byte < b' ' { r"\u0000".len() - 1 } else { usize::from(matches!(byte, b'"' | b'\\')) };
    let mut json = Vec::new();
    json.try_reserve_exact(text.bytes().map(extra).sum::<usize>() + text.len() + 2).ok()?;
    serde_json::to_writer(&mut json, text).ok()?;
    String::from_utf8(json).ok()
}

/// Parses a string, from checked JSON.
pub(super) fn parse_string(json: &str) -> Result<Fragment<'_>, String> {
    Fragment::from_json(json).ok_or_else(|| format!("{}, expected a string", describe_kind(json)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> (String, Option<u16>, Option<u16>) {
        let Fragment { text, halves } = Fragment::from_json(json).unwrap();
        (text.0.into_owned(), halves.low, halves.high)
    }

    #[test]
    fn string_without_escapes_is_borrowed() {
        assert!(matches!(Fragment::from_json("\"aé\"").unwrap().text.0, Cow::Borrowed("aé")));
        assert_eq!(of(r#""a\n\ud83d\ude00""#), ("a\n\u{1F600}".to_owned(), None, None));
        assert_eq!((Fragment::from_json("1"), Fragment::from_json("null")), (None, None));
    }

    #[test]
    fn lone_surrogate_becomes_one_replacement_character() {
        let (high, low) = (Some(0xd83d), Some(0xde00));
        for (json, text, first, last) in [
            (r#""a\ud83d""#, "a\u{fffd}", None, high),
            (r#""\ude00b""#, "\u{fffd}b", low, None),
            (r#""\ude00x\ud83d""#, "\u{fffd}x\u{fffd}", low, high),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}", low, high),
            (r#""\ude00""#, "\u{fffd}", low, None),
            (r#""\ud83d""#, "\u{fffd}", None, high),
            (r#""a\ud83db\ude00c""#, "a\u{fffd}b\u{fffd}c", None, None),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1F600}", None, None),
            (r#""\ud83d\n""#, "\u{fffd}\n", None, None),
            (r#""\udbff\udfff\udfff\"""#, "\u{10ffff}\u{fffd}\"", None, None),
        ] {
            assert_eq!(of(json), (text.to_owned(), first, last), "{json}");
        }
    }

    #[test]
    fn quoted_string_parses_to_the_same() {
        assert_eq!(quote("").unwrap(), r#""""#);
        assert_eq!(quote("a\"\\/\n\0\u{7f}é\u{1F600}").unwrap(), "\"a\\\"\\\\/\\n\\u0000\u{7f}é\u{1F600}\"");
        let all: String = (0..0x300).filter_map(char::from_u32).collect();
        assert_eq!(of(&quote(&all).unwrap()).0, all);
    }

    #[test]
    fn surrogates_are_joined_across_strings() {
        let join = |strings: &[&'static str]| {
            let whole = strings.iter().map(|json| Fragment::from_json(json).unwrap()).reduce(Fragment::join).unwrap();
            whole.text.0.into_owned()
        };
        assert_eq!(join(&[r#""a\ud83d""#, r#""""#, r#""\ude00b""#]), "a\u{1F600}b");
        assert_eq!(join(&[r#""\ud83d""#, r#""\ude00\ud83d""#, r#""\ude01""#]), "\u{1F600}\u{1F601}");
        assert_eq!(join(&[r#""a\ud83d""#, r#""b""#]), "a\u{fffd}b");
        assert_eq!(join(&[r#""a\ude00""#, r#""\ud83d""#]), "a\u{fffd}\u{fffd}");
        assert_eq!(join(&[r#""\ud83d""#, r#""\ud83d\ude00""#]), "\u{fffd}\u{1F600}");
    }
}
