//! The names of all options, from the library's own words, so that a new one is fuzzed without being named here.

use std::sync::OnceLock;

use mlflow_ai_gateway::client::Error;
use mlflow_ai_gateway::fuzz::client;

pub fn of_handles() -> &'static [String] {
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    NAMES.get_or_init(|| named_by(client::handle_option("no option", "")))
}

pub fn of_requests() -> &'static [String] {
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    NAMES.get_or_init(|| named_by(client::request_option("no option", "")))
}

fn named_by(refused: Result<String, Error>) -> Vec<String> {
    let error = refused.expect_err("there is no such option");
    let (_, names) = error.message().rsplit_once(" are ").expect("the message lists all options");
    names.split(", ").map(str::to_owned).collect()
}
