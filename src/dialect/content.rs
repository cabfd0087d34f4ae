//! Request bodies. All dialects share their format except for some field names.

use std::ops::Range;

use serde_json::value::RawValue;

use super::message::Message;
use super::object_writer::ObjectWriter;
use super::{Params, Task, objects};

/// The content of a request, apart from parameters.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// A prompt. A chat route receives it as a message of the user.
    Prompt(&'a str),
    Messages(&'a [Message]),
    /// Strings to embed.
    Inputs(&'a [String]),
    /// The whole body, including parameters.
    Body(&'a Body),
}

impl Content<'_> {
    /// Returns the task for this content if the route's task is not known. Never [`Task::Embeddings`] for a body.
    pub fn default_task(&self) -> Task {
        match self {
            Content::Prompt(_) => Task::Completions,
            Content::Messages(_) => Task::Chat,
            Content::Inputs(_) => Task::Embeddings,
            Content::Body(body) if body.has("messages") => Task::Chat,
            // Agents take inputs, too, and servers do not always report it.
            Content::Body(body) if body.has("input") || body.has("text") => Task::Chat,
            Content::Body(_) => Task::Completions,
        }
    }
}

/// The names of the fields that differ between dialects.
#[derive(Debug, Clone, Copy)]
pub struct FieldNames {
    pub candidate_count: &'static str,
    pub inputs: &'static str,
}

/// A body from the caller: a JSON object.
#[derive(Debug, Clone)]
pub struct Body {
    json: String,
    /// The names and the ranges of the values, in order, without `stream`, which depends on the call.
    fields: Vec<(String, Range<usize>)>,
}

impl Body {
    pub fn parse(json: &str) -> Result<Body, serde_json::Error> {
        let fields = objects::parse_fields(json)?;
        let place = |value: &RawValue| {
            let start = value.get().as_ptr().addr() - json.as_ptr().addr();
            start..start + value.get().len()
        };
        let fields = fields.into_iter().filter(|(name, _)| name != "stream");
        let fields = fields.map(|(name, value)| (name, place(value))).collect();
        Ok(Body { json: json.to_owned(), fields })
    }

    /// Returns the caller's JSON, unchanged.
    pub fn as_json(&self) -> &str {
        &self.json
    }

    fn has(&self, field: &str) -> bool {
        self.fields.iter().any(|(name, _)| name == field)
    }
}

/// How to encode a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encoding<'a> {
    pub task: Task,
    pub is_streamed: bool,
    pub names: FieldNames,
    /// The value of the field `model`, unless the caller sets it.
    pub model: Option<&'a str>,
}

/// Encodes the body of a request.
pub(super) fn encode(content: Content, params: &Params, encoding: Encoding) -> Vec<u8> {
    let Encoding { task, is_streamed, names, model } = encoding;
    let mut json = ObjectWriter::default();
    if let Some(model) = model {
        let is_set = match content {
            Content::Body(body) => body.has("model"),
            _ => params.contains("model"),
        };
        if !is_set {
            json.field("model").push_string(model);
        }
    }
    match content {
        Content::Prompt(prompt) if task == Task::Responses => {
            json.field("input").push_raw("[{\"role\":\"user\",\"content\":").push_string(prompt).push_raw("}]");
        }
        Content::Messages(messages) if task == Task::Responses => {
            json.field("input").push_list(messages, |json, message| json.push_raw(message.as_json()));
        }
        Content::Prompt(prompt) if task == Task::Chat => {
            json.field("messages").push_raw("[{\"role\":\"user\",\"content\":").push_string(prompt).push_raw("}]");
        }
        Content::Prompt(prompt) => {
            json.field("prompt").push_string(prompt);
        }
        Content::Messages(messages) => {
            json.field("messages").push_list(messages, |json, message| json.push_raw(message.as_json()));
        }
        Content::Inputs(inputs) => {
            json.field(names.inputs).push_list(inputs, |json, input| json.push_string(input));
        }
        Content::Body(body) => body.fields.iter().for_each(|(name, value)| {
            json.field(name).push_raw(&body.json[value.clone()]);
        }),
    }
    if !matches!(content, Content::Body(_)) {
        params.write_to(&mut json, names.candidate_count);
    }
    if is_streamed {
        json.field("stream").push_raw("true");
    }
    json.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: FieldNames = FieldNames { candidate_count: "candidate_count", inputs: "text" };

    fn encoded(content: Content, task: Task, is_streamed: bool) -> String {
        let mut params = Params::default();
        params.set_int("n", 2).unwrap();
        let encoding = Encoding { task, is_streamed, names: NAMES, model: None };
        String::from_utf8(encode(content, &params, encoding)).unwrap()
    }

    #[test]
    fn prompt_is_encoded_for_each_task() {
        let prompt = Content::Prompt("say \"hi\"");
        assert_eq!(encoded(prompt, Task::Completions, false), r#"{"prompt":"say \"hi\"","candidate_count":2}"#);
        assert_eq!(
            encoded(prompt, Task::Chat, true),
            r#"{"messages":[{"role":"user","content":"say \"hi\""}],"candidate_count":2,"stream":true}"#
        );
    }

    #[test]
    fn responses_route_receives_input() {
        assert_eq!(
            encoded(Content::Prompt("p"), Task::Responses, true),
            r#"{"input":[{"role":"user","content":"p"}],"candidate_count":2,"stream":true}"#
        );
        let messages = [Message::parse(r#"{"role":"user"}"#).unwrap()];
        assert_eq!(
            encoded(Content::Messages(&messages), Task::Responses, false),
            r#"{"input":[{"role":"user"}],"candidate_count":2}"#
        );
    }

    #[test]
    fn model_is_sent_once() {
        let sent = |content: Content, params: &Params| {
            let encoding = Encoding { task: Task::Chat, is_streamed: false, names: NAMES, model: Some("m \"x\"") };
            String::from_utf8(encode(content, params, encoding)).unwrap()
        };
        let mut params = Params::default();
        let body = Body::parse(r#"{"x":1}"#).unwrap();
        assert_eq!(sent(Content::Inputs(&[]), &params), r#"{"model":"m \"x\"","text":[]}"#);
        assert_eq!(sent(Content::Body(&body), &params), r#"{"model":"m \"x\"","x":1}"#);
        params.set_string("model", "other").unwrap();
        assert_eq!(sent(Content::Inputs(&[]), &params), r#"{"text":[],"model":"other"}"#);
        let body = Body::parse(r#"{"x":1,"model":"own"}"#).unwrap();
        assert_eq!(sent(Content::Body(&body), &params), r#"{"x":1,"model":"own"}"#);
    }

    #[test]
    fn messages_and_inputs_are_sent_unchanged() {
        let messages = [Message::parse(r#"{"role": "user", "content": [1]}"#).unwrap()];
        assert_eq!(
            encoded(Content::Messages(&messages), Task::Chat, false),
            r#"{"messages":[{"role": "user", "content": [1]}],"candidate_count":2}"#
        );
        let inputs = ["a".to_owned(), "é\n".to_owned()];
        assert_eq!(
            encoded(Content::Inputs(&inputs), Task::Embeddings, false),
            r#"{"text":["a","é\n"],"candidate_count":2}"#
        );
    }

    #[test]
    fn body_of_the_caller_is_sent_without_parameters() {
        let body = Body::parse(r#" {"messages": [1 , 2], "stream": false, "n":3, "x": {"stream": 1}} "#).unwrap();
        let sent = encoded(Content::Body(&body), Task::Chat, false);
        assert_eq!(sent, r#"{"messages":[1 , 2],"n":3,"x":{"stream": 1}}"#);
        let sent = encoded(Content::Body(&body), Task::Chat, true);
        assert_eq!(sent, r#"{"messages":[1 , 2],"n":3,"x":{"stream": 1},"stream":true}"#);
        assert!(body.as_json().starts_with(" {") && body.as_json().ends_with("}} "));
        for (json, task) in [
            (r#"{"messages":[]}"#, Task::Chat),
            (r#"{"prompt":""}"#, Task::Completions),
            (r#"{"prompt":"","messages":[]}"#, Task::Chat),
            (r#"{"x":1}"#, Task::Completions),
            (r#"{"input":[]}"#, Task::Chat),
            (r#"{"text":""}"#, Task::Chat),
        ] {
            assert_eq!(Content::Body(&Body::parse(json).unwrap()).default_task(), task);
        }
        for json in ["", "[]", "null", "{", "{}x", "{\"a\":}"] {
            assert!(Body::parse(json).is_err(), "{json}");
        }
    }
}
