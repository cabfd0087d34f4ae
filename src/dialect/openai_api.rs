//! The dialect of servers with OpenAI's HTTP API: OpenAI itself, llama.cpp, vLLM and Ollama, and the gateways of MLflow
//! and Databricks below a path that ends in `/v1`. A route is the model that the body names. `/models` lists the
//! models; the YAML gateway of MLflow does not have it. The path of `/health` differs between servers.

use serde_json::Value;

use super::routes::{self, Change, ChangeRequest, Page, Route, RouteLookup};
use super::{Dialect, Task, openai};

const MODELS: &str = "/models";

#[derive(Debug)]
pub struct OpenAi;

impl Dialect for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn route_path(&self, _: &str) -> String {
        MODELS.to_owned()
    }

    fn parse_route(&self, name: &str, body: &[u8]) -> RouteLookup {
        match self.parse_list(body) {
            Some(page) => {
                page.routes.into_iter().find(|route| route.name == name).map_or(RouteLookup::Absent, RouteLookup::Found)
            }
            None => RouteLookup::Foreign,
        }
    }

    fn list_path(&self, page: Option<&str>) -> String {
        routes::page_path(MODELS, page)
    }

    fn parse_list(&self, body: &[u8]) -> Option<Page> {
        routes::parse_page(body, "data", model)
    }

    fn health_path(&self, _: Option<&str>) -> String {
        MODELS.to_owned()
    }

    fn parse_health(&self, body: &[u8]) -> Option<bool> {
        self.parse_list(body).map(|_| true)
    }

    fn may_lack_route_list(&self) -> bool {
        true
    }

    fn change_request(&self, _: Change) -> Option<ChangeRequest> {
        None
    }

    fn invocations_path(&self, _: &str, task: Task) -> String {
        openai::endpoint_path(task).to_owned()
    }

    /// All such servers support chat, and some do not support completions.
    fn prompt_task(&self, _: &str) -> Task {
        Task::Chat
    }

    fn has_single_task(&self, _: &str) -> bool {
        false
    }

    fn model<'a>(&self, route: &'a str) -> Option<&'a str> {
        Some(route)
    }
}

fn model(entry: &Value) -> Option<Route> {
    let name = routes::openai_model(entry)?;
    Some(Route { path: Some(openai::endpoint_path(Task::Chat).to_owned()), ..Route::named(name) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Content, Params};

    #[test]
    fn models_of_llama_cpp_are_parsed() {
        let models = br#"{"models":[{"name":"smollm2","model":"smollm2"}],"object":"list",
            "data":[{"id":"smollm2","object":"model","created":1,"owned_by":"llamacpp","meta":{"n_params":134515008}}]}"#;
        let RouteLookup::Found(route) = OpenAi.parse_route("smollm2", models) else { panic!() };
        assert_eq!((route.task(), route.path.as_deref()), (None, Some("/chat/completions")));
        assert!(matches!(OpenAi.parse_route("other", models), RouteLookup::Absent));
        assert_eq!(OpenAi.parse_health(models), Some(true));
        assert_eq!(OpenAi.parse_health(br#"{"object":"list","data":[]}"#), Some(true));
        for body in ["", "<html>", "{}", r#"{"status":"ok"}"#, r#"{"data":[{"name":"x"}]}"#] {
            assert!(matches!(OpenAi.parse_route("x", body.as_bytes()), RouteLookup::Foreign), "{body}");
            assert_eq!(OpenAi.parse_health(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn route_is_the_model() {
        let sent = |content: Content, task: Task| {
            let body = OpenAi.encode(content, "org/m", task, &Params::default(), false);
            (OpenAi.invocations_path("org/m", task), String::from_utf8(body).unwrap())
        };
        let (path, body) = sent(Content::Prompt("p"), OpenAi.prompt_task("org/m"));
        assert_eq!(path, "/chat/completions");
        assert_eq!(body, r#"{"model":"org/m","messages":[{"role":"user","content":"p"}]}"#);
        let (path, body) = sent(Content::Prompt("p"), Task::Completions);
        assert_eq!((path.as_str(), body.as_str()), ("/completions", r#"{"model":"org/m","prompt":"p"}"#));
        let (path, body) = sent(Content::Inputs(&["a".to_owned()]), Task::Embeddings);
        assert_eq!((path.as_str(), body.as_str()), ("/embeddings", r#"{"model":"org/m","input":["a"]}"#));
    }
}
