//! Tool calls: complete in a response, in fragments in a stream.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::{Error, MapAccess};

use super::json::{Lenient, bounded_list};
use super::objects::{Fields, Object, read_once};
use super::reader::Raw;
use super::strings::{Fragment, SurrogateHalves, Text};

/// The maximum number of additional fields. No provider sends as many.
const MAX_EXTRAS: usize = 64;

/// The tool calls of one message.
#[derive(Debug)]
pub struct ToolCalls<'a> {
    /// The byte ranges in the JSON of the list where arguments are null or an empty string, in order.
    pub empty: Vec<Range<usize>>,
    pub calls: Vec<ToolCall<'a>>,
}

/// A tool call, or a fragment of one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ToolCall<'a> {
    /// The index of the call in its message.
    pub index: Option<u64>,
    pub id: Option<Text<'a>>,
    pub kind: Option<Text<'a>>,
    pub name: Option<Text<'a>>,
    /// The arguments' JSON, or a part of it.
    pub arguments: Option<Text<'a>>,
    pub halves: SurrogateHalves,
    /// Additional fields of the call, for example a signature that the next request must contain.
    pub extras: Extras<'a>,
    /// Additional fields of the function.
    pub function_extras: Extras<'a>,
}

/// Provider-specific fields: names, and JSON values other than null.
pub type Extras<'a> = Vec<(Cow<'a, str>, &'a str)>;

/// Parses a list of tool calls; `None` if it is null or empty.
pub(super) fn parse_list(json: &str) -> Result<Option<ToolCalls<'_>>, String> {
    if json == "null" { Ok(None) } else { parse_calls(json) }
}

// Not inlined: most messages have no tool calls.
#[inline(never)]
fn parse_calls(json: &str) -> Result<Option<ToolCalls<'_>>, String> {
    let calls: Vec<Call> = bounded_list(json)?;
    let empty = calls.iter().filter_map(Call::empty_arguments).filter_map(|arguments| {
        let start = (arguments.as_ptr() as usize).checked_sub(json.as_ptr() as usize)?;
        Some(start..start + arguments.len())
    });
    let empty = empty.collect();
    let mut calls: Vec<_> = calls.into_iter().map(Call::into_tool_call).collect();
    // Calls of one list without index and ID are distinguished by their places.
    if calls.len() > 1 {
        for (place, call) in (0..).zip(&mut calls).filter(|(_, call)| call.id.is_none() && call.name.is_some()) {
            call.index = call.index.or(Some(place));
        }
    }
    Ok((!calls.is_empty()).then_some(ToolCalls { empty, calls }))
}

#[derive(Default)]
struct Call<'a> {
    index: Lenient<'a>,
    id: Lenient<'a>,
    kind: Lenient<'a>,
    function: Option<Option<Object<Function<'a>>>>,
    extras: Extras<'a>,
}

#[derive(Default)]
struct Function<'a> {
    name: Lenient<'a>,
    arguments: Option<Raw<'a>>,
    extras: Extras<'a>,
}

impl<'de> Fields<'de> for Call<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "index" => self.index = map.next_value()?,
            "id" => self.id = map.next_value()?,
            "type" => self.kind = map.next_value()?,
            "function" => read_once(&mut self.function, "function", map)?,
            name => add_extra(&mut self.extras, name, map)?,
        }
        Ok(true)
    }
}

impl<'de> Fields<'de> for Function<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "name" => self.name = map.next_value()?,
            "arguments" => read_once(&mut self.arguments, "arguments", map)?,
            name => add_extra(&mut self.extras, name, map)?,
        }
        Ok(true)
    }
}

fn add_extra<'de, M: MapAccess<'de>>(extras: &mut Extras<'de>, name: &str, map: &mut M) -> Result<(), M::Error> {
    let json: Raw<'de> = map.next_value()?;
    extras.retain(|(known, _)| known != name);
    if json.get() == "null" {
        return Ok(());
    }
    if extras.len() == MAX_EXTRAS {
        return Err(M::Error::custom(format_args!("a tool call with more than {MAX_EXTRAS} additional fields")));
    }
    extras.push((Cow::Owned(name.to_owned()), json.get()));
    Ok(())
}

impl<'a> Call<'a> {
    /// Returns the JSON of the arguments if they are null or empty.
    fn empty_arguments(&self) -> Option<&'a str> {
        let Object(function) = self.function.as_ref()?.as_ref()?;
        function.arguments.map(Raw::get).filter(|json| matches!(*json, "null" | "\"\""))
    }

    fn into_tool_call(self) -> ToolCall<'a> {
        let function = self.function.flatten().map(|Object(function)| function).unwrap_or_default();
        let arguments = function.arguments.map(Raw::get).and_then(parse_arguments);
        let (arguments, halves) = arguments.map(|Fragment { text, halves }| (text, halves)).unzip();
        ToolCall {
            index: self.index.count(),
            id: self.id.name(),
            kind: self.kind.name(),
            name: function.name.name(),
            arguments,
            halves: halves.unwrap_or_default(),
            extras: self.extras,
            function_extras: function.extras,
        }
    }
}

/// Parses arguments. OpenAI sends their JSON in a string; some providers send the JSON itself.
fn parse_arguments(json: &str) -> Option<Fragment<'_>> {
    if json == "null" {
        return None;
    }
    Some(Fragment::from_json(json).unwrap_or_else(|| Fragment::from(Cow::Borrowed(json))))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Shown = (Option<u64>, String, String, String);

    fn of(json: &str) -> Option<Vec<Shown>> {
        let text = |text: Option<Text>| text.map_or("-".to_owned(), |text| text.0.into_owned());
        let calls = parse_list(json).ok()??.calls.into_iter();
        Some(calls.map(|call| (call.index, text(call.id), text(call.name), text(call.arguments))).collect())
    }

    #[test]
    fn calls_and_fragments_are_read() {
        let json = r#"[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},
            {"index":1,"id":null,"function":{"name":null,"arguments":" }"}},{"function":{"arguments":{"y":[2]}}},{}]"#;
        let (none, dash) = (None, "-".to_owned());
        assert_eq!(
            of(json).unwrap(),
            [
                (none, "a".into(), "f".into(), r#"{"x":1}"#.into()),
                (Some(1), dash.clone(), dash.clone(), " }".into()),
                (none, dash.clone(), dash.clone(), r#"{"y":[2]}"#.into()),
                (none, dash.clone(), dash.clone(), dash),
            ]
        );
        assert_eq!(of("[]"), None);
        assert_eq!(of("[1]"), None);
        assert_eq!(of("{}"), None);
        assert_eq!(of(&format!("[{}]", vec!["{}"; 1025].join(","))), None);
    }

    #[test]
    fn calls_of_one_list_are_distinguished_by_their_places() {
        let index =
            |json: &str| parse_list(json).unwrap().unwrap().calls.iter().map(|call| call.index).collect::<Vec<_>>();
        let named = r#"{"function":{"name":"f","arguments":"{}"}}"#;
        assert_eq!(index(&format!("[{named},{named}]")), [Some(0), Some(1)]);
        assert_eq!(index(&format!("[{named}]")), [None]);
        assert_eq!(index(&format!(r#"[{named},{{"function":{{"arguments":"1"}}}}]"#)), [Some(0), None]);
        assert_eq!(
            index(r#"[{"id":"a","function":{"name":"f"}},{"index":7,"function":{"name":"f"}}]"#),
            [None, Some(7)]
        );
    }

    #[test]
    fn provider_specific_fields_are_kept() {
        let json = r#"[{"thought_signature":"a","x":null,"type":"function","thought_signature":"b\u0041",
            "function":{"name":"f","strict":true,"arguments":null},"extra_content":{"google":{"k":[1]}}}]"#;
        let call = parse_list(json).unwrap().unwrap().calls.remove(0);
        assert_eq!(
            call.extras,
            [("thought_signature".into(), r#""b\u0041""#), ("extra_content".into(), r#"{"google":{"k":[1]}}"#)]
        );
        assert_eq!(call.function_extras, [("strict".into(), "true")]);
        assert_eq!((call.kind, call.arguments), (Some(Text("function".into())), None));
        let many = |count: usize| (0..count).map(|at| format!(r#""f{at}":1"#)).collect::<Vec<_>>().join(",");
        assert!(
            parse_list(&format!("[{{{}}}]", many(64))).is_ok() && parse_list(&format!("[{{{}}}]", many(65))).is_err()
        );
    }
}
