//! What a new handle takes from its environment: the gateway URI and the options that variables and configuration files
//! set. Here one family of servers is chosen; the variables of each have a file of their own.

mod connection;
mod databricks;
pub(super) mod ini;
mod mlflow;
mod openai;
#[cfg(test)]
mod tests;
mod variables;

use self::connection::Family;
pub(super) use self::variables::{PROCESS, Variables};
use super::error::{Error, Status};
use super::options::Options;
use crate::dialect;
use crate::http::GatewayUri;

#[derive(Debug)]
pub(super) struct EnvironmentSettings {
    pub uri: GatewayUri,
    pub options: Options,
}

/// Finds the settings of a new handle for `gateway`, or for the gateway that the environment names.
pub(super) fn find(variables: &Variables, gateway: Option<&str>) -> Result<EnvironmentSettings, Error> {
    let (uri, mut options) = uri_and_options(variables, gateway)?;
    options.mark_as_default();
    Ok(EnvironmentSettings { uri, options })
}

fn uri_and_options(variables: &Variables, gateway: Option<&str>) -> Result<(GatewayUri, Options), Error> {
    let (gateway, variable) = match gateway {
        Some(gateway) => (gateway.to_owned(), None),
        None => mlflow::gateway(variables).map(|(gateway, name)| (gateway, Some(name)))?,
    };
    if gateway == "databricks" {
        return databricks::workspace(variables, None);
    }
    if let Some(profile) = gateway.strip_prefix("databricks://") {
        return databricks::workspace(variables, Some(profile));
    }
    if gateway == openai::NAME {
        let uri = openai::base_url(variables)?;
        let options = openai::options(variables, &uri)?;
        return Ok((uri, options));
    }
    let uri = GatewayUri::parse(&gateway).map_err(|problem| {
        let source = variable.map(|name| format!(" (from the environment variable {name})"));
        Error::new(Status::InvalidUri, problem + &source.unwrap_or_default())
    })?;
    let options = if uri.is_openai_base() && openai::is_base_url_server(variables, &uri) {
        openai::options(variables, &uri)?
    } else {
        let mut options = connection::options(variables, &uri, Family::Mlflow)?;
        if uri.is_openai_base() {
            options.dialect = Some(dialect::OPENAI);
        }
        mlflow::set_options(variables, &mut options)?;
        options
    };
    Ok((uri, options))
}
