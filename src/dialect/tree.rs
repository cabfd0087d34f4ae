//! Parses JSON into a tree, for small bodies. A part that a tree cannot hold, such as a number that is too large, a
//! lone surrogate or deep nesting, does not make the rest unreadable.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use super::strings::parse_string;

/// The maximum depth. No value that is looked up lies deeper.
const MAX_LEVELS: usize = 16;

/// Parses the JSON; `None` if it is not JSON. A value that cannot be held becomes null, a lone surrogate U+FFFD.
pub(super) fn parse_tree(json: &str) -> Option<Value> {
    Some(build(serde_json::from_str(json).ok()?, MAX_LEVELS))
}

fn build(json: &RawValue, levels: usize) -> Value {
    let json = json.get();
    let value = match json.as_bytes().first() {
        Some(b'{' | b'[') if levels == 0 => None,
        Some(b'{') => serde_json::from_str(json).ok().map(|Fields(fields)| {
            let fields = fields.into_iter().map(|(name, value)| (name, build(value, levels - 1)));
            Value::Object(Map::from_iter(fields))
        }),
        Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(json)
            .ok()
            .map(|list| Value::Array(list.into_iter().map(|value| build(value, levels - 1)).collect())),
        Some(b'"') => parse_string(json).ok().map(|string| Value::String(string.text.0.into_owned())),
        Some(b't') => Some(Value::Bool(true)),
        Some(b'f') => Some(Value::Bool(false)),
        _ => parse_number(json),
    };
    value.unwrap_or_default()
}

fn parse_number(json: &str) -> Option<Value> {
    let whole = json.parse::<u64>().map(Value::from).or_else(|_| json.parse::<i64>().map(Value::from));
    whole.ok().or_else(|| fast_float2::parse::<f64, _>(json).ok().and_then(Number::from_f64).map(Value::Number))
}

struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields<'a>, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    let name = parse_string(name.get()).map_err(Error::custom)?;
                    fields.push((name.text.0.into_owned(), value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_json_is_the_same_as_for_serde_json() {
        for json in ["null", "-7", "1.5", "\"a\\n\\ud83d\\ude00\"", "[]", r#"{"a":[1,{"b":true}],"c":{},"a":2}"#] {
            assert_eq!(parse_tree(json), serde_json::from_str(json).ok(), "{json}");
        }
        for json in ["", "[", "{\"a\"}", "[1,]", "nul", "\"\n\"", "1 2"] {
            assert_eq!(parse_tree(json), None, "{json}");
        }
    }

    #[test]
    fn unreadable_part_does_not_hide_the_others() {
        let value = parse_tree(r#"{"a":1e400,"b":"x\ud800y","\udfff":1,"c":2}"#).unwrap();
        assert_eq!((&value["a"], &value["c"]), (&Value::Null, &Value::from(2)));
        assert_eq!((value["b"].as_str(), &value["\u{fffd}"]), (Some("x\u{fffd}y"), &Value::from(1)));
        let deep = format!("{{\"a\":{}{},\"b\":1}}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(parse_tree(&deep).unwrap()["b"], 1);
    }
}
