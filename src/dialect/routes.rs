//! What a gateway says of its routes, in one shape for all dialects, and how it is asked to change them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer;
use super::json::{Lenient, Text};
use super::{Task, segment};

/// Longer pages than any server gives: MLflow's have 3,000 routes, each of some hundred bytes.
const MAX_PAGE: usize = 16 * 1024 * 1024;

/// One route, as far as the gateway tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub name: String,
    pub route_type: Option<String>,
    pub provider: Option<String>,
    pub model: Option<String>,
    /// Where questions are sent: below the gateway's URI, or a whole URL.
    pub path: Option<String>,
    /// The entry as it came.
    pub json: String,
}

impl Route {
    pub(super) fn new(name: Text, route_type: Option<Text>, path: Option<Text>, model: Option<Model>) -> Route {
        let (model, provider) = model.map(|model| (model.name.text(), model.provider.text())).unwrap_or_default();
        let owned = |text: Text| text.0.into_owned();
        Route {
            name: owned(name),
            route_type: route_type.map(owned),
            provider: provider.map(owned),
            model: model.map(owned),
            path: path.map(owned),
            json: String::new(),
        }
    }

    /// What it is for; `None` if the gateway does not say, or means something that this library does not know.
    pub fn task(&self) -> Option<Task> {
        Task::of_type(self.route_type.as_deref()?)
    }
}

/// What the answer to a question about one route says.
#[derive(Debug)]
pub enum Lookup {
    Found(Route),
    /// The server speaks this dialect, but does not name the route.
    Absent,
    /// It is no such answer: the server speaks otherwise.
    Foreign,
}

/// A part of the list of all routes.
#[derive(Debug)]
pub struct Page {
    pub routes: Vec<Route>,
    /// What to ask the next part with.
    pub next: Option<String>,
}

/// What can be asked beside questions. The texts are checked JSON.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    GetLimits(&'a str),
    SetLimits(&'a str, &'a RawValue),
    CreateRoute(&'a RawValue),
    DeleteRoute(&'a str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

/// How a server is asked for a change.
#[derive(Debug)]
pub struct Order {
    pub verb: Verb,
    pub path: String,
    /// JSON, of a `Post` and a `Put`.
    pub body: Vec<u8>,
}

impl Order {
    pub(super) fn new(verb: Verb, path: String) -> Order {
        Order { verb, path, body: Vec::new() }
    }

    pub(super) fn with_body(self, body: &impl Serialize) -> Order {
        let body = serde_json::to_vec(body);
        debug_assert!(body.is_ok(), "names and JSON values always serialize");
        Order { body: body.unwrap_or_default(), ..self }
    }
}

/// The model behind a route.
#[derive(Default, Deserialize)]
pub(super) struct Model<'a> {
    #[serde(borrow, default)]
    pub name: Lenient<'a>,
    #[serde(borrow, default)]
    pub provider: Lenient<'a>,
}

/// The answer about one route, whose entry has the shape `E`.
pub(super) fn one<'a, E: Deserialize<'a> + Into<Route>>(body: &'a [u8]) -> Lookup {
    match entry::<E>(body) {
        Some(route) => Lookup::Found(route),
        None => Lookup::Foreign,
    }
}

fn entry<'a, E: Deserialize<'a> + Into<Route>>(json: &'a [u8]) -> Option<Route> {
    let entry: E = answer::parse(json).ok()?;
    let json = std::str::from_utf8(json).ok()?;
    Some(Route { json: json.to_owned(), ..entry.into() })
}

/// A page whose entries have the shape `E` and stand in the field `list`.
pub(super) fn page<'a, E: Deserialize<'a> + Into<Route>>(body: &'a [u8], list: &str) -> Option<Page> {
    if body.len() > MAX_PAGE {
        return None;
    }
    let fields: BTreeMap<&str, &RawValue> = answer::parse(body).ok()?;
    let entries: Vec<&RawValue> = serde_json::from_str(fields.get(list)?.get()).ok()?;
    let routes = entries.into_iter().map(|json| entry::<E>(json.get().as_bytes())).collect::<Option<_>>()?;
    let next = fields.get("next_page_token").and_then(|token| serde_json::from_str::<Lenient>(token.get()).ok());
    let next = next.and_then(Lenient::text).map(|token| token.0.into_owned()).filter(|token| !token.is_empty());
    Some(Page { routes, next })
}

pub(super) fn paged(path: &str, page: Option<&str>) -> String {
    match page {
        Some(token) => format!("{path}?page_token={}", segment(token)),
        None => path.to_owned(),
    }
}

/// The limits of the open-source servers, which have paths for them but nothing behind those.
pub(super) fn limits_order(path: &str, change: Change) -> Option<Order> {
    #[derive(Serialize)]
    struct Limits<'a> {
        route: &'a str,
        limits: &'a RawValue,
    }
    match change {
        Change::GetLimits(route) => Some(Order::new(Verb::Get, [path, &segment(route)].concat())),
        Change::SetLimits(route, limits) => {
            Some(Order::new(Verb::Post, path.to_owned()).with_body(&Limits { route, limits }))
        }
        Change::CreateRoute(_) | Change::DeleteRoute(_) => None,
    }
}
