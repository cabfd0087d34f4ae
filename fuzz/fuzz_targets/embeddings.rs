//! Embeddings: each number is the float that the standard library parses, and each embedding is at its index.
//!
//! Input: a byte for the dialect (a digit; `n`: numbers, see [`numbers`]), a byte for the number of embeddings in the
//! array before, and the body.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use mlflow_ai_gateway::fuzz::dialect::{DISCOVERED, Dialect, EmbeddingArray};
use serde_json::value::RawValue;

fuzz_target!(|input: &[u8]| {
    let [kind, before, body @ ..] = input else { return };
    match kind {
        b'n' => numbers(body),
        kind => response(DISCOVERED[usize::from(*kind) % DISCOVERED.len()], usize::from(*before) % 4, body),
    }
});

/// A body, unchanged. What is decoded is what serde_json finds.
fn response(dialect: &dyn Dialect, before: usize, body: &[u8]) {
    let mut array = EmbeddingArray { data: vec![0.5; before * 2], dimension: 2, count: before };
    let had = EmbeddingArray { data: array.data.clone(), ..array };
    if dialect.decode_embeddings(body, 1 + before, &mut array).is_err() {
        assert_eq!(array, had, "a failure appends nothing");
        return;
    }
    assert!(array.data.starts_with(&had.data) && array.count > before);
    assert!(before == 0 || array.dimension == 2);
    assert_eq!(array.data.len(), array.count * array.dimension);
    let mut found: Vec<_> = array.data[had.data.len()..].chunks(array.dimension).map(bits).collect();
    let list = if dialect.name() == "gateway" { "embeddings" } else { "data" };
    let Some(mut expected) = rows(body, list) else {
        // serde_json refuses a lone surrogate in a name.
        let has_surrogate = body.windows(3).any(|escape| escape.eq_ignore_ascii_case(br"\ud"));
        assert!(has_surrogate, "the embeddings are in the response");
        return;
    };
    // `numbers` checks the order.
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

/// Parses the embeddings with serde_json, and each number with the standard library.
fn rows(body: &[u8], list: &str) -> Option<Vec<Vec<u32>>> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(body).ok()?;
    let rows: Vec<&RawValue> = serde_json::from_str(fields.get(list)?.get()).ok()?;
    // The response of older gateways to a single text.
    if !rows.is_empty() && rows.iter().all(|row| row.get().starts_with(|c: char| c == '-' || c.is_ascii_digit())) {
        return Some(vec![list_of(fields.get(list)?)?]);
    }
    rows.into_iter().map(row).collect()
}

fn row(row: &RawValue) -> Option<Vec<u32>> {
    if row.get().starts_with('[') {
        return list_of(row);
    }
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(row.get()).ok()?;
    let embedding = fields.get("embedding")?;
    if embedding.get().starts_with('[') { list_of(embedding) } else { base64(embedding) }
}

fn list_of(list: &RawValue) -> Option<Vec<u32>> {
    let numbers: Vec<&RawValue> = serde_json::from_str(list.get()).ok()?;
    numbers.into_iter().map(|number| Some((number.get().parse::<f64>().ok()? as f32).to_bits())).collect()
}

fn base64(text: &RawValue) -> Option<Vec<u32>> {
    let text: String = serde_json::from_str(text.get()).ok()?;
    let (mut bits, mut held, mut bytes) = (0u32, 0, Vec::new());
    for digit in text.trim_end_matches('=').bytes() {
        let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        bits = bits << 6 | digits.iter().position(|other| *other == digit)? as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes.chunks(4).map(|number| u32::from_le_bytes(number.try_into().expect("complete floats"))).collect())
}

/// Lines of text. Those that are numbers become a response with the indexes in reverse order.
fn numbers(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let numbers: Vec<&str> = text.lines().filter(|line| is_number(line)).collect();
    let expected: Vec<f32> =
        numbers.iter().map(|number| number.parse::<f64>().expect("it is a number") as f32).collect();
    let rows = numbers.iter().enumerate();
    let rows = rows.map(|(index, number)| format!(r#"{{"index": {index}, "embedding": [{number} ,1]}}"#));
    let rows: Vec<String> = rows.rev().collect();
    let body = format!(r#"{{"data":[{}]}}"#, rows.join(","));
    let mut array = EmbeddingArray::default();
    let read = DISCOVERED[0].decode_embeddings(body.as_bytes(), rows.len(), &mut array);
    if rows.is_empty() || expected.iter().any(|number| number.is_infinite()) {
        assert!(read.is_err(), "{body}");
        return;
    }
    read.expect("the response is valid");
    let expected: Vec<f32> = expected.into_iter().flat_map(|number| [number, 1.0]).collect();
    assert_eq!(bits(&array.data), bits(&expected), "{body}");
}

/// Returns whether the text is a JSON number (RFC 8259, 6).
fn is_number(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok_and(|value| value.get() == text)
        && text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
}
