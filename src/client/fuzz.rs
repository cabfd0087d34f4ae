//! The client's functions for the fuzz targets.

use std::env::VarError;

use super::environment::{self, EnvironmentSettings, Variables, ini};
use super::error::Error;
use super::option_parser::{CallOption, HandleOption};
use super::options::Options;
use crate::http::Headers;

/// Returns the debug output of a handle's options after setting one.
pub fn handle_option(name: &str, value: &str) -> Result<String, Error> {
    let mut options = Options::default();
    options.set(HandleOption::parse(name, value)?)?;
    Ok(format!("{options:?}"))
}

/// Returns the debug output of a parsed option of a request.
pub fn request_option(name: &str, value: &str) -> Result<String, Error> {
    CallOption::parse_for_request(name, value).map(|option| format!("{option:?}"))
}

/// Returns the debug output of the settings of a new handle from its environment.
pub fn environment(
    gateway: Option<&str>,
    variable: &dyn Fn(&str) -> Result<String, VarError>,
) -> Result<String, Error> {
    environment::find(&Variables(variable), gateway).map(|found| format!("{found:?}"))
}

/// Returns the gateway URI of a new handle and the credentials of its requests; `None` if it cannot be created.
pub fn credentials(
    gateway: Option<&str>,
    variable: &dyn Fn(&str) -> Result<String, VarError>,
) -> Option<(String, Vec<String>)> {
    let EnvironmentSettings { uri, options } = environment::find(&Variables(variable), gateway).ok()?;
    let headers = options.request_headers(&Headers::default());
    Some((uri.to_string(), headers.secrets().map(str::to_owned).collect()))
}

pub fn ini_value<'a>(file: &'a str, section: &str, name: &str) -> Option<&'a str> {
    ini::value(file, section, name)
}

pub fn ini_has_section(file: &str, section: &str) -> bool {
    ini::has_section(file, section)
}
