//! Variables that apply to every server: proxies, TLS, timeouts and retries.

use std::time::Duration;

use super::variables::{Variables, invalid, set};
use crate::client::error::Error;
use crate::client::option_parser::HandleOption;
use crate::client::options::Options;
use crate::http::{ConnectSetting, ConnectSettings, GatewayUri, TlsFile, TlsSetting};

/// In MLflow these limit one attempt or all attempts; here they limit the whole call.
pub const TIMEOUT: [&str; 3] =
    ["MLFLOW_DEPLOYMENT_PREDICT_TOTAL_TIMEOUT", "MLFLOW_DEPLOYMENT_PREDICT_TIMEOUT", "MLFLOW_HTTP_REQUEST_TIMEOUT"];

/// In MLflow this limits all requests except predictions.
pub const ROUTES_TIMEOUT: [&str; 1] = ["MLFLOW_DEPLOYMENT_CLIENT_HTTP_REQUEST_TIMEOUT"];

/// The maximum of the option `timeout_ms`.
const MAX_SECONDS: u64 = 24 * 60 * 60;

pub const INSECURE: &str = "MLFLOW_TRACKING_INSECURE_TLS";
/// The first is for MLflow's servers only.
pub const TRUSTED: [&str; 3] = ["MLFLOW_TRACKING_SERVER_CERT_PATH", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];
const CLIENT_CERTIFICATE: &str = "MLFLOW_TRACKING_CLIENT_CERT_PATH";

/// The servers that MLflow's TLS variables apply to, and the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Servers of MLflow and Databricks.
    Mlflow,
    Other,
}

/// Returns the default options for a server, with the proxy, TLS settings, timeouts and retries of the environment.
pub fn options(variables: &Variables, uri: &GatewayUri, family: Family) -> Result<Options, Error> {
    let mut options = Options::new(ConnectSettings::from_environment(uri, &|name| variables.proxy(name)));
    if let Some(timeout) = seconds(variables, &TIMEOUT)? {
        options.call.timeout = timeout;
    }
    options.call.routes_timeout = seconds(variables, &ROUTES_TIMEOUT)?;
    set_retries(variables, &mut options)?;
    if uri.is_https() {
        set_tls(variables, &mut options, family)?;
    }
    Ok(options)
}

/// Returns the timeout of the first of these variables that is set.
fn seconds(variables: &Variables, names: &[&'static str]) -> Result<Option<Duration>, Error> {
    let Some((name, value)) = variables.first(names)? else { return Ok(None) };
    let seconds = value.trim().parse().ok().filter(|seconds| (1..=MAX_SECONDS).contains(seconds));
    let seconds = seconds.ok_or_else(|| invalid(name, &format!("allowed: 1 to {MAX_SECONDS} (seconds)")))?;
    Ok(Some(Duration::from_secs(seconds)))
}

fn set_retries(variables: &Variables, options: &mut Options) -> Result<(), Error> {
    const MAX_RETRIES: &str = "MLFLOW_HTTP_REQUEST_MAX_RETRIES";
    if let Some(value) = variables.get(MAX_RETRIES)? {
        set(options, "max_retries", value.trim(), MAX_RETRIES)?;
    }
    let backoff = &mut options.call.retries.mlflow;
    for (name, seconds) in [
        ("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", &mut backoff.factor),
        ("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", &mut backoff.jitter),
    ] {
        if let Some(value) = variables.get(name)? {
            let number = fast_float2::parse(value.trim()).ok().filter(|number| (0.0..=120.0).contains(number));
            *seconds = number.ok_or_else(|| invalid(name, "allowed: 0 to 120 (seconds)"))?;
        }
    }
    if let Some(respects) = variables.boolean("MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER")? {
        backoff.respects_retry_after = respects;
    }
    Ok(())
}

fn set_tls(variables: &Variables, options: &mut Options, family: Family) -> Result<(), Error> {
    // Trust in MLflow's server is not trust in other servers.
    let is_mlflow = family == Family::Mlflow;
    let is_insecure = is_mlflow && variables.boolean(INSECURE)?.unwrap_or(false);
    match variables.first(if is_mlflow { &TRUSTED } else { &TRUSTED[1..] })? {
        Some((name, _)) if is_insecure && name == TRUSTED[0] => {
            return Err(invalid(INSECURE, &format!("cannot be combined with {name}")));
        }
        _ if is_insecure => set(options, "insecure_tls", "true", INSECURE)?,
        Some((name, path)) => set_file(options, "ca_file", TlsFile::Trusted, &path, name)?,
        None => {}
    }
    match variables.get(CLIENT_CERTIFICATE)?.filter(|_| is_mlflow) {
        Some(path) => set_file(options, "client_cert_file", TlsFile::Client, &path, CLIENT_CERTIFICATE),
        None => Ok(()),
    }
}

/// As [`set`], for a file. An unusable file is an error only when it is used: an option may replace it before.
fn set_file(options: &mut Options, option: &str, file: TlsFile, path: &str, variable: &str) -> Result<(), Error> {
    set(options, option, path, variable).or_else(|error| {
        let unusable = TlsSetting::InvalidFile(file, error.message().to_owned());
        options.set(HandleOption::Connect(ConnectSetting::Tls(unusable)))
    })
}
