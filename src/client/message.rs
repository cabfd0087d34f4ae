//! A candidate's message as JSON, to be put into the next request.

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::candidate::Candidate;
use super::error::Error;
use super::nul_string::{NulString, no_memory};
use super::tool_call::NO_ARGUMENTS;
use crate::dialect;

/// A message as it came, but with arguments for tool calls that have none.
pub(super) fn with_arguments(message: &str) -> Result<NulString, Error> {
    let (mut json, mut copied) = (NulString::of("")?, 0);
    for empty in dialect::find_empty_arguments(message) {
        json.push(&message[copied..empty.start])?;
        json.push(&format!("\"{NO_ARGUMENTS}\""))?;
        copied = empty.end;
    }
    json.push(&message[copied..])?;
    Ok(json)
}

/// A message as OpenAI writes it, of what is known of the candidate; `None` if that is nothing.
pub(super) fn write(candidate: &Candidate) -> Option<Result<NulString, Error>> {
    let strings = [candidate.text(), candidate.reasoning(), candidate.refusal()];
    if strings.iter().all(Option::is_none) && candidate.tool_calls().is_empty() {
        return None;
    }
    let mut json = FallibleVec(Vec::new());
    let written = serde_json::to_writer(&mut json, &Message(candidate));
    Some(written.map_err(|_| no_memory(json.0.len())).and_then(|()| NulString::of(&String::from_utf8_lossy(&json.0))))
}

struct Message<'a>(&'a Candidate);

impl Serialize for Message<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Message(candidate) = self;
        let reasoning = candidate.reasoning().map(NulString::as_str);
        let mut message = serializer.serialize_map(None)?;
        message.serialize_entry("role", candidate.role().map_or("assistant", NulString::as_str))?;
        let text = candidate.text().map(NulString::as_str);
        match (candidate.reasoning_form().field(), reasoning) {
            (Some(field), Some(reasoning)) => {
                message.serialize_entry("content", &text)?;
                message.serialize_entry(field, reasoning)?;
            }
            (None, Some(reasoning)) => {
                let signature = candidate.reasoning_signature().map(NulString::as_str);
                let summary = [Part { kind: "summary_text", text: Some(reasoning), signature, summary: None }];
                let reasoning = Part { kind: "reasoning", text: None, signature: None, summary: Some(&summary) };
                let text = text.map(|text| Part { kind: "text", text: Some(text), signature: None, summary: None });
                let content: Vec<Part> = std::iter::once(reasoning).chain(text).collect();
                message.serialize_entry("content", &content)?;
            }
            (_, None) => message.serialize_entry("content", &text)?,
        }
        if let Some(refusal) = candidate.refusal() {
            message.serialize_entry("refusal", refusal.as_str())?;
        }
        if !candidate.tool_calls().is_empty() {
            message.serialize_entry("tool_calls", candidate.tool_calls())?;
        }
        message.end()
    }
}

/// A part of a content that is a list, as Databricks writes it.
#[derive(Serialize)]
struct Part<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a [Part<'a>]>,
}

/// What is written, for which there may be no memory.
struct FallibleVec(Vec<u8>);

impl Write for FallibleVec {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_reserve(bytes.len())?;
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
