//! The moment until which an exchange may last, known to every layer of its connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shared by a connection and the socket below it, however many layers (TLS, a proxy's tunnel) lie between: those
/// pass on durations, which would begin anew in each layer.
#[derive(Debug, Clone)]
pub(super) struct Deadline(Arc<Mutex<Instant>>);

impl Deadline {
    pub fn new(at: Instant) -> Deadline {
        Deadline(Arc::new(Mutex::new(at)))
    }

    /// Begins another exchange on the same connection.
    pub fn set(&self, at: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    pub fn at(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time that is left; `None` if it is over.
    pub fn left(&self) -> Option<Duration> {
        Some(self.at().saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }
}
