//! A question to be sent as often as one likes, with its own settings beside the handle's.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::error::{Error, Status};
use super::options::CallSetting;
use super::settings::Growing;
use super::targets::route_name;
use crate::dialect::{Body, ParamProblem, Params, Question};
use crate::http::{HeaderProblem, Headers};
use crate::sync::CancelToken;

/// What to ask. Any number of threads may change and send it at once; a call works on it as it stood when it began.
#[derive(Debug, Default)]
pub struct Request(Growing<Asking>);

#[derive(Debug, Clone, Default)]
pub(super) struct Asking {
    content: Content,
    /// In place of the handle's.
    pub route: Option<String>,
    /// Before the handle's.
    pub params: Params,
    /// Before the handle's.
    pub headers: Headers,
    /// Before the handle's.
    pub options: Vec<CallSetting>,
    /// Before the handle's.
    pub token: Option<Arc<CancelToken>>,
}

#[derive(Debug, Clone, Default)]
enum Content {
    #[default]
    Nothing,
    Prompt(String),
    Messages(Vec<Box<RawValue>>),
    Inputs(Vec<String>),
    Body(Body),
}

impl Request {
    pub(super) fn snapshot(&self) -> Arc<Asking> {
        self.0.snapshot()
    }

    /// Names the route to send the request to in place of the handle's; `None` for that of the handle again.
    pub fn set_route(&self, route: Option<&str>) -> Result<(), Error> {
        let route = route.map(route_name).transpose()?.map(str::to_owned);
        self.0.change(|asking| {
            asking.route = route;
            Ok(())
        })
    }

    /// Sets the prompt, or replaces it.
    pub fn set_prompt(&self, prompt: &str) -> Result<(), Error> {
        self.0.change(|asking| match &mut asking.content {
            content @ (Content::Nothing | Content::Prompt(_)) => {
                *content = Content::Prompt(prompt.to_owned());
                Ok(())
            }
            other => Err(other.excludes("a prompt")),
        })
    }

    /// Adds a message of a role, for example `user`, to those that are there.
    pub fn add_message(&self, role: &str, content: &str) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Message<'a> {
            role: &'a str,
            content: &'a str,
        }
        if role.is_empty() {
            return Err(Error::new(Status::InvalidArgument, "the role is empty; name one, for example \"user\""));
        }
        let message = serde_json::value::to_raw_value(&Message { role, content })
            .map_err(|error| Error::new(Status::Internal, format!("the message cannot be written as JSON: {error}")))?;
        self.push_message(message)
    }

    /// Adds a message that is written as JSON already.
    pub fn add_message_json(&self, json: &str) -> Result<(), Error> {
        let message = serde_json::from_str::<&RawValue>(json).map_err(|error| not_object("message", &error))?;
        if !message.get().starts_with('{') {
            return Err(no_object("message"));
        }
        self.push_message(message.to_owned())
    }

    fn push_message(&self, message: Box<RawValue>) -> Result<(), Error> {
        self.0.change(|asking| {
            match &mut asking.content {
                Content::Messages(messages) => messages.push(message),
                content @ Content::Nothing => *content = Content::Messages(vec![message]),
                other => return Err(other.excludes("a message")),
            }
            Ok(())
        })
    }

    /// Adds a text to be turned into a vector.
    pub fn add_input(&self, input: &str) -> Result<(), Error> {
        self.0.change(|asking| {
            match &mut asking.content {
                Content::Inputs(inputs) => inputs.push(input.to_owned()),
                content @ Content::Nothing => *content = Content::Inputs(vec![input.to_owned()]),
                other => return Err(other.excludes("an input")),
            }
            Ok(())
        })
    }

    /// Sets the whole body, or replaces it. No parameters are added to it, neither the request's nor the handle's.
    pub fn set_body_json(&self, json: &str) -> Result<(), Error> {
        let body = Body::parse(json).map_err(|error| not_object("body", &error))?;
        self.0.change(|asking| match &mut asking.content {
            Content::Nothing if !asking.params.is_empty() => Err(Error::new(
                Status::InvalidArgument,
                "the request has parameters already; a whole body holds its own",
            )),
            content @ (Content::Nothing | Content::Body(_)) => {
                *content = Content::Body(body);
                Ok(())
            }
            other => Err(other.excludes("a whole body")),
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

    /// Takes the request's own parameter back, so that the handle's holds.
    pub fn unset_param(&self, name: &str) {
        let Ok(()) = self.0.change(|asking| {
            asking.params.unset(name);
            Ok::<(), std::convert::Infallible>(())
        });
    }

    fn change_params(&self, change: impl FnOnce(&mut Params) -> Result<(), ParamProblem>) -> Result<(), Error> {
        self.0.change(|asking| match asking.content {
            Content::Body(_) => Err(Error::new(
                Status::InvalidArgument,
                "the request has a whole body, to which no parameters are added; write it into the body",
            )),
            _ => change(&mut asking.params).map_err(|ParamProblem(problem)| Error::new(Status::InvalidParam, problem)),
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

    /// Sets what ends calls with this request before their time, or with `None` lets the handle's do it.
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
            .map_err(|HeaderProblem(problem)| Error::new(Status::InvalidArgument, problem))
    }
}

impl Asking {
    pub fn question(&self) -> Result<Question<'_>, Error> {
        match &self.content {
            Content::Prompt(prompt) => Ok(Question::Prompt(prompt)),
            Content::Messages(messages) => Ok(Question::Messages(messages)),
            Content::Inputs(inputs) => Ok(Question::Inputs(inputs)),
            Content::Body(body) => Ok(Question::Body(body)),
            Content::Nothing => Err(Error::new(
                Status::InvalidArgument,
                "the request is empty; give it a prompt, messages, inputs or a body",
            )),
        }
    }
}

impl Content {
    fn excludes(&self, other: &str) -> Error {
        let has = match self {
            Content::Nothing => "nothing",
            Content::Prompt(_) => "a prompt",
            Content::Messages(_) => "messages",
            Content::Inputs(_) => "inputs",
            Content::Body(_) => "a whole body",
        };
        Error::new(Status::InvalidArgument, format!("the request has {has} already, and cannot have {other} as well"))
    }
}

fn not_object(what: &str, error: &serde_json::Error) -> Error {
    if error.is_data() {
        return no_object(what);
    }
    Error::new(Status::InvalidArgument, format!("the {what} is not JSON: {error}"))
}

fn no_object(what: &str) -> Error {
    Error::new(Status::InvalidArgument, format!("the {what} is JSON, but not an object"))
}
