//! The dialect of the AI Gateway of MLflow 2.5 to 2.8. Its responses have `candidates`.

use serde::de::MapAccess;
use serde_json::Value;

use super::content::FieldNames;
use super::embeddings::{self, EmbeddingArray, EmbeddingFields, EmbeddingsResponse};
use super::json::{Lenient, Truthy};
use super::objects::{BoundedList, Fields, LenientObject, Object, read_once};
use super::reader::Raw;
use super::response::{self, DecodeError, Message, ModelResponse};
use super::routes::{self, Change, ChangeMethod, ChangeRequest, Page, Route, RouteLookup};
use super::{Dialect, Task, path_segment};

const ROUTES: &str = "/api/2.0/gateway/routes/";

#[derive(Debug)]
pub struct Gateway;

impl Dialect for Gateway {
    fn name(&self) -> &'static str {
        "gateway"
    }

    fn route_path(&self, route: &str) -> String {
        [ROUTES, &path_segment(route)].concat()
    }

    fn parse_route(&self, _: &str, body: &[u8]) -> RouteLookup {
        routes::parse_one(body, entry)
    }

    fn list_path(&self, page: Option<&str>) -> String {
        routes::page_path(ROUTES, page)
    }

    fn parse_list(&self, body: &[u8]) -> Option<Page> {
        routes::parse_page(body, "routes", entry)
    }

    fn change_request(&self, change: Change) -> Option<ChangeRequest> {
        match change {
            Change::CreateRoute(route) => {
                Some(ChangeRequest::new(ChangeMethod::Post, ROUTES.to_owned()).with_body(&route))
            }
            Change::DeleteRoute(route) => Some(ChangeRequest::new(ChangeMethod::Delete, self.route_path(route))),
            limits => routes::limits_request("/api/2.0/gateway/limits/", limits),
        }
    }

    fn invocations_path(&self, route: &str, _: Task) -> String {
        ["/gateway/", &path_segment(route), "/invocations"].concat()
    }

    fn field_names(&self) -> FieldNames {
        FieldNames { candidate_count: "candidate_count", inputs: "text" }
    }

    fn decode<'a>(&self, task: Task, body: &'a [u8]) -> Result<ModelResponse<'a>, DecodeError> {
        let Candidates { candidates, error } = response::parse(body)?;
        response::check_error(&error, body)?;
        let BoundedList(candidates) =
            candidates.flatten().ok_or_else(|| response::missing_field(body, "missing field `candidates`"))?;
        let candidates = candidates.into_iter().map(|candidate: Candidate| {
            let finish_reason =
                candidate.metadata.0.map(|metadata: CandidateMetadata| metadata.finish_reason).unwrap_or_default();
            let message = candidate.message.flatten().map(|Object(message)| message);
            response::candidate(task, message, candidate.text, finish_reason)
        });
        response::with_candidates(body, "candidates", candidates)
    }

    fn decode_embeddings(
        &self,
        body: &[u8],
        expected: usize,
        to: &mut EmbeddingArray,
    ) -> Result<EmbeddingsResponse, DecodeError> {
        embeddings::decode(body, expected, to, &EmbeddingFields { list: "embeddings", metadata: Some("metadata") })
    }

    fn supports_streaming(&self) -> bool {
        false
    }
}

fn entry(entry: &Value) -> Option<Route> {
    routes::yaml_server_route(entry, "route_type", "route_url")
}

#[derive(Default)]
struct Candidates<'a> {
    candidates: Option<Option<BoundedList<Candidate<'a>>>>,
    error: Truthy,
}

impl<'de> Fields<'de> for Candidates<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "candidates" => read_once(&mut self.candidates, "candidates", map)?,
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
    metadata: LenientObject<CandidateMetadata<'a>>,
}

impl<'de> Fields<'de> for Candidate<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "message" => read_once(&mut self.message, "message", map)?,
            "text" => read_once(&mut self.text, "text", map)?,
            "metadata" => self.metadata = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The `metadata` of one candidate.
#[derive(Default)]
struct CandidateMetadata<'a> {
    finish_reason: Lenient<'a>,
}

impl<'de> Fields<'de> for CandidateMetadata<'de> {
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
    fn responses_of_mlflow_2_8_1_are_decoded() {
        let body = br#"{"candidates":[{"text":"a \"b\"","metadata":{"finish_reason":"length"}},{"text":"c","metadata":null}],
            "metadata":{"input_tokens":35,"output_tokens":8,"total_tokens":43,"model":"m","route_type":"llm/v1/completions"}}"#;
        assert_eq!(texts_of(Gateway.decode(Task::Completions, body)), ["a \"b\"", "c"]);
        let response = Gateway.decode(Task::Completions, body).unwrap();
        let reasons: Vec<_> = response.candidates.into_iter().map(|candidate| candidate.finish_reason).collect();
        assert_eq!(reasons, [Some(Text("length".into())), None]);
        let body = br#"{"candidates":[{"message":{"role":"assistant","content":"hi"},"metadata":{}}],"metadata":{}}"#;
        assert_eq!(texts_of(Gateway.decode(Task::Chat, body)), ["hi"]);
    }

    #[test]
    fn task_of_a_route_is_parsed() {
        let route = r#"{"name":"c","route_type":"llm/v1/chat","model":{"name":"m","provider":"openai"},"route_url":"/gateway/c/invocations"}"#;
        let task = |body: &str| match Gateway.parse_route("c", body.as_bytes()) {
            RouteLookup::Found(route) => Some(route.task()),
            _ => None,
        };
        assert_eq!(task(route), Some(Some(Task::Chat)));
        assert_eq!(task(r#"{"name":"c","endpoint_type":"llm/v1/chat"}"#), None);
        assert_eq!(task("<html>"), None);
        assert_eq!(task(r#"{"name":"c","route_type":"llm/v9/song"}"#), Some(None));
        let page = Gateway.parse_list(format!(r#"{{"routes":[{route}]}}"#).as_bytes()).unwrap();
        assert_eq!((page.routes[0].path.as_deref(), page.next_page_token), (Some("/gateway/c/invocations"), None));
    }

    #[test]
    fn changes_are_encoded() {
        let json = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let (limits, route) = (json(r#"[{"calls":1}]"#), json(r#"{"name": "c"}"#));
        let request = |change| {
            let ChangeRequest { method, path, body } = Gateway.change_request(change).unwrap();
            (method, path, String::from_utf8(body.to_vec()).unwrap())
        };
        assert_eq!(
            request(Change::GetLimits("a b")),
            (ChangeMethod::Get, "/api/2.0/gateway/limits/a%20b".into(), "".into())
        );
        assert_eq!(
            request(Change::SetLimits("c", &limits)),
            (ChangeMethod::Post, "/api/2.0/gateway/limits/".into(), r#"{"route":"c","limits":[{"calls":1}]}"#.into())
        );
        assert_eq!(
            request(Change::CreateRoute(&route)),
            (ChangeMethod::Post, "/api/2.0/gateway/routes/".into(), r#"{"name": "c"}"#.into())
        );
        let route =
            json(r#"{"name":"c","model":{"config":{"openai_api_key":"sk-1","other":["x"]},"tokens":[{"a":"b"}]}}"#);
        assert_eq!(Change::CreateRoute(&route).secrets(), ["sk-1", "b"]);
        assert_eq!(
            request(Change::DeleteRoute("c")),
            (ChangeMethod::Delete, "/api/2.0/gateway/routes/c".into(), "".into())
        );
    }

    fn texts_of(response: Result<ModelResponse, DecodeError>) -> Vec<String> {
        response.unwrap().candidates.into_iter().map(|candidate| candidate.text.unwrap().0.into_owned()).collect()
    }
}
