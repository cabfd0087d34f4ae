//! Tool calls: whole in a response, in fragments in a stream.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::{Error, MapAccess};

use super::json::{Lenient, few};
use super::objects::{Fields, Object, once};
use super::reader::Raw;
use super::strings::{Fragment, SurrogateHalves, Text};

/// More fields than any provider adds to a call.
const MOST_EXTRAS: usize = 64;

/// The calls of one message.
#[derive(Debug)]
pub struct ToolCalls<'a> {
    /// Where in the JSON of the list arguments are null or an empty text, in order.
    pub empty: Vec<Range<usize>>,
    pub calls: Vec<ToolCall<'a>>,
}

/// One call, or a fragment of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ToolCall<'a> {
    /// Which call of the message a fragment belongs to.
    pub index: Option<u64>,
    pub id: Option<Text<'a>>,
    pub kind: Option<Text<'a>>,
    pub name: Option<Text<'a>>,
    /// JSON, or of a fragment a part of it.
    pub arguments: Option<Text<'a>>,
    pub halves: SurrogateHalves,
    /// What else is said of the call, for example a signature that has to be sent back.
    pub extras: Extras<'a>,
    /// What else is said of the function.
    pub function_extras: Extras<'a>,
}

/// Fields that only the model provider understands: names, and JSON that is not null.
pub type Extras<'a> = Vec<(Cow<'a, str>, &'a str)>;

/// The list, or `None` if it is empty or null, which is as good as none.
pub(super) fn all(json: &str) -> Result<Option<ToolCalls<'_>>, String> {
    if json == "null" { Ok(None) } else { list(json) }
}

// Most messages have none.
#[inline(never)]
fn list(json: &str) -> Result<Option<ToolCalls<'_>>, String> {
    let calls: Vec<Call> = few(json)?;
    let empty = calls.iter().filter_map(Call::empty_arguments).filter_map(|arguments| {
        let start = (arguments.as_ptr() as usize).checked_sub(json.as_ptr() as usize)?;
        Some(start..start + arguments.len())
    });
    let empty = empty.collect();
    let mut calls: Vec<_> = calls.into_iter().map(Call::understood).collect();
    // Where several calls of one list say neither which they are nor have an id, their places tell them apart.
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
            "function" => once(&mut self.function, "function", map)?,
            name => add_extra(&mut self.extras, name, map)?,
        }
        Ok(true)
    }
}

impl<'de> Fields<'de> for Function<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "name" => self.name = map.next_value()?,
            "arguments" => once(&mut self.arguments, "arguments", map)?,
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
    if extras.len() == MOST_EXTRAS {
        return Err(M::Error::custom(format_args!("a call with more than {MOST_EXTRAS} fields")));
    }
    extras.push((Cow::Owned(name.to_owned()), json.get()));
    Ok(())
}

impl<'a> Call<'a> {
    /// The JSON of arguments that say nothing.
    fn empty_arguments(&self) -> Option<&'a str> {
        let Object(function) = self.function.as_ref()?.as_ref()?;
        function.arguments.map(Raw::get).filter(|json| matches!(*json, "null" | "\"\""))
    }

    fn understood(self) -> ToolCall<'a> {
        let function = self.function.flatten().map(|Object(function)| function).unwrap_or_default();
        let arguments = function.arguments.map(Raw::get).and_then(arguments);
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

/// OpenAI writes them as JSON in a string; some providers write the JSON itself.
fn arguments(json: &str) -> Option<Fragment<'_>> {
    if json == "null" {
        return None;
    }
    Some(Fragment::of_json(json).unwrap_or_else(|| Fragment::from(Cow::Borrowed(json))))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Shown = (Option<u64>, String, String, String);

    fn of(json: &str) -> Option<Vec<Shown>> {
        let text = |text: Option<Text>| text.map_or("-".to_owned(), |text| text.0.into_owned());
        let calls = all(json).ok()??.calls.into_iter();
        Some(calls.map(|call| (call.index, text(call.id), text(call.name), text(call.arguments))).collect())
    }

    #[test]
    fn reads_calls_and_fragments() {
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
    fn calls_of_one_list_are_told_apart_by_their_places() {
        let index = |json: &str| all(json).unwrap().unwrap().calls.iter().map(|call| call.index).collect::<Vec<_>>();
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
    fn fields_of_providers_are_kept() {
        let json = r#"[{"thought_signature":"a","x":null,"type":"function","thought_signature":"b\u0041",
            "function":{"name":"f","strict":true,"arguments":null},"extra_content":{"google":{"k":[1]}}}]"#;
        let call = all(json).unwrap().unwrap().calls.remove(0);
        assert_eq!(
            call.extras,
            [("thought_signature".into(), r#""b\u0041""#), ("extra_content".into(), r#"{"google":{"k":[1]}}"#)]
        );
        assert_eq!(call.function_extras, [("strict".into(), "true")]);
        assert_eq!((call.kind, call.arguments), (Some(Text("function".into())), None));
        let many = |count: usize| (0..count).map(|at| format!(r#""f{at}":1"#)).collect::<Vec<_>>().join(",");
        assert!(all(&format!("[{{{}}}]", many(64))).is_ok() && all(&format!("[{{{}}}]", many(65))).is_err());
    }
}
