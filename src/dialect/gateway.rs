//! The AI Gateway of MLflow 2.5 to 2.8: `candidates`.

use serde::de::MapAccess;
use serde_json::Value;

use super::content::FieldNames;
use super::embeddings::{self, EmbeddingArray, EmbeddingFields, EmbeddingsResponse};
use super::json::{Lenient, Truth};
use super::objects::{Few, Fields, LenientObject, Object, once};
use super::reader::Raw;
use super::response::{self, DecodeError, Message, ModelResponse};
use super::routes::{self, Change, ChangeMethod, ChangeRequest, Page, Route, RouteLookup};
use super::{Dialect, Task, segment};

const ROUTES: &str = "/api/2.0/gateway/routes/";

#[derive(Debug)]
pub struct Gateway;

impl Dialect for Gateway {
    fn name(&self) -> &'static str {
        "gateway"
    }

    fn route_path(&self, route: &str) -> String {
        [ROUTES, &segment(route)].concat()
    }

    fn route(&self, _: &str, body: &[u8]) -> RouteLookup {
        routes::one(body, entry)
    }

    fn list_path(&self, page: Option<&str>) -> String {
        routes::paged(ROUTES, page)
    }

    fn list(&self, body: &[u8]) -> Option<Page> {
        routes::page(body, "routes", entry)
    }

    fn order(&self, change: Change) -> Option<ChangeRequest> {
        match change {
            Change::CreateRoute(route) => {
                Some(ChangeRequest::new(ChangeMethod::Post, ROUTES.to_owned()).with_body(&route))
            }
            Change::DeleteRoute(route) => Some(ChangeRequest::new(ChangeMethod::Delete, self.route_path(route))),
            limits => routes::limits_order("/api/2.0/gateway/limits/", limits),
        }
    }

    fn invocations_path(&self, route: &str, _: Task) -> String {
        ["/gateway/", &segment(route), "/invocations"].concat()
    }

    fn names(&self) -> FieldNames {
        FieldNames { candidate_count: "candidate_count", inputs: "text" }
    }

    fn decode<'a>(&self, task: Task, body: &'a [u8]) -> Result<ModelResponse<'a>, DecodeError> {
        let Candidates { candidates, error } = response::parse(body)?;
        response::check_error(&error, body)?;
        let Few(candidates) =
            candidates.flatten().ok_or_else(|| response::instead(body, "missing field `candidates`"))?;
        let candidates = candidates.into_iter().map(|one: Candidate| {
            let finish_reason = one.metadata.0.map(|ending: Ending| ending.finish_reason).unwrap_or_default();
            let message = one.message.flatten().map(|Object(message)| message);
            response::candidate(task, message, one.text, finish_reason)
        });
        response::of(body, "candidates", candidates)
    }

    fn decode_vectors(
        &self,
        body: &[u8],
        expected: usize,
        to: &mut EmbeddingArray,
    ) -> Result<EmbeddingsResponse, DecodeError> {
        embeddings::decode(body, expected, to, &EmbeddingFields { list: "embeddings", metadata: Some("metadata") })
    }

    fn streams(&self) -> bool {
        false
    }
}

fn entry(entry: &Value) -> Option<Route> {
    routes::of_yaml_server(entry, "route_type", "route_url")
}

#[derive(Default)]
struct Candidates<'a> {
    candidates: Option<Option<Few<Candidate<'a>>>>,
    error: Truth,
}

impl<'de> Fields<'de> for Candidates<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "candidates" => once(&mut self.candidates, "candidates", map)?,
            "error" => self.error = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[derive(Default)]
struct Candidate<'a> {
    message: Option<Option<Object<Message<'a>>>>,
    text: Option<Raw<'a>>,
    metadata: LenientObject<Ending<'a>>,
}

impl<'de> Fields<'de> for Candidate<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "message" => once(&mut self.message, "message", map)?,
            "text" => once(&mut self.text, "text", map)?,
            "metadata" => self.metadata = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// What is said of one candidate.
#[derive(Default)]
struct Ending<'a> {
    finish_reason: Lenient<'a>,
}

impl<'de> Fields<'de> for Ending<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        if name == "finish_reason" {
            self.finish_reason = map.next_value()?;
        }
        Ok(name == "finish_reason")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::super::strings::Text;
    use super::*;

    #[test]
    fn reads_what_2_8_1_answers() {
        let body = br#"{"candidates":[{"text":"a \"b\"","metadata":{"finish_reason":"length"}},{"text":"c","metadata":null}],
            "metadata":{"input_tokens":35,"output_tokens":8,"total_tokens":43,"model":"m","route_type":"llm/v1/completions"}}"#;
        assert_eq!(texts(Gateway.decode(Task::Completions, body)), ["a \"b\"", "c"]);
        let answer = Gateway.decode(Task::Completions, body).unwrap();
        let reasons: Vec<_> = answer.candidates.into_iter().map(|candidate| candidate.finish_reason).collect();
        assert_eq!(reasons, [Some(Text("length".into())), None]);
        let body = br#"{"candidates":[{"message":{"role":"assistant","content":"hi"},"metadata":{}}],"metadata":{}}"#;
        assert_eq!(texts(Gateway.decode(Task::Chat, body)), ["hi"]);
    }

    #[test]
    fn tells_what_a_route_is_for() {
        let route = r#"{"name":"c","route_type":"llm/v1/chat","model":{"name":"m","provider":"openai"},"route_url":"/gateway/c/invocations"}"#;
        let task = |body: &str| match Gateway.route("c", body.as_bytes()) {
            RouteLookup::Found(route) => Some(route.task()),
            _ => None,
        };
        assert_eq!(task(route), Some(Some(Task::Chat)));
        assert_eq!(task(r#"{"name":"c","endpoint_type":"llm/v1/chat"}"#), None);
        assert_eq!(task("<html>"), None);
        assert_eq!(task(r#"{"name":"c","route_type":"llm/v9/song"}"#), Some(None));
        let page = Gateway.list(format!(r#"{{"routes":[{route}]}}"#).as_bytes()).unwrap();
        assert_eq!((page.routes[0].path.as_deref(), page.next), (Some("/gateway/c/invocations"), None));
    }

    #[test]
    fn asks_for_changes() {
        let json = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let (limits, route) = (json(r#"[{"calls":1}]"#), json(r#"{"name": "c"}"#));
        let order = |change| {
            let ChangeRequest { verb, path, body } = Gateway.order(change).unwrap();
            (verb, path, String::from_utf8(body.to_vec()).unwrap())
        };
        assert_eq!(
            order(Change::GetLimits("a b")),
            (ChangeMethod::Get, "/api/2.0/gateway/limits/a%20b".into(), "".into())
        );
        assert_eq!(
            order(Change::SetLimits("c", &limits)),
            (ChangeMethod::Post, "/api/2.0/gateway/limits/".into(), r#"{"route":"c","limits":[{"calls":1}]}"#.into())
        );
        assert_eq!(
            order(Change::CreateRoute(&route)),
            (ChangeMethod::Post, "/api/2.0/gateway/routes/".into(), r#"{"name": "c"}"#.into())
        );
        let route =
            json(r#"{"name":"c","model":{"config":{"openai_api_key":"sk-1","other":["x"]},"tokens":[{"a":"b"}]}}"#);
        assert_eq!(Change::CreateRoute(&route).secrets(), ["sk-1", "b"]);
        assert_eq!(
            order(Change::DeleteRoute("c")),
            (ChangeMethod::Delete, "/api/2.0/gateway/routes/c".into(), "".into())
        );
    }

    fn texts(answer: Result<ModelResponse, DecodeError>) -> Vec<String> {
        answer.unwrap().candidates.into_iter().map(|candidate| candidate.text.unwrap().0.into_owned()).collect()
    }
}
