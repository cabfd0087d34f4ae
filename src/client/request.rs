//! A question to be sent as often as one likes, with its own settings beside the handle's.

use std::sync::Arc;

use super::error::{Error, Status};
use super::options::CallSetting;
use super::response::Response;
use super::settings::CopyOnWrite;
use super::target::route_name;
use crate::dialect::{Body, Content, InvalidMessage, InvalidParam, Media, Message, Params, Part};
use crate::http::{Headers, InvalidHeader, InvalidTarget, Method, RawTarget};
use crate::sync::CancelToken;

/// What to ask. Any number of threads may change and send it at once; a call works on it as it stood when it began.
#[derive(Debug, Default)]
pub struct Request(CopyOnWrite<RequestParts>);

#[derive(Debug, Clone, Default)]
pub(super) struct RequestParts {
    /// Shared with the request's clones until one of them changes it.
    content: Arc<OwnedContent>,
    /// Of a raw request.
    path: Option<RawTarget>,
    /// In place of the handle's.
    pub route: Option<String>,
    /// Before the handle's.
    pub params: Params,
    /// Before the handle's.
    pub headers: Headers,
    /// Before the handle's.
    pub options: Vec<CallSetting>,
    /// Beside the handle's.
    pub token: Option<Arc<CancelToken>>,
}

#[derive(Debug, Clone, Default)]
enum OwnedContent {
    #[default]
    Nothing,
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

    /// Names the route to send the request to in place of the handle's; `None` for that of the handle again.
    pub fn set_route(&self, route: Option<&str>) -> Result<(), Error> {
        let route = route.map(route_name).transpose()?.map(str::to_owned);
        self.0.change(|asking| {
            if route.is_some() && asking.path.is_some() {
                return Err(not_raw("route"));
            }
            asking.route = route;
            Ok(())
        })
    }

    /// A copy in constant time: what both have is shared until one of them changes it.
    #[must_use]
    pub fn copy(&self) -> Request {
        Request(CopyOnWrite::new(self.snapshot()))
    }

    /// Sets the prompt, or replaces it.
    pub fn set_prompt(&self, prompt: &str) -> Result<(), Error> {
        self.change_content(|content| match content {
            OwnedContent::Nothing | OwnedContent::Prompt(_) => {
                *content = OwnedContent::Prompt(prompt.to_owned());
                Ok(())
            }
            other => Err(other.excludes("a prompt")),
        })
    }

    /// Adds a message of a role, for example `user`, to those that are there.
    pub fn add_message(&self, role: &str, content: &str) -> Result<(), Error> {
        self.push_message(Message::of_text(role, content).map_err(invalid_message)?)
    }

    /// Adds a message that is written as JSON already.
    pub fn add_message_json(&self, json: &str) -> Result<(), Error> {
        self.push_message(Message::parse(json).map_err(invalid_message)?)
    }

    /// Adds the message of a candidate, as it came.
    pub fn add_response(&self, response: &Response, candidate: usize) -> Result<(), Error> {
        let wrong = |problem: String| Error::new(Status::InvalidArgument, problem);
        let candidates = response.candidates();
        let message = match candidates.get(candidate) {
            Some(candidate) => candidate.message_json(),
            None if candidates.is_empty() => {
                return Err(wrong("the response has no candidates: its body is not that of a chat".to_owned()));
            }
            None => {
                let count = candidates.len();
                return Err(wrong(format!(
                    "the response has no candidate {candidate}; it has {count}, counted from 0"
                )));
            }
        };
        let message = message.ok_or_else(|| {
            wrong(format!(
                "nothing of candidate {candidate} was gathered: the stream had nothing of it yet, or its option \
                     gather_stream is false"
            ))
        })?;
        self.push_message(Message::parse(message.as_str()).map_err(invalid_message)?)
    }

    /// Adds the result of a tool call. Some models give their tool calls no ids.
    pub fn add_tool_result(&self, tool_call_id: Option<&str>, content: &str) -> Result<(), Error> {
        self.push_message(Message::of_tool(tool_call_id, content))
    }

    /// Adds a text to the last message, which must be the user's.
    pub fn add_text(&self, text: &str) -> Result<(), Error> {
        self.add_part(Part::Text(text))
    }

    /// Adds an image or a recording to the last message, which must be the user's.
    pub fn add_media(&self, media_type: &str, bytes: &[u8]) -> Result<(), Error> {
        let media_type = media_type.to_ascii_lowercase();
        self.add_part(Part::Media(Media::new(&media_type, bytes).map_err(invalid_message)?))
    }

    fn add_part(&self, part: Part) -> Result<(), Error> {
        const FIRST: &str = "add the user's message first, by mlflow_gateway_request_add_message()";
        self.change_content(|content| match content {
            OwnedContent::Messages(messages) => match messages.last_mut() {
                Some(last) => last
                    .add(part)
                    .map_err(|InvalidMessage(why)| Error::new(Status::InvalidArgument, format!("{why}; {FIRST}"))),
                None => Err(Error::new(Status::InvalidArgument, FIRST)),
            },
            OwnedContent::Nothing => {
                Err(Error::new(Status::InvalidArgument, format!("the request has no message; {FIRST}")))
            }
            OwnedContent::Prompt(_) => Err(Error::new(
                Status::InvalidArgument,
                "the request has a prompt, to which nothing can be added; \
                 use mlflow_gateway_request_add_message() in place of mlflow_gateway_request_set_prompt()",
            )),
            other => Err(other.excludes("a message")),
        })
    }

    fn push_message(&self, message: Message) -> Result<(), Error> {
        self.change_content(|content| {
            match content {
                OwnedContent::Messages(messages) => messages.push(message),
                OwnedContent::Nothing => *content = OwnedContent::Messages(vec![message]),
                other => return Err(other.excludes("a message")),
            }
            Ok(())
        })
    }

    /// Adds a text to be turned into a vector.
    pub fn add_input(&self, input: &str) -> Result<(), Error> {
        self.change_content(|content| {
            match content {
                OwnedContent::Inputs(inputs) => inputs.push(input.to_owned()),
                OwnedContent::Nothing => *content = OwnedContent::Inputs(vec![input.to_owned()]),
                other => return Err(other.excludes("an input")),
            }
            Ok(())
        })
    }

    /// Sets the whole body, or replaces it. No parameters are added to it, neither the request's nor the handle's.
    pub fn set_body_json(&self, json: &str) -> Result<(), Error> {
        let body = Body::parse(json).map_err(|error| not_object("body", &error))?;
        self.0.change(|asking| match &*asking.content {
            OwnedContent::Nothing if !asking.params.is_empty() => Err(Error::new(
                Status::InvalidArgument,
                "the request has parameters already; a whole body holds its own",
            )),
            OwnedContent::Nothing | OwnedContent::Body(_) => {
                asking.content = Arc::new(OwnedContent::Body(body));
                Ok(())
            }
            other => Err(other.excludes("a whole body")),
        })
    }

    fn change_content(&self, change: impl FnOnce(&mut OwnedContent) -> Result<(), Error>) -> Result<(), Error> {
        self.0.change(|asking| {
            if asking.path.is_some() {
                return Err(not_raw("a prompt, messages or inputs"));
            }
            change(Arc::make_mut(&mut asking.content))
        })
    }

    /// Makes the request a raw one, which is sent to this path below the gateway URI; without a path, makes it one of
    /// the gateway's route again. Without a method a request with a body is a POST, and one without is a GET.
    pub fn set_path(&self, method: Option<&str>, path: Option<&str>) -> Result<(), Error> {
        let path = path.map(|path| RawTarget::new(method, path)).transpose().map_err(invalid_target)?;
        self.0.change(|asking| {
            if path.is_some() {
                match &*asking.content {
                    OwnedContent::Nothing | OwnedContent::Body(_) => {}
                    other => return Err(other.excludes("a path")),
                }
                if asking.route.is_some() {
                    return Err(not_raw("route"));
                }
                if !asking.params.is_empty() {
                    return Err(not_raw("parameters"));
                }
            }
            asking.path = path;
            Ok(())
        })
    }

    /// Sets a parameter of the model for this request, in place of the handle's.
    pub fn set_param_double(&self, name: &str, value: f64) -> Result<(), Error> {
        self.change_params(|params| params.set_double(name, value))
    }

    /// As [`Request::set_param_double`].
    pub fn set_param_int(&self, name: &str, value: i64) -> Result<(), Error> {
        self.change_params(|params| params.set_int(name, value))
    }

    /// As [`Request::set_param_double`].
    pub fn set_param_bool(&self, name: &str, value: bool) -> Result<(), Error> {
        self.change_params(|params| params.set_bool(name, value))
    }

    /// As [`Request::set_param_double`].
    pub fn set_param_string(&self, name: &str, value: &str) -> Result<(), Error> {
        self.change_params(|params| params.set_string(name, value))
    }

    /// As [`Request::set_param_double`], with any JSON value.
    pub fn set_param_json(&self, name: &str, json: &str) -> Result<(), Error> {
        self.change_params(|params| params.set_json(name, json))
    }

    /// Adds a text to the request's own parameter `stop`, which takes the place of the handle's.
    pub fn add_stop(&self, stop: &str) -> Result<(), Error> {
        self.change_params(|params| params.add_stop(stop))
    }

    /// Unsets the request's own parameter, or its omission, so that the handle's holds.
    pub fn unset_param(&self, name: &str) {
        let Ok(()) = self.0.change(|asking| {
            asking.params.unset(name);
            Ok::<(), std::convert::Infallible>(())
        });
    }

    /// Leaves a parameter out, also if the handle has it.
    pub fn omit_param(&self, name: &str) -> Result<(), Error> {
        self.change_params(|params| params.omit(name))
    }

    fn change_params(&self, change: impl FnOnce(&mut Params) -> Result<(), InvalidParam>) -> Result<(), Error> {
        self.0.change(|asking| match *asking.content {
            _ if asking.path.is_some() => Err(not_raw("parameters")),
            OwnedContent::Body(_) => Err(Error::new(
                Status::InvalidArgument,
                "the request has a whole body, to which no parameters are added; write it into the body",
            )),
            _ => change(&mut asking.params).map_err(|InvalidParam(problem)| Error::new(Status::InvalidParam, problem)),
        })
    }

    /// Sets an option for this request, in place of the handle's; the C header lists them.
    pub fn set_option(&self, name: &str, value: &str) -> Result<(), Error> {
        let setting = CallSetting::parse_for_request(name, value)?;
        self.0.change(|asking| {
            let kind = std::mem::discriminant(&setting);
            asking.options.retain(|other| std::mem::discriminant(other) != kind);
            asking.options.push(setting);
            Ok(())
        })
    }

    /// Sets the token that cancels calls with this request, beside the handle's; `None` for none.
    pub fn set_cancel_token(&self, token: Option<Arc<CancelToken>>) {
        let Ok(()) = self.0.change(|asking| {
            asking.token = token;
            Ok::<(), std::convert::Infallible>(())
        });
    }

    /// Sets a header for this request, in place of the handle's, or with `None` takes the request's back.
    pub fn set_header(&self, name: &str, value: Option<&str>) -> Result<(), Error> {
        self.0
            .change(|asking| match value {
                Some(value) => asking.headers.set(name, value),
                None => asking.headers.unset(name),
            })
            .map_err(|InvalidHeader(problem)| Error::new(Status::InvalidArgument, problem))
    }
}

impl RequestParts {
    /// Where a raw request goes, and its body.
    pub fn raw(&self) -> Option<RawRequest<'_>> {
        let body = match &*self.content {
            OwnedContent::Body(body) => Some(body.as_written()),
            _ => None,
        };
        self.path.as_ref().map(|target| RawRequest { target, body })
    }

    pub fn question(&self) -> Result<Content<'_>, Error> {
        match &*self.content {
            OwnedContent::Prompt(prompt) => Ok(Content::Prompt(prompt)),
            OwnedContent::Messages(messages) => Ok(Content::Messages(messages)),
            OwnedContent::Inputs(inputs) => Ok(Content::Inputs(inputs)),
            OwnedContent::Body(body) => Ok(Content::Body(body)),
            OwnedContent::Nothing => Err(Error::new(
                Status::InvalidArgument,
                "the request is empty; give it a prompt, messages, inputs or a body",
            )),
        }
    }
}

impl OwnedContent {
    fn excludes(&self, other: &str) -> Error {
        let has = match self {
            OwnedContent::Nothing => "nothing",
            OwnedContent::Prompt(_) => "a prompt",
            OwnedContent::Messages(_) => "messages",
            OwnedContent::Inputs(_) => "inputs",
            OwnedContent::Body(_) => "a whole body",
        };
        Error::new(Status::InvalidArgument, format!("the request has {has} already, and cannot have {other} as well"))
    }
}

fn not_object(what: &str, error: &serde_json::Error) -> Error {
    let problem = if error.is_data() {
        format!("the {what} is JSON, but not an object")
    } else {
        format!("the {what} is not JSON: {error}")
    };
    Error::new(Status::InvalidArgument, problem)
}

fn not_raw(what: &str) -> Error {
    let problem =
        format!("a request with a path has a body only, set by mlflow_gateway_request_set_body_json(), and no {what}");
    Error::new(Status::InvalidArgument, problem)
}

fn invalid_message(InvalidMessage(problem): InvalidMessage) -> Error {
    Error::new(Status::InvalidArgument, problem)
}

fn invalid_target(InvalidTarget(problem): InvalidTarget) -> Error {
    Error::new(Status::InvalidArgument, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_share_what_they_have_until_one_changes_it() {
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
        let OwnedContent::Messages(messages) = &*content(&request) else { panic!("it has messages") };
        assert_eq!(messages[0].as_json(), r#"{"role":"user","content":"a"}"#);
    }
}
