//! Databricks serving endpoints. What is said of them here is from Databricks' REST API reference ("Serving endpoints")
//! and its SDK's types.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::routes::{self, Change, ChangeMethod, ChangeRequest, Page, Route, RouteLookup, text};
use super::{Dialect, Task, openai_api, segment};

const ENDPOINTS: &str = "/api/2.0/serving-endpoints";

/// Models of Unity Catalog are asked there, as OpenAI's are.
const AI_GATEWAY: &str = "/ai-gateway/mlflow/v1";

#[derive(Debug)]
pub struct Databricks;

impl Dialect for Databricks {
    fn name(&self) -> &'static str {
        "databricks"
    }

    fn route_path(&self, route: &str) -> String {
        [ENDPOINTS, "/", &segment(route)].concat()
    }

    /// That it has a state, or the name that was asked for, tells an endpoint from another server's object with a name.
    fn route(&self, name: &str, body: &[u8]) -> RouteLookup {
        routes::one(body, |entry| endpoint(entry).filter(|route| route.name == name || entry.get("state").is_some()))
    }

    fn list_path(&self, page: Option<&str>) -> String {
        routes::paged(ENDPOINTS, page)
    }

    /// A workspace without endpoints answers with an empty object.
    fn list(&self, body: &[u8]) -> Option<Page> {
        if body.trim_ascii() == b"{}" {
            return Some(Page { routes: Vec::new(), next: None });
        }
        routes::page(body, "endpoints", endpoint)
    }

    /// The catalog tells of no model whether it is ready: that the workspace responds has to do.
    fn health_path(&self, route: Option<&str>) -> String {
        match route {
            Some(route) if !is_in_catalog(route) => self.route_path(route),
            _ => ENDPOINTS.to_owned(),
        }
    }

    fn is_healthy(&self, body: &[u8]) -> Option<bool> {
        if self.list(body).is_some() {
            return Some(true);
        }
        let endpoint = routes::object(body)?;
        Some(endpoint["state"].as_object()?.get("ready").is_none_or(|ready| ready != "NOT_READY"))
    }

    /// The limits are part of what is said of an endpoint.
    fn order(&self, change: Change) -> Option<ChangeRequest> {
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

    fn limits(&self, body: String) -> String {
        let Some(endpoint) = routes::object(body.as_bytes()) else { return body };
        let places = [&endpoint["ai_gateway"]["rate_limits"], &endpoint["rate_limits"]];
        places.into_iter().find(|limits| !limits.is_null()).map_or_else(|| "[]".to_owned(), Value::to_string)
    }

    fn invocations_path(&self, route: &str, task: Task) -> String {
        if is_in_catalog(route) {
            return [AI_GATEWAY, openai_api::path(task)].concat();
        }
        ["/serving-endpoints/", &segment(route), "/invocations"].concat()
    }

    fn task_for(&self, route: &str, likely: Task) -> Task {
        match likely {
            Task::Completions if is_in_catalog(route) => Task::Chat,
            other => other,
        }
    }

    fn has_one_task(&self, route: &str) -> bool {
        !is_in_catalog(route)
    }

    fn model<'a>(&self, route: &'a str) -> Option<&'a str> {
        Some(route).filter(|route| is_in_catalog(route))
    }
}

/// Whether it is the name of a model in Unity Catalog, `catalog.schema.model`. The names of serving endpoints have no
/// dots.
fn is_in_catalog(route: &str) -> bool {
    let mut parts = route.split('.');
    parts.clone().count() == 3 && parts.all(|part| !part.is_empty())
}

fn endpoint(entry: &Value) -> Option<Route> {
    let name = entry["name"].as_str()?;
    let served = &entry["config"]["served_entities"][0];
    let (external, foundation) = (&served["external_model"], &served["foundation_model"]);
    Some(Route {
        route_type: text(entry, "task").or(text(external, "task")),
        provider: text(external, "provider"),
        model: text(external, "name").or(text(foundation, "name")).or(text(served, "entity_name")),
        // The whole URL that some endpoints name beside this is of another host, which gets no credentials unasked.
        path: Some(Databricks.invocations_path(name, Task::Chat)),
        ..Route::named(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Content, Params};

    fn found(body: &str) -> Route {
        let RouteLookup::Found(route) = Databricks.route("x", body.as_bytes()) else { panic!("{body}") };
        route
    }

    #[test]
    fn reads_each_kind_of_endpoint() {
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
        assert!(matches!(Databricks.route("x", br#"{"name":"a"}"#), RouteLookup::Foreign));
    }

    #[test]
    fn a_model_of_unity_catalog_is_asked_as_openais() {
        let name = "main.llms.claude-x";
        for (task, path) in [
            (Task::Chat, "/ai-gateway/mlflow/v1/chat/completions"),
            (Task::Embeddings, "/ai-gateway/mlflow/v1/embeddings"),
        ] {
            assert_eq!(Databricks.invocations_path(name, task), path);
        }
        assert_eq!(Databricks.task_for(name, Task::Completions), Task::Chat);
        let body = Databricks.encode(Content::Prompt("p"), name, Task::Chat, &Params::default(), false);
        let sent = r#"{"model":"main.llms.claude-x","messages":[{"role":"user","content":"p"}]}"#;
        assert_eq!(String::from_utf8(body).unwrap(), sent);
        assert!(!Databricks.has_one_task(name) && Databricks.health_path(Some(name)) == ENDPOINTS);
        for name in ["a.b", "a.b.", ".b.c", "a..c", "a.b.c.d", "a-b", ""] {
            assert_eq!(Databricks.model(name), None, "{name}");
            assert!(
                Databricks.has_one_task(name) && Databricks.invocations_path(name, Task::Chat).starts_with("/serving")
            );
        }
    }

    #[test]
    fn an_endpoint_may_not_be_ready() {
        let ready = |state: &str| Databricks.is_healthy(format!(r#"{{"name":"a","state":{state}}}"#).as_bytes());
        assert_eq!(ready(r#"{"ready":"READY"}"#), Some(true));
        assert_eq!(ready(r#"{"ready":"NOT_READY"}"#), Some(false));
        assert_eq!(ready("null"), None);
    }

    #[test]
    fn finds_the_limits() {
        let limits = |body: &str| Databricks.limits(body.to_owned());
        assert_eq!(limits(r#"{"name":"a","rate_limits":[{"calls":1}]}"#), r#"[{"calls":1}]"#);
        assert_eq!(limits(r#"{"ai_gateway":{"rate_limits":[2]},"rate_limits":[1]}"#), "[2]");
        assert_eq!(limits(r#"{"name":"a"}"#), "[]");
        assert!(Databricks.list(b" {} \n").unwrap().routes.is_empty());
    }
}
