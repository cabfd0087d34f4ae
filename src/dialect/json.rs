//! Lenient JSON values: fields of a response whose wrong type is not an error.

use serde::de::{Deserialize, Deserializer};

use super::objects::{BoundedList, Fields};
use super::reader::{self, Raw};
use super::strings::{Fragment, Text, parse_string};

/// Returns whether Python would treat a value as true: all but null, false, 0, "", [] and {}.
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

/// Returns the message of an error without its line and column, which count from the start of a part of the JSON.
pub(super) fn without_place(error: &serde_json::Error) -> String {
    let why = error.to_string();
    why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why).to_owned()
}

/// Parses a list of objects, from checked JSON.
pub(super) fn bounded_list<'a, T: Fields<'a>>(json: &'a str) -> Result<Vec<T>, String> {
    reader::from_str(json).map(|BoundedList(list)| list).map_err(|error| without_place(&error))
}

/// Like [`bounded_list`], but returns an empty list for any other value.
pub(super) fn list_or_empty<'a, T: Fields<'a>>(json: &'a str) -> Vec<T> {
    bounded_list(json).unwrap_or_default()
}

/// Parses the JSON of a field, if it is present. An error starts with the place of the field.
pub(super) fn field<'a, T>(
    place: &str,
    json: Option<Raw<'a>>,
    parse: impl FnOnce(&'a str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    let parsed = json.map(|json| parse(json.get())).transpose();
    parsed.map_err(|why| format!("{place}: {why}"))
}

/// Parses a string or null, from checked JSON.
pub(super) fn string_or_null(json: &str) -> Result<Option<Fragment<'_>>, String> {
    if json == "null" { Ok(None) } else { parse_string(json).map(Some) }
}

/// A value of which a wrong type counts as missing: a response is not refused for the type of a token count.
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

    /// Returns the string, unless it is empty.
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
    // Not inlined: nearly every field of every response is one.
    #[inline(never)]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Read as raw JSON: no number type can hold every number.
        let json = Raw::deserialize(deserializer)?.get();
        Ok(match json.as_bytes().first() {
            Some(b'"') => Fragment::from_json(json).map_or(Lenient::Other, |fragment| Lenient::Text(fragment.text)),
            // C has no larger ones: counts are int64_t there.
            Some(b'0'..=b'9') => match json.parse() {
                Ok(count) if count <= i64::MAX as u64 => Lenient::Count(count),
                _ => Lenient::Other,
            },
            _ => Lenient::Other,
        })
    }
}

/// A count of which a wrong type counts as missing, as for [`Lenient`].
#[derive(Debug, Default)]
pub(super) struct Count(pub Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Lenient::deserialize(deserializer).map(|value| Count(value.count()))
    }
}

/// Whether a value [is truthy](is_truthy).
#[derive(Debug, Default)]
pub(super) struct Truthy(pub bool);

impl<'de> Deserialize<'de> for Truthy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Raw::deserialize(deserializer).map(|json| Truthy(is_truthy(json.get())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truthy_values_are_those_of_python() {
        for json in ["null", "false", "0", "-0", "0.00", "0e7", "-0.0E5", "\"\"", "[]", "[ \n]", "{}", "{ }"] {
            assert!(!is_truthy(json), "{json}");
        }
        for json in ["true", "1", "-0.01", "1e-9999", "\" \"", "\"0\"", "[0]", "[null]", r#"{"message":null}"#] {
            assert!(is_truthy(json), "{json}");
        }
    }

    #[test]
    fn value_of_another_type_counts_as_missing() {
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
