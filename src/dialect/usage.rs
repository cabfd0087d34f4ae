//! How many tokens an answer took.

use serde::de::MapAccess;

use super::json::Count;
use super::objects::Fields;

/// Tokens; `None` where the gateway does not say, which is another thing than zero.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    pub total_tokens: Option<u64>,
}

/// OpenAI's counts of tokens.
#[derive(Default)]
pub(super) struct OpenAiUsage {
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
}

impl<'de> Fields<'de> for OpenAiUsage {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "prompt_tokens" => self.prompt_tokens = map.next_value()?,
            "completion_tokens" => self.completion_tokens = map.next_value()?,
            "total_tokens" => self.total_tokens = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
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
