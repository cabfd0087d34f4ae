//! A tool call of a response, whole or gathered from the fragments of a stream.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::error::Error;
use super::nul_string::NulString;
use crate::dialect::{self, Text};

/// A tool that the model wants to be called.
#[derive(Debug)]
pub struct ToolCall {
    /// Which call of the stream's message its fragments belong to.
    pub(super) index: u64,
    pub(super) id: Option<NulString>,
    kind: Option<NulString>,
    pub(super) name: Option<NulString>,
    pub(super) arguments: NulString,
    has_arguments: bool,
    /// Whether the arguments so far end as an object does.
    is_closed: bool,
    extras: Extras,
    function_extras: Extras,
}

/// Fields that only the model provider understands: names, and their JSON.
#[derive(Debug, Default)]
struct Extras(Vec<(NulString, NulString)>);

/// What a fragment of a tool call adds.
pub(super) struct Growth {
    /// So many bytes more are kept.
    pub bytes: usize,
    /// So many fields that only the provider understands the call has now.
    pub extras: usize,
}

/// As much is kept of a field beside its name and its JSON.
const FIELD: usize = 96;

/// What the arguments are of a tool that needs none: MLflow does not take an empty text back.
pub(super) const NO_ARGUMENTS: &str = "{}";

impl ToolCall {
    /// The beginning of a call. What only the provider and the tool need is not kept unless `keeps_all`.
    pub(super) fn of(index: u64, fragment: &dialect::ToolCall, keeps_all: bool) -> Result<ToolCall, Error> {
        let mut call = ToolCall {
            index,
            id: None,
            kind: None,
            name: None,
            arguments: NulString::of(NO_ARGUMENTS)?,
            has_arguments: false,
            is_closed: false,
            extras: Extras::default(),
            function_extras: Extras::default(),
        };
        call.push(fragment, keeps_all)?;
        Ok(call)
    }

    /// Whether a fragment is of another call, though it may have the same index.
    pub(super) fn is_another(&self, fragment: &dialect::ToolCall) -> bool {
        let differs = |known: &Option<NulString>, named: &Option<Text>| match (known, named) {
            (Some(known), Some(named)) => known.as_str() != named.0,
            _ => false,
        };
        let is_nameless = fragment.id.is_none() && fragment.index.is_none();
        // Between the objects of one text there would be a comma.
        let begins = fragment.arguments.as_ref().is_some_and(|arguments| arguments.0.starts_with('{'));
        let begins_anew = begins && self.is_closed;
        differs(&self.id, &fragment.id)
            || (self.id.is_none() && fragment.id.is_some() && fragment.index.is_none())
            || (is_nameless && differs(&self.name, &fragment.name))
            || (fragment.id.is_none() && fragment.name.is_some() && begins_anew)
    }

    /// Ids, types and names come whole, with the first fragment; some servers repeat them. Arguments come in parts. Of
    /// any other field the last value counts.
    pub(super) fn push(&mut self, fragment: &dialect::ToolCall, keeps_all: bool) -> Result<Growth, Error> {
        let mut more = 0;
        for (known, named) in
            [(&mut self.id, &fragment.id), (&mut self.kind, &fragment.kind), (&mut self.name, &fragment.name)]
        {
            if let (None, Some(named)) = (&known, named) {
                more += named.0.len();
                *known = Some(NulString::of_name(&named.0)?);
            }
        }
        let arguments = fragment.arguments.as_ref().map(|text| text.0.as_ref()).filter(|text| !text.is_empty());
        self.is_closed = arguments.map_or(self.is_closed, |arguments| arguments.ends_with('}'));
        if !keeps_all {
            return Ok(self.growth(more));
        }
        more += self.extras.put(&fragment.extras)? + self.function_extras.put(&fragment.function_extras)?;
        if let Some(arguments) = arguments {
            if !std::mem::replace(&mut self.has_arguments, true) {
                self.arguments = NulString::of("")?;
            }
            self.arguments.push(arguments)?;
            more += arguments.len();
        }
        Ok(self.growth(more))
    }

    /// How much the call has grown by these bytes.
    fn growth(&self, bytes: usize) -> Growth {
        Growth { bytes, extras: self.extras.0.len() + self.function_extras.0.len() }
    }

    /// How much is kept of the call.
    pub(super) fn size(&self) -> Growth {
        let names = [&self.id, &self.kind, &self.name].into_iter().flatten();
        let names = names.map(|name| name.as_str().len()).sum::<usize>();
        self.growth(names + self.arguments.as_str().len() + self.extras.size() + self.function_extras.size())
    }

    /// What the tool's answer has to name.
    pub fn id(&self) -> Option<&NulString> {
        self.id.as_ref()
    }

    /// The tool.
    pub fn name(&self) -> Option<&NulString> {
        self.name.as_ref()
    }

    /// JSON, as the model wrote it, which may be wrong; `{}` if it wrote none.
    pub fn arguments(&self) -> &NulString {
        &self.arguments
    }
}

impl Extras {
    /// Sets these fields, in place of those of the same names, and returns how many bytes more are kept.
    fn put(&mut self, fields: &dialect::Extras) -> Result<usize, Error> {
        let before = self.size();
        for (name, json) in fields {
            let value = NulString::of(json)?;
            match self.0.iter().position(|(known, _)| known.as_str() == name) {
                Some(at) => self.0[at].1 = value,
                None => self.0.push((NulString::of(name)?, value)),
            }
        }
        Ok(self.size().saturating_sub(before))
    }

    fn size(&self) -> usize {
        self.0.iter().map(|(name, json)| name.as_str().len() + json.as_str().len() + FIELD).sum()
    }

    fn write_to<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.0.iter().try_for_each(|(name, json)| {
            let json: &RawValue = serde_json::from_str(json.as_str()).map_err(serde::ser::Error::custom)?;
            map.serialize_entry(name.as_str(), json)
        })
    }
}

/// The function of a call, as OpenAI writes it.
struct Function<'a>(&'a ToolCall);

/// As OpenAI writes it.
impl Serialize for ToolCall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut call = serializer.serialize_map(None)?;
        call.serialize_entry("id", &self.id.as_ref().map(NulString::as_str))?;
        call.serialize_entry("type", self.kind.as_ref().map_or("function", NulString::as_str))?;
        call.serialize_entry("function", &Function(self))?;
        self.extras.write_to(&mut call)?;
        call.end()
    }
}

impl Serialize for Function<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut function = serializer.serialize_map(None)?;
        function.serialize_entry("name", &self.0.name.as_ref().map(NulString::as_str))?;
        function.serialize_entry("arguments", self.0.arguments.as_str())?;
        self.0.function_extras.write_to(&mut function)?;
        function.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_fields_is_counted() {
        let extras = |name: &'static str| dialect::ToolCall { extras: vec![(name.into(), "1")], ..Default::default() };
        let mut call = ToolCall::of(0, &extras("a"), true).unwrap();
        let of_one = call.size().bytes;
        let field = size_of::<(NulString, NulString)>();
        assert!(call.push(&extras("b"), true).unwrap().bytes >= field && call.size().bytes >= of_one + field);
        assert_eq!(call.push(&extras("b"), true).unwrap().bytes, 0);
    }
}
