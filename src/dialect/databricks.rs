//! The dialect of Databricks serving endpoints, from Databricks' REST API reference ("Serving endpoints") and the types
//! of its SDK.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::routes::{self, Change, ChangeMethod, ChangeRequest, Page, Route, RouteLookup, string_field};
use super::{Dialect, Task, openai, path_segment};

const ENDPOINTS: &str = "/api/2.0/serving-endpoints";

/// The base path for models of Unity Catalog, with OpenAI's API.
const AI_GATEWAY: &str = "/ai-gateway/mlflow/v1";

#[derive(Debug)]
pub struct Databricks;

impl Dialect for Databricks {
    fn name(&self) -> &'static str {
        "databricks"
    }

    fn route_path(&self, route: &str) -> String {
        [ENDPOINTS, "/", &path_segment(route)].concat()
    }

    /// An endpoint is recognized by its state or the requested name: other servers have objects with a name, too.
    fn parse_route(&self, name: &str, body: &[u8]) -> RouteLookup {
        routes::parse_one(body, |entry| {
            endpoint(entry).filter(|route| route.name == name || entry.get("state").is_some())
        })
    }

    fn list_path(&self, page: Option<&str>) -> String {
        routes::page_path(ENDPOINTS, page)
    }

    /// A workspace without endpoints responds with an empty object.
    fn parse_list(&self, body: &[u8]) -> Option<Page> {
        if body.trim_ascii() == b"{}" {
            return Some(Page { routes: Vec::new(), next_page_token: None });
        }
        routes::parse_page(body, "endpoints", endpoint)
    }

    /// The catalog does not report the health of a model, so the list of endpoints stands for it.
    fn health_path(&self, route: Option<&str>) -> String {
        match route {
            Some(route) if !is_in_catalog(route) => self.route_path(route),
            _ => ENDPOINTS.to_owned(),
        }
    }

    fn parse_health(&self, body: &[u8]) -> Option<bool> {
        if self.parse_list(body).is_some() {
            return Some(true);
        }
        let endpoint = routes::parse_object(body)?;
        Some(endpoint["state"].as_object()?.get("ready").is_none_or(|ready| ready != "NOT_READY"))
    }

    /// The limits are part of an endpoint's description.
    fn change_request(&self, change: Change) -> Option<ChangeRequest> {
        #[derive(Serialize)]
        struct Limits<'a> {
            rate_limits: &'a RawValue,
        }
        Some(match change {
            Change::GetLimits(route) => ChangeRequest::new(ChangeMethod::Get, self.route_path(route)),
            Change::SetLimits(route, limits) => {
                ChangeRequest::new(ChangeMethod::Put, [&self.route_path(route), "/rate-limits"].concat())
                    .with_body(&Limits { rate_limits: limits })
            }
            Change::CreateRoute(route) => {
                ChangeRequest::new(ChangeMethod::Post, ENDPOINTS.to_owned()).with_body(&route)
            }
            Change::DeleteRoute(route) => ChangeRequest::new(ChangeMethod::Delete, self.route_path(route)),
        })
    }

    fn parse_limits(&self, body: String) -> String {
        let Some(endpoint) = routes::parse_object(body.as_bytes()) else { return body };
        let places = [&endpoint["ai_gateway"]["rate_limits"], &endpoint["rate_limits"]];
        places.into_iter().find(|limits| !limits.is_null()).map_or_else(|| "[]".to_owned(), Value::to_string)
    }

    fn invocations_path(&self, route: &str, task: Task) -> String {
        if is_in_catalog(route) {
            return [AI_GATEWAY, openai::endpoint_path(task)].concat();
        }
        ["/serving-endpoints/", &path_segment(route), "/invocations"].concat()
    }

    fn supported_task(&self, route: &str, task: Task) -> Task {
        match task {
            Task::Completions if is_in_catalog(route) => Task::Chat,
            other => other,
        }
    }

    fn has_single_task(&self, route: &str) -> bool {
        !is_in_catalog(route)
    }

    fn model<'a>(&self, route: &'a str) -> Option<&'a str> {
        Some(route).filter(|route| is_in_catalog(route))
    }
}

/// Returns whether this is the name of a model in Unity Catalog, `catalog.schema.model`. Names of serving endpoints
/// have no dots.
fn is_in_catalog(route: &str) -> bool {
    let mut parts = route.split('.');
    parts.clone().count() == 3 && parts.all(|part| !part.is_empty())
}

fn endpoint(entry: &Value) -> Option<Route> {
    let name = entry["name"].as_str()?;
    let served = &entry["config"]["served_entities"][0];
    let (external, foundation) = (&served["external_model"], &served["foundation_model"]);
    Some(Route {
        route_type: string_field(entry, "task").or(string_field(external, "task")),
        provider: string_field(external, "provider"),
        model: string_field(external, "name")
            .or(string_field(foundation, "name"))
            .or(string_field(served, "entity_name")),
        // The `endpoint_url` of some endpoints is on another host, which must not receive the credentials.
        path: Some(Databricks.invocations_path(name, Task::Chat)),
        ..Route::named(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Content, Params};

    fn found(body: &str) -> Route {
        let RouteLookup::Found(route) = Databricks.parse_route("x", body.as_bytes()) else { panic!("{body}") };
        route
    }

    #[test]
    fn each_kind_of_endpoint_is_parsed() {
        let external = found(
            r#"{"name":"gpt-4o","state":{"ready":"READY"},"config":{"served_entities":[{"name":"x",
               "external_model":{"name":"gpt-4o-mini","provider":"openai","task":"llm/v1/chat"}}]}}"#,
        );
        assert_eq!((external.task(), external.provider.as_deref()), (Some(Task::Chat), Some("openai")));
        assert_eq!(external.model.as_deref(), Some("gpt-4o-mini"));
        assert_eq!(external.path.as_deref(), Some("/serving-endpoints/gpt-4o/invocations"));
        let foundation = found(
            r#"{"name":"bge","task":"llm/v1/embeddings","state":{"ready":"READY"},"endpoint_url":"https://else.where",
               "config":{"served_entities":[{"entity_name":"system.ai.bge","foundation_model":{"name":"bge-large"}}]}}"#,
        );
        assert_eq!((foundation.task(), foundation.model.as_deref()), (Some(Task::Embeddings), Some("bge-large")));
        assert_eq!(foundation.path.as_deref(), Some("/serving-endpoints/bge/invocations"));
        let agent = found(r#"{"name":"a","task":"agent/v1/chat","state":{},"config":null}"#);
        assert_eq!((agent.task(), agent.model), (Some(Task::Chat), None));
        assert_eq!(found(r#"{"name":"a","state":null}"#).task(), None);
        assert_eq!(found(r#"{"name":"x"}"#).name, "x");
        assert!(matches!(Databricks.parse_route("x", br#"{"name":"a"}"#), RouteLookup::Foreign));
    }

    #[test]
    fn model_of_unity_catalog_is_called_through_openais_api() {
        let name = "main.llms.claude-x";
        for (task, path) in [
            (Task::Chat, "/ai-gateway/mlflow/v1/chat/completions"),
            (Task::Embeddings, "/ai-gateway/mlflow/v1/embeddings"),
        ] {
            assert_eq!(Databricks.invocations_path(name, task), path);
        }
        assert_eq!(Databricks.supported_task(name, Task::Completions), Task::Chat);
        let body = Databricks.encode(Content::Prompt("p"), name, Task::Chat, &Params::default(), false);
        let sent = r#"{"model":"main.llms.claude-x","messages":[{"role":"user","content":"p"}]}"#;
        assert_eq!(String::from_utf8(body).unwrap(), sent);
        assert!(!Databricks.has_single_task(name) && Databricks.health_path(Some(name)) == ENDPOINTS);
        for name in ["a.b", "a.b.", ".b.c", "a..c", "a.b.c.d", "a-b", ""] {
            assert_eq!(Databricks.model(name), None, "{name}");
            assert!(
                Databricks.has_single_task(name)
                    && Databricks.invocations_path(name, Task::Chat).starts_with("/serving")
            );
        }
    }

    #[test]
    fn endpoint_that_is_not_ready_is_unhealthy() {
        let ready = |state: &str| Databricks.parse_health(format!(r#"{{"name":"a","state":{state}}}"#).as_bytes());
        assert_eq!(ready(r#"{"ready":"READY"}"#), Some(true));
        assert_eq!(ready(r#"{"ready":"NOT_READY"}"#), Some(false));
        assert_eq!(ready("null"), None);
    }

    #[test]
    fn limits_are_found_in_both_fields() {
        let limits = |body: &str| Databricks.parse_limits(body.to_owned());
        assert_eq!(limits(r#"{"name":"a","rate_limits":[{"calls":1}]}"#), r#"[{"calls":1}]"#);
        assert_eq!(limits(r#"{"ai_gateway":{"rate_limits":[2]},"rate_limits":[1]}"#), "[2]");
        assert_eq!(limits(r#"{"name":"a"}"#), "[]");
        assert!(Databricks.parse_list(b" {} \n").unwrap().routes.is_empty());
    }
}
