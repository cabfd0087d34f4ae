//! Token counts of a response.

use serde::de::MapAccess;

use super::json::{Count, Lenient};
use super::objects::{Fields, LenientObject};
use super::strings::Text;

/// Token counts; `None` if the gateway does not report one, which is not the same as zero.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the request.
    pub input: Option<u64>,
    /// Tokens of the response.
    pub output: Option<u64>,
    /// Tokens of both, as reported.
    pub total: Option<u64>,
    /// Input tokens that the provider read from its cache.
    pub cached_input: Option<u64>,
    /// Output tokens of the reasoning.
    pub reasoning: Option<u64>,
    /// Input tokens that the provider wrote to its cache.
    pub cache_write: Option<u64>,
}

impl Usage {
    /// Returns whether any count is reported.
    pub fn is_known(&self) -> bool {
        *self != Usage::default()
    }

    /// Adds the counts of two requests. A sum is `None` unless both report the count.
    pub fn sum(&self, other: &Usage) -> Usage {
        let sum = |one: Option<u64>, other: Option<u64>| one?.checked_add(other?);
        Usage {
            input: sum(self.input, other.input),
            output: sum(self.output, other.output),
            total: sum(self.total, other.total),
            cached_input: sum(self.cached_input, other.cached_input),
            reasoning: sum(self.reasoning, other.reasoning),
            cache_write: sum(self.cache_write, other.cache_write),
        }
    }
}

/// Token counts under the names that OpenAI's chats, its Responses API, Anthropic and MLflow 2.5 to 2.8 use.
#[derive(Default)]
pub(super) struct UsageFields {
    prompt_tokens: Count,
    input_tokens: Count,
    completion_tokens: Count,
    output_tokens: Count,
    total_tokens: Count,
    cache_read: Count,
    cache_creation: Count,
    input_details: LenientObject<Details>,
    output_details: LenientObject<Details>,
}

/// The counts of which the input tokens, or the output tokens, consist.
#[derive(Default)]
struct Details {
    cached_tokens: Count,
    reasoning_tokens: Count,
}

impl<'de> Fields<'de> for UsageFields {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "prompt_tokens" => self.prompt_tokens = map.next_value()?,
            "input_tokens" => self.input_tokens = map.next_value()?,
            "completion_tokens" => self.completion_tokens = map.next_value()?,
            "output_tokens" => self.output_tokens = map.next_value()?,
            "total_tokens" => self.total_tokens = map.next_value()?,
            "cache_read_input_tokens" => self.cache_read = map.next_value()?,
            "cache_creation_input_tokens" => self.cache_creation = map.next_value()?,
            "prompt_tokens_details" | "input_tokens_details" => self.input_details = map.next_value()?,
            "completion_tokens_details" | "output_tokens_details" => self.output_details = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'de> Fields<'de> for Details {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "cached_tokens" => self.cached_tokens = map.next_value()?,
            "reasoning_tokens" => self.reasoning_tokens = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl From<UsageFields> for Usage {
    fn from(fields: UsageFields) -> Usage {
        let (input, output) = (fields.input_details.0.unwrap_or_default(), fields.output_details.0.unwrap_or_default());
        Usage {
            input: fields.prompt_tokens.0.or(fields.input_tokens.0),
            output: fields.completion_tokens.0.or(fields.output_tokens.0),
            total: fields.total_tokens.0,
            cached_input: input.cached_tokens.0.or(fields.cache_read.0),
            reasoning: output.reasoning_tokens.0,
            cache_write: fields.cache_creation.0,
        }
    }
}

/// The `metadata` of MLflow 2.5 to 2.8: the model and token counts.
#[derive(Default)]
pub(super) struct Metadata<'a> {
    model: Lenient<'a>,
    usage: UsageFields,
}

impl<'de> Fields<'de> for Metadata<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        if name == "model" {
            self.model = map.next_value()?;
            return Ok(true);
        }
        self.usage.read(name, map)
    }
}

impl<'a> Metadata<'a> {
    pub fn into_parts(self) -> (Option<Text<'a>>, Usage) {
        (self.model.name(), self.usage.into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::objects::Object;
    use super::*;

    fn of(json: &str) -> Usage {
        super::super::reader::from_str::<Object<UsageFields>>(json).unwrap().0.into()
    }

    #[test]
    fn names_of_each_provider_are_read() {
        let all = Usage {
            input: Some(1),
            output: Some(2),
            total: Some(3),
            cached_input: Some(4),
            reasoning: Some(5),
            cache_write: Some(6),
        };
        let chat = r#"{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,
            "prompt_tokens_details":{"audio_tokens":0,"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":5},
            "cache_creation_input_tokens":6,"cache_read_input_tokens":9}"#;
        let responses = r#"{"input_tokens":1,"output_tokens":2,"total_tokens":3,"input_tokens_details":{"cached_tokens":4},
            "output_tokens_details":{"reasoning_tokens":5},"cache_creation_input_tokens":6}"#;
        assert_eq!((of(chat), of(responses)), (all, all));
        let anthropic =
            r#"{"input_tokens":1,"cache_creation_input_tokens":6,"cache_read_input_tokens":4,"output_tokens":2}"#;
        assert_eq!(of(anthropic), Usage { total: None, reasoning: None, ..all });
        let nothing =
            r#"{"prompt_tokens":null,"prompt_tokens_details":null,"completion_tokens_details":[1],"total_tokens":"3"}"#;
        assert_eq!(of(nothing), Usage::default());
    }

    #[test]
    fn sum_is_reported_only_if_both_counts_are() {
        let one = Usage { input: Some(1), total: Some(2), ..Usage::default() };
        let other = Usage { input: Some(3), total: None, ..Usage::default() };
        assert_eq!(one.sum(&other), Usage { input: Some(4), ..Usage::default() });
    }
}
