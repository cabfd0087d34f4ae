//! What the fuzz targets see of the client, beside its C functions.

use std::env::VarError;

use super::environment::{Environment, EnvironmentSettings};
use super::error::Error;
use super::ini;
use super::options::{CallSetting, Options, Setting};
use crate::http::Headers;

/// How a handle's options show themselves once this one is set, or why it is not.
pub fn handle_option(name: &str, value: &str) -> Result<String, Error> {
    let mut options = Options::default();
    options.set(Setting::parse(name, value)?)?;
    Ok(format!("{options:?}"))
}

/// As [`handle_option`], of a request.
pub fn request_option(name: &str, value: &str) -> Result<String, Error> {
    CallSetting::parse_for_request(name, value).map(|setting| format!("{setting:?}"))
}

/// How what a handle begins with shows itself.
pub fn environment(
    gateway: Option<&str>,
    variable: &dyn Fn(&str) -> Result<String, VarError>,
) -> Result<String, Error> {
    Environment(variable).find(gateway).map(|found| format!("{found:?}"))
}

/// Where a handle sends requests to, and the credentials that they carry; `None` if there can be no such handle.
pub fn credentials(
    gateway: Option<&str>,
    variable: &dyn Fn(&str) -> Result<String, VarError>,
) -> Option<(String, Vec<String>)> {
    let EnvironmentSettings { uri, options } = Environment(variable).find(gateway).ok()?;
    let sent = options.add_to(&Headers::default());
    Some((uri.to_string(), sent.secrets().map(str::to_owned).collect()))
}

pub fn ini_value<'a>(file: &'a str, section: &str, name: &str) -> Option<&'a str> {
    ini::value(file, section, name)
}

pub fn ini_has_section(file: &str, section: &str) -> bool {
    ini::has_section(file, section)
}
