//! Routes, and requests that change them: one type for all dialects, and what their parsers share.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::tree::parse_tree;
use super::{Task, path_segment};

/// The maximum length of a page. MLflow's pages have 3,000 routes of some hundred bytes each.
const MAX_PAGE_BYTES: usize = 16 * 1024 * 1024;

/// A route, as the gateway reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub name: String,
    pub route_type: Option<String>,
    pub provider: Option<String>,
    pub model: Option<String>,
    /// The path for model requests below the gateway's URI, or a complete URL.
    pub path: Option<String>,
    /// The JSON of the entry.
    pub json: String,
}

impl Route {
    /// Creates a route of this name without other properties.
    pub(super) fn named(name: &str) -> Route {
        Route { name: name.to_owned(), route_type: None, provider: None, model: None, path: None, json: String::new() }
    }

    /// Returns its task; `None` if the gateway does not report one, or one that this library does not support.
    pub fn task(&self) -> Option<Task> {
        Task::from_route_type(self.route_type.as_deref()?)
    }
}

/// The result of looking up one route.
#[derive(Debug)]
pub enum RouteLookup {
    Found(Route),
    /// The server has this dialect, but no such route.
    Absent,
    /// The response has another format: the server does not have this dialect.
    Foreign,
}

/// A page of the list of routes.
#[derive(Debug)]
pub struct Page {
    pub routes: Vec<Route>,
    /// The token of the next page.
    pub next_page_token: Option<String>,
}

/// A request other than model requests. The JSON is the caller's.
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

/// The HTTP request of a [`Change`].
#[derive(Debug)]
pub struct ChangeRequest {
    pub method: ChangeMethod,
    pub path: String,
    /// The JSON of a `Post` or `Put`. It may contain the key of a model provider.
    pub body: Zeroizing<Vec<u8>>,
}

impl Change<'_> {
    /// Returns the strings that must not be logged: those whose names look like secrets, such as a model provider's
    /// key.
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
    pub(super) fn new(method: ChangeMethod, path: String) -> ChangeRequest {
        ChangeRequest { method, path, body: Zeroizing::default() }
    }

    pub(super) fn with_body(self, body: &impl Serialize) -> ChangeRequest {
        let body = serde_json::to_vec(body);
        debug_assert!(body.is_ok(), "names and JSON values always serialize");
        ChangeRequest { body: Zeroizing::new(body.unwrap_or_default()), ..self }
    }
}

/// The maximum length of a JSON object. A tree takes many times the memory of its text.
const MAX_OBJECT_BYTES: usize = 1024 * 1024;

/// The maximum length of a page token, which becomes part of a request's path.
const MAX_PAGE_TOKEN_BYTES: usize = 1024;

/// Parses a JSON object; `None` if it is anything else.
pub(super) fn parse_object(json: &[u8]) -> Option<Value> {
    if json.len() > MAX_OBJECT_BYTES {
        return None;
    }
    let value = std::str::from_utf8(json).ok().and_then(parse_tree);
    value.filter(Value::is_object)
}

/// Returns the name of a model in OpenAI's list of models.
pub(super) fn openai_model(entry: &Value) -> Option<&str> {
    entry["id"].as_str().filter(|_| entry["object"] == "model")
}

/// Returns the string in a field.
pub(super) fn string_field(object: &Value, field: &str) -> Option<String> {
    object[field].as_str().map(str::to_owned)
}

/// Parses a response that describes one route. `read` parses the entry.
pub(super) fn parse_one(body: &[u8], read: impl Fn(&Value) -> Option<Route>) -> RouteLookup {
    let route = std::str::from_utf8(body).ok().and_then(|json| parse_entry(json, read));
    route.map_or(RouteLookup::Foreign, RouteLookup::Found)
}

fn parse_entry(json: &str, read: impl Fn(&Value) -> Option<Route>) -> Option<Route> {
    let route = read(&parse_object(json.as_bytes())?)?;
    Some(Route { json: json.to_owned(), ..route })
}

/// Parses a page with its entries in the field `list`. `read` parses an entry.
pub(super) fn parse_page(body: &[u8], list: &str, read: fn(&Value) -> Option<Route>) -> Option<Page> {
    if body.len() > MAX_PAGE_BYTES {
        return None;
    }
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(std::str::from_utf8(body).ok()?).ok()?;
    let entries: Vec<&RawValue> = serde_json::from_str(fields.get(list)?.get()).ok()?;
    let is_empty = entries.is_empty();
    // Skips entries of an unknown format.
    let routes: Vec<_> = entries.into_iter().filter_map(|json| parse_entry(json.get(), read)).collect();
    if routes.is_empty() && !is_empty {
        return None;
    }
    let next = fields.get("next_page_token").and_then(|token| parse_tree(token.get()));
    let next = next.as_ref().and_then(Value::as_str).filter(|token| !token.is_empty()).map(str::to_owned);
    if next.as_ref().is_some_and(|token| token.len() > MAX_PAGE_TOKEN_BYTES) {
        return None;
    }
    Some(Page { routes, next_page_token: next })
}

/// Parses a route of MLflow's YAML servers, whose versions have different names for the type and the URL.
pub(super) fn yaml_server_route(entry: &Value, route_type: &str, url: &str) -> Option<Route> {
    let model = &entry["model"];
    Some(Route {
        route_type: Some(string_field(entry, route_type)?),
        path: string_field(entry, url),
        provider: string_field(model, "provider"),
        model: string_field(model, "name"),
        ..Route::named(entry["name"].as_str()?)
    })
}

/// Returns the path of a page of a list.
pub(super) fn page_path(path: &str, page: Option<&str>) -> String {
    match page {
        Some(token) => format!("{path}?page_token={}", path_segment(token)),
        None => path.to_owned(),
    }
}

/// Returns the request for limits of the open-source servers. They have the paths, but respond "not implemented".
pub(super) fn limits_request(path: &str, change: Change) -> Option<ChangeRequest> {
    #[derive(Serialize)]
    struct Limits<'a> {
        route: &'a str,
        limits: &'a RawValue,
    }
    match change {
        Change::GetLimits(route) => Some(ChangeRequest::new(ChangeMethod::Get, [path, &path_segment(route)].concat())),
        Change::SetLimits(route, limits) => {
            Some(ChangeRequest::new(ChangeMethod::Post, path.to_owned()).with_body(&Limits { route, limits }))
        }
        Change::CreateRoute(_) | Change::DeleteRoute(_) => None,
    }
}
