//! Reasoning of a model. Each provider has its own field for it.

use serde::de::MapAccess;

use super::json::{is_truthy, list_or_empty};
use super::objects::Fields;
use super::reader::Raw;
use super::strings::{Fragment, Text};

/// Where a provider puts reasoning, and expects it in the next request.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningForm {
    /// The field `reasoning_content`.
    #[default]
    ReasoningContent,
    /// The field `reasoning`.
    Reasoning,
    /// The field `thinking`.
    Thinking,
    /// Parts of the content, as with Databricks.
    Parts,
}

impl ReasoningForm {
    /// Returns the name of the message field; `None` for parts of the content.
    pub fn field(self) -> Option<&'static str> {
        match self {
            ReasoningForm::ReasoningContent => Some("reasoning_content"),
            ReasoningForm::Reasoning => Some("reasoning"),
            ReasoningForm::Thinking => Some("thinking"),
            ReasoningForm::Parts => None,
        }
    }
}

/// Reasoning, or a fragment of it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Reasoning<'a> {
    pub text: Fragment<'a>,
    pub form: ReasoningForm,
    /// The provider's signature, which it verifies in the next request.
    pub signature: Option<Text<'a>>,
}

/// The reasoning fields of a message or a delta.
#[derive(Debug, Default)]
pub(super) struct ReasoningFields<'a> {
    reasoning_content: Option<Raw<'a>>,
    reasoning: Option<Raw<'a>>,
    thinking: Option<Raw<'a>>,
}

impl<'de> Fields<'de> for ReasoningFields<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        let field = match name {
            "reasoning_content" => &mut self.reasoning_content,
            "reasoning" => &mut self.reasoning,
            "thinking" => &mut self.thinking,
            _ => return Ok(false),
        };
        *field = Some(map.next_value()?);
        Ok(true)
    }
}

impl<'a> ReasoningFields<'a> {
    fn all(&self) -> [(ReasoningForm, Option<Raw<'a>>); 3] {
        [
            (ReasoningForm::ReasoningContent, self.reasoning_content),
            (ReasoningForm::Reasoning, self.reasoning),
            (ReasoningForm::Thinking, self.thinking),
        ]
    }

    /// Returns the first field that is a non-empty string: some servers send the same text in two fields.
    pub fn first(&self) -> Option<Reasoning<'a>> {
        self.all().into_iter().find_map(|(form, json)| {
            let text = Fragment::from_json(json?.get()).filter(|fragment| !fragment.text.0.is_empty())?;
            Some(Reasoning { text, form, signature: None })
        })
    }

    /// Returns whether there is reasoning in any format.
    pub fn is_present(&self) -> bool {
        self.all().iter().any(|(_, json)| json.is_some_and(|json| is_truthy(json.get())))
    }
}

/// Parses the reasoning in a part of the content: a string, or a list of objects with a `text` each.
pub(super) fn parse_part<'a>(
    values: [Option<&'a str>; 3],
    signature: Option<Text<'a>>,
) -> Result<Option<Reasoning<'a>>, String> {
    let mut reasoning = Reasoning { form: ReasoningForm::Parts, signature, ..Reasoning::default() };
    let Some(json) = values.into_iter().flatten().next() else {
        return Ok(reasoning.signature.is_some().then_some(reasoning));
    };
    if let Some(text) = Fragment::from_json(json) {
        reasoning.text = text;
    } else {
        for item in list_or_empty::<Item>(json) {
            if let Some(text) = item.text.and_then(Fragment::from_json) {
                reasoning.text = reasoning.text.try_join(text)?;
            }
            reasoning.signature =
                item.signature.and_then(Fragment::from_json).map(|it| it.text).or(reasoning.signature);
        }
    }
    Ok(Some(reasoning))
}

#[derive(Default)]
struct Item<'a> {
    text: Option<&'a str>,
    signature: Option<&'a str>,
}

impl<'de> Fields<'de> for Item<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        let field = match name {
            "text" => &mut self.text,
            "signature" => &mut self.signature,
            _ => return Ok(false),
        };
        *field = Some(map.next_value::<Raw>()?.get());
        Ok(true)
    }
}
