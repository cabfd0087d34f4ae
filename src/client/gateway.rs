//! The handle: a gateway, its settings, and its operations.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::admin;
use super::call::Call;
use super::completion;
use super::configure::{Configure, invalid_header, invalid_param};
use super::context::CallContext;
use super::embed::Embeddings;
use super::environment::{self, EnvironmentSettings};
use super::error::{Error, Status};
use super::health;
use super::log::{Log, LogLevel, LogSink};
use super::option_parser::HandleOption;
use super::prepared_call::PreparedCall;
use super::request::Request;
use super::response::Response;
use super::routes::Routes;
use super::settings::Settings;
use super::stream::Stream;
use super::target::{Target, route_name};
use crate::dialect::{Change, InvalidParam, Params};
use crate::sync::{CancelToken, Snapshots};

/// A gateway with its settings and connections, and the route of requests that name none. Any number of threads may use
/// it concurrently.
#[derive(Debug)]
pub struct Gateway {
    target: Arc<Target>,
    settings: Snapshots<Settings>,
}

impl Gateway {
    /// Creates a handle. It sends nothing before the first call. Without a route, each request must name one. Without a
    /// URI, the environment's is used.
    pub fn create(route: Option<&str>, uri: Option<&str>) -> Result<Gateway, Error> {
        let route = route.map(route_name).transpose()?;
        let EnvironmentSettings { uri, options } = environment::find(&environment::PROCESS, uri)?;
        let target = Arc::new(Target::new(route, uri));
        Ok(Gateway { target, settings: Snapshots::new(Settings::new(options)) })
    }

    /// Returns a second handle with these settings. From then on, each has settings of its own. They share connections,
    /// the results of discovery, and access tokens.
    pub fn copy(&self) -> Gateway {
        let settings = Settings::clone(&self.settings.snapshot());
        Gateway { target: Arc::clone(&self.target), settings: Snapshots::new(settings) }
    }

    /// Sets or unsets the function that each attempt is logged to.
    pub fn set_log(&self, log: Option<(LogLevel, LogSink)>) {
        self.settings.update(|settings| {
            settings.log = log.map(|(level, sink)| Log::new(level, sink));
        });
    }

    /// Returns LangChain's `_identifying_params` as JSON: the gateway, the route and the parameters.
    pub fn identifying_params(&self) -> Result<String, Error> {
        #[derive(Serialize)]
        struct IdentifyingParams<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            gateway_uri: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            route: Option<&'a str>,
            #[serde(flatten)]
            params: &'a Params,
        }
        let settings = self.settings.snapshot();
        serde_json::to_string(&IdentifyingParams {
            // A parameter of the same name takes precedence, as in LangChain.
            gateway_uri: Some(self.target.uri.to_string()).filter(|_| !settings.params.contains("gateway_uri")),
            route: self.own_route().filter(|_| !settings.params.contains("route")),
            params: &settings.params,
        })
        .map_err(|error| Error::new(Status::Internal, format!("the parameters cannot be written as JSON: {error}")))
    }

    /// Sends a prompt and returns the text of the first candidate. To a chat route, the prompt is sent as a user
    /// message.
    pub fn call(&self, prompt: &str) -> Result<String, Error> {
        self.call_with(prompt, try_to_owned)
    }

    /// As [`Gateway::call`], but passes the text to `take` without a copy.
    pub fn call_with<T>(&self, prompt: &str, take: impl FnOnce(&str) -> Result<T, Error>) -> Result<T, Error> {
        let own = self.target.route(None).ok_or_else(|| {
            no_route(
                "the handle has no route: name one in mlflow_gateway_create(), or send a request with its own route",
            )
        })?;
        completion::first_text(&Call::new(&self.target, own, self.settings()?, None), prompt, take)
    }

    /// Sends a request and returns the whole response.
    pub fn send(&self, request: &Request) -> Result<Response, Error> {
        self.prepare(request).send(None)
    }

    /// Sends a request and returns the response as a stream, after its head.
    pub fn stream(&self, request: &Request) -> Result<Stream, Error> {
        self.prepare(request).stream(None)
    }

    /// Takes snapshots of the request and the settings.
    pub(super) fn prepare(&self, request: &Request) -> PreparedCall {
        PreparedCall::new(&self.target, self.settings.snapshot(), request.snapshot())
    }

    /// Begins a call about the gateway and its routes. MLflow's client has a separate timeout for these.
    fn begin_lookup(&self) -> Result<CallContext<'_>, Error> {
        let mut context = CallContext::new(&self.target, self.settings()?, None);
        if let Some(timeout) = context.options.routes_timeout {
            context.set_timeout(timeout);
        }
        Ok(context)
    }

    /// Returns the settings of a call that begins now.
    fn settings(&self) -> Result<Arc<Settings>, Error> {
        let settings = self.settings.snapshot();
        settings.check()?;
        Ok(settings)
    }

    /// Returns the routes of the gateway.
    pub fn list_routes(&self) -> Result<Routes, Error> {
        Routes::list(&self.begin_lookup()?)
    }

    /// Returns one route: the named one, or else the handle's.
    pub fn get_route(&self, name: Option<&str>) -> Result<Routes, Error> {
        let name = self.name_or_own(name)?;
        Routes::get(&self.begin_lookup()?, name)
    }

    /// Checks the health of the gateway.
    pub fn health(&self) -> Result<(), Error> {
        health::check(&self.begin_lookup()?)
    }

    /// Returns the limits of a route, as JSON.
    pub fn get_limits(&self, name: Option<&str>) -> Result<String, Error> {
        let name = self.name_or_own(name)?;
        admin::change(self.begin_lookup()?, Change::GetLimits(name))
    }

    /// Sets the limits of a route, a JSON array, and returns the response.
    pub fn set_limits(&self, name: Option<&str>, limits: &str) -> Result<String, Error> {
        let name = self.name_or_own(name)?;
        let limits = checked_json(limits, '[', "limits_json")?;
        admin::change(self.begin_lookup()?, Change::SetLimits(name, limits))
    }

    /// Creates the route that a JSON object describes, and returns the response.
    pub fn create_route(&self, route: &str) -> Result<String, Error> {
        let route = checked_json(route, '{', "route_json")?;
        admin::change(self.begin_lookup()?, Change::CreateRoute(route))
    }

    /// Deletes a route.
    pub fn delete_route(&self, name: &str) -> Result<(), Error> {
        let name = route_name(name)?;
        admin::change(self.begin_lookup()?, Change::DeleteRoute(name)).map(drop)
    }

    /// Checks the name of a route; without a name, returns that of the handle's route.
    fn name_or_own<'a>(&'a self, name: Option<&'a str>) -> Result<&'a str, Error> {
        match name {
            Some(name) => route_name(name),
            None => self.own_route().ok_or_else(|| {
                no_route("no route is given, and the handle has none: pass one here or to mlflow_gateway_create()")
            }),
        }
    }

    fn own_route(&self) -> Option<&str> {
        self.target.own_route.as_ref().map(|route| route.name.as_str())
    }

    /// Sends a request for embeddings of its inputs.
    pub fn embed(&self, request: &Request) -> Result<Embeddings, Error> {
        self.prepare(request).embed(None)
    }
}

impl Configure for Gateway {
    fn change_params(&self, change: impl FnOnce(&mut Params) -> Result<(), InvalidParam>) -> Result<(), Error> {
        self.settings.change(|settings| change(&mut settings.params)).map_err(invalid_param)
    }

    fn unset_param(&self, name: &str) {
        self.settings.update(|settings| settings.params.unset(name));
    }

    fn set_option(&self, name: &str, value: &str) -> Result<(), Error> {
        // Files are read before the settings are locked, since a slow disk must not delay other calls.
        let option = HandleOption::parse(name, value)?;
        self.settings.change(|settings| settings.set_option(option))
    }

    fn set_header(&self, name: &str, value: Option<&str>) -> Result<(), Error> {
        self.settings.change(|settings| settings.set_header(name, value)).map_err(invalid_header)
    }

    fn set_cancel_token(&self, token: Option<Arc<CancelToken>>) {
        self.settings.update(|settings| settings.token = token);
    }
}

fn no_route(problem: &str) -> Error {
    Error::new(Status::InvalidArgument, problem)
}

/// Copies text. The server determines its length, so the allocation may fail.
fn try_to_owned(text: &str) -> Result<String, Error> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len()).map_err(|_| Error::out_of_memory(text.len()))?;
    copy.push_str(text);
    Ok(copy)
}

fn checked_json<'a>(json: &'a str, first: char, argument: &str) -> Result<&'a RawValue, Error> {
    let wrong = |problem: String| Error::new(Status::InvalidArgument, problem);
    let value: &RawValue =
        serde_json::from_str(json).map_err(|error| wrong(format!("the argument {argument} is not JSON: {error}")))?;
    if !value.get().starts_with(first) {
        let kind = if first == '[' { "an array" } else { "an object" };
        return Err(wrong(format!("the argument {argument} is JSON, but not {kind}")));
    }
    Ok(value)
}
