//! Calls of tools, as a model asks for them: whole in an answer, in fragments in a stream.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{Lenient, Text};
use super::objects::{Few, Object};

/// The calls of one message: as they came, and understood.
#[derive(Debug)]
pub struct ToolCalls<'a> {
    pub json: &'a str,
    pub calls: Vec<ToolCall<'a>>,
}

/// One call, or a fragment of it.
#[derive(Debug, PartialEq, Eq)]
pub struct ToolCall<'a> {
    /// Which call of the message a fragment belongs to.
    pub index: Option<u64>,
    pub id: Option<Text<'a>>,
    pub name: Option<Text<'a>>,
    /// JSON, or of a fragment a part of it.
    pub arguments: Option<Text<'a>>,
}

/// The list, or `None` if it is empty, which is as good as none.
pub(super) fn all(list: &RawValue) -> Result<Option<ToolCalls<'_>>, serde_json::Error> {
    let Few(calls): Few<Call> = serde_json::from_str(list.get())?;
    let calls: Vec<_> = calls.into_iter().map(Call::understood).collect::<Result<_, _>>()?;
    Ok((!calls.is_empty()).then_some(ToolCalls { json: list.get(), calls }))
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(default)]
    index: Lenient<'a>,
    #[serde(borrow, default)]
    id: Lenient<'a>,
    #[serde(borrow, default)]
    function: Option<Object<Function<'a>>>,
}

#[derive(Default, Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    name: Lenient<'a>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

impl<'a> Call<'a> {
    fn understood(self) -> Result<ToolCall<'a>, serde_json::Error> {
        let function = self.function.map(|function| function.0).unwrap_or_default();
        Ok(ToolCall {
            index: self.index.count(),
            id: self.id.text().filter(|id| !id.0.is_empty()),
            name: function.name.text().filter(|name| !name.0.is_empty()),
            arguments: function.arguments.map(arguments).transpose()?,
        })
    }
}

/// OpenAI writes them as JSON in a string; some providers write the JSON itself.
fn arguments(json: &RawValue) -> Result<Text<'_>, serde_json::Error> {
    if json.get().starts_with('"') { serde_json::from_str(json.get()) } else { Ok(Text(json.get().into())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Shown = (Option<u64>, String, String, String);

    fn of(json: &str) -> Option<Vec<Shown>> {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        let text = |text: Option<Text>| text.map_or("-".to_owned(), |text| text.0.into_owned());
        let calls = all(raw).ok()??.calls.into_iter();
        Some(calls.map(|call| (call.index, text(call.id), text(call.name), text(call.arguments))).collect())
    }

    #[test]
    fn reads_calls_and_fragments() {
        let json = r#"[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},
            {"index":1,"id":null,"function":{"name":null,"arguments":" }"}},{"function":{"arguments":{"y":[2]}}},{}]"#;
        let (none, dash) = (None, "-".to_owned());
        assert_eq!(
            of(json).unwrap(),
            [
                (none, "a".into(), "f".into(), r#"{"x":1}"#.into()),
                (Some(1), dash.clone(), dash.clone(), " }".into()),
                (none, dash.clone(), dash.clone(), r#"{"y":[2]}"#.into()),
                (none, dash.clone(), dash.clone(), dash),
            ]
        );
        assert_eq!(of("[]"), None);
        assert_eq!(of("[1]"), None);
        assert_eq!(of("{}"), None);
        assert_eq!(of(&format!("[{}]", vec!["{}"; 1025].join(","))), None);
    }
}
