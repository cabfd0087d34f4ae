//! The parts of a response that are read on demand, from JSON of any dialect that was decoded before.

use std::ops::Range;

use serde::de::MapAccess;

use super::json::Lenient;
use super::objects::{BoundedList, Fields, LenientObject, Object};
use super::reader::{self, Raw};
use super::strings::Text;
use super::usage::{Metadata, Usage, UsageFields};
use super::{message_list, tools};

/// Returns the JSON of each candidate's message; `None` for a candidate without a message, as completions have.
pub fn read_messages(json: &str) -> Vec<Option<&str>> {
    let Ok(Object(Messages { choices, candidates, messages, output })) = reader::from_str(json) else {
        return Vec::new();
    };
    if let Some(list) = choices.or(candidates) {
        let Ok(BoundedList(list)) = reader::from_str::<BoundedList<Candidate>>(list.get()) else { return Vec::new() };
        return list.into_iter().map(|candidate| candidate.message.map(Raw::get)).collect();
    }
    messages.or(output).and_then(|list| message_list::last_message(list.get())).map(Some).into_iter().collect()
}

/// What a response contains besides its candidates.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ResponseDetails<'a> {
    pub id: Option<Text<'a>>,
    pub model: Option<Text<'a>>,
    pub usage: Usage,
}

pub fn read_details(json: &str) -> ResponseDetails<'_> {
    let Ok(Object(DetailFields { id, model, usage, metadata })) = reader::from_str(json) else {
        return ResponseDetails::default();
    };
    let (other_model, other_usage) = metadata.0.unwrap_or_default().into_parts();
    let usage = usage.0.map_or(other_usage, Usage::from);
    ResponseDetails { id: id.name(), model: model.name().or(other_model), usage }
}

#[derive(Default)]
struct DetailFields<'a> {
    id: Lenient<'a>,
    model: Lenient<'a>,
    usage: LenientObject<UsageFields>,
    metadata: LenientObject<Metadata<'a>>,
}

impl<'de> Fields<'de> for DetailFields<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "id" => self.id = map.next_value()?,
            "model" => self.model = map.next_value()?,
            "usage" => self.usage = map.next_value()?,
            "metadata" => self.metadata = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Returns the byte ranges in a message where the arguments of a tool call are null or an empty string, in order.
pub fn find_empty_arguments(message: &str) -> Vec<Range<usize>> {
    let Ok(Object(Calls { tool_calls: Some(list) })) = reader::from_str(message) else { return Vec::new() };
    let Ok(Some(calls)) = tools::parse_list(list.get()) else { return Vec::new() };
    let start = list.get().as_ptr() as usize - message.as_ptr() as usize;
    calls.empty.into_iter().map(|place| place.start + start..place.end + start).collect()
}

#[derive(Default)]
struct Messages<'a> {
    choices: Option<Raw<'a>>,
    candidates: Option<Raw<'a>>,
    messages: Option<Raw<'a>>,
    output: Option<Raw<'a>>,
}

impl<'de> Fields<'de> for Messages<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        let field = match name {
            "choices" => &mut self.choices,
            "candidates" => &mut self.candidates,
            "messages" => &mut self.messages,
            "output" => &mut self.output,
            _ => return Ok(false),
        };
        *field = Some(map.next_value()?);
        Ok(true)
    }
}

#[derive(Default)]
struct Candidate<'a> {
    message: Option<Raw<'a>>,
}

impl<'de> Fields<'de> for Candidate<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        if name == "message" {
            self.message = map.next_value::<Option<Raw>>()?;
        }
        Ok(name == "message")
    }
}

#[derive(Default)]
struct Calls<'a> {
    tool_calls: Option<Raw<'a>>,
}

impl<'de> Fields<'de> for Calls<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        if name == "tool_calls" {
            self.tool_calls = Some(map.next_value()?);
        }
        Ok(name == "tool_calls")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_in_each_format() {
        let (first, second) = (r#"{ "content":"a" }"#, r#"{"content":null,"x":"é"}"#);
        let list =
            format!(r#"[{{"message":{first}}},{{"message":null}},{{"index":2,"message":{second}}},{{"text":"b"}}]"#);
        for name in ["choices", "candidates"] {
            let json = format!(r#"{{"id":1,"{name}":{list}}}"#);
            assert_eq!(read_messages(&json), [Some(first), None, Some(second), None], "{name}");
        }
        let json =
            r#"{"messages":[{"role":"assistant","content":"a"},{"role":"assistant","content":"b"},{"role":"tool"}]}"#;
        assert_eq!(read_messages(json), [Some(r#"{"role":"assistant","content":"b"}"#)]);
        for json in ["{}", "[]", r#"{"choices":1}"#, r#"{"output":[]}"#, r#"{"messages":[1]}"#] {
            assert!(read_messages(json).is_empty(), "{json}");
        }
    }

    #[test]
    fn details_are_read_in_each_format() {
        let usage = Usage { input: Some(35), output: Some(8), total: Some(43), ..Usage::default() };
        let (id, model) = (Some(Text("i".into())), Some(Text("m".into())));
        let json = r#"{"id":"i","model":"m","usage":{"prompt_tokens":35,"completion_tokens":8,"total_tokens":43}}"#;
        assert_eq!(read_details(json), ResponseDetails { id, model: model.clone(), usage });
        let json =
            r#"{"metadata":{"input_tokens":35,"output_tokens":8,"total_tokens":43,"model":"m","route_type":"r"}}"#;
        assert_eq!(read_details(json), ResponseDetails { id: None, model, usage });
        for json in ["[]", "{}", r#"{"id":null,"model":1,"usage":null,"metadata":[]}"#, r#"{"id":"","usage":{}}"#, "x"]
        {
            assert_eq!(read_details(json), ResponseDetails::default(), "{json}");
        }
    }

    #[test]
    fn empty_arguments_are_found() {
        let json = r#"{"tool_calls": [{"function":{"arguments": ""}},{"function":{"arguments":"{}"}},
            {"function":{"arguments":null }}],"content":""}"#;
        let found: Vec<_> = find_empty_arguments(json).into_iter().map(|place| &json[place]).collect();
        assert_eq!(found, ["\"\"", "null"]);
        for json in ["{}", "1", r#"{"tool_calls":null}"#, r#"{"tool_calls":[1]}"#, r#"{"tool_calls":[{}]}"#] {
            assert!(find_empty_arguments(json).is_empty(), "{json}");
        }
    }
}
