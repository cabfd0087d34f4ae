//! Databricks serving endpoints. What is said of them here is from Databricks' REST API reference ("Serving endpoints")
//! and its SDK's types.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::{self, Answer, Malformed};
use super::json::{Lenient, Text};
use super::objects::{Few, LenientObject};
use super::question::Names;
use super::routes::{self, Change, Lookup, Model, Order, Page, Route, Verb};
use super::vectors::{Vectors, VectorsAnswer};
use super::{Dialect, Task, openai, segment};

const ENDPOINTS: &str = "/api/2.0/serving-endpoints";

#[derive(Debug)]
pub struct Databricks;

impl Dialect for Databricks {
    fn name(&self) -> &'static str {
        "databricks"
    }

    fn route_path(&self, route: &str) -> String {
        [ENDPOINTS, "/", &segment(route)].concat()
    }

    fn route(&self, _: &str, body: &[u8]) -> Lookup {
        routes::one::<Endpoint>(body)
    }

    fn list_path(&self, page: Option<&str>) -> String {
        routes::paged(ENDPOINTS, page)
    }

    /// A workspace without endpoints answers with an empty object.
    fn list(&self, body: &[u8]) -> Option<Page> {
        if body.trim_ascii() == b"{}" {
            return Some(Page { routes: Vec::new(), next: None });
        }
        routes::page::<Endpoint>(body, "endpoints")
    }

    fn health_path(&self, route: &str) -> String {
        self.route_path(route)
    }

    fn is_healthy(&self, body: &[u8]) -> Option<bool> {
        let state = answer::parse::<Endpoint>(body).ok()?.state.0?;
        Some(!state.ready.is("NOT_READY"))
    }

    /// The limits are part of what is said of an endpoint.
    fn order(&self, change: Change) -> Option<Order> {
        #[derive(Serialize)]
        struct Limits<'a> {
            rate_limits: &'a RawValue,
        }
        Some(match change {
            Change::GetLimits(route) => Order::new(Verb::Get, self.route_path(route)),
            Change::SetLimits(route, limits) => {
                Order::new(Verb::Put, [&self.route_path(route), "/rate-limits"].concat())
                    .with_body(&Limits { rate_limits: limits })
            }
            Change::CreateRoute(route) => Order::new(Verb::Post, ENDPOINTS.to_owned()).with_body(&route),
            Change::DeleteRoute(route) => Order::new(Verb::Delete, self.route_path(route)),
        })
    }

    fn limits<'a>(&self, body: &'a str) -> &'a str {
        #[derive(Deserialize)]
        struct Limited<'a> {
            #[serde(borrow, default)]
            rate_limits: Option<&'a RawValue>,
            #[serde(borrow, default)]
            ai_gateway: LenientObject<Gateway<'a>>,
        }
        #[derive(Deserialize)]
        struct Gateway<'a> {
            #[serde(borrow, default)]
            rate_limits: Option<&'a RawValue>,
        }
        let Ok(limited) = answer::parse::<Limited>(body.as_bytes()) else { return body };
        let of_gateway = limited.ai_gateway.0.and_then(|gateway| gateway.rate_limits);
        of_gateway.or(limited.rate_limits).map_or("[]", RawValue::get)
    }

    fn invocations_path(&self, route: &str) -> String {
        ["/serving-endpoints/", &segment(route), "/invocations"].concat()
    }

    fn names(&self) -> Names {
        openai::NAMES
    }

    fn decode<'a>(&self, task: Task, body: &'a [u8]) -> Result<Answer<'a>, Malformed> {
        openai::decode(task, body)
    }

    fn decode_vectors(&self, body: &[u8], expected: usize, to: &mut Vectors) -> Result<VectorsAnswer, Malformed> {
        openai::decode_vectors(body, expected, to)
    }
}

#[derive(Deserialize)]
struct Endpoint<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    state: LenientObject<State<'a>>,
    #[serde(borrow, default)]
    task: Lenient<'a>,
    #[serde(borrow, default)]
    config: LenientObject<Config<'a>>,
}

#[derive(Deserialize)]
struct State<'a> {
    #[serde(borrow, default)]
    ready: Lenient<'a>,
}

#[derive(Deserialize)]
struct Config<'a> {
    #[serde(borrow, default)]
    served_entities: Option<Few<Served<'a>>>,
}

#[derive(Deserialize)]
struct Served<'a> {
    #[serde(borrow, default)]
    external_model: LenientObject<External<'a>>,
    #[serde(borrow, default)]
    foundation_model: LenientObject<Foundation<'a>>,
    #[serde(borrow, default)]
    entity_name: Lenient<'a>,
}

#[derive(Deserialize)]
struct External<'a> {
    #[serde(borrow, default)]
    name: Lenient<'a>,
    #[serde(borrow, default)]
    provider: Lenient<'a>,
    #[serde(borrow, default)]
    task: Lenient<'a>,
}

#[derive(Deserialize)]
struct Foundation<'a> {
    #[serde(borrow, default)]
    name: Lenient<'a>,
}

impl From<Endpoint<'_>> for Route {
    fn from(endpoint: Endpoint) -> Route {
        let served = endpoint.config.0.and_then(|config| config.served_entities?.0.into_iter().next());
        let (model, task) = served.map(of_served).unwrap_or_default();
        // The whole URL that some endpoints name beside this is of another host, which gets no credentials unasked.
        let path = ["/serving-endpoints/", &segment(&endpoint.name.0), "/invocations"].concat();
        Route::new(endpoint.name, endpoint.task.text().or(task), Some(Text(path.into())), Some(model))
    }
}

/// The model and, where it stands only there, the task.
fn of_served<'a>(served: Served<'a>) -> (Model<'a>, Option<Text<'a>>) {
    match (served.external_model.0, served.foundation_model.0) {
        (Some(external), _) => (Model { name: external.name, provider: external.provider }, external.task.text()),
        (None, Some(foundation)) => (Model { name: foundation.name, ..Model::default() }, None),
        (None, None) => (Model { name: served.entity_name, ..Model::default() }, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str) -> Route {
        let Lookup::Found(route) = Databricks.route("x", body.as_bytes()) else { panic!("{body}") };
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
        assert!(matches!(Databricks.route("x", br#"{"name":"a"}"#), Lookup::Foreign));
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
        assert_eq!(Databricks.limits(r#"{"name":"a","rate_limits":[{"calls":1}]}"#), r#"[{"calls":1}]"#);
        assert_eq!(Databricks.limits(r#"{"ai_gateway":{"rate_limits":[2]},"rate_limits":[1]}"#), "[2]");
        assert_eq!(Databricks.limits(r#"{"name":"a"}"#), "[]");
        assert!(Databricks.list(b" {} \n").unwrap().routes.is_empty());
    }
}
