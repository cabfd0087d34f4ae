//! The dialect of the deployments server of MLflow 2.9 to 2.22, and of the YAML gateway of 3.x (`mlflow gateway
//! start`).

use serde_json::Value;

use super::routes::{self, Change, ChangeRequest, Page, Route, RouteLookup, string_field};
use super::{Dialect, ErrorResponse, Task, path_segment};

#[derive(Debug)]
pub struct Deployments;

impl Dialect for Deployments {
    fn name(&self) -> &'static str {
        "deployments"
    }

    fn route_path(&self, route: &str) -> String {
        format!("/api/2.0/endpoints/{}", path_segment(route))
    }

    /// Routes that split their traffic between endpoints (3.x) have a path of their own.
    fn fallback_route_path(&self, route: &str, error: &ErrorResponse) -> Option<String> {
        error.is_route_absent.then(|| format!("/api/3.0/gateway/route/{}", path_segment(route)))
    }

    fn parse_route(&self, _: &str, body: &[u8]) -> RouteLookup {
        routes::parse_one(body, |entry| endpoint(entry).or_else(|| traffic_route(entry)))
    }

    fn list_path(&self, page: Option<&str>) -> String {
        routes::page_path("/api/2.0/endpoints/", page)
    }

    fn parse_list(&self, body: &[u8]) -> Option<Page> {
        routes::parse_page(body, "endpoints", endpoint)
    }

    fn change_request(&self, change: Change) -> Option<ChangeRequest> {
        routes::limits_request("/api/2.0/endpoints/limits/", change)
    }

    fn invocations_path(&self, route: &str, _: Task) -> String {
        ["/endpoints/", &path_segment(route), "/invocations"].concat()
    }
}

fn endpoint(entry: &Value) -> Option<Route> {
    routes::yaml_server_route(entry, "endpoint_type", "endpoint_url")
}

/// Parses a route that splits its traffic. All its destinations have its task.
fn traffic_route(entry: &Value) -> Option<Route> {
    let (name, task) = (entry["name"].as_str()?, string_field(entry, "task_type")?);
    entry["destinations"].as_array()?;
    let path = Deployments.invocations_path(name, Task::Chat);
    Some(Route { route_type: Some(task), path: Some(path), ..Route::named(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_of_mlflow_3_17_2_are_parsed() {
        let one = r#"{"name":"c","endpoint_type":"llm/v1/chat","model":{"name":"m","provider":"openai"},"endpoint_url":"/gateway/c/invocations","limit":null}"#;
        let RouteLookup::Found(route) = Deployments.parse_route("c", one.as_bytes()) else { panic!() };
        assert_eq!((route.name.as_str(), route.task()), ("c", Some(Task::Chat)));
        assert_eq!((route.provider.as_deref(), route.model.as_deref()), (Some("openai"), Some("m")));
        assert_eq!((route.path.as_deref(), route.json.as_str()), (Some("/gateway/c/invocations"), one));
        let page =
            Deployments.parse_list(format!(r#"{{"endpoints":[{one},{one}],"next_page_token":null}}"#).as_bytes());
        assert_eq!(page.map(|page| (page.routes.len(), page.next_page_token)), Some((2, None)));
        let page = Deployments.parse_list(br#"{"endpoints":[],"next_page_token":"3000=="}"#).unwrap();
        let next = page.next_page_token.unwrap();
        assert_eq!(Deployments.list_path(Some(&next)), "/api/2.0/endpoints/?page_token=3000%3D%3D");
    }

    #[test]
    fn route_that_splits_its_traffic_is_parsed() {
        let split = r#"{"name":"s p","task_type":"llm/v1/chat","destinations":[{"name":"a","traffic_percentage":50}],"routing_strategy":"TRAFFIC_SPLIT"}"#;
        let RouteLookup::Found(route) = Deployments.parse_route("s p", split.as_bytes()) else { panic!() };
        assert_eq!((route.task(), route.path.as_deref()), (Some(Task::Chat), Some("/endpoints/s%20p/invocations")));
        assert_eq!((route.provider, route.model, route.json.as_str()), (None, None, split));
        let fallback = |body: &str| Deployments.fallback_route_path("s p", &ErrorResponse::read(404, body.as_bytes()));
        let absent = r#"{"detail":"The endpoint 's p' is not present or active on the server."}"#;
        assert_eq!(fallback(absent).as_deref(), Some("/api/3.0/gateway/route/s%20p"));
        assert_eq!(fallback(r#"{"detail":"Not Found"}"#), None);
    }

    #[test]
    fn response_of_another_dialect_is_recognized() {
        for body in ["<html>", "[]", "{}", r#"{"name":"c","route_type":"llm/v1/chat"}"#, r#"{"endpoint_type":"x"}"#] {
            assert!(matches!(Deployments.parse_route("c", body.as_bytes()), RouteLookup::Foreign), "{body}");
            assert!(Deployments.parse_list(body.as_bytes()).is_none(), "{body}");
        }
        let song = br#"{"name":"c","endpoint_type":"llm/v9/song"}"#;
        let RouteLookup::Found(route) = Deployments.parse_route("c", song) else { panic!() };
        assert_eq!(route.task(), None);
    }
}
