//! A tool call of a response: read from a whole response, or gathered from the fragments of a stream.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::error::Error;
use super::nul_string::NulString;
use crate::dialect::{self, Text};

/// A call of a tool that the model requests.
#[derive(Debug)]
pub struct ToolCall {
    /// The index in the fragments of a stream.
    pub(super) index: u64,
    pub(super) id: Option<NulString>,
    kind: Option<NulString>,
    pub(super) name: Option<NulString>,
    pub(super) arguments: NulString,
    has_arguments: bool,
    /// Whether the arguments so far end with a brace.
    ends_with_brace: bool,
    extra_fields: ExtraFields,
    extra_function_fields: ExtraFields,
}

/// Fields of a model provider: names, and values as JSON.
#[derive(Debug, Default)]
struct ExtraFields(Vec<(NulString, NulString)>);

/// The growth of a tool call by a fragment.
pub(super) struct Growth {
    /// The number of bytes that were added.
    pub bytes: usize,
    /// The number of extra fields that the call has now.
    pub extra_fields: usize,
}

/// The memory of an extra field without its name and its JSON.
const FIELD_BYTES: usize = 96;

/// The arguments of a call that has none: MLflow rejects an empty string in the next request.
pub(super) const NO_ARGUMENTS: &str = "{}";

impl ToolCall {
    /// Creates a call from its first fragment. Arguments and extra fields are kept only if `keeps_all`.
    pub(super) fn from_fragment(index: u64, fragment: &dialect::ToolCall, keeps_all: bool) -> Result<ToolCall, Error> {
        let mut call = ToolCall {
            index,
            id: None,
            kind: None,
            name: None,
            arguments: NulString::new(NO_ARGUMENTS)?,
            has_arguments: false,
            ends_with_brace: false,
            extra_fields: ExtraFields::default(),
            extra_function_fields: ExtraFields::default(),
        };
        call.push(fragment, keeps_all)?;
        Ok(call)
    }

    /// Returns whether a fragment belongs to another call, even if it has the same index.
    pub(super) fn is_other_call(&self, fragment: &dialect::ToolCall) -> bool {
        let differs = |known: &Option<NulString>, named: &Option<Text>| match (known, named) {
            (Some(known), Some(named)) => known.as_str() != named.0,
            _ => false,
        };
        let is_anonymous = fragment.id.is_none() && fragment.index.is_none();
        // One JSON text cannot contain an object directly after another one.
        let starts_object = fragment.arguments.as_ref().is_some_and(|arguments| arguments.0.starts_with('{'));
        let starts_another_object = starts_object && self.ends_with_brace;
        differs(&self.id, &fragment.id)
            || (self.id.is_none() && fragment.id.is_some() && fragment.index.is_none())
            || (is_anonymous && differs(&self.name, &fragment.name))
            || (fragment.id.is_none() && fragment.name.is_some() && starts_another_object)
    }

    /// Appends a fragment. IDs, types and names are complete in the first fragment, and some servers repeat them.
    /// Arguments are split over fragments. Of any other field the last value counts.
    pub(super) fn push(&mut self, fragment: &dialect::ToolCall, keeps_all: bool) -> Result<Growth, Error> {
        let mut added = 0;
        for (known, named) in
            [(&mut self.id, &fragment.id), (&mut self.kind, &fragment.kind), (&mut self.name, &fragment.name)]
        {
            if let (None, Some(named)) = (&known, named) {
                added += named.0.len();
                *known = Some(NulString::from_name(&named.0)?);
            }
        }
        let arguments = fragment.arguments.as_ref().map(|text| text.0.as_ref()).filter(|text| !text.is_empty());
        self.ends_with_brace = arguments.map_or(self.ends_with_brace, |arguments| arguments.ends_with('}'));
        if !keeps_all {
            return Ok(self.growth(added));
        }
        added += self.extra_fields.set(&fragment.extras)?;
        added += self.extra_function_fields.set(&fragment.function_extras)?;
        if let Some(arguments) = arguments {
            if !std::mem::replace(&mut self.has_arguments, true) {
                self.arguments = NulString::new("")?;
            }
            self.arguments.push(arguments)?;
            added += arguments.len();
        }
        Ok(self.growth(added))
    }

    fn growth(&self, bytes: usize) -> Growth {
        Growth { bytes, extra_fields: self.extra_fields.0.len() + self.extra_function_fields.0.len() }
    }

    /// Returns the size of the whole call.
    pub(super) fn size(&self) -> Growth {
        let names = [&self.id, &self.kind, &self.name].into_iter().flatten();
        let names = names.map(|name| name.as_str().len()).sum::<usize>();
        self.growth(
            names + self.arguments.as_str().len() + self.extra_fields.size() + self.extra_function_fields.size(),
        )
    }

    /// Returns the ID, which the tool's result must repeat.
    pub fn id(&self) -> Option<&NulString> {
        self.id.as_ref()
    }

    /// Returns the name of the tool.
    pub fn name(&self) -> Option<&NulString> {
        self.name.as_ref()
    }

    /// Returns the arguments: JSON as the model wrote it, which may be invalid; `{}` if it wrote none.
    pub fn arguments(&self) -> &NulString {
        &self.arguments
    }
}

impl ExtraFields {
    /// Sets or replaces fields. Returns the number of bytes that were added.
    fn set(&mut self, fields: &dialect::Extras) -> Result<usize, Error> {
        let before = self.size();
        for (name, json) in fields {
            let value = NulString::new(json)?;
            match self.0.iter().position(|(known, _)| known.as_str() == name) {
                Some(at) => self.0[at].1 = value,
                None => self.0.push((NulString::new(name)?, value)),
            }
        }
        Ok(self.size().saturating_sub(before))
    }

    fn size(&self) -> usize {
        self.0.iter().map(|(name, json)| name.as_str().len() + json.as_str().len() + FIELD_BYTES).sum()
    }

    fn write_to<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.0.iter().try_for_each(|(name, json)| {
            let json: &RawValue = serde_json::from_str(json.as_str()).map_err(serde::ser::Error::custom)?;
            map.serialize_entry(name.as_str(), json)
        })
    }
}

/// The object `function` of a call.
struct Function<'a>(&'a ToolCall);

/// Writes OpenAI's format.
impl Serialize for ToolCall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut call = serializer.serialize_map(None)?;
        call.serialize_entry("id", &self.id.as_ref().map(NulString::as_str))?;
        call.serialize_entry("type", self.kind.as_ref().map_or("function", NulString::as_str))?;
        call.serialize_entry("function", &Function(self))?;
        self.extra_fields.write_to(&mut call)?;
        call.end()
    }
}

impl Serialize for Function<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut function = serializer.serialize_map(None)?;
        function.serialize_entry("name", &self.0.name.as_ref().map(NulString::as_str))?;
        function.serialize_entry("arguments", self.0.arguments.as_str())?;
        self.0.extra_function_fields.write_to(&mut function)?;
        function.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_extra_fields_is_counted() {
        let extras = |name: &'static str| dialect::ToolCall { extras: vec![(name.into(), "1")], ..Default::default() };
        let mut call = ToolCall::from_fragment(0, &extras("a"), true).unwrap();
        let of_one = call.size().bytes;
        let field = size_of::<(NulString, NulString)>();
        assert!(call.push(&extras("b"), true).unwrap().bytes >= field && call.size().bytes >= of_one + field);
        assert_eq!(call.push(&extras("b"), true).unwrap().bytes, 0);
    }
}
