//! The AI Gateway within MLflow's tracking server (3.x, `mlflow server`). An endpoint of it does chat and embeddings,
//! whichever it is asked for, and no completions.

use serde_json::Value;

use super::routes::{self, Change, ChangeRequest, Page, Route, RouteLookup, text};
use super::{Dialect, ErrorResponse, Task, segment};

/// It lists the endpoints for OpenAI's clients, to whom each is a model, from 3.17 on.
const MODELS: &str = "/gateway/mlflow/v1/models";

/// It lists them for MLflow's own web page, from 3.9 on.
const ENDPOINTS: &str = "/api/3.0/mlflow/gateway/endpoints/list";

#[derive(Debug)]
pub struct Tracking;

impl Dialect for Tracking {
    fn name(&self) -> &'static str {
        "tracking"
    }

    fn route_path(&self, _: &str) -> String {
        MODELS.to_owned()
    }

    fn other_route_path(&self, _: &str, _: &ErrorResponse) -> Option<String> {
        Some(ENDPOINTS.to_owned())
    }

    fn route(&self, name: &str, body: &[u8]) -> RouteLookup {
        match self.list(body).or_else(|| self.details(body)) {
            Some(page) => {
                page.routes.into_iter().find(|route| route.name == name).map_or(RouteLookup::Absent, RouteLookup::Found)
            }
            None => RouteLookup::Foreign,
        }
    }

    fn list_path(&self, page: Option<&str>) -> String {
        routes::paged(MODELS, page)
    }

    fn details_path(&self) -> Option<&'static str> {
        Some(ENDPOINTS)
    }

    fn list(&self, body: &[u8]) -> Option<Page> {
        routes::page(body, "data", model)
    }

    fn details(&self, body: &[u8]) -> Option<Page> {
        routes::page(body, "endpoints", endpoint)
    }

    fn refuses_unknown_routes(&self) -> bool {
        true
    }

    fn order(&self, _: Change) -> Option<ChangeRequest> {
        None
    }

    fn invocations_path(&self, route: &str, _: Task) -> String {
        ["/gateway/", &segment(route), "/mlflow/invocations"].concat()
    }

    fn task_for(&self, _: &str, likely: Task) -> Task {
        match likely {
            Task::Completions => Task::Chat,
            other => other,
        }
    }

    fn has_one_task(&self, _: &str) -> bool {
        false
    }
}

/// What OpenAI's clients see of an endpoint.
fn model(entry: &Value) -> Option<Route> {
    routes::openai_model(entry).map(named)
}

/// What MLflow's own web page sees of it.
fn endpoint(entry: &Value) -> Option<Route> {
    let mappings = entry["model_mappings"].as_array()?;
    // The others are asked when the primary one fails.
    let primary = mappings.iter().find(|mapping| mapping["linkage_type"] == "PRIMARY");
    let definition = primary.map_or(&Value::Null, |mapping| &mapping["model_definition"]);
    let (provider, model) = (text(definition, "provider"), text(definition, "model_name"));
    Some(Route { provider, model, ..named(entry["name"].as_str()?) })
}

fn named(name: &str) -> Route {
    Route { path: Some(Tracking.invocations_path(name, Task::Chat)), ..Route::named(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_lists() {
        let models = br#"{"object":"list","data":[{"id":"a b","object":"model","created":1,"owned_by":"mlflow"}]}"#;
        let RouteLookup::Found(route) = Tracking.route("a b", models) else { panic!() };
        assert_eq!((route.task(), route.model, route.provider), (None, None, None));
        assert_eq!(route.path.as_deref(), Some("/gateway/a%20b/mlflow/invocations"));
        assert!(matches!(Tracking.route("nope", models), RouteLookup::Absent));
        let details = br#"{"endpoints":[{"endpoint_id":"e-1","name":"c","model_mappings":[
            {"linkage_type":"FALLBACK","model_definition":{"provider":"x","model_name":"y"}},
            {"linkage_type":"PRIMARY","model_definition":{"provider":"openai","model_name":"m"}}]}]}"#;
        let page = Tracking.details(details).unwrap();
        assert_eq!(page.routes[0].provider.as_deref(), Some("openai"));
        assert_eq!(page.routes[0].model.as_deref(), Some("m"));
        assert!(page.routes[0].json.starts_with(r#"{"endpoint_id":"#));
        assert!(Tracking.list(details).is_none() && Tracking.list(b"{}").is_none());
        let RouteLookup::Found(route) = Tracking.route("c", details) else { panic!("3.9 to 3.16 have this list only") };
        assert_eq!((route.name.as_str(), route.model.as_deref()), ("c", Some("m")));
        assert!(matches!(Tracking.route("nope", details), RouteLookup::Absent));
        assert!(matches!(Tracking.route("nope", br#"{"endpoints":[]}"#), RouteLookup::Absent));
        assert!(matches!(Tracking.route("c", b"<html>"), RouteLookup::Foreign));
        assert!(matches!(Tracking.route("c", br#"{"data":[{"id":"c"}]}"#), RouteLookup::Foreign));
    }
}
