//! The body of a whole response, and the fields of it that are parsed on first use.

use std::ops::Range;

use super::error::Error;
use super::nul_string::{NulString, name};
use crate::dialect::{self, Usage};
use crate::sync::SetOnce;

/// The body of a response, shared with its candidates.
#[derive(Debug)]
pub(super) struct Body {
    with_nul: Vec<u8>,
    details: SetOnce<BodyDetails>,
    /// The ranges of the candidates' messages.
    messages: SetOnce<Vec<Option<Range<usize>>>>,
}

/// The fields of a response beside its candidates.
#[derive(Debug, Default, Clone)]
pub(super) struct BodyDetails {
    pub id: Option<NulString>,
    pub model: Option<NulString>,
    pub usage: Usage,
}

impl Body {
    pub fn of(mut bytes: Vec<u8>) -> Result<Body, Error> {
        bytes.try_reserve_exact(1).map_err(|_| Error::out_of_memory(bytes.len()))?;
        bytes.push(0);
        Ok(Body { with_nul: bytes, details: SetOnce::new(), messages: SetOnce::new() })
    }

    pub fn with_nul(&self) -> &[u8] {
        &self.with_nul
    }

    pub fn details(&self) -> &BodyDetails {
        if let Some(details) = self.details.get() {
            return details;
        }
        let dialect::ResponseDetails { id, model, usage } = dialect::read_details(self.text());
        // A name that cannot be allocated is omitted.
        let (id, model) = (name(id.as_ref()), name(model.as_ref()));
        let details = BodyDetails { id: id.ok().flatten(), model: model.ok().flatten(), usage };
        self.details.get_or_set(details)
    }

    /// Returns the message of a candidate as received.
    pub fn message(&self, candidate: usize) -> Option<&str> {
        let text = self.text();
        let messages = match self.messages.get() {
            Some(messages) => messages,
            None => {
                let range = |message: &str| {
                    let start = message.as_ptr() as usize - text.as_ptr() as usize;
                    start..start + message.len()
                };
                let ranges = dialect::read_messages(text).into_iter().map(|message| message.map(range)).collect();
                self.messages.get_or_set(ranges)
            }
        };
        text.get(messages.get(candidate)?.clone()?)
    }

    fn text(&self) -> &str {
        let bytes = &self.with_nul[..self.with_nul.len() - 1];
        // A body that was decoded is UTF-8. No field is read from any other.
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}
