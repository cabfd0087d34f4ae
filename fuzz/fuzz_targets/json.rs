//! JSON documents: validation, values by JSON pointer, and quoting.
//!
//! Input: a JSON pointer, a line break, and a document.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mlflow_ai_gateway::fuzz::dialect::{JsonError, JsonKind, JsonPointer, JsonValue, quote};
use serde_json::Value;
use serde_json::value::RawValue;

fuzz_target!(|input: &[u8]| {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let (pointer, document) = input.split_once('\n').unwrap_or(("", input));
    let quoted = quote(document).expect("there is memory");
    assert_eq!(serde_json::from_str::<String>(&quoted).expect("it is a string"), document);
    if let Some(found) = checked(document) {
        find(document, found, pointer);
    }
});

/// Returns the root value; `None` if the document is invalid, as for serde_json. What precedes the first invalid byte
/// is the start of some document, which is not so with that byte.
fn checked(document: &str) -> Option<JsonValue<'_>> {
    let whole = |text| JsonPointer::parse("").unwrap_or_else(|_| panic!("it is a pointer")).find(text);
    let is_json = serde_json::from_str::<&RawValue>(document).is_ok();
    match whole(document) {
        Ok(value) => {
            assert!(is_json, "it is not JSON");
            Some(value.expect("a document has a root"))
        }
        Err(JsonError::At(at)) => {
            assert!(!is_json, "it is JSON");
            let (before, after) = document.split_at(at);
            assert!(matches!(whole(before), Ok(_) | Err(JsonError::At(_))));
            assert!(whole(before).is_ok() || whole(before) == Err(JsonError::At(at)), "the error is earlier");
            if let Some(invalid) = after.chars().next() {
                assert_eq!(whole(&document[..at + invalid.len_utf8()]), Err(JsonError::At(at)), "the error is later");
            }
            None
        }
        Err(JsonError::NoMemory(len)) => panic!("no memory for {len} bytes"),
    }
}

fn find(document: &str, whole: JsonValue, pointer: &str) {
    let Ok(parsed) = JsonPointer::parse(pointer) else {
        assert!(!is_pointer(pointer), "it is a pointer");
        return;
    };
    assert!(is_pointer(pointer), "it is not a pointer");
    let found = parsed.find(document).expect("it is JSON");
    // serde_json refuses lone surrogates, large numbers, and deep nesting.
    if let Ok(value) = serde_json::from_str::<Value>(document) {
        assert_eq!(found.is_some(), value.pointer(pointer).is_some());
        if let (Some(found), Some(expected)) = (found, value.pointer(pointer)) {
            compare(found, expected);
        }
        let mut left = 50;
        check_members(document, "", &value, &mut left);
    } else if let Some(found) = found {
        check_text(found);
    }
    check_text(whole);
}

/// Checks the values in a value, each by its pointer, up to a limit.
fn check_members(document: &str, pointer: &str, value: &Value, left: &mut u32) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    let Ok(parsed) = JsonPointer::parse(pointer) else { panic!("{pointer:?} is a pointer") };
    compare(parsed.find(document).expect("it is JSON").expect("it exists"), value);
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check_members(document, &format!("{pointer}/{index}"), item, left);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let token = name.replace('~', "~0").replace('/', "~1");
                check_members(document, &format!("{pointer}/{token}"), member, left);
            }
        }
        _ => {}
    }
}

fn compare(found: JsonValue, expected: &Value) {
    let text = found.text().expect("there is memory");
    let (kind, count) = match expected {
        Value::Null => (JsonKind::Null, None),
        Value::Bool(_) => (JsonKind::Bool, None),
        Value::Number(_) => (JsonKind::Number, None),
        Value::String(_) => (JsonKind::String, None),
        Value::Array(items) => (JsonKind::Array, Some(items.len())),
        Value::Object(members) => (JsonKind::Object, Some(members.len())),
    };
    assert_eq!((found.kind(), found.count().expect("there is memory")), (kind, count));
    match expected {
        Value::String(expected) => assert_eq!(&text, expected),
        _ => assert_eq!(&serde_json::from_str::<Value>(&text).expect("it is JSON"), expected),
    }
}

/// A value is an unescaped string, or JSON without whitespace around it.
fn check_text(found: JsonValue) {
    let text = found.text().expect("there is memory");
    found.count().expect("there is memory");
    if found.kind() != JsonKind::String {
        assert_eq!(serde_json::from_str::<&RawValue>(&text).expect("it is JSON").get(), text);
    }
}

/// Returns whether this is a JSON pointer (RFC 6901, 3).
fn is_pointer(pointer: &str) -> bool {
    let escapes = pointer.split('~').skip(1);
    (pointer.is_empty() || pointer.starts_with('/')) && escapes.into_iter().all(|rest| rest.starts_with(['0', '1']))
}
