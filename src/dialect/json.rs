//! JSON values that borrow from the answer where they can, and that forgive what does not matter.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::objects::Object;

/// A string: borrowed if it stands in the JSON as it is, owned if it holds escapes.
/// (serde borrows a `Cow` on its own, but not one inside an `Option` or a `Vec`.)
#[derive(Debug, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// What the parser's error begins with where there is no memory for a text.
pub(super) const NO_MEMORY: &str = "there is no memory for a text in parts";

/// What a message says: a string, or a list of parts, of which those that are text are put together. (Reasoning models
/// on Databricks answer so.)
#[derive(Debug)]
pub(super) struct Words<'a>(pub Text<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Words<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Part<'a> {
            #[serde(borrow, default, rename = "type")]
            kind: Lenient<'a>,
            #[serde(borrow, default)]
            text: Option<&'a RawValue>,
        }
        struct WordsVisitor;
        impl<'de> Visitor<'de> for WordsVisitor {
            type Value = Words<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string or a list of parts")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Words(Text(Cow::Borrowed(text))))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Words(Text(Cow::Owned(text.to_owned()))))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut parts: S) -> Result<Self::Value, S::Error> {
                let mut words = String::new();
                while let Some(Object(part)) = parts.next_element::<Object<Part>>()? {
                    match part.text.map(RawValue::get) {
                        // What is no text of this kind is passed over, but not what is none at all.
                        Some(json) if part.kind.is("text") && json.starts_with('"') => {
                            let text: Text = serde_json::from_str(json).map_err(Error::custom)?;
                            words.try_reserve(text.0.len()).map_err(|_| Error::custom(NO_MEMORY))?;
                            words.push_str(&text.0);
                        }
                        _ => {}
                    }
                }
                Ok(Words(Text(Cow::Owned(words))))
            }
        }
        deserializer.deserialize_any(WordsVisitor)
    }
}

/// A value beside the answer itself. One of another kind than it should be is as good as none: an answer is not thrown
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
    // Nearly every field of every answer is one.
    #[inline(never)]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As it stands there: what it would be, no number or no text may be able to hold.
        let json = <&RawValue>::deserialize(deserializer)?.get();
        Ok(match json.as_bytes().first() {
            Some(b'"') => serde_json::from_str(json).map_or(Lenient::Other, Lenient::Text),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_may_come_in_parts() {
        let of = |json: &str| serde_json::from_str::<Words>(json).map(|words| words.0.0.into_owned()).ok();
        assert_eq!(of(r#""a\n""#), Some("a\n".to_owned()));
        let parts =
            r#"[{"type":"reasoning","text":"hm"},{"type":"text","text":"a"},{"type":"text","text":"b","x":1},{}]"#;
        assert_eq!(of(parts), Some("ab".to_owned()));
        assert_eq!(of("[]"), Some(String::new()));
        assert_eq!(of(r#"[{"type":"text","text":"a\ud800"}]"#), None);
        for json in ["1", "[1]", "{}", "[[\"text\",\"a\"]]", "null", "true"] {
            assert_eq!(of(json), None, "{json}");
        }
    }

    #[test]
    fn forgives_what_is_of_another_kind() {
        let none = ["null", "-1", "1.5", "true", "[1,{\"a\":[]}]", "{\"a\":{\"b\":1}}", "9223372036854775808", "1e400"];
        for json in none.into_iter().chain(["-0", "\"\\ud800\""]) {
            let value: Lenient = serde_json::from_str(json).unwrap();
            assert!(value.count().is_none() && value.text().is_none(), "{json}");
        }
        assert_eq!(serde_json::from_str::<Lenient>(" 7 ").unwrap().count(), Some(7));
        assert_eq!(serde_json::from_str::<Lenient>("\"a\\n\"").unwrap().text(), Some(Text("a\n".into())));
        assert!(serde_json::from_str::<Lenient>("[1").is_err());
    }
}
