//! The deployments server of MLflow 2.9 to 2.22 and the YAML gateway of 3.x (`mlflow gateway start`), which speak alike.

use serde_json::Value;

use super::routes::{self, Change, ChangeRequest, Page, Route, RouteLookup, text};
use super::{Dialect, ErrorResponse, Task, segment};

#[derive(Debug)]
pub struct Deployments;

impl Dialect for Deployments {
    fn name(&self) -> &'static str {
        "deployments"
    }

    fn route_path(&self, route: &str) -> String {
        format!("/api/2.0/endpoints/{}", segment(route))
    }

    /// A route that splits its traffic over several endpoints (3.x) is not among those.
    fn other_route_path(&self, route: &str, refusal: &ErrorResponse) -> Option<String> {
        refusal.is_route_absent.then(|| format!("/api/3.0/gateway/route/{}", segment(route)))
    }

    fn route(&self, _: &str, body: &[u8]) -> RouteLookup {
        routes::one(body, |entry| endpoint(entry).or_else(|| traffic_route(entry)))
    }

    fn list_path(&self, page: Option<&str>) -> String {
        routes::paged("/api/2.0/endpoints/", page)
    }

    fn list(&self, body: &[u8]) -> Option<Page> {
        routes::page(body, "endpoints", endpoint)
    }

    fn order(&self, change: Change) -> Option<ChangeRequest> {
        routes::limits_order("/api/2.0/endpoints/limits/", change)
    }

    fn invocations_path(&self, route: &str, _: Task) -> String {
        ["/endpoints/", &segment(route), "/invocations"].concat()
    }
}

fn endpoint(entry: &Value) -> Option<Route> {
    routes::of_yaml_server(entry, "endpoint_type", "endpoint_url")
}

/// A route that splits its traffic. Its task is that of all its destinations.
fn traffic_route(entry: &Value) -> Option<Route> {
    let (name, task) = (entry["name"].as_str()?, text(entry, "task_type")?);
    entry["destinations"].as_array()?;
    let path = Deployments.invocations_path(name, Task::Chat);
    Some(Route { route_type: Some(task), path: Some(path), ..Route::named(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_3_17_2_has() {
        let one = r#"{"name":"c","endpoint_type":"llm/v1/chat","model":{"name":"m","provider":"openai"},"endpoint_url":"/gateway/c/invocations","limit":null}"#;
        let RouteLookup::Found(route) = Deployments.route("c", one.as_bytes()) else { panic!() };
        assert_eq!((route.name.as_str(), route.task()), ("c", Some(Task::Chat)));
        assert_eq!((route.provider.as_deref(), route.model.as_deref()), (Some("openai"), Some("m")));
        assert_eq!((route.path.as_deref(), route.json.as_str()), (Some("/gateway/c/invocations"), one));
        let page = Deployments.list(format!(r#"{{"endpoints":[{one},{one}],"next_page_token":null}}"#).as_bytes());
        assert_eq!(page.map(|page| (page.routes.len(), page.next)), Some((2, None)));
        let page = Deployments.list(br#"{"endpoints":[],"next_page_token":"3000=="}"#).unwrap();
        let next = page.next.unwrap();
        assert_eq!(Deployments.list_path(Some(&next)), "/api/2.0/endpoints/?page_token=3000%3D%3D");
    }

    #[test]
    fn reads_a_route_that_splits_its_traffic() {
        let split = r#"{"name":"s p","task_type":"llm/v1/chat","destinations":[{"name":"a","traffic_percentage":50}],"routing_strategy":"TRAFFIC_SPLIT"}"#;
        let RouteLookup::Found(route) = Deployments.route("s p", split.as_bytes()) else { panic!() };
        assert_eq!((route.task(), route.path.as_deref()), (Some(Task::Chat), Some("/endpoints/s%20p/invocations")));
        assert_eq!((route.provider, route.model, route.json.as_str()), (None, None, split));
        let refused = |body: &str| Deployments.other_route_path("s p", &ErrorResponse::read(404, body.as_bytes()));
        let absent = r#"{"detail":"The endpoint 's p' is not present or active on the server."}"#;
        assert_eq!(refused(absent).as_deref(), Some("/api/3.0/gateway/route/s%20p"));
        assert_eq!(refused(r#"{"detail":"Not Found"}"#), None);
    }

    #[test]
    fn tells_others_answers() {
        for body in ["<html>", "[]", "{}", r#"{"name":"c","route_type":"llm/v1/chat"}"#, r#"{"endpoint_type":"x"}"#] {
            assert!(matches!(Deployments.route("c", body.as_bytes()), RouteLookup::Foreign), "{body}");
            assert!(Deployments.list(body.as_bytes()).is_none(), "{body}");
        }
        let song = br#"{"name":"c","endpoint_type":"llm/v9/song"}"#;
        let RouteLookup::Found(route) = Deployments.route("c", song) else { panic!() };
        assert_eq!(route.task(), None);
    }
}
