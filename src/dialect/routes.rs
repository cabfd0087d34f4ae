//! What a gateway says of its routes, in one shape for all dialects, and how it is asked to change them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::tree::tree;
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
    /// Of this name, and nothing else known of it.
    pub(super) fn named(name: &str) -> Route {
        Route { name: name.to_owned(), route_type: None, provider: None, model: None, path: None, json: String::new() }
    }

    /// What it is for; `None` if the gateway does not say, or means something that this library does not know.
    pub fn task(&self) -> Option<Task> {
        Task::of_type(self.route_type.as_deref()?)
    }
}

/// What the answer to a question about one route says.
#[derive(Debug)]
pub enum RouteLookup {
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
pub enum ChangeMethod {
    Get,
    Post,
    Put,
    Delete,
}

/// How a server is asked for a change.
#[derive(Debug)]
pub struct ChangeRequest {
    pub verb: ChangeMethod,
    pub path: String,
    /// JSON, of a `Post` and a `Put`. It may hold the key of a model provider.
    pub body: Zeroizing<Vec<u8>>,
}

impl Change<'_> {
    /// What is not to be shown of it: texts whose name says so, like a model provider's key.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = Vec::new();
        if let Change::CreateRoute(json) | Change::SetLimits(_, json) = self {
            collect_secrets(&serde_json::from_str(json.get()).unwrap_or_default(), false, &mut secrets);
        }
        secrets
    }
}

fn collect_secrets(value: &Value, is_secret: bool, to: &mut Vec<String>) {
    const NAMES: [&str; 5] = ["key", "token", "secret", "password", "credential"];
    match value {
        Value::String(text) if is_secret => to.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|value| collect_secrets(value, is_secret, to)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            let name = name.to_ascii_lowercase();
            collect_secrets(value, is_secret || NAMES.iter().any(|part| name.contains(part)), to);
        }),
        _ => {}
    }
}

impl ChangeRequest {
    pub(super) fn new(verb: ChangeMethod, path: String) -> ChangeRequest {
        ChangeRequest { verb, path, body: Zeroizing::default() }
    }

    pub(super) fn with_body(self, body: &impl Serialize) -> ChangeRequest {
        let body = serde_json::to_vec(body);
        debug_assert!(body.is_ok(), "names and JSON values always serialize");
        ChangeRequest { body: Zeroizing::new(body.unwrap_or_default()), ..self }
    }
}

/// More than any server says of one thing. A tree takes many times the memory of its text.
const MAX_OBJECT: usize = 1024 * 1024;

/// Longer ones than any server gives, which would stand in a request's first line.
const MAX_TOKEN: usize = 1024;

/// A JSON object, if it is one.
pub(super) fn object(json: &[u8]) -> Option<Value> {
    if json.len() > MAX_OBJECT {
        return None;
    }
    let value = std::str::from_utf8(json).ok().and_then(tree);
    value.filter(Value::is_object)
}

/// The name of a model in a list as OpenAI has it.
pub(super) fn openai_model(entry: &Value) -> Option<&str> {
    entry["id"].as_str().filter(|_| entry["object"] == "model")
}

/// A field's text.
pub(super) fn text(object: &Value, field: &str) -> Option<String> {
    object[field].as_str().map(str::to_owned)
}

/// The answer about one route, which `read` understands.
pub(super) fn one(body: &[u8], read: impl Fn(&Value) -> Option<Route>) -> RouteLookup {
    let route = std::str::from_utf8(body).ok().and_then(|json| entry(json, read));
    route.map_or(RouteLookup::Foreign, RouteLookup::Found)
}

fn entry(json: &str, read: impl Fn(&Value) -> Option<Route>) -> Option<Route> {
    let route = read(&object(json.as_bytes())?)?;
    Some(Route { json: json.to_owned(), ..route })
}

/// A page whose entries stand in the field `list`, and which `read` understands.
pub(super) fn page(body: &[u8], list: &str, read: fn(&Value) -> Option<Route>) -> Option<Page> {
    if body.len() > MAX_PAGE {
        return None;
    }
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(std::str::from_utf8(body).ok()?).ok()?;
    let entries: Vec<&RawValue> = serde_json::from_str(fields.get(list)?.get()).ok()?;
    let is_empty = entries.is_empty();
    // One entry of an unknown kind does not hide the others.
    let routes: Vec<_> = entries.into_iter().filter_map(|json| entry(json.get(), read)).collect();
    if routes.is_empty() && !is_empty {
        return None;
    }
    let next = fields.get("next_page_token").and_then(|token| tree(token.get()));
    let next = next.as_ref().and_then(Value::as_str).filter(|token| !token.is_empty()).map(str::to_owned);
    if next.as_ref().is_some_and(|token| token.len() > MAX_TOKEN) {
        return None;
    }
    Some(Page { routes, next })
}

/// What MLflow's YAML servers say of a route, by the names that they have for its type and its place.
pub(super) fn of_yaml_server(entry: &Value, route_type: &str, place: &str) -> Option<Route> {
    let model = &entry["model"];
    Some(Route {
        route_type: Some(text(entry, route_type)?),
        path: text(entry, place),
        provider: text(model, "provider"),
        model: text(model, "name"),
        ..Route::named(entry["name"].as_str()?)
    })
}

pub(super) fn paged(path: &str, page: Option<&str>) -> String {
    match page {
        Some(token) => format!("{path}?page_token={}", segment(token)),
        None => path.to_owned(),
    }
}

/// The limits of the open-source servers, which have paths for them but nothing behind those.
pub(super) fn limits_order(path: &str, change: Change) -> Option<ChangeRequest> {
    #[derive(Serialize)]
    struct Limits<'a> {
        route: &'a str,
        limits: &'a RawValue,
    }
    match change {
        Change::GetLimits(route) => Some(ChangeRequest::new(ChangeMethod::Get, [path, &segment(route)].concat())),
        Change::SetLimits(route, limits) => {
            Some(ChangeRequest::new(ChangeMethod::Post, path.to_owned()).with_body(&Limits { route, limits }))
        }
        Change::CreateRoute(_) | Change::DeleteRoute(_) => None,
    }
}
