//! Token counts.

use crate::client::Usage;

/// Tokens of the request.
pub const MLFLOW_GATEWAY_TOKENS_INPUT: i32 = 1;
/// Tokens of the response, usually of all candidates together.
pub const MLFLOW_GATEWAY_TOKENS_OUTPUT: i32 = 2;
/// Total, as reported. It is not computed.
pub const MLFLOW_GATEWAY_TOKENS_TOTAL: i32 = 3;
/// Input tokens read from the provider's cache. Whether INPUT includes them depends on the provider.
pub const MLFLOW_GATEWAY_TOKENS_CACHED_INPUT: i32 = 4;
/// Output tokens spent on reasoning.
pub const MLFLOW_GATEWAY_TOKENS_REASONING: i32 = 5;
/// Input tokens written to the provider's cache.
pub const MLFLOW_GATEWAY_TOKENS_CACHE_WRITE: i32 = 6;

/// Returns the count of a kind; -1 if it is not reported or the kind does not exist.
pub(super) fn tokens(usage: Option<&Usage>, kind: i32) -> i64 {
    let count = usage.and_then(|usage| match kind {
        MLFLOW_GATEWAY_TOKENS_INPUT => usage.input,
        MLFLOW_GATEWAY_TOKENS_OUTPUT => usage.output,
        MLFLOW_GATEWAY_TOKENS_TOTAL => usage.total,
        MLFLOW_GATEWAY_TOKENS_CACHED_INPUT => usage.cached_input,
        MLFLOW_GATEWAY_TOKENS_REASONING => usage.reasoning,
        MLFLOW_GATEWAY_TOKENS_CACHE_WRITE => usage.cache_write,
        _ => None,
    });
    count.map_or(-1, |count| i64::try_from(count).unwrap_or(i64::MAX))
}
