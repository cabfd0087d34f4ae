//! The handle: one route of one gateway.

use std::env::VarError;
use std::sync::Arc;

use serde::Serialize;

use super::answers;
use super::call::{Call, Target};
use super::discovery::Discovery;
use super::embed::Embeddings;
use super::error::{Error, Status};
use super::options::Setting;
use super::request::Request;
use super::response::Response;
use super::settings::{Settings, Shared};
use super::stream::Stream;
use super::text::owned;
use crate::dialect::{ParamProblem, Params};
use crate::http::{Agent, GatewayUri, HeaderProblem};

/// Longer names exist nowhere in MLflow; the limit only keeps a mistake from becoming a request.
const MAX_ROUTE: usize = 256;

/// Where a URI comes from that is not given: MLflow's own variables, the first that is set and not empty.
const URI_VARIABLES: [&str; 2] = ["MLFLOW_GATEWAY_URI", "MLFLOW_DEPLOYMENTS_TARGET"];

/// One route of one gateway, with its settings and its connections. Any number of threads may use it at once.
#[derive(Debug)]
pub struct Gateway {
    target: Arc<Target>,
    settings: Shared<Settings>,
}

impl Gateway {
    /// Nothing is sent before the first call. Without a URI, the environment variable `MLFLOW_GATEWAY_URI` says it,
    /// or else `MLFLOW_DEPLOYMENTS_TARGET`.
    pub fn create(route: &str, uri: Option<&str>) -> Result<Gateway, Error> {
        check_route(route)?;
        let uri = match uri {
            Some(uri) => GatewayUri::parse(uri).map_err(|problem| Error::new(Status::InvalidUri, problem))?,
            None => uri_from_environment()?,
        };
        let target = Target { route: route.to_owned(), agent: Agent::new(&uri), uri, discovery: Discovery::default() };
        Ok(Gateway { target: Arc::new(target), settings: Shared::default() })
    }

    /// Sets a parameter of the model, for all calls that begin afterwards.
    pub fn set_param_double(&self, name: &str, value: f64) -> Result<(), Error> {
        self.settings.change(|settings| settings.params.set_double(name, value)).map_err(invalid_param)
    }

    /// As [`Gateway::set_param_double`].
    pub fn set_param_int(&self, name: &str, value: i64) -> Result<(), Error> {
        self.settings.change(|settings| settings.params.set_int(name, value)).map_err(invalid_param)
    }

    /// As [`Gateway::set_param_double`].
    pub fn set_param_bool(&self, name: &str, value: bool) -> Result<(), Error> {
        self.settings.change(|settings| settings.params.set_bool(name, value)).map_err(invalid_param)
    }

    /// As [`Gateway::set_param_double`].
    pub fn set_param_string(&self, name: &str, value: &str) -> Result<(), Error> {
        self.settings.change(|settings| settings.params.set_string(name, value)).map_err(invalid_param)
    }

    /// As [`Gateway::set_param_double`], with any JSON value.
    pub fn set_param_json(&self, name: &str, json: &str) -> Result<(), Error> {
        self.settings.change(|settings| settings.params.set_json(name, json)).map_err(invalid_param)
    }

    /// Adds a text to the parameter `stop`: the model stops before it would write it.
    pub fn add_stop(&self, stop: &str) -> Result<(), Error> {
        self.settings.change(|settings| settings.params.add_stop(stop)).map_err(invalid_param)
    }

    /// Takes a parameter back, so that the gateway's own default holds.
    pub fn unset_param(&self, name: &str) {
        let Ok(()) = self.settings.change(|settings| {
            settings.params.unset(name);
            Ok::<(), std::convert::Infallible>(())
        });
    }

    /// Sets an option of this library by its name; the C header lists them.
    pub fn set_option(&self, name: &str, value: &str) -> Result<(), Error> {
        // Files are read before the settings are locked: a slow disk must not hold up calls.
        let setting = Setting::parse(name, value)?;
        self.settings.change(|settings| settings.options.set(setting))
    }

    /// Sets a header that all requests carry, or with `None` takes it back.
    pub fn set_header(&self, name: &str, value: Option<&str>) -> Result<(), Error> {
        self.settings
            .change(|settings| match value {
                Some(value) => settings.headers.set(name, value),
                None => settings.headers.unset(name),
            })
            .map_err(|HeaderProblem(problem)| Error::new(Status::InvalidArgument, problem))
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
            route: Some(self.target.route.as_str()).filter(|_| !settings.params.contains("route")),
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
        answers::first_text(&Call::begin(&self.target, self.settings.snapshot(), None), prompt, take)
    }

    /// Asks the route and returns all that the answer says.
    pub fn send(&self, request: &Request) -> Result<Response, Error> {
        let asking = request.snapshot();
        let question = asking.question()?;
        answers::response(&Call::begin(&self.target, self.settings.snapshot(), Some(&asking)), question)
    }

    /// Asks the route for its answer as it is made, and waits for the head of it.
    pub fn stream(&self, request: &Request) -> Result<Stream, Error> {
        let asking = request.snapshot();
        let question = asking.question()?;
        Stream::open(&Call::begin(&self.target, self.settings.snapshot(), Some(&asking)), question)
    }

    /// Asks the route for vectors of the request's inputs.
    pub fn embed(&self, request: &Request) -> Result<Embeddings, Error> {
        let asking = request.snapshot();
        let question = asking.question()?;
        Embeddings::ask(&Call::begin(&self.target, self.settings.snapshot(), Some(&asking)), question)
    }
}

fn check_route(route: &str) -> Result<(), Error> {
    let problem = if route.is_empty() {
        "the route is empty; name a route (endpoint) of the gateway".to_owned()
    } else if route.len() > MAX_ROUTE {
        format!("the route's name is {} bytes long; {MAX_ROUTE} are allowed", route.len())
    } else if route == "." || route == ".." {
        format!("the route's name is \"{route}\", which means a folder in a URL")
    } else {
        return Ok(());
    };
    Err(Error::new(Status::InvalidArgument, problem))
}

fn uri_from_environment() -> Result<GatewayUri, Error> {
    for variable in URI_VARIABLES {
        match std::env::var(variable) {
            Ok(uri) if uri.is_empty() => {}
            Ok(uri) => {
                return GatewayUri::parse(&uri).map_err(|problem| {
                    Error::new(Status::InvalidUri, format!("{problem} (from the environment variable {variable})"))
                });
            }
            Err(VarError::NotPresent) => {}
            Err(VarError::NotUnicode(_)) => {
                let problem = format!("the environment variable {variable} is not UTF-8");
                return Err(Error::new(Status::InvalidUri, problem));
            }
        }
    }
    Err(Error::new(
        Status::NoGatewayUri,
        format!("no gateway URI is given; pass one, or set the environment variable {}", URI_VARIABLES[0]),
    ))
}

fn invalid_param(ParamProblem(problem): ParamProblem) -> Error {
    Error::new(Status::InvalidParam, problem)
}
