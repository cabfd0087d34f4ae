//! How many tokens an answer took.

use serde::Deserialize;

use super::json::Count;

/// Tokens; `None` where the gateway does not say, which is another thing than zero.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    pub total_tokens: Option<u64>,
}

/// OpenAI's counts of tokens.
#[derive(Deserialize)]
pub(super) struct OpenAiUsage {
    #[serde(default)]
    prompt_tokens: Count,
    #[serde(default)]
    completion_tokens: Count,
    #[serde(default)]
    total_tokens: Count,
}

impl From<OpenAiUsage> for Usage {
    fn from(usage: OpenAiUsage) -> Usage {
        Usage {
            input_tokens: usage.prompt_tokens.0,
            output_tokens: usage.completion_tokens.0,
            total_tokens: usage.total_tokens.0,
        }
    }
}
