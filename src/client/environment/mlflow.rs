//! MLflow's variables and its credentials file: the gateway of a handle without a URI, the credentials, and the
//! workspace.

use zeroize::Zeroizing;

use super::ini;
use super::variables::{Variables, set};
use crate::client::error::{Error, Status};
use crate::client::options::Options;

/// The variables that name the gateway. The first that is set takes precedence.
pub const URI: [&str; 2] = ["MLFLOW_GATEWAY_URI", "MLFLOW_DEPLOYMENTS_TARGET"];

/// The variable that is used last. It may also name a directory or a database, which are not servers.
pub const TRACKING_URI: &str = "MLFLOW_TRACKING_URI";

/// Returns the gateway URI of the environment, and the variable that holds it.
pub fn gateway(variables: &Variables) -> Result<(String, &'static str), Error> {
    for name in URI {
        if let Some(gateway) = variables.uri(name)? {
            return Ok((gateway.to_string(), name));
        }
    }
    let tracking = variables.uri(TRACKING_URI)?;
    if let Some(gateway) = tracking.as_ref().filter(|uri| is_server(uri)) {
        return Ok((gateway.to_string(), TRACKING_URI));
    }
    let name = URI[0];
    let note = tracking.map(|_| format!(" ({TRACKING_URI} is not the URI of a server)")).unwrap_or_default();
    let problem = format!("no gateway URI is given{note}; pass one, or set the environment variable {name}");
    Err(Error::new(Status::NoGatewayUri, problem))
}

fn is_server(tracking_uri: &str) -> bool {
    let has_scheme =
        |scheme: &str| tracking_uri.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    has_scheme("http://")
        || has_scheme("https://")
        || tracking_uri == "databricks"
        || tracking_uri.starts_with("databricks://")
}

/// Sets the credentials and the workspace for a server of MLflow.
pub fn set_options(variables: &Variables, options: &mut Options) -> Result<(), Error> {
    const TOKEN: &str = "MLFLOW_TRACKING_TOKEN";
    if let Some(token) = variables.trimmed(TOKEN)? {
        set(options, "bearer_token", &token, TOKEN)?;
    }
    const WORKSPACE: &str = "MLFLOW_WORKSPACE";
    if let Some(workspace) = variables.get(WORKSPACE)? {
        set(options, "workspace", &workspace, WORKSPACE)?;
    }
    let file = variables.home(".mlflow/credentials");
    let content = file.as_ref().map(ini::read).transpose()?.flatten();
    for (option, name, key) in [
        ("username", "MLFLOW_TRACKING_USERNAME", "mlflow_tracking_username"),
        ("password", "MLFLOW_TRACKING_PASSWORD", "mlflow_tracking_password"),
    ] {
        if let Some(value) = variables.get(name)?.map(Zeroizing::new) {
            set(options, option, &value, name)?;
        } else if let (Some(file), Some(content)) = (&file, &content) {
            // MLflow reads the file with Python's configparser, which unescapes %% to %.
            let value = ini::value(content, "mlflow", key).map(|value| Zeroizing::new(value.replace("%%", "%")));
            if let Some(value) = value {
                set(options, option, &value, &format!("{key} in {}", file.display()))?;
            }
        }
    }
    Ok(())
}
