//! What a model writes before its answer, for which each provider has a field of its own.

use serde::de::MapAccess;
use serde_json::value::RawValue;

use super::json::{is_truthy, joined, list_or_none};
use super::objects::Fields;
use super::strings::{Fragment, Text};

/// Where a provider writes it, and expects it in the next request.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningForm {
    /// The field `reasoning_content`.
    #[default]
    ReasoningContent,
    /// The field `reasoning`.
    Reasoning,
    /// The field `thinking`.
    Thinking,
    /// Parts of the content, as on Databricks.
    Parts,
}

impl ReasoningForm {
    /// The field of a message; `None` if it is a part of the content.
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
    /// By which a provider knows its own reasoning again.
    pub signature: Option<Text<'a>>,
}

/// The fields of a message or a delta.
#[derive(Debug, Default)]
pub(super) struct ReasoningFields<'a> {
    reasoning_content: Option<&'a RawValue>,
    reasoning: Option<&'a RawValue>,
    thinking: Option<&'a RawValue>,
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
    fn all(&self) -> [(ReasoningForm, Option<&'a RawValue>); 3] {
        [
            (ReasoningForm::ReasoningContent, self.reasoning_content),
            (ReasoningForm::Reasoning, self.reasoning),
            (ReasoningForm::Thinking, self.thinking),
        ]
    }

    /// The first field that is a string and not empty: some servers write the same into two.
    pub fn first(&self) -> Option<Reasoning<'a>> {
        self.all().into_iter().find_map(|(form, json)| {
            let text = Fragment::of_json(json?.get()).filter(|fragment| !fragment.text.0.is_empty())?;
            Some(Reasoning { text, form, signature: None })
        })
    }

    /// Whether there is any, in whatever shape.
    pub fn says_anything(&self) -> bool {
        self.all().iter().any(|(_, json)| json.is_some_and(|json| is_truthy(json.get())))
    }
}

/// What there is of it in a part of the content: a string, or a list of objects with a `text` each.
pub(super) fn of_part<'a>(
    values: [Option<&'a str>; 3],
    signature: Option<Text<'a>>,
) -> Result<Option<Reasoning<'a>>, String> {
    let mut reasoning = Reasoning { form: ReasoningForm::Parts, signature, ..Reasoning::default() };
    let Some(json) = values.into_iter().flatten().next() else {
        return Ok(reasoning.signature.is_some().then_some(reasoning));
    };
    if let Some(text) = Fragment::of_json(json) {
        reasoning.text = text;
    } else {
        for piece in list_or_none::<Piece>(json) {
            if let Some(text) = piece.text.and_then(Fragment::of_json) {
                reasoning.text = joined(reasoning.text, text)?;
            }
            reasoning.signature = piece.signature.and_then(Fragment::of_json).map(|it| it.text).or(reasoning.signature);
        }
    }
    Ok(Some(reasoning))
}

#[derive(Default)]
struct Piece<'a> {
    text: Option<&'a str>,
    signature: Option<&'a str>,
}

impl<'de> Fields<'de> for Piece<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        let field = match name {
            "text" => &mut self.text,
            "signature" => &mut self.signature,
            _ => return Ok(false),
        };
        *field = Some(map.next_value::<&RawValue>()?.get());
        Ok(true)
    }
}
