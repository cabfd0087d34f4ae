//! Whether a request is retried, and after what time.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use crate::dialect::{ErrorKind, ErrorResponse};
use crate::http::{HttpResponse, Limit, Phase, Reply, TransportError};

/// The longest pause of urllib3, which MLflow's client uses.
const MAX_MLFLOW_BACKOFF: f64 = 120.0;

/// The option retry_policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryPolicy {
    /// Retry only if no request can be processed twice.
    Careful,
    /// Retry as MLflow's client does.
    Mlflow,
}

/// The options for retries.
#[derive(Debug, Clone, Copy)]
pub(super) struct RetryOptions {
    pub policy: RetryPolicy,
    /// `None`: the default of the policy.
    pub max: Option<u32>,
    /// The longest pause before the first retry. It doubles with each retry.
    pub backoff: Duration,
    pub max_backoff: Duration,
    /// Whether to retry a request that the server may have processed.
    pub read_timeouts: bool,
    pub mlflow: MlflowBackoff,
}

/// The pauses of MLflow's client, as its environment variables set them.
#[derive(Debug, Clone, Copy)]
pub(super) struct MlflowBackoff {
    /// In seconds.
    pub factor: f64,
    /// In seconds.
    pub jitter: f64,
    pub respects_retry_after: bool,
}

impl Default for RetryOptions {
    fn default() -> RetryOptions {
        RetryOptions {
            policy: RetryPolicy::Careful,
            max: None,
            backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(8),
            read_timeouts: false,
            mlflow: MlflowBackoff { factor: 2.0, jitter: 1.0, respects_retry_after: true },
        }
    }
}

/// The kinds of requests that differ in their retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryClass {
    /// A request to a model. Sending it twice costs tokens, but changes nothing.
    ModelRequest,
    /// A safe method. It can be sent again unless a response has begun.
    Safe,
    /// A change to the server, which must not be made twice.
    Change,
    /// A lookup of the dialect. The model request itself is a substitute for it.
    Discovery,
    /// A health check, or a lookup that is only helpful.
    Never,
}

impl RetryOptions {
    pub fn max(&self) -> u32 {
        self.max.unwrap_or(match self.policy {
            RetryPolicy::Careful => 3,
            RetryPolicy::Mlflow => 7,
        })
    }

    /// Returns the pause before the next retry; `None` if there is no retry. `retries` is the number of retries so far.
    pub fn wait(
        &self,
        class: RetryClass,
        retries: u32,
        outcome: &Result<HttpResponse, TransportError>,
    ) -> Option<Duration> {
        if retries >= self.max() || class == RetryClass::Never {
            return None;
        }
        let retry_after = match outcome {
            Ok(HttpResponse::Whole(reply)) if !reply.is_success() && self.allows_retry_after_response(class, reply) => {
                reply.retry_after
            }
            Err(error) if self.allows_retry_after(class, error) => None,
            _ => return None,
        };
        Some(match self.policy {
            RetryPolicy::Careful => self.careful_wait(retries, random()).max(retry_after.unwrap_or_default()),
            RetryPolicy::Mlflow => {
                let requested = retry_after.filter(|wait| self.mlflow.respects_retry_after && !wait.is_zero());
                requested.unwrap_or_else(|| self.mlflow.wait(retries, random()))
            }
        })
    }

    /// Whether an error response may be followed by a success.
    fn allows_retry_after_response(&self, class: RetryClass, reply: &Reply) -> bool {
        if class == RetryClass::Discovery || !matches!(reply.status, 413 | 429 | 500 | 502 | 503) {
            return false;
        }
        if self.policy == RetryPolicy::Mlflow {
            return reply.status != 413 || self.mlflow.respects_retry_after && reply.retry_after.is_some();
        }
        let response = ErrorResponse::read(reply.status, &reply.body);
        match response.kind {
            ErrorKind::RateLimited => true,
            ErrorKind::ServerError => {
                !response.is_streaming_unsupported && (class != RetryClass::Change || reply.status == 503)
            }
            _ => false,
        }
    }

    /// Whether a request may be sent again after this error.
    pub fn allows_retry_after(&self, class: RetryClass, error: &TransportError) -> bool {
        let is_mlflow = self.policy == RetryPolicy::Mlflow;
        match error {
            TransportError::Resolve { is_permanent, .. } => is_mlflow || !is_permanent,
            TransportError::Connect(_)
            | TransportError::ConnectTimeout(Limit::Connect, _)
            | TransportError::Timeout(Limit::Connect, _) => true,
            TransportError::Tls { is_permanent, is_after_sending, .. } => {
                is_mlflow || !is_permanent && !is_after_sending
            }
            TransportError::Proxy { is_permanent, .. } => is_mlflow || !is_permanent,
            TransportError::Lost(_, Phase::Send | Phase::Wait) if class == RetryClass::Safe => true,
            TransportError::Lost(_, Phase::Send | Phase::Wait) | TransportError::Timeout(Limit::FirstByte, _) => {
                is_mlflow && class != RetryClass::Discovery
                    || self.read_timeouts && matches!(class, RetryClass::ModelRequest | RetryClass::Safe)
            }
            TransportError::Protocol(_) => is_mlflow && class != RetryClass::Discovery,
            TransportError::Lost(..)
            | TransportError::LostIdle(_)
            | TransportError::Timeout(..)
            | TransportError::ConnectTimeout(..)
            | TransportError::Cancelled(_)
            | TransportError::TooLarge(_)
            | TransportError::HeadTooLarge(_)
            | TransportError::TooManyHeaders(_)
            | TransportError::EventTooLarge(_)
            | TransportError::Encoded(_)
            | TransportError::OutOfMemory(_) => false,
        }
    }

    /// A random pause up to the longest, so that clients that failed together do not retry together.
    fn careful_wait(&self, retries: u32, random: f64) -> Duration {
        let longest = self.backoff.saturating_mul(1u32.checked_shl(retries).unwrap_or(u32::MAX));
        longest.min(self.max_backoff).mul_f64(random)
    }
}

impl MlflowBackoff {
    /// The first retry follows without a pause.
    fn wait(&self, retries: u32, random: f64) -> Duration {
        if retries == 0 {
            return Duration::ZERO;
        }
        let power = i32::try_from(retries).unwrap_or(i32::MAX);
        let seconds = self.factor * 2f64.powi(power) + random * self.jitter;
        Duration::from_secs_f64(seconds.clamp(0.0, MAX_MLFLOW_BACKOFF))
    }
}

/// A random number from 0 to 1.
fn random() -> f64 {
    let bits = RandomState::new().hash_one(Instant::now());
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit() {
        let options = RetryOptions::default();
        let longest: Vec<_> = (0..6).map(|retries| options.careful_wait(retries, 1.0).as_millis()).collect();
        assert_eq!(longest, [500, 1000, 2000, 4000, 8000, 8000]);
        assert_eq!(options.careful_wait(3, 0.0), Duration::ZERO);
        assert_eq!(options.careful_wait(2, 0.25), Duration::from_millis(500));
        assert_eq!(options.careful_wait(40, 1.0), Duration::from_secs(8));
        let numbers: Vec<_> = (0..100).map(|_| random()).collect();
        assert!(numbers.iter().all(|random| (0.0..1.0).contains(random)));
        assert!(numbers.iter().any(|random| *random < 0.25) && numbers.iter().any(|random| *random > 0.75));
    }

    #[test]
    fn pauses_of_mlflow_are_those_of_urllib3() {
        let backoff = RetryOptions::default().mlflow;
        let seconds = |random| (0..8).map(|retries| backoff.wait(retries, random).as_secs_f64()).collect::<Vec<_>>();
        assert_eq!(seconds(0.0), [0.0, 4.0, 8.0, 16.0, 32.0, 64.0, 120.0, 120.0]);
        assert_eq!(seconds(0.5), [0.0, 4.5, 8.5, 16.5, 32.5, 64.5, 120.0, 120.0]);
    }
}
