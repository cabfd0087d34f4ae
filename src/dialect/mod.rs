//! How the families of MLflow gateways speak: paths, request JSON out, answer JSON in. Pure functions, no I/O.

mod answer;
mod deployments;
mod gateway;
mod json;
mod params;
mod question;
mod refusal;

use std::fmt;

pub use answer::{Answer, Malformed};
pub use params::{ParamProblem, Params};
pub use refusal::{Kind, Refusal};

/// What a route is for, named as in MLflow's `route_type` and `endpoint_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Completions,
    Chat,
    Embeddings,
}

impl Task {
    pub fn as_str(self) -> &'static str {
        match self {
            Task::Completions => "llm/v1/completions",
            Task::Chat => "llm/v1/chat",
            Task::Embeddings => "llm/v1/embeddings",
        }
    }

    fn of_type(route_type: &str) -> Option<Task> {
        [Task::Completions, Task::Chat, Task::Embeddings].into_iter().find(|task| task.as_str() == route_type)
    }
}

/// A family of MLflow gateways.
pub trait Dialect: fmt::Debug + Sync {
    /// The value of the option `dialect` that forces it.
    fn name(&self) -> &'static str;

    /// Where to ask about one route.
    fn route_path(&self, route: &str) -> String;

    /// What the answer from [`Dialect::route_path`] says the route is for; `None` if it is no such answer.
    fn route_task(&self, body: &[u8]) -> Option<Task>;

    /// Where to send a question.
    fn invocations_path(&self, route: &str) -> String;

    /// The request's JSON for a prompt to a route of this task, which is [`Task::Completions`] or [`Task::Chat`].
    fn encode_prompt(&self, task: Task, prompt: &str, params: &Params) -> Vec<u8>;

    /// What a successful answer to [`Dialect::encode_prompt`] says.
    fn decode<'a>(&self, task: Task, body: &'a [u8]) -> Result<Answer<'a>, Malformed>;
}

/// All families, in the order in which a server is asked for them: a later one serves the older one's paths, too.
pub static ALL: [&dyn Dialect; 2] = [&deployments::Deployments, &gateway::Gateway];

/// A name as one segment of a path.
fn segment(name: &str) -> String {
    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => segment.push(byte as char),
            _ => segment.push_str(&format!("%{byte:02X}")),
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment() {
        assert_eq!(segment("gpt-4.1_mini~x"), "gpt-4.1_mini~x");
        assert_eq!(segment("a/b?c d%é"), "a%2Fb%3Fc%20d%25%C3%A9");
    }

    #[test]
    fn each_dialect_has_its_paths() {
        let paths: Vec<_> = ALL.iter().map(|d| (d.name(), d.route_path("a b"), d.invocations_path("a b"))).collect();
        assert_eq!(paths[0], ("deployments", "/api/2.0/endpoints/a%20b".into(), "/endpoints/a%20b/invocations".into()));
        assert_eq!(paths[1], ("gateway", "/api/2.0/gateway/routes/a%20b".into(), "/gateway/a%20b/invocations".into()));
    }
}
