//! JSON values that borrow from the response where they can, and that forgive what does not matter.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::objects::{Few, Fields, Object};
use super::reader::{self, Raw};
use super::reasoning::{self, Reasoning};
use super::strings::{Fragment, Text, kind, string};

/// What the error begins with where there is no memory for a text.
pub(super) const NO_MEMORY: &str = "there is no memory for a text in parts";

/// Whether a value says anything, as Python understands it: null, false, 0, "", [] and {} do not.
pub(super) fn is_truthy(json: &str) -> bool {
    let is_filled = |json: &str| json.get(1..json.len() - 1).is_some_and(|inner| !inner.trim_ascii().is_empty());
    match json.as_bytes().first() {
        Some(b'"') => json != "\"\"",
        Some(b'[' | b'{') => is_filled(json),
        Some(b't') => true,
        Some(b'n' | b'f') | None => false,
        _ => json.bytes().take_while(|byte| !byte.eq_ignore_ascii_case(&b'e')).any(|byte| matches!(byte, b'1'..=b'9')),
    }
}

/// The content of a message: a string, or a list of parts. The texts of the parts are put together, and it is noted
/// what else there is.
#[derive(Debug, Default)]
pub(super) struct MessageContent<'a> {
    pub text: Option<Fragment<'a>>,
    pub refusal: Option<Fragment<'a>>,
    pub reasoning: Option<Reasoning<'a>>,
    /// Also one that nobody can read.
    pub has_reasoning: bool,
    /// Images, for example.
    pub has_others: bool,
}

impl<'a> MessageContent<'a> {
    /// Of checked JSON.
    pub fn of_json(json: &'a str) -> Result<MessageContent<'a>, String> {
        if let Some(text) = Fragment::of_json(json) {
            return Ok(MessageContent { text: Some(text), ..MessageContent::default() });
        }
        match json.as_bytes().first() {
            Some(b'n') => Ok(MessageContent::default()),
            Some(b'[') => reader::from_str(json).map_err(|error| without_place(&error)),
            _ => Err(format!("{} where a string or a list of parts belongs", kind(json))),
        }
    }

    fn add(&mut self, part: Part<'a>) -> Result<(), String> {
        let kind = part.kind.text().unwrap_or_default();
        match kind.0.as_ref() {
            "text" | "output_text" => {
                // A part without a text is passed over.
                let Some(text) = part.text.and_then(Fragment::of_json) else { return Ok(()) };
                self.text = Some(match self.text.take() {
                    Some(before) => joined(before, text)?,
                    None => text,
                });
            }
            "refusal" => self.refusal = part.refusal.and_then(Fragment::of_json),
            "reasoning" | "thinking" | "redacted_thinking" => {
                self.has_reasoning = true;
                let signature = part.signature.name();
                if let Some(next) = reasoning::of_part([part.summary, part.text, part.thinking], signature)? {
                    let before = self.reasoning.take().unwrap_or_default();
                    let (text, signature) = (joined(before.text, next.text)?, next.signature.or(before.signature));
                    self.reasoning = Some(Reasoning { text, signature, form: next.form });
                }
            }
            _ => self.has_others = true,
        }
        Ok(())
    }
}

/// Of a list of parts, which are taken in one by one: they may be many.
impl<'de: 'a, 'a> Deserialize<'de> for MessageContent<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PartsVisitor;
        impl<'de> Visitor<'de> for PartsVisitor {
            type Value = MessageContent<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list of parts")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut parts: S) -> Result<Self::Value, S::Error> {
                let mut content = MessageContent::default();
                while let Some(Object(part)) = parts.next_element()? {
                    content.add(part).map_err(Error::custom)?;
                }
                Ok(content)
            }
        }
        deserializer.deserialize_seq(PartsVisitor)
    }
}

/// Puts parts together in a text that grows, for which there may be no memory.
pub(super) fn joined<'a>(before: Fragment<'a>, next: Fragment<'a>) -> Result<Fragment<'a>, String> {
    if before.text.0.is_empty() {
        return Ok(next);
    }
    let (mut text, halves) = (before.text.0.into_owned(), before.halves);
    text.try_reserve(next.text.0.len()).map_err(|_| NO_MEMORY.to_owned())?;
    Ok(Fragment { text: Text(text.into()), halves }.join(next))
}

#[derive(Default)]
struct Part<'a> {
    kind: Lenient<'a>,
    text: Option<&'a str>,
    refusal: Option<&'a str>,
    summary: Option<&'a str>,
    thinking: Option<&'a str>,
    signature: Lenient<'a>,
}

impl<'de> Fields<'de> for Part<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "type" => self.kind = map.next_value()?,
            "text" => self.text = Some(map.next_value::<Raw>()?.get()),
            "refusal" => self.refusal = Some(map.next_value::<Raw>()?.get()),
            "summary" => self.summary = Some(map.next_value::<Raw>()?.get()),
            "thinking" => self.thinking = Some(map.next_value::<Raw>()?.get()),
            "signature" => self.signature = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// What an error says, without its place in a part of the JSON, which would mislead.
pub(super) fn without_place(error: &serde_json::Error) -> String {
    let why = error.to_string();
    why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why).to_owned()
}

/// A list of objects, of checked JSON.
pub(super) fn few<'a, T: Fields<'a>>(json: &'a str) -> Result<Vec<T>, String> {
    reader::from_str(json).map(|Few(list)| list).map_err(|error| without_place(&error))
}

/// As [`few`], where anything else is as good as an empty list.
pub(super) fn list_or_none<'a, T: Fields<'a>>(json: &'a str) -> Vec<T> {
    few(json).unwrap_or_default()
}

/// Understands the JSON of a field, if it is there. What is wrong begins with its place.
pub(super) fn field<'a, T>(
    place: &str,
    json: Option<Raw<'a>>,
    understand: impl FnOnce(&'a str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    let understood = json.map(|json| understand(json.get())).transpose();
    understood.map_err(|why| format!("{place}: {why}"))
}

/// A string, or null in the place of one, of checked JSON.
pub(super) fn string_or_null(json: &str) -> Result<Option<Fragment<'_>>, String> {
    if json == "null" { Ok(None) } else { string(json).map(Some) }
}

/// A value beside the text itself. One of another kind than it should be is as good as none: a response is not thrown
/// away for a strange count of tokens.
#[derive(Debug, Default)]
pub(super) enum Lenient<'a> {
    Text(Text<'a>),
    Count(u64),
    #[default]
    Other,
}

impl<'a> Lenient<'a> {
    pub fn text(self) -> Option<Text<'a>> {
        match self {
            Lenient::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A text that names something: an empty one does not.
    pub fn name(self) -> Option<Text<'a>> {
        self.text().filter(|name| !name.0.is_empty())
    }

    pub fn is(&self, text: &str) -> bool {
        matches!(self, Lenient::Text(other) if other.0 == text)
    }

    pub fn count(&self) -> Option<u64> {
        match self {
            Lenient::Count(count) => Some(*count),
            _ => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Lenient<'a> {
    // Nearly every field of every response is one.
    #[inline(never)]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As it stands there: what it would be, no number may be able to hold.
        let json = Raw::deserialize(deserializer)?.get();
        Ok(match json.as_bytes().first() {
            Some(b'"') => Fragment::of_json(json).map_or(Lenient::Other, |fragment| Lenient::Text(fragment.text)),
            // Those beyond are none in C.
            Some(b'0'..=b'9') => match json.parse() {
                Ok(count) if count <= i64::MAX as u64 => Lenient::Count(count),
                _ => Lenient::Other,
            },
            _ => Lenient::Other,
        })
    }
}

/// A count, forgiven as [`Lenient`] is.
#[derive(Debug, Default)]
pub(super) struct Count(pub Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Lenient::deserialize(deserializer).map(|value| Count(value.count()))
    }
}

/// Whether a value says anything, see [`is_truthy`].
#[derive(Debug, Default)]
pub(super) struct Truth(pub bool);

impl<'de> Deserialize<'de> for Truth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Raw::deserialize(deserializer).map(|json| Truth(is_truthy(json.get())))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn content_may_come_in_parts() {
        let of = |json: &str| {
            let content = MessageContent::of_json(json)?;
            Ok::<_, String>(content.text.map(|text| text.text.0.into_owned()))
        };
        assert_eq!(of(r#""a\n""#), Ok(Some("a\n".to_owned())));
        let parts =
            r#"[{"type":"reasoning","text":"hm"},{"type":"text","text":"a"},{"type":"text","text":"b","x":1},{}]"#;
        assert_eq!(of(parts), Ok(Some("ab".to_owned())));
        let halves = r#"[{"type":"text","text":"a\ud83d"},{"type":"output_text","text":"\ude00"}]"#;
        assert_eq!(of(halves), Ok(Some("a\u{1F600}".to_owned())));
        assert_eq!((of("[]"), of("null")), (Ok(None), Ok(None)));
        for json in ["1", "[1]", "{}", "[[\"text\",\"a\"]]", "true"] {
            assert!(of(json).is_err(), "{json}");
        }
        let content = MessageContent::of_json(r#"[{"type":"refusal","refusal":"no"},{"type":"thinking"}]"#).unwrap();
        assert_eq!((content.refusal, content.has_reasoning), (Some(Cow::Borrowed("no").into()), true));
        assert!(!content.has_others && MessageContent::of_json(r#"[{"type":"image_url"}]"#).unwrap().has_others);
    }

    #[test]
    fn reasoning_may_be_parts_of_the_content() {
        let of = |json: &str| {
            let reasoning = MessageContent::of_json(json).unwrap().reasoning?;
            Some((reasoning.text.text.0.into_owned(), reasoning.signature.map(|signature| signature.0.into_owned())))
        };
        let signed = Some("s".to_owned());
        for (json, expected) in [
            (
                r#"[{"type":"reasoning","summary":[{"type":"summary_text","text":"a\ud83d"},{"text":"\ude00","signature":"s"}]},
                    {"type":"text","text":"x"}]"#,
                ("a\u{1F600}", signed.clone()),
            ),
            (
                r#"[{"type":"thinking","thinking":"a","signature":"s"},{"type":"thinking","thinking":"b"}]"#,
                ("ab", signed),
            ),
            (r#"[{"type":"thinking","thinking":[{"type":"text","text":"a"},{"text":"b"}]}]"#, ("ab", None)),
            (r#"[{"type":"reasoning","text":"a"}]"#, ("a", None)),
            (r#"[{"type":"reasoning","summary":[1]}]"#, ("", None)),
        ] {
            assert_eq!(of(json), Some((expected.0.to_owned(), expected.1)), "{json}");
        }
        assert_eq!(of(r#"[{"type":"redacted_thinking","data":"x"}]"#), None);
        assert_eq!(of(r#"[{"type":"text","text":"x"}]"#), None);
    }

    #[test]
    fn only_what_python_takes_for_true_says_anything() {
        for json in ["null", "false", "0", "-0", "0.00", "0e7", "-0.0E5", "\"\"", "[]", "[ \n]", "{}", "{ }"] {
            assert!(!is_truthy(json), "{json}");
        }
        for json in ["true", "1", "-0.01", "1e-9999", "\" \"", "\"0\"", "[0]", "[null]", r#"{"message":null}"#] {
            assert!(is_truthy(json), "{json}");
        }
    }

    #[test]
    fn forgives_what_is_of_another_kind() {
        let none = ["null", "-1", "1.5", "true", "[1,{\"a\":[]}]", "{\"a\":{\"b\":1}}", "9223372036854775808", "1e400"];
        for json in none.into_iter().chain(["-0"]) {
            let value: Lenient = reader::from_str(json).unwrap();
            assert!(value.count().is_none() && value.text().is_none(), "{json}");
        }
        assert_eq!(reader::from_str::<Lenient>(" 7 ").unwrap().count(), Some(7));
        for (json, text) in [("\"a\\n\"", "a\n"), ("\"a\\ud800\"", "a\u{fffd}")] {
            assert_eq!(reader::from_str::<Lenient>(json).unwrap().text(), Some(Text(text.into())));
        }
        assert!(reader::from_str::<Lenient>("\"\"").unwrap().name().is_none());
        assert!(reader::from_str::<Lenient>("[1").is_err());
    }
}
