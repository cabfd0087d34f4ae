//! The dialect of the AI Gateway in MLflow's tracking server (3.x, `mlflow server`). Each endpoint serves chat and
//! embeddings, but no completions.

use serde_json::Value;

use super::routes::{self, Change, ChangeRequest, Page, Route, RouteLookup, string_field};
use super::{Dialect, ErrorResponse, Task, path_segment};

/// The list of endpoints for OpenAI's clients, as models; from 3.17 on.
const MODELS: &str = "/gateway/mlflow/v1/models";

/// The list of endpoints for MLflow's own web page; from 3.9 on.
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

    fn fallback_route_path(&self, _: &str, _: &ErrorResponse) -> Option<String> {
        Some(ENDPOINTS.to_owned())
    }

    fn parse_route(&self, name: &str, body: &[u8]) -> RouteLookup {
        match self.parse_list(body).or_else(|| self.parse_details(body)) {
            Some(page) => {
                page.routes.into_iter().find(|route| route.name == name).map_or(RouteLookup::Absent, RouteLookup::Found)
            }
            None => RouteLookup::Foreign,
        }
    }

    fn list_path(&self, page: Option<&str>) -> String {
        routes::page_path(MODELS, page)
    }

    fn details_path(&self) -> Option<&'static str> {
        Some(ENDPOINTS)
    }

    fn parse_list(&self, body: &[u8]) -> Option<Page> {
        routes::parse_page(body, "data", model)
    }

    fn parse_details(&self, body: &[u8]) -> Option<Page> {
        routes::parse_page(body, "endpoints", endpoint)
    }

    fn forbids_unknown_routes(&self) -> bool {
        true
    }

    fn change_request(&self, _: Change) -> Option<ChangeRequest> {
        None
    }

    fn invocations_path(&self, route: &str, _: Task) -> String {
        ["/gateway/", &path_segment(route), "/mlflow/invocations"].concat()
    }

    fn supported_task(&self, _: &str, task: Task) -> Task {
        match task {
            Task::Completions => Task::Chat,
            other => other,
        }
    }

    fn has_single_task(&self, _: &str) -> bool {
        false
    }
}

/// Parses an entry of [`MODELS`].
fn model(entry: &Value) -> Option<Route> {
    routes::openai_model(entry).map(named)
}

/// Parses an entry of [`ENDPOINTS`].
fn endpoint(entry: &Value) -> Option<Route> {
    let mappings = entry["model_mappings"].as_array()?;
    // The others are fallbacks.
    let primary = mappings.iter().find(|mapping| mapping["linkage_type"] == "PRIMARY");
    let definition = primary.map_or(&Value::Null, |mapping| &mapping["model_definition"]);
    let (provider, model) = (string_field(definition, "provider"), string_field(definition, "model_name"));
    Some(Route { provider, model, ..named(entry["name"].as_str()?) })
}

fn named(name: &str) -> Route {
    Route { path: Some(Tracking.invocations_path(name, Task::Chat)), ..Route::named(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lists_are_parsed() {
        let models = br#"{"object":"list","data":[{"id":"a b","object":"model","created":1,"owned_by":"mlflow"}]}"#;
        let RouteLookup::Found(route) = Tracking.parse_route("a b", models) else { panic!() };
        assert_eq!((route.task(), route.model, route.provider), (None, None, None));
        assert_eq!(route.path.as_deref(), Some("/gateway/a%20b/mlflow/invocations"));
        assert!(matches!(Tracking.parse_route("nope", models), RouteLookup::Absent));
        let details = br#"{"endpoints":[{"endpoint_id":"e-1","name":"c","model_mappings":[
            {"linkage_type":"FALLBACK","model_definition":{"provider":"x","model_name":"y"}},
            {"linkage_type":"PRIMARY","model_definition":{"provider":"openai","model_name":"m"}}]}]}"#;
        let page = Tracking.parse_details(details).unwrap();
        assert_eq!(page.routes[0].provider.as_deref(), Some("openai"));
        assert_eq!(page.routes[0].model.as_deref(), Some("m"));
        assert!(page.routes[0].json.starts_with(r#"{"endpoint_id":"#));
        assert!(Tracking.parse_list(details).is_none() && Tracking.parse_list(b"{}").is_none());
        let RouteLookup::Found(route) = Tracking.parse_route("c", details) else {
            panic!("3.9 to 3.16 have this list only")
        };
        assert_eq!((route.name.as_str(), route.model.as_deref()), ("c", Some("m")));
        assert!(matches!(Tracking.parse_route("nope", details), RouteLookup::Absent));
        assert!(matches!(Tracking.parse_route("nope", br#"{"endpoints":[]}"#), RouteLookup::Absent));
        assert!(matches!(Tracking.parse_route("c", b"<html>"), RouteLookup::Foreign));
        assert!(matches!(Tracking.parse_route("c", br#"{"data":[{"id":"c"}]}"#), RouteLookup::Foreign));
    }
}
