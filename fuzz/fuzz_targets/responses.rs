//! Responses: a dialect decodes the values that serde_json finds, and the same each time. A truncated response is
//! refused.
//!
//! Input: a byte for dialect and task (digits, see `fuzz_target!`; a letter: routes, health and tokens), a byte for the
//! place to truncate the body at, and the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mlflow_ai_gateway::fuzz::dialect::{
    ALL, DISCOVERED, Dialect, EmbeddingArray, ModelResponse, ResponseDetails, RouteLookup, Task, find_empty_arguments,
    parse_token, parse_token_endpoint, read_details, read_messages,
};
use serde_json::Value;
use serde_json::value::RawValue;

const TASKS: [Task; 3] = [Task::Completions, Task::Chat, Task::Embeddings];

fuzz_target!(|input: &[u8]| {
    let [kind, cut, body @ ..] = input else { return };
    if kind.is_ascii_alphabetic() {
        return server_info(ALL[usize::from(*kind) % ALL.len()], body);
    }
    let cut = body.trim_ascii_end().len() * usize::from(*cut) / 256;
    // The dialect openai decodes responses like deployments.
    let dialect = DISCOVERED[usize::from(*kind) % DISCOVERED.len()];
    match TASKS[usize::from(*kind) / DISCOVERED.len() % TASKS.len()] {
        Task::Embeddings => embeddings(dialect, body, cut),
        task => text(dialect, task, body, cut),
    }
});

fn text(dialect: &dyn Dialect, task: Task, body: &[u8], cut: usize) {
    let decoded = dialect.decode(task, body);
    let decode = |body| format!("{:?}", dialect.decode(task, body));
    assert_eq!(format!("{decoded:?}"), decode(body), "decoded twice");
    let Ok(response) = decoded else { return };
    let around = [b" \r\n\t", body, b"\n"].concat();
    assert_eq!(format!("{:?}", Ok::<_, ()>(&response)), decode(&around), "with whitespace around it");
    assert!(dialect.decode(task, &body[..cut]).is_err(), "the first {cut} bytes are a response, too");
    assert!(!response.candidates.is_empty());
    let text = std::str::from_utf8(body).expect("a response is UTF-8");
    check_filled_arguments(text);
    // serde_json refuses numbers and depths that the library skips.
    if let Ok(json) = serde_json::from_slice::<Value>(body) {
        let details = read_details(text);
        if dialect.name() == "gateway" {
            check_candidates_format(&response, &details, task, &json)
        } else {
            check_openai_format(&response, &details, task, &json)
        }
    }
}

/// A message is still JSON when its empty arguments are replaced.
fn check_filled_arguments(text: &str) {
    for message in read_messages(text).into_iter().flatten() {
        let (mut filled, mut copied) = (String::new(), 0);
        for place in find_empty_arguments(message) {
            assert!(matches!(&message[place.clone()], "null" | "\"\""));
            filled += &message[copied..place.start];
            filled += "\"{}\"";
            copied = place.end;
        }
        filled += &message[copied..];
        assert!(serde_json::from_str::<&RawValue>(&filled).is_ok(), "{filled}");
    }
}

fn check_candidates_format(response: &ModelResponse, details: &ResponseDetails, task: Task, json: &Value) {
    let metadata = &json["metadata"];
    if json["model"].is_null() && !json["usage"].is_object() {
        check_details(details, &metadata["model"], metadata);
    }
    check_candidates(response, task, &json["candidates"], |candidate| &candidate["metadata"]["finish_reason"]);
}

fn check_openai_format(response: &ModelResponse, details: &ResponseDetails, task: Task, json: &Value) {
    // An agent's response, of which only the last message is decoded.
    if !json["choices"].is_array() {
        assert_eq!((task, response.candidates.len()), (Task::Chat, 1));
        return;
    }
    let usage = &json["usage"];
    if !json["metadata"].is_object() {
        check_details(details, &json["model"], usage);
    }
    check_candidates(response, task, &json["choices"], |choice| &choice["finish_reason"]);
}

fn check_details(details: &ResponseDetails, model: &Value, counts: &Value) {
    assert_eq!(details.model.as_ref().map(|model| model.0.as_ref()), name(model));
    // C has no larger ones: counts are int64_t there.
    let count = |name: &str| counts[name].as_u64().filter(|count| *count <= i64::MAX as u64);
    let usage = [details.usage.input, details.usage.output, details.usage.total];
    let input = count("prompt_tokens").or_else(|| count("input_tokens"));
    let output = count("completion_tokens").or_else(|| count("output_tokens"));
    assert_eq!(usage, [input, output, count("total_tokens")]);
}

fn check_candidates(response: &ModelResponse, task: Task, list: &Value, finish_reason: fn(&Value) -> &Value) {
    let list = list.as_array().expect("the candidates are a list");
    assert_eq!(response.candidates.len(), list.len());
    for (candidate, json) in response.candidates.iter().zip(list) {
        let message = if task == Task::Chat { &json["message"] } else { &Value::Null };
        let text = if task == Task::Chat { text_of(&message["content"]) } else { text_of(&json["text"]) };
        assert_eq!(candidate.text.as_ref().map(|text| text.0.as_ref()), text.as_deref());
        assert_eq!(candidate.role.as_ref().map(|role| role.0.as_ref()), name(&message["role"]));
        let reason = candidate.finish_reason.as_ref().map(|reason| reason.0.as_ref());
        assert_eq!(reason, name(finish_reason(json)));
        let none = Vec::new();
        let sent = message["tool_calls"].as_array().unwrap_or(&none);
        let calls = candidate.tool_calls.as_ref().map_or(&[][..], |calls| &calls.calls);
        assert_eq!(calls.len(), sent.len());
        for (call, json) in calls.iter().zip(sent) {
            let function = &json["function"];
            assert_eq!(call.id.as_ref().map(|id| id.0.as_ref()), name(&json["id"]));
            assert_eq!(call.name.as_ref().map(|name| name.0.as_ref()), name(&function["name"]));
            match (&call.arguments, &function["arguments"]) {
                (Some(arguments), Value::String(text)) => assert_eq!(arguments.0, *text),
                (Some(arguments), json) => assert_eq!(serde_json::from_str(&arguments.0).ok().as_ref(), Some(json)),
                (None, json) => assert!(json.is_null()),
            }
        }
    }
}

/// Returns the string, unless it is empty.
fn name(value: &Value) -> Option<&str> {
    value.as_str().filter(|name| !name.is_empty())
}

/// Returns the content of a message: a string, or the text of its parts.
fn text_of(content: &Value) -> Option<String> {
    match content {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts = parts.iter().filter(|part| part["type"] == "text" || part["type"] == "output_text");
            let texts: Vec<&str> = texts.filter_map(|part| part["text"].as_str()).collect();
            (!texts.is_empty()).then(|| texts.concat())
        }
        _ => None,
    }
}

fn embeddings(dialect: &dyn Dialect, body: &[u8], cut: usize) {
    let read = |body: &[u8]| {
        let mut array = EmbeddingArray::default();
        let response = dialect.decode_embeddings(body, 2, &mut array);
        (array, format!("{response:?}"), response.is_ok())
    };
    let whole = read(body);
    assert_eq!(whole, read(body), "decoded twice");
    assert_eq!(whole.0.data.len(), whole.0.count * whole.0.dimension);
    if whole.2 {
        assert!(whole.0.count > 0 && whole.0.dimension > 0);
        assert!(!read(&body[..cut]).2, "the first {cut} bytes are a response, too");
    } else {
        assert_eq!(whole.0, EmbeddingArray::default(), "a failure appends nothing");
    }
}

/// Routes, health and tokens.
fn server_info(dialect: &dyn Dialect, body: &[u8]) {
    for page in [dialect.parse_list(body), dialect.parse_details(body)].into_iter().flatten() {
        for route in &page.routes {
            // Unchanged, with numbers and lone surrogates that a tree cannot hold.
            assert!(serde_json::from_str::<&RawValue>(&route.json).is_ok(), "{}", route.json);
            let known = route.task();
            assert!(known.is_none() || route.route_type.is_some());
            match dialect.parse_route(&route.name, body) {
                RouteLookup::Found(found) => assert_eq!(found.name, route.name),
                RouteLookup::Absent => panic!("a listed route is not found: {route:?}"),
                RouteLookup::Foreign => {}
            }
        }
        let next = dialect.list_path(page.next_page_token.as_deref());
        assert!(next.starts_with('/') && next.bytes().all(|byte| byte.is_ascii_graphic()), "{next}");
    }
    let _ = dialect.parse_health(body);
    if let Ok(text) = std::str::from_utf8(body) {
        dialect.parse_limits(text.to_owned());
        for path in [dialect.route_path(text), dialect.invocations_path(text, Task::Chat)] {
            assert!(path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()), "{path}");
            assert!(!path.contains(['?', '#']));
        }
    }
    assert!(parse_token(body).is_none_or(|(token, _)| !token.is_empty()));
    let _ = parse_token_endpoint(body);
}
