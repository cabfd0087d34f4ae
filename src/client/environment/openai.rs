//! The variables of OpenAI's own client. Its key is sent only to the server that this client would use.

use super::connection::{self, Family};
use super::variables::{Variables, set};
use crate::client::error::{Error, Status};
use crate::client::options::Options;
use crate::dialect;
use crate::http::GatewayUri;

/// The gateway URI that stands for the server of OpenAI's client, as in MLflow's deployments.
pub const NAME: &str = "openai";

pub const BASE_URL: &str = "OPENAI_BASE_URL";
pub const API_KEY: &str = "OPENAI_API_KEY";

/// OpenAI's own API.
pub const DEFAULT_BASE_URL: &str = "https://api.openai.com/v1";

/// Returns the URI of the server that OpenAI's client would use.
pub fn base_url(variables: &Variables) -> Result<GatewayUri, Error> {
    let base = variables.uri(BASE_URL)?;
    GatewayUri::parse(base.as_ref().map_or(DEFAULT_BASE_URL, |base| base)).map_err(|problem| {
        Error::new(Status::InvalidUri, format!("{problem} (from the environment variable {BASE_URL})"))
    })
}

pub fn is_base_url_server(variables: &Variables, uri: &GatewayUri) -> bool {
    base_url(variables).is_ok_and(|base| uri.is_same_server(&base))
}

/// Returns the options for the server of OpenAI's client. MLflow's credentials are not for it.
pub fn options(variables: &Variables, uri: &GatewayUri) -> Result<Options, Error> {
    let mut options = connection::options(variables, uri, Family::Other)?;
    options.dialect = Some(dialect::OPENAI);
    if let Some(key) = variables.trimmed(API_KEY)? {
        set(&mut options, "bearer_token", &key, API_KEY)?;
    }
    Ok(options)
}
