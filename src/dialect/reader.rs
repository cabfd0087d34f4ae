//! A serde deserializer for responses and events: reads a few fields and skips the rest. The text is valid UTF-8.
//!
//! serde_json takes 1.4 times the instructions for a short response. It is used for the messages of syntax errors, and
//! for strings with escapes.

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_json::Error;

use super::scanner::{Scanner, SyntaxError};
use super::strings::{Fragment, NO_MEMORY};

/// The JSON of a value, without the whitespace around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    pub fn get(self) -> &'a str {
        self.0
    }
}

/// The newtype name by which a [`Raw`] requests its JSON from a [`Reader`].
const RAW: &str = "mlflow_ai_gateway::Raw";

/// The newtype name by which a visitor requests an object as `visit_some`, and any other value as `visit_none`.
pub(super) const OBJECT_IF_ANY: &str = "mlflow_ai_gateway::ObjectIfAny";

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RawVisitor;
        impl<'de> Visitor<'de> for RawVisitor {
            type Value = Raw<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a JSON value")
            }

            #[inline]
            fn visit_borrowed_str<E>(self, json: &'de str) -> Result<Raw<'de>, E> {
                Ok(Raw(json))
            }
        }
        deserializer.deserialize_newtype_struct(RAW, RawVisitor)
    }
}

/// Deserializes a text that is one value.
pub(super) fn from_str<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Error> {
    read(json, std::marker::PhantomData)
}

/// Like [`from_str`], with a seed.
pub(super) fn read<'a, S: DeserializeSeed<'a>>(json: &'a str, seed: S) -> Result<S::Value, Error> {
    let mut reader = Reader { scanner: Scanner::new(json), is_invalid: false };
    let value = seed.deserialize(&mut reader);
    match value {
        Ok(value) if reader.peek().is_none() => Ok(value),
        Ok(_) => Err(syntax_error(json)),
        Err(error) => Err(reader.with_place(&error)),
    }
}

/// Returns the error for a text that is not JSON.
#[cold]
fn syntax_error(json: &str) -> Error {
    serde_json::from_str::<IgnoredAny>(json).err().unwrap_or_else(|| Error::custom("invalid JSON"))
}

struct Reader<'a> {
    scanner: Scanner<'a>,
    /// Whether the text is not JSON.
    is_invalid: bool,
}

impl<'a> Reader<'a> {
    /// Adds the line and column to an error.
    #[cold]
    fn with_place(&self, error: &Error) -> Error {
        let Scanner { json, at } = self.scanner;
        if self.is_invalid {
            return syntax_error(json);
        }
        let before = &json.as_bytes()[..at];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count();
        Error::custom(format_args!("{error} at line {line} column {column}"))
    }

    #[cold]
    fn invalid(&mut self) -> Error {
        self.is_invalid = true;
        Error::custom("not JSON")
    }

    #[cold]
    fn scan_error(&mut self, why: &SyntaxError) -> Error {
        match why {
            SyntaxError::Here => self.invalid(),
            SyntaxError::NoMemory(_) => Error::custom(NO_MEMORY),
        }
    }

    #[inline]
    fn peek(&mut self) -> Option<u8> {
        self.scanner.peek()
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), Error> {
        self.scanner.expect(byte).map_err(|why| self.scan_error(&why))
    }

    #[inline]
    fn skip(&mut self) -> Result<&'a str, Error> {
        self.scanner.skip().map_err(|why| self.scan_error(&why))
    }

    #[cold]
    fn mismatch<'de, V: Visitor<'de>>(&mut self, visitor: &V) -> Error {
        let Ok(json) = self.skip() else { return self.invalid() };
        let unexpected = match json.as_bytes()[0] {
            b'{' => Unexpected::Map,
            b'[' => Unexpected::Seq,
            b'n' => Unexpected::Unit,
            b't' | b'f' => Unexpected::Bool(json == "true"),
            b'"' => Unexpected::Str(json.trim_matches('"')),
            _ => Unexpected::Other("number"),
        };
        Error::invalid_type(unexpected, visitor)
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            Some(b'{') => self.deserialize_map(visitor),
            Some(b'[') => self.deserialize_seq(visitor),
            Some(b'"') => self.deserialize_str(visitor),
            Some(b'0'..=b'9') => match self.skip()?.parse() {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => Err(Error::invalid_type(Unexpected::Other("number"), &visitor)),
            },
            _ => Err(self.mismatch(&visitor)),
        }
    }

    #[inline]
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.skip()?;
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        match name {
            RAW => visitor.visit_borrowed_str(self.skip()?),
            OBJECT_IF_ANY if self.peek() == Some(b'{') => visitor.visit_some(self),
            OBJECT_IF_ANY => {
                self.skip()?;
                visitor.visit_none()
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.peek() == Some(b'n') {
            self.scanner.skip_literal(b"null").map_err(|why| self.scan_error(&why))?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.peek() != Some(b'"') {
            return Err(self.mismatch(&visitor));
        }
        Str(self).deserialize_any(visitor)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.peek() != Some(b'{') {
            return Err(self.mismatch(&visitor));
        }
        self.scanner.at += 1;
        visitor.visit_map(Elements { reader: self, closing: b'}', is_first: true })
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.peek() != Some(b'[') {
            return Err(self.mismatch(&visitor));
        }
        self.scanner.at += 1;
        visitor.visit_seq(Elements { reader: self, closing: b']', is_first: true })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char string bytes byte_buf unit unit_struct tuple
        tuple_struct struct enum identifier
    }
}

/// A string at whose opening quote the reader is.
struct Str<'r, 'de>(&'r mut Reader<'de>);

impl<'de> Deserializer<'de> for Str<'_, 'de> {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Str(reader) = self;
        let start = reader.scanner.at;
        let has_escapes = reader.scanner.skip_string().map_err(|why| reader.scan_error(&why))?;
        let written = &reader.scanner.json[start..reader.scanner.at];
        if has_escapes {
            let text = Fragment::from_json(written).unwrap_or_default().text;
            return visitor.visit_string(text.0.into_owned());
        }
        visitor.visit_borrowed_str(&written[1..written.len() - 1])
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The remaining elements of an object or a list.
struct Elements<'r, 'de> {
    reader: &'r mut Reader<'de>,
    closing: u8,
    is_first: bool,
}

impl Elements<'_, '_> {
    /// Moves to the next element; returns false at the end.
    #[inline]
    fn has_next(&mut self) -> Result<bool, Error> {
        let next = self.reader.peek();
        let is_first = std::mem::take(&mut self.is_first);
        if next == Some(self.closing) {
            self.reader.scanner.at += 1;
            return Ok(false);
        }
        if !is_first {
            if next != Some(b',') {
                return Err(self.reader.invalid());
            }
            self.reader.scanner.at += 1;
        }
        Ok(true)
    }
}

impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if !self.has_next()? {
            return Ok(None);
        }
        if self.reader.peek() != Some(b'"') {
            return Err(self.reader.invalid());
        }
        seed.deserialize(Str(self.reader)).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        self.reader.expect(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if !self.has_next()? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values, and strings that are almost a value.
    const VALUES: [&str; 36] = [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1.5e+10",
        "-1E-2",
        "10",
        "\"\"",
        "\"a\"",
        "[]",
        "{}",
        "[1,[2],{\"a\":[]}]",
        r#"{"a":{"b":"\u00e9\ud800"},"c":"\\"}"#,
        r#""\"\\\/\b\f\n\r\t\u12aB""#,
        "\"longer than eight bytes é\"",
        "01",
        "1.",
        ".5",
        "-",
        "1e",
        "1e+",
        "+1",
        "nul",
        "nulll",
        "tru",
        "\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u123",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":1,}",
        "{1:2}",
        "[1}",
    ];

    #[test]
    fn accepts_and_refuses_the_same_as_serde_json() {
        let mut inputs: Vec<String> = VALUES.map(str::to_owned).into();
        for value in VALUES {
            inputs.push(format!(" \t{value}\r\n"));
            inputs.push(format!("{value}{value}"));
            inputs.push(format!("[{value} , {value}]"));
            inputs.push(format!("{{\"a\" : {value},\"b\":[{value}]}}"));
            inputs.extend((0..value.len()).filter_map(|cut| Some(value.get(..cut)?.to_owned())));
        }
        for byte in 0..0x21u8 {
            inputs.extend((0..9).map(|before| format!("\"{}{}b\"", "a".repeat(before), char::from(byte))));
            inputs.push(format!("{}1", char::from(byte)));
        }
        inputs.extend([64, 65, 200, 100_000].map(|levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels))));
        inputs.extend([64, 65, 129].map(|levels| format!("{}1{}", "{\"a\":[".repeat(levels), "]}".repeat(levels))));
        inputs.push("[{[}]".to_owned());
        for json in inputs {
            let expected = serde_json::from_str::<IgnoredAny>(&json).map(|_| ()).map_err(|error| error.to_string());
            let found = from_str::<IgnoredAny>(&json).map(|_| ()).map_err(|error| error.to_string());
            assert_eq!(found, expected, "{json:.200}");
            let raw = from_str::<Raw>(&json).map(|raw| raw.get().to_owned()).ok();
            assert_eq!(raw, expected.is_ok().then(|| json.trim_ascii().to_owned()), "{json:.200}");
        }
    }

    #[test]
    fn type_error_has_line_and_column() {
        let Err(error) = from_str::<super::super::objects::BoundedList<super::super::response::Message>>("[\n {}, 1]")
        else {
            panic!()
        };
        assert_eq!(error.to_string(), "invalid type: number, expected an object at line 2 column 6");
        assert!(error.is_data());
    }
}
