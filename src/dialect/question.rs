//! Request bodies, alike in all dialects but for a name.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{Params, Task};

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

/// A prompt; on a chat route, as one message of the user.
pub(super) fn prompt(task: Task, prompt: &str, params: &Params, candidate_count: &str) -> Vec<u8> {
    if task == Task::Chat {
        body("messages", &[Message { role: "user", content: prompt }], params, candidate_count)
    } else {
        body("prompt", prompt, params, candidate_count)
    }
}

fn body<T: Serialize + ?Sized>(field: &str, question: &T, params: &Params, candidate_count: &str) -> Vec<u8> {
    let mut body = Vec::with_capacity(256);
    let written = (|| {
        let mut json = serde_json::Serializer::new(&mut body);
        let mut map = json.serialize_map(None)?;
        map.serialize_entry(field, question)?;
        params.write_to(&mut map, candidate_count)?;
        SerializeMap::end(map)
    })();
    debug_assert!(written.is_ok(), "strings and JSON values always serialize");
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_fits_both_kinds_of_route() {
        let mut params = Params::default();
        params.set_int("n", 2).unwrap();
        let of = |task, count| String::from_utf8(prompt(task, "say \"hi\"", &params, count)).unwrap();
        assert_eq!(of(Task::Completions, "candidate_count"), r#"{"prompt":"say \"hi\"","candidate_count":2}"#);
        assert_eq!(of(Task::Chat, "n"), r#"{"messages":[{"role":"user","content":"say \"hi\""}],"n":2}"#);
    }
}
