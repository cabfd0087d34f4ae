//! The body of a whole response. Some of it is read only when it is asked for.

use std::ops::Range;

use super::error::Error;
use super::nul_string::{NulString, name, no_memory};
use crate::dialect::{self, Usage};
use crate::sync::SetOnce;

/// Shared by a response and its candidates.
#[derive(Debug)]
pub(super) struct Body {
    /// With a NUL byte behind it.
    with_nul: Vec<u8>,
    details: SetOnce<BodyDetails>,
    /// Where the messages of the candidates are.
    messages: SetOnce<Vec<Option<Range<usize>>>>,
}

/// What a response says beside its candidates.
#[derive(Debug, Default, Clone)]
pub(super) struct BodyDetails {
    pub id: Option<NulString>,
    pub model: Option<NulString>,
    pub usage: Usage,
}

impl Body {
    pub fn of(mut bytes: Vec<u8>) -> Result<Body, Error> {
        bytes.try_reserve_exact(1).map_err(|_| no_memory(bytes.len()))?;
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
        // Where there is no memory for a name, there is none.
        let (id, model) = (name(id.as_ref()), name(model.as_ref()));
        let details = BodyDetails { id: id.ok().flatten(), model: model.ok().flatten(), usage };
        self.details.get_or_set(details)
    }

    /// The message of a candidate as it came.
    pub fn message(&self, candidate: usize) -> Option<&str> {
        let text = self.text();
        let messages = match self.messages.get() {
            Some(messages) => messages,
            None => {
                let place = |message: &str| {
                    let start = message.as_ptr() as usize - text.as_ptr() as usize;
                    start..start + message.len()
                };
                let places = dialect::read_messages(text).into_iter().map(|message| message.map(place)).collect();
                self.messages.get_or_set(places)
            }
        };
        text.get(messages.get(candidate)?.clone()?)
    }

    fn text(&self) -> &str {
        let bytes = &self.with_nul[..self.with_nul.len() - 1];
        // What was decoded is UTF-8.
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}
