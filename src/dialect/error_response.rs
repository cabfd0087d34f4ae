//! Error responses of gateways, their providers, and proxies in front of them.

use serde_json::Value;

use super::excerpt::excerpt;
use super::tree::parse_tree;

/// The maximum length that is parsed of an error in a successful HTTP response.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// The maximum length of [`ErrorResponse::message`], in characters.
const MAX_MESSAGE_CHARS: usize = 2000;

/// The kind of an error response, as far as it matters to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    BadRequest,
    Unauthorized,
    Forbidden,
    /// The server has no such path: it has another dialect, or is no gateway at all.
    NoSuchPath,
    /// The path exists, but no route or endpoint of that name.
    NoSuchRoute,
    RateLimited,
    BudgetExceeded,
    GuardrailBlocked,
    ServerError,
    /// The server does not implement the operation, or has it disabled.
    Disabled,
    /// Any other status that is not a success.
    Other,
}

/// A response with a status that is not a success, and what its body reports.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorResponse {
    pub kind: ErrorKind,
    /// The gateway's name or number of the error, for example `RESOURCE_DOES_NOT_EXIST`.
    pub code: Option<String>,
    /// The gateway's error message, on one line.
    pub message: Option<String>,
    /// Whether MLflow or Databricks reports that the route does not exist.
    pub is_route_absent: bool,
    /// Whether the server, and not a proxy in front of it, reports that the path does not exist.
    pub is_from_server: bool,
    /// Whether a prompt was sent to a route that requires messages.
    pub requires_messages: bool,
    /// Whether messages were sent to a route that requires a prompt.
    pub requires_prompt: bool,
    /// Whether the server failed because it cannot stream.
    pub is_streaming_unsupported: bool,
    /// Whether the token has expired, so that a new one may be accepted.
    pub is_token_expired: bool,
}

impl ErrorResponse {
    /// Parses a response whose HTTP status is not a success.
    pub fn read(http_status: u16, body: &[u8]) -> ErrorResponse {
        let body = body.trim_ascii();
        let json = std::str::from_utf8(body).ok().and_then(parse_tree);
        ErrorResponse::new(http_status, body, json)
    }

    /// Parses an error in a successful HTTP response: a whole body, or the data of an event. The HTTP status that fits
    /// it is derived from its code, its type, or the start of its message, where MLflow writes it in streams.
    pub fn in_success(body: &[u8]) -> ErrorResponse {
        // A tree takes many times the memory of its text, and no error is longer.
        let body = body[..body.len().min(MAX_ERROR_BYTES)].trim_ascii();
        let json = std::str::from_utf8(body).ok().and_then(parse_tree);
        let message = json.as_ref().and_then(find_message).unwrap_or_default();
        let status = json.as_ref().and_then(find_status).or_else(|| split_status(&message).map(|(status, _)| status));
        ErrorResponse::new(status.unwrap_or(DEFAULT_STATUS), body, json)
    }

    /// Returns whether a JSON object without any field of a response is an error, and not a keep-alive event.
    pub fn is_in(body: &[u8]) -> bool {
        let json = body
            .get(..MAX_ERROR_BYTES.min(body.len()))
            .and_then(|body| std::str::from_utf8(body).ok())
            .and_then(parse_tree);
        let Some(json) = json else { return false };
        let has = |field| !matches!(&json[field], Value::Null | Value::Bool(false)) && json[field] != "";
        let has_code = has("code") && (json["code"].is_string() || is_error_status(&json["code"]));
        ["error_code", "detail"].into_iter().any(has)
            || ["object", "type"].into_iter().any(|field| json[field] == "error")
            || json["message"].is_string()
                && (has_code || STATUS_FIELDS.into_iter().any(|field| is_error_status(&json[field])))
    }

    fn new(http_status: u16, body: &[u8], json: Option<Value>) -> ErrorResponse {
        let message = match &json {
            Some(json) => find_message(json),
            None if body.starts_with(b"<") => Some(describe_page(body)),
            None => Some(String::from_utf8_lossy(body).into_owned()),
        };
        let message = message.map(|message| one_line(&message)).filter(|message| !message.is_empty());
        let whole = message.as_deref().unwrap_or_default();
        let text = split_status(whole).map_or(whole, |(_, text)| text);
        let code = json.as_ref().and_then(find_code);
        let is_route_absent = http_status == 404
            && (code.as_deref() == Some("RESOURCE_DOES_NOT_EXIST")
                || text.contains("is not present or active on the server"));
        let is_guardrail = text.starts_with("Guardrail ") && text.contains(" blocked");
        let kind = match http_status {
            400 if is_guardrail || code.as_deref() == Some(GUARDRAIL_TYPE) => ErrorKind::GuardrailBlocked,
            400 | 422 => ErrorKind::BadRequest,
            401 => ErrorKind::Unauthorized,
            403 => ErrorKind::Forbidden,
            // The response of llama.cpp to an unknown path.
            404 if text == "File Not Found" => ErrorKind::NoSuchPath,
            // The response of FastAPI to an unknown path, a web page, or nothing. A missing route has a sentence.
            404 if json.is_none() || text == "Not Found" => ErrorKind::NoSuchPath,
            // The response of Databricks to an unknown path.
            404 if code.as_deref() == Some("ENDPOINT_NOT_FOUND") => ErrorKind::NoSuchPath,
            404 if is_route_absent || json.as_ref().is_some_and(is_from_gateway) => ErrorKind::NoSuchRoute,
            // A proxy's response: the gateway has not received the request.
            404 => ErrorKind::NoSuchPath,
            405 => ErrorKind::NoSuchPath,
            429 if text.starts_with("Budget limit exceeded") => ErrorKind::BudgetExceeded,
            429 => ErrorKind::RateLimited,
            501 => ErrorKind::Disabled,
            500 if code.as_deref() == Some("FEATURE_DISABLED") => ErrorKind::Disabled,
            500..=599 => ErrorKind::ServerError,
            _ => ErrorKind::Other,
        };
        let is_from_server = kind == ErrorKind::NoSuchPath
            && match &json {
                Some(json) => {
                    json["detail"] == "Not Found"
                        || code.as_deref() == Some("ENDPOINT_NOT_FOUND")
                        || text == "File Not Found"
                }
                None => memchr::memmem::find(body, FLASK_NOT_FOUND).is_some(),
            };
        let requires_prompt =
            kind == ErrorKind::BadRequest && text.trim_end_matches('.').ends_with("is not a chat endpoint");
        let requires_messages = kind == ErrorKind::BadRequest
            && (json.as_ref().is_some_and(is_messages_field_missing) || is_messages_parameter_missing(text));
        // MLflow before 2.10 reports the stream of its provider as an error.
        let is_streaming_unsupported = http_status == 502 && text.ends_with("Received content type: text/event-stream");
        // Databricks sends status 403 both for an expired token and for a missing permission.
        let is_about_token = json.as_ref().is_some_and(|json| json["error_code"] == 403)
            || text.contains("nvalid access token")
            || text.contains("oken expired");
        let is_token_expired = kind == ErrorKind::Unauthorized || kind == ErrorKind::Forbidden && is_about_token;
        ErrorResponse {
            kind,
            code,
            message,
            is_route_absent,
            is_from_server,
            requires_messages,
            requires_prompt,
            is_streaming_unsupported,
            is_token_expired,
        }
    }
}

/// Returns whether the body has the format of a gateway's error: FastAPI's, MLflow's and Databricks', or a provider's.
fn is_from_gateway(json: &Value) -> bool {
    json.get("detail").is_some()
        || json.get("error_code").is_some()
        || json["error"].is_object()
        || json["object"] == "error"
}

/// Part of the page that Flask, below MLflow's tracking server, sends for an unknown path.
const FLASK_NOT_FOUND: &[u8] = b"<p>The requested URL was not found on the server.";

/// The names of fields that contain an HTTP status.
const STATUS_FIELDS: [&str; 3] = ["status_code", "statusCode", "status"];

/// The type of MLflow's error for a response that a guardrail blocked.
const GUARDRAIL_TYPE: &str = "GuardrailViolation";

/// The HTTP status of an error that does not report one.
const DEFAULT_STATUS: u16 = 500;

fn is_error_status(status: &Value) -> bool {
    status.as_u64().is_some_and(|status| (400..600).contains(&status))
}

/// Splits a message that starts with an HTTP status, as in "429: Rate limit reached".
fn split_status(message: &str) -> Option<(u16, &str)> {
    let (status, text) = message.split_once(": ")?;
    let status = status.parse().ok().filter(|status| (400..600).contains(status))?;
    Some((status, text))
}

/// Returns the HTTP status for the code or the type of an error. The innermost object that has one takes precedence.
fn find_status(json: &Value) -> Option<u16> {
    let inner = ["detail", "error"].into_iter().filter_map(|field| json.get(field)).find_map(find_status);
    inner.or_else(|| {
        let fields = STATUS_FIELDS.into_iter().chain(["error_code", "code", "type"]);
        fields.filter_map(|field| json.get(field)).find_map(|value| match value {
            Value::Number(number) => {
                number.as_u64().filter(|_| is_error_status(value)).and_then(|number| u16::try_from(number).ok())
            }
            Value::String(name) => status_of_name(name),
            _ => None,
        })
    })
}

/// Returns the HTTP status for an error name of MLflow, OpenAI, Anthropic or Google.
fn status_of_name(name: &str) -> Option<u16> {
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

/// Returns the message for a person. Gateways and providers put it in different fields; the most specific one takes
/// precedence.
fn find_message(json: &Value) -> Option<String> {
    match json {
        Value::String(text) => Some(text.clone()),
        Value::Array(problems) => {
            let problems: Vec<_> = problems.iter().filter_map(find_message).collect();
            (!problems.is_empty()).then(|| problems.join("; "))
        }
        Value::Object(fields) => {
            if let (Some(Value::Array(place)), Some(Value::String(problem))) = (fields.get("loc"), fields.get("msg")) {
                let place: Vec<_> =
                    place.iter().map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned)).collect();
                return Some(format!("{}: {problem}", place.join(".")));
            }
            ["detail", "message", "error_description", "error", "error_message"]
                .into_iter()
                .filter_map(|field| fields.get(field))
                .find_map(find_message)
                .or_else(|| Some(json.to_string()))
        }
        Value::Null => None,
        Value::Bool(_) | Value::Number(_) => Some(json.to_string()),
    }
}

/// Returns the error code. The innermost object has the most specific one: outer ones often have only
/// `"type": "error"`.
fn find_code(json: &Value) -> Option<String> {
    let inner = ["detail", "error"].into_iter().filter_map(|field| json.get(field)).find_map(find_code);
    inner.or_else(|| {
        ["error_code", "code", "type"].into_iter().find_map(|field| match json.get(field) {
            Some(Value::String(code)) if !code.is_empty() => Some(code.clone()),
            Some(Value::Number(code)) => Some(code.to_string()),
            _ => None,
        })
    })
}

/// Returns whether FastAPI's validation reports that the field `messages` is missing.
fn is_messages_field_missing(json: &Value) -> bool {
    let Some(Value::Array(problems)) = json.get("detail") else { return false };
    problems.iter().any(|problem| {
        let is_missing = problem["type"].as_str().is_some_and(|kind| kind.ends_with("missing"));
        is_missing && problem["loc"].as_array().and_then(|place| place.last()).is_some_and(|field| field == "messages")
    })
}

/// Returns whether this is Databricks' sentence for a missing field `messages`.
fn is_messages_parameter_missing(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("'messages'") && (message.contains("missing") || message.contains("required"))
}

/// Describes an HTML page by its title, or by how it starts.
fn describe_page(page: &[u8]) -> String {
    let page = String::from_utf8_lossy(page);
    let lower = page.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|start| {
        let start = start + lower[start..].find('>')? + 1;
        let end = start + lower[start..].find('<')?;
        Some(page[start..end].trim().to_owned())
    });
    match title {
        Some(title) if !title.is_empty() => format!("an HTML page, \"{title}\""),
        _ => format!("an HTML page, {}", excerpt(page.as_bytes())),
    }
}

fn one_line(message: &str) -> String {
    let mut line: String = message.split_whitespace().collect::<Vec<_>>().join(" ");
    line.retain(|c| !c.is_control());
    if let Some((cut, _)) = line.char_indices().nth(MAX_MESSAGE_CHARS) {
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
    fn every_kind_of_error_response_is_recognized() {
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
        for (status, body, kind, code, message) in table {
            let error = ErrorResponse::read(*status, body.as_bytes());
            assert_eq!(error.kind, *kind, "{body}");
            assert_eq!(error.code.as_deref(), *code, "{body}");
            assert!(error.message.clone().unwrap_or_default().starts_with(message), "{body}: {:?}", error.message);
            assert_eq!(error.message.is_none(), message.is_empty(), "{body}");
        }
    }

    #[test]
    fn error_in_a_successful_response_has_its_kind() {
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
        for (body, kind, code, message) in table {
            let error = ErrorResponse::in_success(body.as_bytes());
            assert_eq!((error.kind, error.code.as_deref()), (kind, code), "{body}");
            assert!(error.message.unwrap_or_default().starts_with(message), "{body}");
        }
    }

    #[test]
    fn error_is_distinguished_from_keep_alive_event() {
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
    fn error_reports_that_messages_are_required() {
        let of = |body: &str| ErrorResponse::read(422, body.as_bytes()).requires_messages;
        assert!(of(r#"{"detail":[{"type":"missing","loc":["body","messages"],"msg":"Field required"}]}"#));
        assert!(of(r#"{"detail":[{"type":"value_error.missing","loc":["body","messages"],"msg":"field required"}]}"#));
        assert!(!of(r#"{"detail":[{"type":"missing","loc":["body","prompt"],"msg":"Field required"}]}"#));
        assert!(!of(r#"{"detail":"messages"}"#));
        assert!(of(r#"{"error_code":"BAD_REQUEST","message":"Missing required Chat parameter: 'messages'"}"#));
        assert!(!of(""));
    }

    #[test]
    fn error_reports_that_a_prompt_is_required() {
        let of = |status, body: &str| ErrorResponse::read(status, body.as_bytes()).requires_prompt;
        assert!(of(400, r#"{"detail":"Endpoint 'c' is not a chat endpoint."}"#));
        assert!(!of(400, r#"{"detail":"Endpoint 'c' is not a completions endpoint."}"#));
        assert!(!of(500, r#"{"detail":"Endpoint 'c' is not a chat endpoint."}"#));
    }

    #[test]
    fn not_found_of_the_server_is_distinguished_from_a_proxys() {
        let of = |body: &str| ErrorResponse::read(404, body.as_bytes()).is_from_server;
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
        assert!(!ErrorResponse::read(403, br#"{"detail":"Not Found"}"#).is_from_server);
    }

    #[test]
    fn error_of_servers_without_streaming_is_recognized() {
        let message =
            "The returned data type from the route service is not supported. Received content type: text/event-stream";
        assert!(ErrorResponse::read(502, format!(r#"{{"detail":"{message}"}}"#).as_bytes()).is_streaming_unsupported);
        assert!(
            !ErrorResponse::read(502, br#"{"detail":"Received content type: text/html"}"#).is_streaming_unsupported
        );
    }

    #[test]
    fn expired_token_is_distinguished_from_missing_permission() {
        let of = |status, body: &str| ErrorResponse::read(status, body.as_bytes()).is_token_expired;
        assert!(of(401, ""));
        assert!(of(403, r#"{"error_code":403,"message":"Invalid access token. [ReqId: 1]"}"#));
        assert!(of(403, "<html><title>Error 403 Token is expiring within 30 seconds. (token expired)</title>"));
        assert!(!of(403, r#"{"error_code":"PERMISSION_DENIED","message":"User does not have permission"}"#));
        assert!(of(403, "<html><title>Error 403 Invalid access token.</title>"));
        assert!(!of(403, r#"{"detail":{"error":{"code":403,"message":"no"}}}"#));
        assert!(!of(400, r#"{"error_code":403,"message":"x"}"#));
    }

    #[test]
    fn message_is_bounded_and_on_one_line() {
        let error = ErrorResponse::read(500, "a\r\n\u{1b}é ".repeat(5000).as_bytes());
        let message = error.message.unwrap();
        assert_eq!(message.chars().count(), MAX_MESSAGE_CHARS + 1);
        assert!(!message.contains(['\n', '\u{1b}']));
        assert!(ErrorResponse::read(500, b"\xff\xfe").message.is_some());
    }
}
