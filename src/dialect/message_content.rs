//! The content of a chat message: a string, or a list of parts.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::json::{Lenient, without_place};
use super::objects::{Fields, Object};
use super::reader::{self, Raw};
use super::reasoning::{self, Reasoning};
use super::strings::{Fragment, describe_kind};

/// The content of a message: the text of all parts, and what else there is.
#[derive(Debug, Default)]
pub(super) struct MessageContent<'a> {
    pub text: Option<Fragment<'a>>,
    pub refusal: Option<Fragment<'a>>,
    pub reasoning: Option<Reasoning<'a>>,
    /// Also true for reasoning that is encrypted.
    pub has_reasoning: bool,
    /// Whether there are other parts, for example images.
    pub has_others: bool,
}

impl<'a> MessageContent<'a> {
    /// Parses checked JSON.
    pub fn from_json(json: &'a str) -> Result<MessageContent<'a>, String> {
        if let Some(text) = Fragment::from_json(json) {
            return Ok(MessageContent { text: Some(text), ..MessageContent::default() });
        }
        match json.as_bytes().first() {
            Some(b'n') => Ok(MessageContent::default()),
            Some(b'[') => reader::from_str(json).map_err(|error| without_place(&error)),
            _ => Err(format!("{}, expected a string or a list of parts", describe_kind(json))),
        }
    }

    fn add(&mut self, part: Part<'a>) -> Result<(), String> {
        let kind = part.kind.text().unwrap_or_default();
        match kind.0.as_ref() {
            "text" | "output_text" => {
                // A part without text is skipped.
                let Some(text) = part.text.and_then(Fragment::from_json) else { return Ok(()) };
                self.text = Some(match self.text.take() {
                    Some(before) => before.try_join(text)?,
                    None => text,
                });
            }
            "refusal" => self.refusal = part.refusal.and_then(Fragment::from_json),
            "reasoning" | "thinking" | "redacted_thinking" => {
                self.has_reasoning = true;
                let signature = part.signature.name();
                if let Some(next) = reasoning::parse_part([part.summary, part.text, part.thinking], signature)? {
                    let before = self.reasoning.take().unwrap_or_default();
                    let (text, signature) = (before.text.try_join(next.text)?, next.signature.or(before.signature));
                    self.reasoning = Some(Reasoning { text, signature, form: next.form });
                }
            }
            _ => self.has_others = true,
        }
        Ok(())
    }
}

/// Reads a list of parts one by one: they may be too many to collect.
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

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn text_parts_are_joined() {
        let of = |json: &str| {
            let content = MessageContent::from_json(json)?;
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
        let content = MessageContent::from_json(r#"[{"type":"refusal","refusal":"no"},{"type":"thinking"}]"#).unwrap();
        assert_eq!((content.refusal, content.has_reasoning), (Some(Cow::Borrowed("no").into()), true));
        assert!(!content.has_others && MessageContent::from_json(r#"[{"type":"image_url"}]"#).unwrap().has_others);
    }

    #[test]
    fn reasoning_parts_are_joined() {
        let of = |json: &str| {
            let reasoning = MessageContent::from_json(json).unwrap().reasoning?;
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
}
