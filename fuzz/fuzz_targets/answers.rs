//! Answers: what a dialect understands of a successful answer is what a general parser of JSON finds there, is the same
//! each time, and a beginning of an answer is none.
//!
//! The input: the dialect and the task (digits, see `fuzz_target!`; a letter: what a server says of itself), where the
//! answer is cut, and the answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mlflow_ai_gateway::fuzz::dialect::{
    ALL, DISCOVERED, Dialect, EmbeddingArray, ModelResponse, ResponseDetails, RouteLookup, Task,
    find_empty_arguments, parse_token, parse_token_endpoint, read_details, read_messages,
};
use serde_json::Value;
use serde_json::value::RawValue;

const TASKS: [Task; 3] = [Task::Completions, Task::Chat, Task::Embeddings];

fuzz_target!(|input: &[u8]| {
    let [kind, cut, body @ ..] = input else { return };
    if kind.is_ascii_alphabetic() {
        return server(ALL[usize::from(*kind) % ALL.len()], body);
    }
    let cut = body.trim_ascii_end().len() * usize::from(*cut) / 256;
    // Of the others, openai responds as deployments does.
    let dialect = DISCOVERED[usize::from(*kind) % DISCOVERED.len()];
    match TASKS[usize::from(*kind) / DISCOVERED.len() % TASKS.len()] {
        Task::Embeddings => vectors(dialect, body, cut),
        task => text(dialect, task, body, cut),
    }
});

fn text(dialect: &dyn Dialect, task: Task, body: &[u8], cut: usize) {
    let decoded = dialect.decode(task, body);
    let shown = |body| format!("{:?}", dialect.decode(task, body));
    assert_eq!(format!("{decoded:?}"), shown(body), "read twice");
    let Ok(answer) = decoded else { return };
    let around = [b" \r\n\t", body, b"\n"].concat();
    assert_eq!(format!("{:?}", Ok::<_, ()>(&answer)), shown(&around), "with space around it");
    assert!(dialect.decode(task, &body[..cut]).is_err(), "the first {cut} bytes are an answer, too");
    assert!(!answer.candidates.is_empty());
    let text = std::str::from_utf8(body).expect("an answer is UTF-8");
    on_demand(text);
    // A general parser refuses numbers and depths that the library passes over.
    if let Ok(json) = serde_json::from_slice::<Value>(body) {
        let details = read_details(text);
        if dialect.name() == "gateway" {
            as_gateways(&answer, &details, task, &json)
        } else {
            as_openai(&answer, &details, task, &json)
        }
    }
}

/// A message is still JSON where its empty arguments are replaced.
fn on_demand(text: &str) {
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

fn as_gateways(answer: &ModelResponse, details: &ResponseDetails, task: Task, json: &Value) {
    let said = &json["metadata"];
    if json["model"].is_null() && !json["usage"].is_object() {
        whole(details, &said["model"], said);
    }
    candidates(answer, task, &json["candidates"], |candidate| &candidate["metadata"]["finish_reason"]);
}

fn as_openai(answer: &ModelResponse, details: &ResponseDetails, task: Task, json: &Value) {
    // An agent's, of which only its last message is in the answer.
    if !json["choices"].is_array() {
        assert_eq!((task, answer.candidates.len()), (Task::Chat, 1));
        return;
    }
    let usage = &json["usage"];
    if !json["metadata"].is_object() {
        whole(details, &json["model"], usage);
    }
    candidates(answer, task, &json["choices"], |choice| &choice["finish_reason"]);
}

fn whole(details: &ResponseDetails, model: &Value, counts: &Value) {
    assert_eq!(details.model.as_ref().map(|model| model.0.as_ref()), name(model));
    // Those beyond are none in C.
    let count = |name: &str| counts[name].as_u64().filter(|count| *count <= i64::MAX as u64);
    let usage = [details.usage.input, details.usage.output, details.usage.total];
    let input = count("prompt_tokens").or_else(|| count("input_tokens"));
    let output = count("completion_tokens").or_else(|| count("output_tokens"));
    assert_eq!(usage, [input, output, count("total_tokens")]);
}

fn candidates(answer: &ModelResponse, task: Task, list: &Value, finish_reason: fn(&Value) -> &Value) {
    let list = list.as_array().expect("the candidates are a list");
    assert_eq!(answer.candidates.len(), list.len());
    for (candidate, json) in answer.candidates.iter().zip(list) {
        let message = if task == Task::Chat { &json["message"] } else { &Value::Null };
        let words = if task == Task::Chat { words(&message["content"]) } else { words(&json["text"]) };
        assert_eq!(candidate.text.as_ref().map(|text| text.0.as_ref()), words.as_deref());
        assert_eq!(candidate.role.as_ref().map(|role| role.0.as_ref()), name(&message["role"]));
        let reason = candidate.finish_reason.as_ref().map(|reason| reason.0.as_ref());
        assert_eq!(reason, name(finish_reason(json)));
        let none = Vec::new();
        let asked = message["tool_calls"].as_array().unwrap_or(&none);
        let calls = candidate.tool_calls.as_ref().map_or(&[][..], |calls| &calls.calls);
        assert_eq!(calls.len(), asked.len());
        for (call, json) in calls.iter().zip(asked) {
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

/// A text that names something: an empty one does not.
fn name(value: &Value) -> Option<&str> {
    value.as_str().filter(|name| !name.is_empty())
}

/// The content of a message: a text, or the texts among its parts.
fn words(content: &Value) -> Option<String> {
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

fn vectors(dialect: &dyn Dialect, body: &[u8], cut: usize) {
    let read = |body: &[u8]| {
        let mut vectors = EmbeddingArray::default();
        let answer = dialect.decode_embeddings(body, 2, &mut vectors);
        (vectors, format!("{answer:?}"), answer.is_ok())
    };
    let whole = read(body);
    assert_eq!(whole, read(body), "read twice");
    assert_eq!(whole.0.data.len(), whole.0.count * whole.0.dimension);
    if whole.2 {
        assert!(whole.0.count > 0 && whole.0.dimension > 0);
        assert!(!read(&body[..cut]).2, "the first {cut} bytes are an answer, too");
    } else {
        assert_eq!(whole.0, EmbeddingArray::default(), "a failure adds nothing");
    }
}

/// What a server says of its routes, its health and its tokens.
fn server(dialect: &dyn Dialect, body: &[u8]) {
    for page in [dialect.parse_list(body), dialect.parse_details(body)].into_iter().flatten() {
        for route in &page.routes {
            // As it came, with numbers and halves of characters that a tree cannot hold.
            assert!(serde_json::from_str::<&RawValue>(&route.json).is_ok(), "{}", route.json);
            let known = route.task();
            assert!(known.is_none() || route.route_type.is_some());
            match dialect.parse_route(&route.name, body) {
                RouteLookup::Found(found) => assert_eq!(found.name, route.name),
                RouteLookup::Absent => panic!("a route that is listed is there: {route:?}"),
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
