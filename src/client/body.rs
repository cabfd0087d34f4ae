//! The body of a whole response. Some of it is read only when it is asked for.

use std::ops::Range;
use std::sync::OnceLock;

use super::error::Error;
use super::text::no_memory;
use crate::dialect;

/// Shared by a response and its candidates.
#[derive(Debug)]
pub(super) struct Body {
    /// With a NUL byte behind it.
    with_nul: Vec<u8>,
    /// Where the messages of the candidates are.
    messages: OnceLock<Vec<Option<Range<usize>>>>,
}

impl Body {
    pub fn of(mut bytes: Vec<u8>) -> Result<Body, Error> {
        bytes.try_reserve_exact(1).map_err(|_| no_memory(bytes.len()))?;
        bytes.push(0);
        Ok(Body { with_nul: bytes, messages: OnceLock::new() })
    }

    pub fn with_nul(&self) -> &[u8] {
        &self.with_nul
    }

    /// The message of a candidate as it came.
    pub fn message(&self, candidate: usize) -> Option<&str> {
        let text = self.text();
        let messages = self.messages.get_or_init(|| {
            let place = |message: &str| {
                let start = message.as_ptr() as usize - text.as_ptr() as usize;
                start..start + message.len()
            };
            dialect::messages(text).into_iter().map(|message| message.map(place)).collect()
        });
        text.get(messages.get(candidate)?.clone()?)
    }

    fn text(&self) -> &str {
        let bytes = &self.with_nul[..self.with_nul.len() - 1];
        // What was decoded is UTF-8.
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}
