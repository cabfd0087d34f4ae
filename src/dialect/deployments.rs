//! The deployments server of MLflow 2.9 to 2.22 and the YAML gateway of 3.x (`mlflow gateway start`), which speak alike.

use serde_json::Value;

use super::routes::{self, Change, Lookup, Order, Page, Route};
use super::{Dialect, segment};

#[derive(Debug)]
pub struct Deployments;

impl Dialect for Deployments {
    fn name(&self) -> &'static str {
        "deployments"
    }

    fn route_path(&self, route: &str) -> String {
        format!("/api/2.0/endpoints/{}", segment(route))
    }

    fn route(&self, _: &str, body: &[u8]) -> Lookup {
        routes::one(body, endpoint)
    }

    fn list_path(&self, page: Option<&str>) -> String {
        routes::paged("/api/2.0/endpoints/", page)
    }

    fn list(&self, body: &[u8]) -> Option<Page> {
        routes::page(body, "endpoints", endpoint)
    }

    fn order(&self, change: Change) -> Option<Order> {
        routes::limits_order("/api/2.0/endpoints/limits/", change)
    }

    fn invocations_path(&self, route: &str) -> String {
        ["/endpoints/", &segment(route), "/invocations"].concat()
    }
}

fn endpoint(entry: &Value) -> Option<Route> {
    routes::of_yaml_server(entry, "endpoint_type", "endpoint_url")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Task;

    #[test]
    fn reads_what_3_17_2_has() {
        let one = r#"{"name":"c","endpoint_type":"llm/v1/chat","model":{"name":"m","provider":"openai"},"endpoint_url":"/gateway/c/invocations","limit":null}"#;
        let Lookup::Found(route) = Deployments.route("c", one.as_bytes()) else { panic!() };
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
    fn tells_others_answers() {
        for body in ["<html>", "[]", "{}", r#"{"name":"c","route_type":"llm/v1/chat"}"#, r#"{"endpoint_type":"x"}"#] {
            assert!(matches!(Deployments.route("c", body.as_bytes()), Lookup::Foreign), "{body}");
            assert!(Deployments.list(body.as_bytes()).is_none(), "{body}");
        }
        let song = br#"{"name":"c","endpoint_type":"llm/v9/song"}"#;
        let Lookup::Found(route) = Deployments.route("c", song) else { panic!() };
        assert_eq!(route.task(), None);
    }
}
