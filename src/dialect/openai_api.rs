//! Any server with OpenAI's HTTP API: OpenAI itself, llama.cpp, vLLM and Ollama, and the gateways of MLflow and Databricks
//! below a path that ends in `/v1`. A route is the model that the body names. Which models there are is said by
//! `/models`, which the YAML gateway of MLflow does not have; `/health` is at another place on each server.

use serde_json::Value;

use super::routes::{self, Change, ChangeRequest, Page, Route, RouteLookup};
use super::{Dialect, Task};

const MODELS: &str = "/models";

#[derive(Debug)]
pub struct OpenAi;

/// Where such a server is sent a request, below the base of its URIs.
pub(super) fn path(task: Task) -> &'static str {
    match task {
        Task::Chat | Task::Responses => "/chat/completions",
        Task::Completions => "/completions",
        Task::Embeddings => "/embeddings",
    }
}

impl Dialect for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn route_path(&self, _: &str) -> String {
        MODELS.to_owned()
    }

    fn route(&self, name: &str, body: &[u8]) -> RouteLookup {
        match self.list(body) {
            Some(page) => {
                page.routes.into_iter().find(|route| route.name == name).map_or(RouteLookup::Absent, RouteLookup::Found)
            }
            None => RouteLookup::Foreign,
        }
    }

    fn list_path(&self, page: Option<&str>) -> String {
        routes::paged(MODELS, page)
    }

    fn list(&self, body: &[u8]) -> Option<Page> {
        routes::page(body, "data", model)
    }

    fn health_path(&self, _: Option<&str>) -> String {
        MODELS.to_owned()
    }

    fn is_healthy(&self, body: &[u8]) -> Option<bool> {
        self.list(body).map(|_| true)
    }

    fn may_lack_lists(&self) -> bool {
        true
    }

    fn order(&self, _: Change) -> Option<ChangeRequest> {
        None
    }

    fn invocations_path(&self, _: &str, task: Task) -> String {
        path(task).to_owned()
    }

    /// All such servers have chats, and some have no completions.
    fn prompt_task(&self, _: &str) -> Task {
        Task::Chat
    }

    fn has_one_task(&self, _: &str) -> bool {
        false
    }

    fn model<'a>(&self, route: &'a str) -> Option<&'a str> {
        Some(route)
    }
}

fn model(entry: &Value) -> Option<Route> {
    let name = routes::openai_model(entry)?;
    Some(Route { path: Some(path(Task::Chat).to_owned()), ..Route::named(name) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Content, Params};

    #[test]
    fn reads_what_llama_cpp_lists() {
        let models = br#"{"models":[{"name":"smollm2","model":"smollm2"}],"object":"list",
            "data":[{"id":"smollm2","object":"model","created":1,"owned_by":"llamacpp","meta":{"n_params":134515008}}]}"#;
        let RouteLookup::Found(route) = OpenAi.route("smollm2", models) else { panic!() };
        assert_eq!((route.task(), route.path.as_deref()), (None, Some("/chat/completions")));
        assert!(matches!(OpenAi.route("other", models), RouteLookup::Absent));
        assert_eq!(OpenAi.is_healthy(models), Some(true));
        assert_eq!(OpenAi.is_healthy(br#"{"object":"list","data":[]}"#), Some(true));
        for body in ["", "<html>", "{}", r#"{"status":"ok"}"#, r#"{"data":[{"name":"x"}]}"#] {
            assert!(matches!(OpenAi.route("x", body.as_bytes()), RouteLookup::Foreign), "{body}");
            assert_eq!(OpenAi.is_healthy(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn route_is_the_model() {
        let sent = |question: Content, task: Task| {
            let body = OpenAi.encode(question, "org/m", task, &Params::default(), false);
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
