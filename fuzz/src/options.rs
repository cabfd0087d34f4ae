//! The names of all options, from the library's error message, so that new options are fuzzed without a change here.

use std::sync::OnceLock;

use mlflow_ai_gateway::client::Error;
use mlflow_ai_gateway::fuzz::client;

pub fn handle_options() -> &'static [String] {
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    NAMES.get_or_init(|| names_in(client::handle_option("no option", "")))
}

pub fn request_options() -> &'static [String] {
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    NAMES.get_or_init(|| names_in(client::request_option("no option", "")))
}

fn names_in(result: Result<String, Error>) -> Vec<String> {
    let error = result.expect_err("there is no such option");
    let (_, names) = error.message().rsplit_once(" are ").expect("the message lists all options");
    names.split(", ").map(str::to_owned).collect()
}
