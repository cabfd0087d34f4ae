//! When the parts of a call were done.

use std::time::{Duration, Instant};

use crate::http::Timestamps;

/// Offsets from the beginning of the call, of the last attempt; `None` where a time is not known.
#[derive(Debug, Default, Clone, Copy)]
pub struct Times {
    /// The connection was ready: a new one with TLS and through its proxy, or an idle one.
    pub connected: Option<Duration>,
    /// The first byte of the response came.
    pub first_byte: Option<Duration>,
    /// The first text, reasoning, refusal or tool call of a stream came.
    pub first_token: Option<Duration>,
    /// The first text of a stream came.
    pub first_text: Option<Duration>,
    /// The response was complete, or failed.
    pub total: Option<Duration>,
}

impl Times {
    pub(super) fn note_timestamps(&mut self, started: Instant, timestamps: Timestamps) {
        self.connected = Some(timestamps.connected.saturating_duration_since(started));
        self.first_byte = Some(timestamps.first_byte.saturating_duration_since(started));
    }

    /// A text, or another part of what the model says, has come. Only the first one costs a look at the clock.
    #[inline]
    pub(super) fn note_token(&mut self, started: Instant, is_text: bool) {
        if self.first_token.is_none() || (is_text && self.first_text.is_none()) {
            self.note_first(started, is_text);
        }
    }

    #[cold]
    fn note_first(&mut self, started: Instant, is_text: bool) {
        let now = Some(started.elapsed());
        self.first_token = self.first_token.or(now);
        if is_text {
            self.first_text = now;
        }
    }
}
