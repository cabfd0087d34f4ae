//! When the same is asked again, and after how long.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use crate::dialect::{ErrorKind, ErrorResponse};
use crate::http::{HttpResponse, Limit, Phase, Reply, TransportError};

/// As urllib3 has it, on which MLflow's client stands.
const MAX_MLFLOW_BACKOFF: f64 = 120.0;

/// Whose habits are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryPolicy {
    /// Only where it can do no harm.
    Careful,
    /// Those of MLflow's own client.
    Mlflow,
}

/// What the options say of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RetryOptions {
    pub policy: RetryPolicy,
    /// `None`: as many as are usual with the policy.
    pub max: Option<u32>,
    /// The longest sleep before the first retry; it doubles with each.
    pub backoff: Duration,
    pub max_backoff: Duration,
    /// Whether a question is asked again that may have been answered.
    pub read_timeouts: bool,
    pub mlflow: MlflowBackoff,
}

/// What MLflow's environment variables say.
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

/// What is asked, as far as it matters for asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryClass {
    /// A question, for which asking twice costs no more than the answer.
    ModelRequest,
    /// What changes nothing, and can be sent again until a response has begun.
    Safe,
    /// What the server does not do twice: making, removing, limiting.
    Change,
    /// How the server speaks, which the question itself tells if it must.
    Discovery,
    /// Whether the server is well now, and what is nice to know.
    Never,
}

/// How often it was asked, and why again.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempts {
    /// As often any of it may have reached the server.
    pub sent: u32,
    pub reasons: Vec<String>,
    /// As many of the reasons were failures, after which the same was tried again.
    pub retries: u32,
}

impl RetryOptions {
    pub fn max(&self) -> u32 {
        self.max.unwrap_or(match self.policy {
            RetryPolicy::Careful => 3,
            RetryPolicy::Mlflow => 7,
        })
    }

    /// How long to wait before the same is asked again; `None` if it is not. `retried` is how often it was already.
    pub fn wait(
        &self,
        repeat: RetryClass,
        retried: u32,
        outcome: &Result<HttpResponse, TransportError>,
    ) -> Option<Duration> {
        if retried >= self.max() || repeat == RetryClass::Never {
            return None;
        }
        let retry_after = match outcome {
            Ok(HttpResponse::Whole(reply)) if !reply.is_success() && self.is_worth_another(repeat, reply) => {
                reply.retry_after
            }
            Err(failure) if self.may_follow(repeat, failure) => None,
            _ => return None,
        };
        Some(match self.policy {
            RetryPolicy::Careful => self.careful_wait(retried, random()).max(retry_after.unwrap_or_default()),
            RetryPolicy::Mlflow => {
                let told = retry_after.filter(|wait| self.mlflow.respects_retry_after && !wait.is_zero());
                told.unwrap_or_else(|| self.mlflow.wait(retried, random()))
            }
        })
    }

    /// Whether a refusal may be followed by a yes.
    fn is_worth_another(&self, repeat: RetryClass, reply: &Reply) -> bool {
        if repeat == RetryClass::Discovery || !matches!(reply.status, 413 | 429 | 500 | 502 | 503) {
            return false;
        }
        if self.policy == RetryPolicy::Mlflow {
            return reply.status != 413 || self.mlflow.respects_retry_after && reply.retry_after.is_some();
        }
        let refusal = ErrorResponse::read(reply.status, &reply.body);
        match refusal.kind {
            ErrorKind::RateLimited => true,
            ErrorKind::ServerError => {
                !refusal.is_streaming_unsupported && (repeat != RetryClass::Change || reply.status == 503)
            }
            _ => false,
        }
    }

    /// Whether the question may follow a failure once more.
    pub fn may_follow(&self, repeat: RetryClass, failure: &TransportError) -> bool {
        let is_mlflow = self.policy == RetryPolicy::Mlflow;
        match failure {
            TransportError::Resolve { is_permanent, .. } => is_mlflow || !is_permanent,
            TransportError::Connect(_)
            | TransportError::ConnectTimeout(Limit::Connect, _)
            | TransportError::Timeout(Limit::Connect, _) => true,
            TransportError::Tls { is_permanent, is_after_sending, .. } => {
                is_mlflow || !is_permanent && !is_after_sending
            }
            TransportError::Proxy { is_permanent, .. } => is_mlflow || !is_permanent,
            TransportError::Lost(_, Phase::Send | Phase::Wait) if repeat == RetryClass::Safe => true,
            TransportError::Lost(_, Phase::Send | Phase::Wait) | TransportError::Timeout(Limit::FirstByte, _) => {
                is_mlflow && repeat != RetryClass::Discovery
                    || self.read_timeouts && matches!(repeat, RetryClass::ModelRequest | RetryClass::Safe)
            }
            TransportError::Protocol(_) => is_mlflow && repeat != RetryClass::Discovery,
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

    /// Anything up to the longest, so that those who failed together do not come back together.
    fn careful_wait(&self, retried: u32, random: f64) -> Duration {
        let longest = self.backoff.saturating_mul(1u32.checked_shl(retried).unwrap_or(u32::MAX));
        longest.min(self.max_backoff).mul_f64(random)
    }
}

impl MlflowBackoff {
    /// The first time at once.
    fn wait(&self, retried: u32, random: f64) -> Duration {
        if retried == 0 {
            return Duration::ZERO;
        }
        let power = i32::try_from(retried).unwrap_or(i32::MAX);
        let seconds = self.factor * 2f64.powi(power) + random * self.jitter;
        Duration::from_secs_f64(seconds.clamp(0.0, MAX_MLFLOW_BACKOFF))
    }
}

/// From 0 to 1.
fn random() -> f64 {
    let bits = RandomState::new().hash_one(Instant::now());
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_double_up_to_a_limit() {
        let retries = RetryOptions::default();
        let longest: Vec<_> = (0..6).map(|retried| retries.careful_wait(retried, 1.0).as_millis()).collect();
        assert_eq!(longest, [500, 1000, 2000, 4000, 8000, 8000]);
        assert_eq!(retries.careful_wait(3, 0.0), Duration::ZERO);
        assert_eq!(retries.careful_wait(2, 0.25), Duration::from_millis(500));
        assert_eq!(retries.careful_wait(40, 1.0), Duration::from_secs(8));
        let some: Vec<_> = (0..100).map(|_| random()).collect();
        assert!(some.iter().all(|random| (0.0..1.0).contains(random)));
        assert!(some.iter().any(|random| *random < 0.25) && some.iter().any(|random| *random > 0.75));
    }

    #[test]
    fn mlflows_sleeps_are_those_of_urllib3() {
        let backoff = RetryOptions::default().mlflow;
        let seconds = |random| (0..8).map(|retried| backoff.wait(retried, random).as_secs_f64()).collect::<Vec<_>>();
        assert_eq!(seconds(0.0), [0.0, 4.0, 8.0, 16.0, 32.0, 64.0, 120.0, 120.0]);
        assert_eq!(seconds(0.5), [0.0, 4.5, 8.5, 16.5, 32.5, 64.5, 120.0, 120.0]);
    }
}
