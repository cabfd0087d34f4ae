//! The AI Gateway within MLflow's tracking server (3.x, `mlflow server`). An endpoint of it does chat and embeddings,
//! whichever it is asked for, and no completions.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::answer::{Answer, Malformed};
use super::json::{Lenient, Text};
use super::objects::{Few, LenientObject};
use super::question::Names;
use super::routes::{self, Change, Lookup, Order, Page, Route};
use super::vectors::{Vectors, VectorsAnswer};
use super::{Dialect, Task, openai, segment};

/// It lists the endpoints for OpenAI's clients, to whom each is a model.
const MODELS: &str = "/gateway/mlflow/v1/models";

#[derive(Debug)]
pub struct Tracking;

impl Dialect for Tracking {
    fn name(&self) -> &'static str {
        "tracking"
    }

    fn route_path(&self, _: &str) -> String {
        MODELS.to_owned()
    }

    fn route(&self, name: &str, body: &[u8]) -> Lookup {
        match self.list(body) {
            Some(page) => {
                page.routes.into_iter().find(|route| route.name == name).map_or(Lookup::Absent, Lookup::Found)
            }
            None => Lookup::Foreign,
        }
    }

    fn list_path(&self, page: Option<&str>) -> String {
        routes::paged(MODELS, page)
    }

    fn details_path(&self) -> Option<&'static str> {
        Some("/api/3.0/mlflow/gateway/endpoints/list")
    }

    /// Either list; of the details an empty object if there are none.
    fn list(&self, body: &[u8]) -> Option<Page> {
        if body.trim_ascii() == b"{}" {
            return Some(Page { routes: Vec::new(), next: None });
        }
        routes::page::<Model>(body, "data").or_else(|| routes::page::<Endpoint>(body, "endpoints"))
    }

    fn order(&self, _: Change) -> Option<Order> {
        None
    }

    fn invocations_path(&self, route: &str) -> String {
        ["/gateway/", &segment(route), "/mlflow/invocations"].concat()
    }

    fn names(&self) -> Names {
        openai::NAMES
    }

    fn task_for(&self, likely: Task) -> Task {
        match likely {
            Task::Completions => Task::Chat,
            other => other,
        }
    }

    fn has_one_task(&self) -> bool {
        false
    }

    fn decode<'a>(&self, task: Task, body: &'a [u8]) -> Result<Answer<'a>, Malformed> {
        openai::decode(task, body)
    }

    fn decode_vectors(&self, body: &[u8], expected: usize, to: &mut Vectors) -> Result<VectorsAnswer, Malformed> {
        openai::decode_vectors(body, expected, to)
    }
}

/// What OpenAI's clients see of an endpoint.
#[derive(Deserialize)]
struct Model<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    /// What OpenAI's lists always have, and others seldom.
    #[serde(rename = "object")]
    _object: IgnoredAny,
}

/// What MLflow's own web page sees of it.
#[derive(Deserialize)]
struct Endpoint<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    model_mappings: Few<Mapping<'a>>,
}

#[derive(Deserialize)]
struct Mapping<'a> {
    #[serde(borrow, default)]
    linkage_type: Lenient<'a>,
    #[serde(borrow, default)]
    model_definition: LenientObject<Definition<'a>>,
}

#[derive(Deserialize)]
struct Definition<'a> {
    #[serde(borrow, default)]
    provider: Lenient<'a>,
    #[serde(borrow, default)]
    model_name: Lenient<'a>,
}

impl From<Model<'_>> for Route {
    fn from(model: Model) -> Route {
        of(model.id, None)
    }
}

impl From<Endpoint<'_>> for Route {
    fn from(endpoint: Endpoint) -> Route {
        // The others are asked when the primary one fails.
        let primary = endpoint.model_mappings.0.into_iter().find(|mapping| mapping.linkage_type.is("PRIMARY"));
        let definition = primary.and_then(|mapping| mapping.model_definition.0);
        let model = definition.map(|model| routes::Model { name: model.model_name, provider: model.provider });
        of(endpoint.name, model)
    }
}

fn of(name: Text, model: Option<routes::Model>) -> Route {
    let path = ["/gateway/", &segment(&name.0), "/mlflow/invocations"].concat();
    Route::new(name, None, Some(Text(path.into())), model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_lists() {
        let models = br#"{"object":"list","data":[{"id":"a b","object":"model","created":1,"owned_by":"mlflow"}]}"#;
        let Lookup::Found(route) = Tracking.route("a b", models) else { panic!() };
        assert_eq!((route.task(), route.model, route.provider), (None, None, None));
        assert_eq!(route.path.as_deref(), Some("/gateway/a%20b/mlflow/invocations"));
        assert!(matches!(Tracking.route("nope", models), Lookup::Absent));
        let details = br#"{"endpoints":[{"endpoint_id":"e-1","name":"c","model_mappings":[
            {"linkage_type":"FALLBACK","model_definition":{"provider":"x","model_name":"y"}},
            {"linkage_type":"PRIMARY","model_definition":{"provider":"openai","model_name":"m"}}]}]}"#;
        let page = Tracking.list(details).unwrap();
        assert_eq!(page.routes[0].provider.as_deref(), Some("openai"));
        assert_eq!(page.routes[0].model.as_deref(), Some("m"));
        assert!(page.routes[0].json.starts_with(r#"{"endpoint_id":"#));
        assert!(Tracking.list(b"{}").unwrap().routes.is_empty());
        assert!(matches!(Tracking.route("c", b"<html>"), Lookup::Foreign));
        assert!(matches!(Tracking.route("c", br#"{"data":[{"id":"c"}]}"#), Lookup::Foreign));
    }
}
