//! What a gateway, its upstream or a proxy before it says when it says no.

use serde_json::Value;

use super::response::beginning;
use super::tree::tree;

/// As much of an error under a success is understood.
const MAX_ERROR: usize = 64 * 1024;

/// As much of the gateway's own words as goes into a message.
const MAX_WORDS: usize = 2000;

/// Why the gateway said no, as far as it matters to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    BadRequest,
    Unauthorized,
    Forbidden,
    /// The server has no such path: it speaks another dialect or is no gateway at all.
    NoSuchPath,
    /// The path is understood, but no route or endpoint of that name is there.
    NoSuchRoute,
    RateLimited,
    BudgetExceeded,
    GuardrailBlocked,
    ServerError,
    /// The server does not have what was asked for, or has it switched off.
    Disabled,
    /// Any other status that is no success.
    Other,
}

/// A status that is no success, and what its body says.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorResponse {
    pub kind: ErrorKind,
    /// The name or number that the gateway gives the error, for example `RESOURCE_DOES_NOT_EXIST`.
    pub code: Option<String>,
    /// The gateway's own words, on one line.
    pub words: Option<String>,
    /// Whether MLflow or Databricks itself says that there is no such route.
    pub is_route_absent: bool,
    /// Whether the server that is asked says itself, and no proxy before it, that it has no such path.
    pub is_servers_own: bool,
    /// Whether a prompt was sent to a route that takes messages.
    pub wants_messages: bool,
    /// Whether messages were sent to a route that takes a prompt.
    pub wants_prompt: bool,
    /// Whether the server fails because it was asked for a stream.
    pub cannot_stream: bool,
    /// Whether another token may be accepted.
    pub is_token_over: bool,
}

impl ErrorResponse {
    /// Of a response whose HTTP status is no success.
    pub fn read(http_status: u16, body: &[u8]) -> ErrorResponse {
        let body = body.trim_ascii();
        let json = std::str::from_utf8(body).ok().and_then(tree);
        ErrorResponse::of(http_status, body, json)
    }

    /// Of an error that comes under a success: a whole body, or the data of an event. What HTTP status it would have
    /// come with is told by its code, its type, or the beginning of its message, as MLflow writes it in a stream.
    pub fn in_success(body: &[u8]) -> ErrorResponse {
        // A tree is made of it, so there has to be an end to it; no error says so much.
        let body = body[..body.len().min(MAX_ERROR)].trim_ascii();
        let json = std::str::from_utf8(body).ok().and_then(tree);
        let words = json.as_ref().and_then(words_of).unwrap_or_default();
        let status = json.as_ref().and_then(status_of).or_else(|| status_before(&words).map(|(status, _)| status));
        ErrorResponse::of(status.unwrap_or(UNKNOWN_FAILURE), body, json)
    }

    /// Whether a JSON object without any part of a response is an error, and not what keeps a connection alive.
    pub fn is_in(body: &[u8]) -> bool {
        let json = body.get(..MAX_ERROR.min(body.len())).and_then(|body| std::str::from_utf8(body).ok()).and_then(tree);
        let Some(json) = json else { return false };
        let says = |field| !matches!(&json[field], Value::Null | Value::Bool(false)) && json[field] != "";
        let has_code = says("code") && (json["code"].is_string() || is_failure(&json["code"]));
        ["error_code", "detail"].into_iter().any(says)
            || ["object", "type"].into_iter().any(|field| json[field] == "error")
            || json["message"].is_string() && (has_code || STATUSES.into_iter().any(|field| is_failure(&json[field])))
    }

    fn of(http_status: u16, body: &[u8], json: Option<Value>) -> ErrorResponse {
        let words = match &json {
            Some(json) => words_of(json),
            None if body.starts_with(b"<") => Some(page_title(body)),
            None => Some(String::from_utf8_lossy(body).into_owned()),
        };
        let words = words.map(|words| one_line(&words)).filter(|words| !words.is_empty());
        let whole = words.as_deref().unwrap_or_default();
        let said = status_before(whole).map_or(whole, |(_, said)| said);
        let code = json.as_ref().and_then(code_of);
        let is_route_absent = http_status == 404
            && (code.as_deref() == Some("RESOURCE_DOES_NOT_EXIST")
                || said.contains("is not present or active on the server"));
        let is_guardrail = said.starts_with("Guardrail ") && said.contains(" blocked");
        let kind = match http_status {
            400 if is_guardrail || code.as_deref() == Some(GUARDRAIL) => ErrorKind::GuardrailBlocked,
            400 | 422 => ErrorKind::BadRequest,
            401 => ErrorKind::Unauthorized,
            403 => ErrorKind::Forbidden,
            // llama.cpp's.
            404 if said == "File Not Found" => ErrorKind::NoSuchPath,
            // FastAPI's own answer to an unknown path, a web page, or nothing; a missing route has a sentence.
            404 if json.is_none() || said == "Not Found" => ErrorKind::NoSuchPath,
            // Databricks' answer to a path that it does not have.
            404 if code.as_deref() == Some("ENDPOINT_NOT_FOUND") => ErrorKind::NoSuchPath,
            404 if is_route_absent || json.as_ref().is_some_and(is_of_gateway) => ErrorKind::NoSuchRoute,
            // A proxy's own: the gateway has not seen the request.
            404 => ErrorKind::NoSuchPath,
            405 => ErrorKind::NoSuchPath,
            429 if said.starts_with("Budget limit exceeded") => ErrorKind::BudgetExceeded,
            429 => ErrorKind::RateLimited,
            501 => ErrorKind::Disabled,
            500 if code.as_deref() == Some("FEATURE_DISABLED") => ErrorKind::Disabled,
            500..=599 => ErrorKind::ServerError,
            _ => ErrorKind::Other,
        };
        let is_servers_own = kind == ErrorKind::NoSuchPath
            && match &json {
                Some(json) => {
                    json["detail"] == "Not Found"
                        || code.as_deref() == Some("ENDPOINT_NOT_FOUND")
                        || said == "File Not Found"
                }
                None => memchr::memmem::find(body, FLASKS_NOT_FOUND).is_some(),
            };
        let wants_prompt =
            kind == ErrorKind::BadRequest && said.trim_end_matches('.').ends_with("is not a chat endpoint");
        let wants_messages =
            kind == ErrorKind::BadRequest && (json.as_ref().is_some_and(lacks_messages) || says_messages_lack(said));
        // MLflow before 2.10 takes its provider's stream for a fault.
        let cannot_stream = http_status == 502 && said.ends_with("Received content type: text/event-stream");
        // Databricks says both with status 403: that a token is over, and that its owner may not do this.
        let is_about_token = json.as_ref().is_some_and(|json| json["error_code"] == 403)
            || said.contains("nvalid access token")
            || said.contains("oken expired");
        let is_token_over = kind == ErrorKind::Unauthorized || kind == ErrorKind::Forbidden && is_about_token;
        ErrorResponse {
            kind,
            code,
            words,
            is_route_absent,
            is_servers_own,
            wants_messages,
            wants_prompt,
            cannot_stream,
            is_token_over,
        }
    }
}

/// Whether the body has the form of a gateway's refusal: FastAPI's, MLflow's and Databricks', or a provider's.
fn is_of_gateway(json: &Value) -> bool {
    json.get("detail").is_some()
        || json.get("error_code").is_some()
        || json["error"].is_object()
        || json["object"] == "error"
}

/// How the server below MLflow's tracking server says that there is no such page.
const FLASKS_NOT_FOUND: &[u8] = b"<p>The requested URL was not found on the server.";

/// What an HTTP status is called in JSON.
const STATUSES: [&str; 3] = ["status_code", "statusCode", "status"];

/// The type of MLflow's error where a guardrail stopped the response.
const GUARDRAIL: &str = "GuardrailViolation";

/// The HTTP status that an error has which does not tell its own.
const UNKNOWN_FAILURE: u16 = 500;

fn is_failure(status: &Value) -> bool {
    status.as_u64().is_some_and(|status| (400..600).contains(&status))
}

/// The HTTP status that stands before a message, as in "429: Rate limit reached", and the message.
fn status_before(words: &str) -> Option<(u16, &str)> {
    let (status, said) = words.split_once(": ")?;
    let status = status.parse().ok().filter(|status| (400..600).contains(status))?;
    Some((status, said))
}

/// The HTTP status that the code or the type of an error stands for, of the innermost object that has one.
fn status_of(json: &Value) -> Option<u16> {
    let inner = ["detail", "error"].into_iter().filter_map(|field| json.get(field)).find_map(status_of);
    inner.or_else(|| {
        let fields = STATUSES.into_iter().chain(["error_code", "code", "type"]);
        fields.filter_map(|field| json.get(field)).find_map(|value| match value {
            Value::Number(number) => {
                number.as_u64().filter(|_| is_failure(value)).and_then(|number| u16::try_from(number).ok())
            }
            Value::String(name) => status_named(name),
            _ => None,
        })
    })
}

/// The names that MLflow, OpenAI, Anthropic and Google have for the same.
fn status_named(name: &str) -> Option<u16> {
    let name = name.to_ascii_lowercase().replace('_', "");
    Some(match name.as_str() {
        "guardrailviolation" | "invalidrequesterror" | "invalidparametervalue" | "badrequest" => 400,
        "authenticationerror" | "unauthenticated" | "invalidapikey" => 401,
        "permissionerror" | "permissiondenied" => 403,
        "notfounderror" | "modelnotfound" | "resourcedoesnotexist" => 404,
        "ratelimiterror"
        | "ratelimitexceeded"
        | "requestlimitexceeded"
        | "resourceexhausted"
        | "insufficientquota"
        | "toomanyrequests" => 429,
        name => name.parse().ok().filter(|status| (400..600).contains(status))?,
    })
}

/// The places where gateways and upstreams put the sentence for a person, the most specific first.
fn words_of(json: &Value) -> Option<String> {
    match json {
        Value::String(text) => Some(text.clone()),
        Value::Array(problems) => {
            let problems: Vec<_> = problems.iter().filter_map(words_of).collect();
            (!problems.is_empty()).then(|| problems.join("; "))
        }
        Value::Object(fields) => {
            if let (Some(Value::Array(place)), Some(Value::String(what))) = (fields.get("loc"), fields.get("msg")) {
                let place: Vec<_> =
                    place.iter().map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned)).collect();
                return Some(format!("{}: {what}", place.join(".")));
            }
            ["detail", "message", "error_description", "error", "error_message"]
                .into_iter()
                .filter_map(|field| fields.get(field))
                .find_map(words_of)
                .or_else(|| Some(json.to_string()))
        }
        Value::Null => None,
        Value::Bool(_) | Value::Number(_) => Some(json.to_string()),
    }
}

/// The innermost object has the most specific one: around it there is often but `"type": "error"`.
fn code_of(json: &Value) -> Option<String> {
    let inner = ["detail", "error"].into_iter().filter_map(|field| json.get(field)).find_map(code_of);
    inner.or_else(|| {
        ["error_code", "code", "type"].into_iter().find_map(|field| match json.get(field) {
            Some(Value::String(code)) if !code.is_empty() => Some(code.clone()),
            Some(Value::Number(code)) => Some(code.to_string()),
            _ => None,
        })
    })
}

/// Whether the validation says that the field `messages` is missing.
fn lacks_messages(json: &Value) -> bool {
    let Some(Value::Array(problems)) = json.get("detail") else { return false };
    problems.iter().any(|problem| {
        let is_missing = problem["type"].as_str().is_some_and(|kind| kind.ends_with("missing"));
        is_missing && problem["loc"].as_array().and_then(|place| place.last()).is_some_and(|field| field == "messages")
    })
}

/// Databricks says it in a sentence.
fn says_messages_lack(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    words.contains("'messages'") && (words.contains("missing") || words.contains("required"))
}

fn page_title(page: &[u8]) -> String {
    let page = String::from_utf8_lossy(page);
    let lower = page.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|start| {
        let start = start + lower[start..].find('>')? + 1;
        let end = start + lower[start..].find('<')?;
        Some(page[start..end].trim().to_owned())
    });
    match title {
        Some(title) if !title.is_empty() => format!("an HTML page, \"{title}\""),
        _ => format!("an HTML page, {}", beginning(page.as_bytes())),
    }
}

fn one_line(words: &str) -> String {
    let mut line: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
    line.retain(|c| !c.is_control());
    if let Some((cut, _)) = line.char_indices().nth(MAX_WORDS) {
        line.truncate(cut);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::ErrorKind::*;
    use super::*;

    #[test]
    fn every_kind_of_refusal_is_understood() {
        #[rustfmt::skip]
        let table: &[(u16, &str, ErrorKind, Option<&str>, &str)] = &[
            (404, r#"{"detail":"Not Found"}"#, NoSuchPath, None, "Not Found"),
            (404, r#"{"detail":"The endpoint 'x' is not present or active on the server"}"#, NoSuchRoute, None, "The endpoint 'x'"),
            (404, "<!doctype html><html><head><title>404 Not\n Found</title>", NoSuchPath, None, "an HTML page, \"404 Not Found\""),
            (404, "", NoSuchPath, None, ""),
            (404, r#"{"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'GET /x'"}"#, NoSuchPath, Some("ENDPOINT_NOT_FOUND"), "No API"),
            (404, r#"{"detail":{"error":{"message":"no such model","code":"model_not_found"}}}"#, NoSuchRoute, Some("model_not_found"), "no such model"),
            (404, r#"{"message":"no Route matched with those values"}"#, NoSuchPath, None, "no Route matched"),
            (404, r#"{"error_msg":"404 Route Not Found"}"#, NoSuchPath, None, r#"{"error_msg""#),
            (404, r#"{"statusCode":404,"message":"Resource not found"}"#, NoSuchPath, None, "Resource not found"),
            (404, r#"{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}"#, NoSuchPath, Some("404"), "File Not Found"),
            (404, r#"{"object":"error","message":"The model `m` does not exist.","type":"NotFoundError","code":404}"#, NoSuchRoute, Some("404"), "The model"),
            (405, r#"{"detail":"Method Not Allowed"}"#, NoSuchPath, None, "Method Not Allowed"),
            (422, r#"{"detail":[{"type":"missing","loc":["body","prompt"],"msg":"Field required","input":{}}]}"#, BadRequest, None, "body.prompt: Field required"),
            (422, r#"{"detail":[{"loc":["body",0],"msg":"a"},{"loc":["body"],"msg":"b"}]}"#, BadRequest, None, "body.0: a; body: b"),
            (422, r#"{"detail":"Invalid parameter `n`. Use `candidate_count` instead."}"#, BadRequest, None, "Invalid parameter `n`"),
            (404, r#"{"detail":{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"GatewayEndpoint not found (name='nope')"}}"#, NoSuchRoute, Some("RESOURCE_DOES_NOT_EXIST"), "GatewayEndpoint not found"),
            (400, r#"{"detail":{"error":{"message":"too long","type":"invalid_request_error","code":null}}}"#, BadRequest, Some("invalid_request_error"), "too long"),
            (529, r#"{"detail":{"type":"error","error":{"type":"overloaded_error","code":"","message":"busy"}}}"#, ServerError, Some("overloaded_error"), "busy"),
            (400, r#"{"detail":{"what":"ever"}}"#, BadRequest, None, r#"{"what":"ever"}"#),
            (403, r#"{"error_code":"PERMISSION_DENIED","message":"no"}"#, Forbidden, Some("PERMISSION_DENIED"), "no"),
            (401, r#"{"error":"invalid_client","error_description":"Client authentication failed"}"#, Unauthorized, None, "Client auth"),
            (400, r#"{"error":"plain"}"#, BadRequest, None, "plain"),
            (429, r#"{"error":"Rate limit exceeded: 1 per 1 minute"}"#, RateLimited, None, "Rate limit exceeded"),
            (429, r#"{"detail":"Budget limit exceeded. Come back later."}"#, BudgetExceeded, None, "Budget limit"),
            (400, r#"{"detail":"Guardrail 'pii' blocked: a name"}"#, GuardrailBlocked, None, "Guardrail 'pii'"),
            (401, "You are not authenticated.", Unauthorized, None, "You are not authenticated."),
            (500, "Internal Server Error", ServerError, None, "Internal Server Error"),
            (502, "<html><body><center><h1>502 Bad Gateway</h1>", ServerError, None, "an HTML page, <html>"),
            (504, "<html><title>504</title>", ServerError, None, "an HTML page, \"504\""),
            (501, r#"{"detail":"The get_limits API is not available yet."}"#, Disabled, None, "The get_limits"),
            (500, r#"{"error_code":"FEATURE_DISABLED","message":"no workspaces"}"#, Disabled, Some("FEATURE_DISABLED"), "no work"),
            (413, "", Other, None, ""),
            (302, "", Other, None, ""),
            (418, "null", Other, None, ""),
        ];
        for (status, body, kind, code, words) in table {
            let refusal = ErrorResponse::read(*status, body.as_bytes());
            assert_eq!(refusal.kind, *kind, "{body}");
            assert_eq!(refusal.code.as_deref(), *code, "{body}");
            assert!(refusal.words.clone().unwrap_or_default().starts_with(words), "{body}: {:?}", refusal.words);
            assert_eq!(refusal.words.is_none(), words.is_empty(), "{body}");
        }
    }

    #[test]
    fn error_under_a_success_tells_its_kind() {
        #[rustfmt::skip]
        let table = [
            (r#"{"error":{"message":"Guardrail 'x' blocked: y","type":"GuardrailViolation"}}"#, GuardrailBlocked, Some("GuardrailViolation"), "Guardrail 'x'"),
            (r#"{"error":{"message":"stopped","type":"GuardrailViolation"}}"#, GuardrailBlocked, Some("GuardrailViolation"), "stopped"),
            (r#"{"error":{"message":"400: Guardrail 'x' blocked: y","type":"HTTPException"}}"#, GuardrailBlocked, Some("HTTPException"), "400: Guardrail"),
            (r#"{"error":{"message":"429: Rate limit reached","type":"HTTPException"}}"#, RateLimited, Some("HTTPException"), "429: Rate"),
            (r#"{"error":{"message":"429: Budget limit exceeded. Later.","type":"HTTPException"}}"#, BudgetExceeded, Some("HTTPException"), "429: Budget"),
            (r#"{"error":{"message":"m","code":429}}"#, RateLimited, Some("429"), "m"),
            (r#"{"error":{"message":"m","code":"429"}}"#, RateLimited, Some("429"), "m"),
            (r#"{"error":{"message":"m","code":null,"type":"rate_limit_error"}}"#, RateLimited, Some("rate_limit_error"), "m"),
            (r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#, ServerError, Some("overloaded_error"), "busy"),
            (r#"{"type":"error","error":{"type":"invalid_request_error","message":"m"}}"#, BadRequest, Some("invalid_request_error"), "m"),
            (r#"{"error":{"message":"m","code":401}}"#, Unauthorized, Some("401"), "m"),
            (r#"{"error_code":"PERMISSION_DENIED","message":"m"}"#, Forbidden, Some("PERMISSION_DENIED"), "m"),
            (r#"{"error":{"message":"m","status":"RESOURCE_EXHAUSTED","code":8}}"#, RateLimited, Some("8"), "m"),
            (r#"{"error":{"message":"The model does not exist","code":"model_not_found"}}"#, NoSuchRoute, Some("model_not_found"), "The model"),
            (r#"{"status_code":500,"message":"m"}"#, ServerError, None, "m"),
            (r#"{"error":"plain"}"#, ServerError, None, "plain"),
            (r#"{"error":{"message":"m","code":200}}"#, ServerError, Some("200"), "m"),
            ("not JSON", ServerError, None, "not JSON"),
            ("", ServerError, None, ""),
        ];
        for (body, kind, code, words) in table {
            let refusal = ErrorResponse::in_success(body.as_bytes());
            assert_eq!((refusal.kind, refusal.code.as_deref()), (kind, code), "{body}");
            assert!(refusal.words.unwrap_or_default().starts_with(words), "{body}");
        }
    }

    #[test]
    fn error_is_told_from_what_keeps_a_connection_alive() {
        for body in [
            r#"{"error_code":"X"}"#,
            r#"{"detail":"d"}"#,
            r#"{"object":"error","message":"m"}"#,
            r#"{"type":"error"}"#,
            r#"{"status_code":500,"message":"m"}"#,
            r#"{"statusCode":404,"message":"m"}"#,
            r#"{"code":400,"message":"m"}"#,
            r#"{"code":"overloaded","message":"m"}"#,
        ] {
            assert!(ErrorResponse::is_in(body.as_bytes()), "{body}");
        }
        for body in [
            "{}",
            r#"{"type":"ping"}"#,
            r#"{"message":"warming up"}"#,
            r#"{"message":"m","status":"queued"}"#,
            r#"{"message":"m","code":0}"#,
            r#"{"message":"m","status_code":200,"detail":null,"error_code":""}"#,
            r#"{"message":{"content":"x"},"code":500}"#,
            "[1]",
            "x",
        ] {
            assert!(!ErrorResponse::is_in(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn knows_when_messages_are_wanted() {
        let of = |body: &str| ErrorResponse::read(422, body.as_bytes()).wants_messages;
        assert!(of(r#"{"detail":[{"type":"missing","loc":["body","messages"],"msg":"Field required"}]}"#));
        assert!(of(r#"{"detail":[{"type":"value_error.missing","loc":["body","messages"],"msg":"field required"}]}"#));
        assert!(!of(r#"{"detail":[{"type":"missing","loc":["body","prompt"],"msg":"Field required"}]}"#));
        assert!(!of(r#"{"detail":"messages"}"#));
        assert!(of(r#"{"error_code":"BAD_REQUEST","message":"Missing required Chat parameter: 'messages'"}"#));
        assert!(!of(""));
    }

    #[test]
    fn knows_when_a_prompt_is_wanted() {
        let of = |status, body: &str| ErrorResponse::read(status, body.as_bytes()).wants_prompt;
        assert!(of(400, r#"{"detail":"Endpoint 'c' is not a chat endpoint."}"#));
        assert!(!of(400, r#"{"detail":"Endpoint 'c' is not a completions endpoint."}"#));
        assert!(!of(500, r#"{"detail":"Endpoint 'c' is not a chat endpoint."}"#));
    }

    #[test]
    fn servers_own_word_is_told_from_a_proxys() {
        let of = |body: &str| ErrorResponse::read(404, body.as_bytes()).is_servers_own;
        for body in [
            r#"{"detail":"Not Found"}"#,
            r#"{"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'GET /x'"}"#,
            r#"{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}"#,
            "<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>The requested URL was not found on the server. If you",
        ] {
            assert!(of(body), "{body}");
        }
        for body in [
            "",
            "<html><title>404 Not Found</title><hr>nginx",
            "404 page not found",
            r#"{"message":"no Route matched with those values"}"#,
            r#"{"detail":"The endpoint 'x' is not present or active on the server"}"#,
            r#"{"error":{"message":"The model `m` does not exist","code":"model_not_found"}}"#,
        ] {
            assert!(!of(body), "{body}");
        }
        assert!(!ErrorResponse::read(403, br#"{"detail":"Not Found"}"#).is_servers_own);
    }

    #[test]
    fn knows_what_older_servers_cannot_do() {
        let words =
            "The returned data type from the route service is not supported. Received content type: text/event-stream";
        assert!(ErrorResponse::read(502, format!(r#"{{"detail":"{words}"}}"#).as_bytes()).cannot_stream);
        assert!(!ErrorResponse::read(502, br#"{"detail":"Received content type: text/html"}"#).cannot_stream);
    }

    #[test]
    fn knows_when_a_token_is_over() {
        let of = |status, body: &str| ErrorResponse::read(status, body.as_bytes()).is_token_over;
        assert!(of(401, ""));
        assert!(of(403, r#"{"error_code":403,"message":"Invalid access token. [ReqId: 1]"}"#));
        assert!(of(403, "<html><title>Error 403 Token is expiring within 30 seconds. (token expired)</title>"));
        assert!(!of(403, r#"{"error_code":"PERMISSION_DENIED","message":"User does not have permission"}"#));
        assert!(of(403, "<html><title>Error 403 Invalid access token.</title>"));
        assert!(!of(403, r#"{"detail":{"error":{"code":403,"message":"no"}}}"#));
        assert!(!of(400, r#"{"error_code":403,"message":"x"}"#));
    }

    #[test]
    fn words_are_bounded_and_on_one_line() {
        let refusal = ErrorResponse::read(500, "a\r\n\u{1b}é ".repeat(5000).as_bytes());
        let words = refusal.words.unwrap();
        assert_eq!(words.chars().count(), MAX_WORDS + 1);
        assert!(!words.contains(['\n', '\u{1b}']));
        assert!(ErrorResponse::read(500, b"\xff\xfe").words.is_some());
    }
}
