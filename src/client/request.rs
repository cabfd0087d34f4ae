//! A request: its content, and the settings with which it overrides those of the handle.

use std::sync::Arc;

use super::configure::{Configure, invalid_header, invalid_param};
use super::error::{Error, Status};
use super::option_parser::CallOption;
use super::response::Response;
use super::target::route_name;
use crate::dialect::{Body, Content, InvalidMessage, InvalidParam, Media, Message, Params, Part};
use crate::http::{Headers, InvalidTarget, Method, RawTarget};
use crate::sync::{CancelToken, CopyOnWrite};

/// A request, which may be sent any number of times. Threads may change and send it concurrently: a call uses the
/// request at its start.
#[derive(Debug, Default)]
pub struct Request(CopyOnWrite<RequestParts>);

#[derive(Debug, Clone, Default)]
pub(super) struct RequestParts {
    /// Shared with copies of the request until one of them changes it.
    content: Arc<OwnedContent>,
    /// Set if the request is a raw one.
    target: Option<RawTarget>,
    /// Replaces the handle's route.
    pub route: Option<String>,
    /// These, the headers and the options take precedence over the handle's.
    pub params: Params,
    pub headers: Headers,
    pub options: Vec<CallOption>,
    /// Cancels calls in addition to the handle's.
    pub token: Option<Arc<CancelToken>>,
}

#[derive(Debug, Clone, Default)]
enum OwnedContent {
    #[default]
    Empty,
    Prompt(String),
    Messages(Vec<Message>),
    Inputs(Vec<String>),
    Body(Body),
}

/// A request with its own path and body.
#[derive(Clone, Copy)]
pub(super) struct RawRequest<'a> {
    pub target: &'a RawTarget,
    pub body: Option<&'a str>,
}

impl<'a> RawRequest<'a> {
    pub fn method(&self) -> Method<'a> {
        self.target.method(self.body.is_some())
    }
}

impl Request {
    pub(super) fn snapshot(&self) -> Arc<RequestParts> {
        self.0.snapshot()
    }

    /// Sets the route, in place of the handle's, or unsets it.
    pub fn set_route(&self, route: Option<&str>) -> Result<(), Error> {
        let route = route.map(route_name).transpose()?.map(str::to_owned);
        self.0.change(|parts| {
            if route.is_some() && parts.target.is_some() {
                return Err(not_raw("a route"));
            }
            parts.route = route;
            Ok(())
        })
    }

    /// Copies the request in constant time. The copies share their content until one of them changes it.
    #[must_use]
    pub fn copy(&self) -> Request {
        Request(CopyOnWrite::new(self.snapshot()))
    }

    /// Sets or replaces the prompt.
    pub fn set_prompt(&self, prompt: &str) -> Result<(), Error> {
        self.change_content(|content| match content {
            OwnedContent::Empty | OwnedContent::Prompt(_) => {
                *content = OwnedContent::Prompt(prompt.to_owned());
                Ok(())
            }
            other => Err(other.conflict("set a prompt")),
        })
    }

    /// Adds a message of a role, for example `user`.
    pub fn add_message(&self, role: &str, content: &str) -> Result<(), Error> {
        self.push_message(Message::new(role, content).map_err(invalid_message)?)
    }

    /// Adds a message as JSON.
    pub fn add_message_json(&self, json: &str) -> Result<(), Error> {
        self.push_message(Message::parse(json).map_err(invalid_message)?)
    }

    /// Adds the message of a candidate, as received.
    pub fn add_response(&self, response: &Response, candidate: usize) -> Result<(), Error> {
        let candidates = response.candidates();
        let message = match candidates.get(candidate) {
            Some(candidate) => candidate.message_json(),
            None if candidates.is_empty() => {
                return Err(invalid("the response has no candidates: its body is not a chat completion"));
            }
            None => {
                let count = candidates.len();
                return Err(invalid(&format!(
                    "the response has no candidate {candidate}; it has {count}, counted from 0"
                )));
            }
        };
        let message = message.ok_or_else(|| {
            invalid(&format!(
                "the response has no message of candidate {candidate}: the stream has not returned any part of it yet, \
                 or its option gather_stream is false"
            ))
        })?;
        self.push_message(Message::parse(message.as_str()).map_err(invalid_message)?)
    }

    /// Adds the result of a tool call. Some models assign no IDs to tool calls.
    pub fn add_tool_result(&self, tool_call_id: Option<&str>, content: &str) -> Result<(), Error> {
        self.push_message(Message::tool_result(tool_call_id, content))
    }

    /// Adds text to the last message, which must be the user's.
    pub fn add_text(&self, text: &str) -> Result<(), Error> {
        self.add_part(Part::Text(text))
    }

    /// Adds an image or a recording to the last message, which must be the user's.
    pub fn add_media(&self, media_type: &str, bytes: &[u8]) -> Result<(), Error> {
        let media_type = media_type.to_ascii_lowercase();
        self.add_part(Part::Media(Media::new(&media_type, bytes).map_err(invalid_message)?))
    }

    fn add_part(&self, part: Part) -> Result<(), Error> {
        const FIRST: &str = "add the user's message first, with mlflow_gateway_request_add_message()";
        self.change_content(|content| {
            let last = match content {
                OwnedContent::Messages(messages) => messages.last_mut(),
                OwnedContent::Empty => None,
                OwnedContent::Prompt(_) => {
                    return Err(invalid(
                        "nothing can be added to a prompt; \
                         use mlflow_gateway_request_add_message() in place of mlflow_gateway_request_set_prompt()",
                    ));
                }
                other => return Err(other.conflict("add a part of a message")),
            };
            let last = last.ok_or_else(|| invalid(&format!("the request has no message; {FIRST}")))?;
            last.add(part).map_err(|InvalidMessage(why)| invalid(&format!("{why}; {FIRST}")))
        })
    }

    fn push_message(&self, message: Message) -> Result<(), Error> {
        self.change_content(|content| {
            match content {
                OwnedContent::Messages(messages) => messages.push(message),
                OwnedContent::Empty => *content = OwnedContent::Messages(vec![message]),
                other => return Err(other.conflict("add a message")),
            }
            Ok(())
        })
    }

    /// Adds an input of an embeddings request.
    pub fn add_input(&self, input: &str) -> Result<(), Error> {
        self.change_content(|content| {
            match content {
                OwnedContent::Inputs(inputs) => inputs.push(input.to_owned()),
                OwnedContent::Empty => *content = OwnedContent::Inputs(vec![input.to_owned()]),
                other => return Err(other.conflict("add an input")),
            }
            Ok(())
        })
    }

    /// Sets or replaces the whole body. No parameters are added, neither the request's nor the handle's.
    pub fn set_body_json(&self, json: &str) -> Result<(), Error> {
        let body = Body::parse(json).map_err(|error| {
            let problem = if error.is_data() {
                "the body is JSON, but not an object".to_owned()
            } else {
                format!("the body is not JSON: {error}")
            };
            invalid(&problem)
        })?;
        self.0.change(|parts| match &*parts.content {
            OwnedContent::Empty if !parts.params.is_empty() => {
                Err(invalid("cannot set a body: the request already has parameters; write them into the body"))
            }
            OwnedContent::Empty | OwnedContent::Body(_) => {
                parts.content = Arc::new(OwnedContent::Body(body));
                Ok(())
            }
            other => Err(other.conflict("set a body")),
        })
    }

    fn change_content(&self, change: impl FnOnce(&mut OwnedContent) -> Result<(), Error>) -> Result<(), Error> {
        self.0.change(|parts| {
            if parts.target.is_some() {
                return Err(not_raw("a prompt, messages or inputs"));
            }
            change(Arc::make_mut(&mut parts.content))
        })
    }

    /// Sets the path below the gateway URI that the request is sent to, which makes it a raw request, or unsets it. The
    /// default method is POST with a body, and GET without one.
    pub fn set_path(&self, method: Option<&str>, path: Option<&str>) -> Result<(), Error> {
        let path = path
            .map(|path| RawTarget::new(method, path))
            .transpose()
            .map_err(|InvalidTarget(problem)| invalid(&problem))?;
        self.0.change(|parts| {
            if path.is_some() {
                match &*parts.content {
                    OwnedContent::Empty | OwnedContent::Body(_) => {}
                    other => return Err(other.conflict("set a path")),
                }
                if parts.route.is_some() {
                    return Err(not_raw("a route"));
                }
                if !parts.params.is_empty() {
                    return Err(not_raw("parameters"));
                }
            }
            parts.target = path;
            Ok(())
        })
    }

    /// Omits a parameter, even if the handle has it.
    pub fn omit_param(&self, name: &str) -> Result<(), Error> {
        self.change_params(|params| params.omit(name))
    }
}

impl Configure for Request {
    fn change_params(&self, change: impl FnOnce(&mut Params) -> Result<(), InvalidParam>) -> Result<(), Error> {
        self.0.change(|parts| match *parts.content {
            _ if parts.target.is_some() => Err(not_raw("parameters")),
            OwnedContent::Body(_) => Err(invalid(
                "cannot set a parameter: the request already has a body; write the parameter into the body",
            )),
            _ => change(&mut parts.params).map_err(invalid_param),
        })
    }

    fn unset_param(&self, name: &str) {
        self.0.update(|parts| parts.params.unset(name));
    }

    fn set_option(&self, name: &str, value: &str) -> Result<(), Error> {
        let option = CallOption::parse_for_request(name, value)?;
        self.0.update(|parts| {
            let kind = std::mem::discriminant(&option);
            parts.options.retain(|other| std::mem::discriminant(other) != kind);
            parts.options.push(option);
        });
        Ok(())
    }

    fn set_header(&self, name: &str, value: Option<&str>) -> Result<(), Error> {
        let change = |parts: &mut RequestParts| match value {
            Some(value) => parts.headers.set(name, value),
            None => parts.headers.unset(name),
        };
        self.0.change(change).map_err(invalid_header)
    }

    fn set_cancel_token(&self, token: Option<Arc<CancelToken>>) {
        self.0.update(|parts| parts.token = token);
    }
}

impl RequestParts {
    /// Returns the path and the body of a raw request.
    pub fn raw(&self) -> Option<RawRequest<'_>> {
        let body = match &*self.content {
            OwnedContent::Body(body) => Some(body.as_json()),
            _ => None,
        };
        self.target.as_ref().map(|target| RawRequest { target, body })
    }

    /// Returns the content of any other request.
    pub fn content(&self) -> Result<Content<'_>, Error> {
        match &*self.content {
            OwnedContent::Prompt(prompt) => Ok(Content::Prompt(prompt)),
            OwnedContent::Messages(messages) => Ok(Content::Messages(messages)),
            OwnedContent::Inputs(inputs) => Ok(Content::Inputs(inputs)),
            OwnedContent::Body(body) => Ok(Content::Body(body)),
            OwnedContent::Empty => Err(invalid("the request is empty; give it a prompt, messages, inputs or a body")),
        }
    }

    /// Returns the number of bytes of the content.
    pub fn content_len(&self) -> usize {
        match &*self.content {
            OwnedContent::Empty => 0,
            OwnedContent::Prompt(prompt) => prompt.len(),
            OwnedContent::Messages(messages) => messages.iter().map(|message| message.as_json().len()).sum(),
            OwnedContent::Inputs(inputs) => inputs.iter().map(String::len).sum(),
            OwnedContent::Body(body) => body.as_json().len(),
        }
    }
}

impl OwnedContent {
    fn conflict(&self, change: &str) -> Error {
        let has = match self {
            OwnedContent::Empty => "nothing",
            OwnedContent::Prompt(_) => "a prompt",
            OwnedContent::Messages(_) => "messages",
            OwnedContent::Inputs(_) => "inputs",
            OwnedContent::Body(_) => "a body",
        };
        invalid(&format!("cannot {change}: the request already has {has}"))
    }
}

fn invalid(problem: &str) -> Error {
    Error::new(Status::InvalidArgument, problem)
}

fn not_raw(content: &str) -> Error {
    invalid(&format!(
        "a request with a path cannot have {content}, only a body: mlflow_gateway_request_set_body_json()"
    ))
}

fn invalid_message(InvalidMessage(problem): InvalidMessage) -> Error {
    invalid(&problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_share_content_until_one_changes_it() {
        let request = Request::default();
        request.add_message("user", "a").unwrap();
        let copy = request.copy();
        let content = |request: &Request| Arc::clone(&request.snapshot().content);
        copy.set_cancel_token(None);
        copy.set_header("X-A", Some("b")).unwrap();
        copy.set_option("timeout_ms", "1").unwrap();
        copy.set_param_int("n", 1).unwrap();
        assert!(Arc::ptr_eq(&content(&request), &content(&copy)));
        copy.add_text("b").unwrap();
        assert!(!Arc::ptr_eq(&content(&request), &content(&copy)));
        let OwnedContent::Messages(messages) = &*content(&request) else { panic!("the request has no messages") };
        assert_eq!(messages[0].as_json(), r#"{"role":"user","content":"a"}"#);
    }
}
