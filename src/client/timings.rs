//! The timings of a call.

use std::time::{Duration, Instant};

use crate::http::Timestamps;

/// When the phases of the last attempt ended, measured from the start of the call; `None` if not reached.
#[derive(Debug, Default, Clone, Copy)]
pub struct Times {
    /// How long the request waited in a queue, before the start.
    pub queued: Option<Duration>,
    /// The connection was ready: a new one after the proxy and TLS handshakes, or an idle one.
    pub connected: Option<Duration>,
    /// The first byte of the response arrived.
    pub first_byte: Option<Duration>,
    /// The first text, reasoning, refusal or tool call of a stream arrived.
    pub first_token: Option<Duration>,
    /// The first text of a stream arrived.
    pub first_text: Option<Duration>,
    /// The response was complete, or failed.
    pub total: Option<Duration>,
}

impl Times {
    pub(super) fn note_timestamps(&mut self, started: Instant, timestamps: Timestamps) {
        self.connected = Some(timestamps.connected.saturating_duration_since(started));
        self.first_byte = Some(timestamps.first_byte.saturating_duration_since(started));
    }

    /// Notes the arrival of text or other output of the model. Only the first one reads the clock.
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
