//! The model parameters that are set, as JSON.

use std::sync::Arc;

use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::object_writer::ObjectWriter;

/// The maximum length of a name. MLflow has no longer ones.
const MAX_NAME: usize = 256;

/// The body fields that are not parameters.
const RESERVED: [&str; 5] = ["prompt", "messages", "input", "text", "stream"];

/// The two names of one parameter: the older gateways' and OpenAI's.
const CANDIDATE_COUNT: [&str; 2] = ["candidate_count", "n"];

const STOP: &str = "stop";

/// Why a parameter is invalid.
#[derive(Debug)]
pub struct InvalidParam(pub String);

/// Named JSON values in the order in which they were first set.
#[derive(Debug, Clone, Default)]
pub struct Params(Vec<Param>);

/// Each call copies it, so it is shared.
#[derive(Debug, Clone)]
struct Param {
    name: Arc<str>,
    /// `None` in a request omits the parameter of the handle.
    value: Option<Arc<RawValue>>,
}

impl Params {
    pub fn set_double(&mut self, name: &str, value: f64) -> Result<(), InvalidParam> {
        check_name(name)?;
        if !value.is_finite() {
            let kind = if value.is_nan() { "not a number (NaN)" } else { "infinite" };
            return Err(InvalidParam(format!("the parameter {name} is {kind}, which JSON cannot represent")));
        }
        self.set(name, raw(&value)?)
    }

    pub fn set_int(&mut self, name: &str, value: i64) -> Result<(), InvalidParam> {
        self.set(name, raw(&value)?)
    }

    pub fn set_bool(&mut self, name: &str, value: bool) -> Result<(), InvalidParam> {
        self.set(name, raw(&value)?)
    }

    pub fn set_string(&mut self, name: &str, value: &str) -> Result<(), InvalidParam> {
        self.set(name, raw(value)?)
    }

    pub fn set_json(&mut self, name: &str, json: &str) -> Result<(), InvalidParam> {
        check_name(name)?;
        let value = serde_json::from_str::<&RawValue>(json)
            .map_err(|error| InvalidParam(format!("the value of the parameter {name} is not JSON: {error}")))?;
        self.set(name, value.to_owned())
    }

    /// Appends a string to the list `stop`. Fails if `stop` is set to anything but a list of strings.
    pub fn add_stop(&mut self, stop: &str) -> Result<(), InvalidParam> {
        let mut stops: Vec<String> = match self.values().find(|(name, _)| *name == STOP) {
            None => Vec::new(),
            Some((_, value)) => serde_json::from_str(value.get()).map_err(|_| {
                InvalidParam("the parameter stop is set to a value that is not a list of strings".to_owned())
            })?,
        };
        stops.push(stop.to_owned());
        self.set(STOP, raw(&stops)?)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the parameters of a handle merged with those of a request, which take precedence. Leaves out the omitted
    /// ones.
    pub fn merged_with(&self, others: &Params) -> Params {
        let mut all = Params(Vec::with_capacity(self.0.len() + others.0.len()));
        all.0.extend_from_slice(&self.0);
        others.0.iter().for_each(|param| all.insert(param.clone()));
        all.0.retain(|param| param.value.is_some());
        all
    }

    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|param| is_same(&param.name, name))
    }

    /// Removes a parameter, if it is set.
    pub fn unset(&mut self, name: &str) {
        self.0.retain(|param| !is_same(&param.name, name));
    }

    /// Omits a parameter, even if the handle sets it, until it is set or unset here.
    pub fn omit(&mut self, name: &str) -> Result<(), InvalidParam> {
        check_name(name)?;
        self.insert(Param { name: name.into(), value: None });
        Ok(())
    }

    fn set(&mut self, name: &str, value: Box<RawValue>) -> Result<(), InvalidParam> {
        check_name(name)?;
        self.insert(Param { name: name.into(), value: Some(value.into()) });
        Ok(())
    }

    fn insert(&mut self, new: Param) {
        match self.0.iter_mut().find(|param| is_same(&param.name, &new.name)) {
            Some(param) => *param = new,
            None => self.0.push(new),
        }
    }

    fn values(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().filter_map(|param| Some((&*param.name, param.value.as_deref()?)))
    }

    /// Writes the parameters. `candidate_count` is the server's name for that parameter and its alias `n`.
    pub(super) fn write_to(&self, json: &mut ObjectWriter, candidate_count: &str) {
        for (name, value) in self.values() {
            let name = if CANDIDATE_COUNT.contains(&name) { candidate_count } else { name };
            json.field(name).push_raw(value.get());
        }
    }
}

/// Uses the names under which the parameters were set.
impl Serialize for Params {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.values())
    }
}

fn is_same(a: &str, b: &str) -> bool {
    a == b || (CANDIDATE_COUNT.contains(&a) && CANDIDATE_COUNT.contains(&b))
}

fn check_name(name: &str) -> Result<(), InvalidParam> {
    if name.is_empty() {
        return Err(InvalidParam("a parameter's name is empty".to_owned()));
    }
    if name.len() > MAX_NAME {
        return Err(InvalidParam(format!(
            "a parameter's name is {} bytes long; at most {MAX_NAME} are allowed",
            name.len()
        )));
    }
    if RESERVED.contains(&name) {
        return Err(InvalidParam(format!("{name} is not a parameter; the library writes this field itself")));
    }
    Ok(())
}

fn raw<T: Serialize + ?Sized>(value: &T) -> Result<Box<RawValue>, InvalidParam> {
    serde_json::value::to_raw_value(value).map_err(|error| InvalidParam(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::{Content, FieldNames, Task, content};
    use super::*;

    fn sent(params: &Params, candidate_count: &'static str) -> String {
        let names = FieldNames { candidate_count, inputs: "" };
        let encoding = content::Encoding { task: Task::Completions, is_streamed: false, names, model: None };
        String::from_utf8(content::encode(Content::Prompt("p"), params, encoding)).unwrap()
    }

    #[test]
    fn only_parameters_that_are_set_are_sent() {
        let mut params = Params::default();
        assert_eq!(sent(&params, "n"), r#"{"prompt":"p"}"#);
        params.set_double("temperature", 0.0).unwrap();
        params.set_int("max_tokens", i64::MAX).unwrap();
        params.set_bool("logprobs", false).unwrap();
        params.set_string("user", "a\"\u{1F600}\n").unwrap();
        params.set_json("stop", " [\"x\", null] ").unwrap();
        assert_eq!(
            sent(&params, "n"),
            r#"{"prompt":"p","temperature":0.0,"max_tokens":9223372036854775807,"logprobs":false,"user":"a\"😀\n","stop":["x", null]}"#
        );
        params.unset("max_tokens");
        params.unset("never set");
        params.set_int("temperature", 1).unwrap();
        assert!(sent(&params, "n").starts_with(r#"{"prompt":"p","temperature":1,"logprobs"#));
    }

    #[test]
    fn candidate_count_and_n_are_the_same_parameter() {
        let mut params = Params::default();
        params.set_int("candidate_count", 2).unwrap();
        params.set_int("n", 3).unwrap();
        assert_eq!(sent(&params, "candidate_count"), r#"{"prompt":"p","candidate_count":3}"#);
        assert_eq!(sent(&params, "n"), r#"{"prompt":"p","n":3}"#);
        params.unset("candidate_count");
        assert_eq!(sent(&params, "n"), r#"{"prompt":"p"}"#);
    }

    #[test]
    fn parameters_of_the_request_take_precedence() {
        let (mut handles, mut own) = (Params::default(), Params::default());
        handles.set_int("candidate_count", 2).unwrap();
        handles.add_stop("a").unwrap();
        handles.set_int("top_k", 1).unwrap();
        own.add_stop("b").unwrap();
        own.set_int("n", 3).unwrap();
        own.set_int("max_tokens", 4).unwrap();
        let sent = sent(&handles.merged_with(&own), "n");
        assert_eq!(sent, r#"{"prompt":"p","n":3,"stop":["b"],"top_k":1,"max_tokens":4}"#);
    }

    #[test]
    fn omitted_parameter_is_not_sent_until_set_or_unset() {
        let (mut handles, mut own) = (Params::default(), Params::default());
        handles.set_int("n", 2).unwrap();
        handles.add_stop("a").unwrap();
        own.omit("candidate_count").unwrap();
        own.add_stop("b").unwrap();
        own.omit("stop").unwrap();
        own.omit("never set").unwrap();
        assert_eq!(sent(&handles.merged_with(&own), "n"), r#"{"prompt":"p"}"#);
        own.unset("never set");
        own.unset("n");
        own.add_stop("c").unwrap();
        assert_eq!(sent(&handles.merged_with(&own), "n"), r#"{"prompt":"p","n":2,"stop":["c"]}"#);
        own.omit("n").unwrap();
        own.set_int("candidate_count", 3).unwrap();
        assert_eq!(sent(&handles.merged_with(&own), "n"), r#"{"prompt":"p","n":3,"stop":["c"]}"#);
    }

    #[test]
    fn stops_are_appended_to_a_list() {
        let mut params = Params::default();
        params.add_stop("\n").unwrap();
        params.add_stop("END").unwrap();
        assert_eq!(sent(&params, "n"), r#"{"prompt":"p","stop":["\n","END"]}"#);
        params.set_string("stop", "x").unwrap();
        assert!(params.add_stop("y").is_err());
    }

    #[test]
    fn invalid_parameters_are_rejected() {
        let mut params = Params::default();
        assert!(params.set_double("temperature", f64::NAN).is_err());
        assert!(params.set_double("temperature", f64::INFINITY).is_err());
        for json in ["", "{", "[1,]", "nul", "1 2", "'a'"] {
            assert!(params.set_json("stop", json).is_err(), "{json}");
        }
        assert!(params.set_int("", 1).is_err());
        assert!(params.set_int(&"a".repeat(257), 1).is_err());
        for name in RESERVED {
            assert!(params.set_int(name, 1).is_err() && params.omit(name).is_err(), "{name}");
        }
        assert_eq!(sent(&params, "n"), r#"{"prompt":"p"}"#);
    }
}
