//! Databricks' variables and its file of profiles: the workspace of a handle for `databricks` or
//! `databricks://PROFILE`.

use std::path::PathBuf;

use super::connection::{self, Family};
use super::ini;
use super::variables::{Variables, set, trimmed};
use crate::client::error::{Error, Status, shortened};
use crate::client::options::Options;
use crate::dialect;
use crate::http::GatewayUri;

const HOST: &str = "DATABRICKS_HOST";
const TOKEN: &str = "DATABRICKS_TOKEN";
const CLIENT_ID: &str = "DATABRICKS_CLIENT_ID";
const CLIENT_SECRET: &str = "DATABRICKS_CLIENT_SECRET";

/// The section of a configuration file that is not a profile.
const SETTINGS: &str = "__settings__";

/// Returns the workspace of `requested_profile`, or of the profile or the host that the environment names.
pub fn workspace(variables: &Variables, requested_profile: Option<&str>) -> Result<(GatewayUri, Options), Error> {
    let missing = |problem: String| Error::new(Status::NoGatewayUri, problem);
    if let Some(profile) = requested_profile.filter(|name| name.is_empty() || name.contains([':', '/', '@', '?', '#']))
    {
        let problem = format!(
            "the gateway URI \"databricks://{}\" has no valid profile name; write databricks://PROFILE",
            shortened(profile)
        );
        return Err(Error::new(Status::InvalidUri, problem));
    }
    // If the URI names a profile, variables do not apply.
    let variable = |name| if requested_profile.is_none() { variables.trimmed(name) } else { Ok(None) };
    let default_profile = variables.trimmed("DATABRICKS_CONFIG_PROFILE")?.filter(|_| requested_profile.is_none());
    // As in Databricks' SDK, any of these variables replaces the default profile.
    let mut has_variables = false;
    for name in [HOST, TOKEN, CLIENT_ID, CLIENT_SECRET] {
        has_variables |= variable(name)?.is_some();
    }
    let profile = requested_profile.or(default_profile.as_deref().map(String::as_str));
    let path = config_path(variables)?;
    let uses_file = profile.is_some() || !has_variables;
    let content = path.as_ref().filter(|_| uses_file).map(ini::read).transpose()?.flatten().unwrap_or_default();
    let path = path.map_or_else(|| "~/.databrickscfg".to_owned(), |path| path.display().to_string());
    let profile = match profile {
        Some(profile) if ini::has_section(&content, profile) && profile != SETTINGS => profile,
        Some(profile) => return Err(missing(format!("the file {path} has no profile \"{}\"", shortened(profile)))),
        None => ini::value(&content, SETTINGS, "default_profile").unwrap_or("DEFAULT"),
    };
    let from_file = |key| ini::value(&content, profile, key).map(trimmed).filter(|value| !value.is_empty());
    let host = variable(HOST)?;
    let host = host.as_deref().map(String::as_str).or_else(|| from_file("host")).ok_or_else(|| {
        let variable =
            if requested_profile.is_none() { "set the environment variable DATABRICKS_HOST, or " } else { "" };
        missing(format!(
            "no Databricks workspace is configured; {variable}set host in the profile \"{profile}\" of {path}"
        ))
    })?;
    let uri = workspace_uri(host)
        .map_err(|problem| Error::new(Status::InvalidUri, format!("{problem} ({HOST}, or host in {path})")))?;
    // The secrets of a profile must not be sent to another host.
    let is_profile_of_other_host = ini::value(&content, profile, "host")
        .is_some_and(|own| workspace_uri(trimmed(own)).map(|own| own.to_string()) != Ok(uri.to_string()));
    let mut options = connection::options(variables, &uri, Family::Mlflow)?;
    options.dialect = Some(dialect::DATABRICKS);
    for (option, name, key) in [
        ("bearer_token", TOKEN, "token"),
        ("client_id", CLIENT_ID, "client_id"),
        ("client_secret", CLIENT_SECRET, "client_secret"),
    ] {
        let value = variable(name)?;
        let from_file = || from_file(key).filter(|_| !is_profile_of_other_host);
        if let Some(value) = value.as_deref().map(String::as_str).or_else(from_file) {
            set(&mut options, option, value, &format!("{name}, or {key} in {path}"))?;
        }
    }
    Ok((uri, options))
}

fn config_path(variables: &Variables) -> Result<Option<PathBuf>, Error> {
    Ok(match variables.get("DATABRICKS_CONFIG_FILE")? {
        Some(path) => match path.strip_prefix("~/") {
            Some(file) => variables.home(file),
            None => Some(PathBuf::from(path)),
        },
        None => variables.home(".databrickscfg"),
    })
}

/// Parses a host with or without a scheme. If there is a query or a fragment, the URL was copied from a browser, and
/// only the server is used.
fn workspace_uri(host: &str) -> Result<GatewayUri, String> {
    let url = if host.contains("://") { host.to_owned() } else { format!("https://{host}") };
    match url.split_once(['?', '#']) {
        Some((before, _)) => GatewayUri::parse(before).map(|uri| uri.root()),
        None => GatewayUri::parse(&url),
    }
}
