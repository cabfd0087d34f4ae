//! The routes of a gateway, as the caller gets them.

use super::context::CallContext;
use super::error::Error;
use super::nul_string::NulString;
use super::report;
use super::retry::RetryClass;
use super::route_list::{self, LookupError, MAX_PAGES, detailed_list, in_any_dialect};
use super::suggestions;
use crate::dialect::{self, Dialect, ErrorResponse, RouteLookup, Task};
use crate::http::Method;

/// An immutable list of routes, in the order of the gateway.
#[derive(Debug)]
pub struct Routes(Vec<Route>);

/// A route of a gateway.
#[derive(Debug)]
pub struct Route {
    /// The name of the route.
    pub name: NulString,
    /// The type, for example `llm/v1/chat`; `None` if the gateway does not report it.
    pub route_type: Option<NulString>,
    /// The model provider; `None` if the gateway does not report it.
    pub provider: Option<NulString>,
    /// The model; `None` if the gateway does not report it.
    pub model: Option<NulString>,
    /// The URL to which requests are sent.
    pub url: NulString,
    /// The entry as the gateway wrote it.
    pub json: NulString,
}

impl Routes {
    pub(super) fn list(context: &CallContext) -> Result<Routes, Error> {
        let (dialect, routes) = route_list::list(context, context.dialects(), context.deadline, MAX_PAGES)?;
        routes.into_iter().map(|route| Route::new(context, dialect, route)).collect::<Result<_, _>>().map(Routes)
    }

    pub(super) fn get(context: &CallContext, name: &str) -> Result<Routes, Error> {
        let (dialect, route) = in_any_dialect(context, context.dialects(), |dialect| look_up(context, dialect, name))?;
        Ok(Routes(vec![Route::new(context, dialect, route)?]))
    }

    /// Returns all routes.
    pub fn all(&self) -> &[Route] {
        &self.0
    }
}

impl Route {
    fn new(context: &CallContext, dialect: &dyn Dialect, route: dialect::Route) -> Result<Route, Error> {
        let text = |text: Option<String>| text.map(|text| NulString::of_name(&text)).transpose();
        let path = route.path.unwrap_or_else(|| dialect.invocations_path(&route.name, Task::Chat));
        Ok(Route {
            url: NulString::of_name(&context.target.uri.absolute(&path))?,
            name: NulString::of_name(&route.name)?,
            route_type: text(route.route_type)?,
            provider: text(route.provider)?,
            model: text(route.model)?,
            json: NulString::of(&route.json)?,
        })
    }
}

fn look_up(context: &CallContext, dialect: &'static dyn Dialect, name: &str) -> Result<dialect::Route, LookupError> {
    let get = |path: &str| route_list::get(context, path, context.deadline, RetryClass::ModelRequest);
    let mut path = dialect.route_path(name);
    let mut reply = get(&path)?;
    if !reply.is_success() {
        let response = ErrorResponse::read(reply.status, &reply.body);
        let other = match dialect.fallback_route_path(name, &response) {
            Some(path) => Some((get(&path)?, path)),
            None => None,
        };
        match other.filter(|(reply, _)| reply.is_success()) {
            Some(found) => (reply, path) = found,
            None => {
                let error_context = context.error_context(Method::Get, &path);
                let kind = response.kind;
                let error = if dialect.may_lack_route_list() {
                    route_list::error_response(&error_context, reply, response, dialect)
                } else {
                    suggestions::error_response(context, &error_context, reply, response, name, dialect)
                };
                return Err(LookupError::of_response(kind, error));
            }
        }
    }
    let error_context = context.error_context(Method::Get, &path);
    match dialect.parse_route(name, &reply.body) {
        RouteLookup::Found(route) => {
            let mut details = detailed_list(context, dialect, context.deadline).unwrap_or_default().into_iter();
            Ok(details.find(|other| other.name == name).unwrap_or(route))
        }
        RouteLookup::Absent => {
            let hint = suggestions::existing_routes(context, name, &[dialect]).unwrap_or_default();
            Err(LookupError::new(report::route_not_listed(&error_context, (&reply).into(), &hint)))
        }
        RouteLookup::Foreign => Err(LookupError::foreign(report::not_a_route(&error_context, (&reply).into()))),
    }
}
