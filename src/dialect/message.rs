//! Messages of a chat: a text, or a list of parts.

use serde::Serialize;
use serde_json::value::RawValue;

use super::media::{InvalidMessage, Media};
use super::objects::parse_fields;

/// The JSON object of a message.
#[derive(Debug, Clone)]
pub struct Message {
    json: String,
    /// Whether it is a user's message that ends with its content, a list, so that a part can be appended in place.
    is_open: bool,
}

/// A part of a message's content.
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    Text(&'a str),
    Media(Media<'a>),
}

/// Closes the content and the message.
const END: &str = "]}";

impl Message {
    /// Creates a message with a text.
    pub fn new(role: &str, content: &str) -> Result<Message, InvalidMessage> {
        #[derive(Serialize)]
        struct TextMessage<'a> {
            role: &'a str,
            content: &'a str,
        }
        if role.is_empty() {
            return Err(InvalidMessage("the role is empty; use \"user\", for example".to_owned()));
        }
        Ok(Message::encode(&TextMessage { role, content }))
    }

    /// Creates a message with the result of a tool call.
    pub fn tool_result(tool_call_id: Option<&str>, content: &str) -> Message {
        #[derive(Serialize)]
        struct ToolMessage<'a> {
            role: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            tool_call_id: Option<&'a str>,
            content: &'a str,
        }
        Message::encode(&ToolMessage { role: "tool", tool_call_id, content })
    }

    /// Parses the JSON of a message.
    pub fn parse(json: &str) -> Result<Message, InvalidMessage> {
        let value = serde_json::from_str::<&RawValue>(json)
            .map_err(|error| InvalidMessage(format!("the message is not JSON: {error}")))?;
        if !value.get().starts_with('{') {
            return Err(InvalidMessage("the message is JSON, but not an object".to_owned()));
        }
        Ok(Message { json: value.get().to_owned(), is_open: false })
    }

    pub fn as_json(&self) -> &str {
        &self.json
    }

    /// Appends a part to a user's message. A text that was the content becomes the first part, unless it is empty.
    pub fn add(&mut self, part: Part) -> Result<(), InvalidMessage> {
        let opened = if self.is_open { None } else { Some(self.opened()?) };
        if matches!(part, Part::Text("")) {
            return Ok(());
        }
        if let Some(opened) = opened {
            *self = opened;
        }
        self.json.truncate(self.json.len() - END.len());
        if !self.json.ends_with('[') {
            self.json.push(',');
        }
        part.write(&mut self.json);
        self.json.push_str(END);
        Ok(())
    }

    /// Returns the same message with its content as a list at the end.
    fn opened(&self) -> Result<Message, InvalidMessage> {
        let invalid = |problem: &str| Err(InvalidMessage(problem.to_owned()));
        let fields =
            parse_fields(&self.json).map_err(|error| InvalidMessage(format!("the message is not JSON: {error}")))?;
        // If a field is repeated, the last value counts.
        let last = |name: &str| fields.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.get());
        let is_users =
            last("role").and_then(|role| serde_json::from_str::<String>(role).ok()).is_some_and(|r| r == "user");
        if !is_users {
            return invalid("the last message is not the user's (role \"user\")");
        }
        let mut json = String::with_capacity(self.json.len() + 64);
        json.push('{');
        for (name, value) in fields.iter().filter(|(name, _)| name != "content") {
            push_string(name, &mut json);
            json.push(':');
            json.push_str(value.get());
            json.push(',');
        }
        json.push_str("\"content\":[");
        match last("content") {
            None | Some("null" | "\"\"") => {}
            Some(text) if text.starts_with('"') => {
                json.push_str("{\"type\":\"text\",\"text\":");
                json.push_str(text);
                json.push('}');
            }
            Some(list) if list.starts_with('[') => json.push_str(list[1..list.len() - 1].trim_ascii()),
            Some(_) => return invalid("the content of the last message is neither a string nor an array"),
        }
        json.push_str(END);
        Ok(Message { json, is_open: true })
    }

    fn encode(message: &impl Serialize) -> Message {
        let json = serde_json::to_string(message);
        debug_assert!(json.is_ok(), "strings always serialize");
        Message { json: json.unwrap_or_default(), is_open: false }
    }
}

impl Part<'_> {
    fn write(&self, json: &mut String) {
        match self {
            Part::Text(text) => {
                json.push_str("{\"type\":\"text\",\"text\":");
                push_string(text, json);
                json.push('}');
            }
            Part::Media(media) => media.write_part(json),
        }
    }
}

fn push_string(text: &str, json: &mut String) {
    let written = serde_json::to_string(text);
    debug_assert!(written.is_ok(), "strings always serialize");
    json.push_str(&written.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_parts(mut message: Message, parts: &[Part]) -> String {
        parts.iter().for_each(|part| message.add(*part).unwrap());
        serde_json::from_str::<serde_json::Value>(message.as_json()).unwrap();
        message.as_json().to_owned()
    }

    #[test]
    fn parts_are_appended_in_order() {
        let image = Part::Media(Media::new("image/png", &[0]).unwrap());
        let url = r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}"#;
        let text = |text: &str| format!(r#"{{"type":"text","text":{text:?}}}"#);
        let of = |content: &str, parts: &[Part]| with_parts(Message::new("user", content).unwrap(), parts);
        assert_eq!(
            of("a\"", &[image, Part::Text("b"), image]),
            format!(r#"{{"role":"user","content":[{},{url},{},{url}]}}"#, text("a\""), text("b"))
        );
        assert_eq!(of("", &[Part::Text(""), image]), format!(r#"{{"role":"user","content":[{url}]}}"#));
        assert_eq!(of("a", &[Part::Text("")]), r#"{"role":"user","content":"a"}"#);
    }

    #[test]
    fn parts_are_added_to_a_message_of_any_format() {
        let of = |json: &str| with_parts(Message::parse(json).unwrap(), &[Part::Text("b")]);
        let b = r#"{"type":"text","text":"b"}"#;
        for (json, before) in [
            (r#" {"role":"user"} "#, ""),
            (r#"{"content":null,"role":"user"}"#, ""),
            (r#"{"content":[ ] ,"role":"user"}"#, ""),
            (r#"{"content":[ {"x":[1 , 2]} ],"role":"us\u0065r"}"#, r#"{"x":[1 , 2]},"#),
            (r#"{"content":"\n","role":"user"}"#, r#"{"type":"text","text":"\n"},"#),
            (r#"{"content":1,"role":"user","content":"a"}"#, r#"{"type":"text","text":"a"},"#),
        ] {
            let content = format!(r#","content":[{before}{b}]}}"#);
            assert!(of(json).ends_with(&content), "{json}: {}", of(json));
        }
        assert_eq!(
            of(r#"{"role":"user","content":"a","na\tme":"x"}"#),
            format!(r#"{{"role":"user","na\tme":"x","content":[{{"type":"text","text":"a"}},{b}]}}"#)
        );
    }

    #[test]
    fn part_is_refused_unless_the_message_is_a_users() {
        for json in [
            r#"{"role":"assistant","content":"a"}"#,
            r#"{"role":"user","content":"a","role":"tool"}"#,
            r#"{"role":1}"#,
            "{}",
            r#"{"role":"user","content":{}}"#,
            r#"{"role":"user","content":1}"#,
        ] {
            let mut message = Message::parse(json).unwrap();
            assert!(message.add(Part::Text("b")).is_err() && message.add(Part::Text("")).is_err(), "{json}");
            assert_eq!(message.as_json(), json);
        }
        assert!(Message::new("", "a").is_err());
    }

    #[test]
    fn tool_result_may_have_no_id() {
        assert_eq!(
            Message::tool_result(Some("c\"1"), "{}").as_json(),
            r#"{"role":"tool","tool_call_id":"c\"1","content":"{}"}"#
        );
        assert_eq!(Message::tool_result(None, "").as_json(), r#"{"role":"tool","content":""}"#);
    }
}
