//! Vectors: each number is what the standard library makes of its digits, and each vector is where its index says.
//!
//! The input: the dialect (a digit; `n`: numbers, see below), how many vectors are there already, and the answer.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use mlflow_ai_gateway::fuzz::dialect::{DISCOVERED, Dialect, EmbeddingArray};
use serde_json::value::RawValue;

fuzz_target!(|input: &[u8]| {
    let [kind, before, body @ ..] = input else { return };
    match kind {
        b'n' => numbers(body),
        kind => answer(DISCOVERED[usize::from(*kind) % DISCOVERED.len()], usize::from(*before) % 4, body),
    }
});

/// An answer as it came. Whatever is understood of it, a general parser finds there.
fn answer(dialect: &dyn Dialect, before: usize, body: &[u8]) {
    let mut vectors = EmbeddingArray { data: vec![0.5; before * 2], dimension: 2, count: before };
    let had = EmbeddingArray { data: vectors.data.clone(), ..vectors };
    if dialect.decode_embeddings(body, 1 + before, &mut vectors).is_err() {
        assert_eq!(vectors, had, "a failure adds nothing");
        return;
    }
    assert!(vectors.data.starts_with(&had.data) && vectors.count > before);
    assert!(before == 0 || vectors.dimension == 2);
    assert_eq!(vectors.data.len(), vectors.count * vectors.dimension);
    let mut found: Vec<_> = vectors.data[had.data.len()..].chunks(vectors.dimension).map(bits).collect();
    let list = if dialect.name() == "gateway" { "embeddings" } else { "data" };
    let Some(mut expected) = rows(body, list) else {
        // A general parser refuses half of a surrogate pair in a name.
        let has_surrogate = body.windows(3).any(|escape| escape.eq_ignore_ascii_case(br"\ud"));
        assert!(has_surrogate, "the vectors are in the answer");
        return;
    };
    // Where each of them belongs, `in_order` looks at.
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

/// The vectors of an answer by way of a general parser, each number by the standard library.
fn rows(body: &[u8], list: &str) -> Option<Vec<Vec<u32>>> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(body).ok()?;
    let rows: Vec<&RawValue> = serde_json::from_str(fields.get(list)?.get()).ok()?;
    // As older gateways answer to a single text.
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
    Some(bytes.chunks(4).map(|number| u32::from_le_bytes(number.try_into().expect("whole numbers"))).collect())
}

/// Lines of characters that numbers are made of. Those that are numbers become an answer, with their indexes the wrong
/// way round.
fn numbers(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let numbers: Vec<&str> = text.lines().filter(|line| is_number(line)).collect();
    let expected: Vec<f32> = numbers.iter().map(|number| number.parse::<f64>().expect("it is one") as f32).collect();
    let rows = numbers.iter().enumerate();
    let rows = rows.map(|(index, number)| format!(r#"{{"index": {index}, "embedding": [{number} ,1]}}"#));
    let rows: Vec<String> = rows.rev().collect();
    let body = format!(r#"{{"data":[{}]}}"#, rows.join(","));
    let mut vectors = EmbeddingArray::default();
    let read = DISCOVERED[0].decode_embeddings(body.as_bytes(), rows.len(), &mut vectors);
    if rows.is_empty() || expected.iter().any(|number| number.is_infinite()) {
        assert!(read.is_err(), "{body}");
        return;
    }
    read.expect("an answer with vectors is one");
    let expected: Vec<f32> = expected.into_iter().flat_map(|number| [number, 1.0]).collect();
    assert_eq!(bits(&vectors.data), bits(&expected), "{body}");
}

/// As JSON has them (RFC 8259, 6).
fn is_number(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok_and(|value| value.get() == text)
        && text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
}
