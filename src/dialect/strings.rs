//! Strings of JSON. Halves of surrogate pairs become U+FFFD, except where a stream brings a pair in two events.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// What stands for half of a surrogate pair.
pub(super) const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// A string: borrowed if it stands in the JSON as it is, owned if it holds escapes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

/// Halves of surrogate pairs at the ends of a string, of which the others may be in the strings beside it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SurrogateHalves {
    /// The second half that the string begins with, as a replacement character.
    pub low: Option<u16>,
    /// The first half that the string ends with, as a replacement character.
    pub high: Option<u16>,
}

/// A string that may be a part of a longer one.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Fragment<'a> {
    pub text: Text<'a>,
    pub halves: SurrogateHalves,
}

impl<'a> Fragment<'a> {
    /// Of checked JSON; `None` if it is no string.
    pub(super) fn of_json(json: &'a str) -> Option<Fragment<'a>> {
        let inner = json.strip_prefix('"')?.strip_suffix('"')?;
        if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
            return Some(Fragment::from(Cow::Borrowed(inner)));
        }
        match serde_json::from_str::<String>(json) {
            Ok(text) => Some(Fragment::from(Cow::Owned(text))),
            // JSON that is checked can be wrong in halves of pairs only.
            Err(_) => Some(Fragment::of_surrogates(&serde_json::from_str::<Bytes>(json).ok()?.0)),
        }
    }

    /// Of bytes in which halves of pairs are written as if they were characters.
    fn of_surrogates(mut bytes: &[u8]) -> Fragment<'a> {
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

    /// This with what follows it, in which the other half of its last character may be.
    pub(super) fn join(self, next: Fragment<'a>) -> Fragment<'a> {
        if next.text.0.is_empty() {
            return self;
        }
        if self.text.0.is_empty() {
            return next;
        }
        let mut text = self.text.0.into_owned();
        let mut following: &str = &next.text.0;
        if let (Some(high), Some(low)) = (self.halves.high, next.halves.low) {
            text.pop();
            text.extend(char::decode_utf16([high, low]).map(|pair| pair.unwrap_or(REPLACEMENT)));
            following = &following[REPLACEMENT.len_utf8()..];
        }
        text.push_str(following);
        Fragment {
            text: Text(Cow::Owned(text)),
            halves: SurrogateHalves { low: self.halves.low, high: next.halves.high },
        }
    }

    /// Without the half at its end, of which the other may come; that half by itself.
    pub(super) fn without_high(mut self) -> (Text<'a>, Option<u16>) {
        if self.halves.high.is_some() {
            self.text.0.to_mut().pop();
        }
        (self.text, self.halves.high)
    }

    /// Half of a character, of which the other may follow.
    pub(super) fn of_high(high: u16) -> Fragment<'a> {
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

/// What a string holds, where that may be no text.
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

/// What a value is that should have been something else, for a message.
pub(super) fn kind(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// A text as a JSON string, with its quotes; `None` if there is no memory for it.
pub fn quoted(text: &str) -> Option<String> {
    let more = |byte: u8| if byte < b' ' { r"\u0000".len() - 1 } else { usize::from(matches!(byte, b'"' | b'\\')) };
    let mut json = Vec::new();
    json.try_reserve_exact(text.bytes().map(more).sum::<usize>() + text.len() + 2).ok()?;
    serde_json::to_writer(&mut json, text).ok()?;
    String::from_utf8(json).ok()
}

/// A string, of checked JSON.
pub(super) fn string(json: &str) -> Result<Fragment<'_>, String> {
    Fragment::of_json(json).ok_or_else(|| format!("{} where a string belongs", kind(json)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> (String, Option<u16>, Option<u16>) {
        let Fragment { text, halves } = Fragment::of_json(json).unwrap();
        (text.0.into_owned(), halves.low, halves.high)
    }

    #[test]
    fn string_without_escapes_is_borrowed() {
        assert!(matches!(Fragment::of_json("\"aé\"").unwrap().text.0, Cow::Borrowed("aé")));
        assert_eq!(of(r#""a\n\ud83d\ude00""#), ("a\n\u{1F600}".to_owned(), None, None));
        assert_eq!((Fragment::of_json("1"), Fragment::of_json("null")), (None, None));
    }

    #[test]
    fn half_of_a_pair_becomes_one_replacement_character() {
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
    fn quoted_string_reads_back() {
        assert_eq!(quoted("").unwrap(), r#""""#);
        assert_eq!(quoted("a\"\\/\n\0\u{7f}é\u{1F600}").unwrap(), "\"a\\\"\\\\/\\n\\u0000\u{7f}é\u{1F600}\"");
        let all: String = (0..0x300).filter_map(char::from_u32).collect();
        assert_eq!(of(&quoted(&all).unwrap()).0, all);
    }

    #[test]
    fn halves_are_joined_across_strings() {
        let join = |strings: &[&'static str]| {
            let whole = strings.iter().map(|json| Fragment::of_json(json).unwrap()).reduce(Fragment::join).unwrap();
            whole.text.0.into_owned()
        };
        assert_eq!(join(&[r#""a\ud83d""#, r#""""#, r#""\ude00b""#]), "a\u{1F600}b");
        assert_eq!(join(&[r#""\ud83d""#, r#""\ude00\ud83d""#, r#""\ude01""#]), "\u{1F600}\u{1F601}");
        assert_eq!(join(&[r#""a\ud83d""#, r#""b""#]), "a\u{fffd}b");
        assert_eq!(join(&[r#""a\ude00""#, r#""\ud83d""#]), "a\u{fffd}\u{fffd}");
        assert_eq!(join(&[r#""\ud83d""#, r#""\ud83d\ude00""#]), "\u{fffd}\u{1F600}");
    }
}
