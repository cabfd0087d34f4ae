//! The message of an assistant as JSON, to be added to the next request.

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::error::Error;
use super::nul_string::NulString;
use super::tool_call::{NO_ARGUMENTS, ToolCall};
use crate::dialect::{self, ReasoningForm};

/// Copies a received message, and replaces empty arguments of tool calls.
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

/// A message gathered from a stream. It is written in OpenAI's format.
pub(super) struct AssistantMessage<'a> {
    pub role: Option<&'a str>,
    pub text: Option<&'a str>,
    pub reasoning: Option<&'a str>,
    pub reasoning_form: ReasoningForm,
    pub reasoning_signature: Option<&'a str>,
    pub refusal: Option<&'a str>,
    pub tool_calls: &'a [ToolCall],
}

impl AssistantMessage<'_> {
    /// Returns `None` if the message is empty.
    pub fn to_json(&self) -> Option<Result<NulString, Error>> {
        let strings = [self.text, self.reasoning, self.refusal];
        if strings.iter().all(Option::is_none) && self.tool_calls.is_empty() {
            return None;
        }
        let mut json = FallibleVec(Vec::new());
        let written = serde_json::to_writer(&mut json, self).map_err(|_| Error::out_of_memory(json.0.len()));
        Some(written.and_then(|()| NulString::of(&String::from_utf8_lossy(&json.0))))
    }
}

impl Serialize for AssistantMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut message = serializer.serialize_map(None)?;
        message.serialize_entry("role", self.role.unwrap_or("assistant"))?;
        match (self.reasoning_form.field(), self.reasoning) {
            (Some(field), Some(reasoning)) => {
                message.serialize_entry("content", &self.text)?;
                message.serialize_entry(field, reasoning)?;
            }
            (None, Some(reasoning)) => {
                let signature = self.reasoning_signature;
                let summary = [Part { kind: "summary_text", text: Some(reasoning), signature, summary: None }];
                let reasoning = Part { kind: "reasoning", text: None, signature: None, summary: Some(&summary) };
                let text =
                    self.text.map(|text| Part { kind: "text", text: Some(text), signature: None, summary: None });
                let content: Vec<Part> = std::iter::once(reasoning).chain(text).collect();
                message.serialize_entry("content", &content)?;
            }
            (_, None) => message.serialize_entry("content", &self.text)?,
        }
        if let Some(refusal) = self.refusal {
            message.serialize_entry("refusal", refusal)?;
        }
        if !self.tool_calls.is_empty() {
            message.serialize_entry("tool_calls", self.tool_calls)?;
        }
        message.end()
    }
}

/// A part of a content list, in Databricks' format.
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

/// A buffer for the JSON, whose allocation may fail.
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
