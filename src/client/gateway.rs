//! The handle: a gateway, and the route that calls use unless the request names another.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::call::Call;
use super::completion;
use super::configure::{Configure, invalid_header, invalid_param};
use super::embed::Embeddings;
use super::environment::{EnvironmentSettings, PROCESS};
use super::error::{Error, Status};
use super::log::{Log, LogLevel, LogSink};
use super::nul_string::owned;
use super::options::Setting;
use super::raw;
use super::request::{Request, RequestParts};
use super::response::Response;
use super::routes::Routes;
use super::settings::Settings;
use super::stream::Stream;
use super::target::{Target, route_name};
use crate::dialect::{Change, InvalidParam, Params};
use crate::sync::{CancelToken, Snapshots};

/// A gateway with its settings and its connections, and the route of calls that name none. Any number of threads may use
/// it at once.
#[derive(Debug)]
pub struct Gateway {
    target: Arc<Target>,
    settings: Snapshots<Settings>,
}

impl Gateway {
    /// Nothing is sent before the first call. Without a route, each request names its own. Without a URI, the
    /// environment says it.
    pub fn create(route: Option<&str>, uri: Option<&str>) -> Result<Gateway, Error> {
        let route = route.map(route_name).transpose()?;
        let EnvironmentSettings { uri, options } = PROCESS.find(uri)?;
        let target = Arc::new(Target::new(route, uri));
        Ok(Gateway { target, settings: Snapshots::new(Settings::new(options)) })
    }

    /// Sets who is told of each attempt, and of how much; `None` for nobody.
    pub fn set_log(&self, log: Option<(LogLevel, LogSink)>) {
        self.settings.update(|settings| {
            settings.log = log.map(|(level, sink)| Log::new(level, sink));
        });
    }

    /// What tells one configured model from another: LangChain's `_identifying_params`, as JSON.
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
            // A parameter of the same name goes before, as in LangChain.
            gateway_uri: Some(self.target.uri.to_string()).filter(|_| !settings.params.contains("gateway_uri")),
            route: self.own_route().filter(|_| !settings.params.contains("route")),
            params: &settings.params,
        })
        .map_err(|error| Error::new(Status::Internal, format!("the parameters cannot be written as JSON: {error}")))
    }

    /// Asks the route and returns the first candidate's text. On a chat route the prompt is one message of the user.
    pub fn call(&self, prompt: &str) -> Result<String, Error> {
        self.call_with(prompt, owned)
    }

    /// As [`Gateway::call`], and hands the text over without a copy.
    pub fn call_with<T>(&self, prompt: &str, take: impl FnOnce(&str) -> Result<T, Error>) -> Result<T, Error> {
        let own = self.target.route(None).ok_or_else(|| {
            no_route(
                "the handle has no route: name one in mlflow_gateway_create(), or send a request with its own route",
            )
        })?;
        completion::first_text(&Call::begin(&self.target, Some(own), self.settings()?, None), prompt, take)
    }

    /// Asks the route and returns all that the answer says.
    pub fn send(&self, request: &Request) -> Result<Response, Error> {
        let asking = request.snapshot();
        if let Some(raw) = asking.raw() {
            return raw::response(&raw.begin(&self.target, self.settings()?, &asking), raw);
        }
        let question = asking.question()?;
        completion::response(&self.call_with_request(&asking)?, question)
    }

    /// Asks the route for its answer as it is made, and waits for the head of it.
    pub fn stream(&self, request: &Request) -> Result<Stream, Error> {
        let asking = request.snapshot();
        if let Some(raw) = asking.raw() {
            return Stream::open_raw(&raw.begin(&self.target, self.settings()?, &asking), raw);
        }
        let question = asking.question()?;
        Stream::open(&self.call_with_request(&asking)?, question)
    }

    /// A call to the request's route, or else to the handle's.
    fn call_with_request<'a>(&'a self, asking: &RequestParts) -> Result<Call<'a>, Error> {
        let route = self.target.route(asking.route.as_deref()).ok_or_else(|| {
            no_route(
                "neither the request nor the handle has a route: name one in mlflow_gateway_request_set_route() or \
                 mlflow_gateway_create()",
            )
        })?;
        Ok(Call::begin(&self.target, Some(route), self.settings()?, Some(asking)))
    }

    /// A call that asks no model, for which MLflow's client has a time of its own.
    fn call_for(&self) -> Result<Call<'_>, Error> {
        let mut call = Call::begin(&self.target, None, self.settings()?, None);
        if let Some(timeout) = call.options.routes_timeout {
            call.options.timeout = timeout;
            call.deadline = call.started + timeout;
        }
        Ok(call)
    }

    /// Those of a call that begins now.
    fn settings(&self) -> Result<Arc<Settings>, Error> {
        let settings = self.settings.snapshot();
        match settings.options().way.unusable() {
            Some(why) => Err(Error::new(Status::InvalidOptionValue, why)),
            None => Ok(settings),
        }
    }

    /// Lists what the gateway has.
    pub fn list_routes(&self) -> Result<Routes, Error> {
        Routes::list(&self.call_for()?)
    }

    /// Looks one route up: that of this handle, or another one.
    pub fn get_route(&self, name: Option<&str>) -> Result<Routes, Error> {
        let name = self.named(name)?;
        Routes::get(&self.call_for()?, name)
    }

    /// Asks whether the gateway is well.
    pub fn health(&self) -> Result<(), Error> {
        self.call_for()?.health()
    }

    /// The limits of a route, as JSON.
    pub fn get_limits(&self, name: Option<&str>) -> Result<String, Error> {
        let name = self.named(name)?;
        self.call_for()?.change(Change::GetLimits(name))
    }

    /// Sets the limits of a route, a JSON list, and returns what the server says to it.
    pub fn set_limits(&self, name: Option<&str>, limits: &str) -> Result<String, Error> {
        let name = self.named(name)?;
        let limits = checked_json(limits, '[', "limits")?;
        self.call_for()?.change(Change::SetLimits(name, limits))
    }

    /// Makes a route that a JSON object describes, and returns what the server says to it.
    pub fn create_route(&self, route: &str) -> Result<String, Error> {
        let route = checked_json(route, '{', "route")?;
        self.call_for()?.change(Change::CreateRoute(route))
    }

    /// Removes a route.
    pub fn delete_route(&self, name: &str) -> Result<(), Error> {
        let name = route_name(name)?;
        self.call_for()?.change(Change::DeleteRoute(name)).map(drop)
    }

    /// The route of this name, or without one the handle's.
    fn named<'a>(&'a self, name: Option<&'a str>) -> Result<&'a str, Error> {
        match name {
            Some(name) => route_name(name),
            None => self.own_route().ok_or_else(|| {
                no_route("no route is named, and the handle has none: name one here or in mlflow_gateway_create()")
            }),
        }
    }

    fn own_route(&self) -> Option<&str> {
        self.target.own.as_ref().map(|route| route.name.as_str())
    }

    /// Asks the route for vectors of the request's inputs.
    pub fn embed(&self, request: &Request) -> Result<Embeddings, Error> {
        let asking = request.snapshot();
        if asking.raw().is_some() {
            let problem = "the request has a path, below which there may be anything; mlflow_gateway_send() returns it";
            return Err(Error::new(Status::InvalidArgument, problem));
        }
        let question = asking.question()?;
        Embeddings::ask(&self.call_with_request(&asking)?, question)
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
        let setting = Setting::parse(name, value)?;
        self.settings.change(|settings| settings.set_option(setting))
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

fn checked_json<'a>(json: &'a str, first: char, what: &str) -> Result<&'a RawValue, Error> {
    let wrong = |problem: String| Error::new(Status::InvalidArgument, problem);
    let value: &RawValue =
        serde_json::from_str(json).map_err(|error| wrong(format!("{what}: it is not JSON: {error}")))?;
    if !value.get().starts_with(first) {
        let kind = if first == '[' { "a list" } else { "an object" };
        return Err(wrong(format!("{what}: it is JSON, but not {kind}")));
    }
    Ok(value)
}
