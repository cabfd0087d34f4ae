//! What a handle finds when it is made: environment variables and the files that MLflow and Databricks keep.

use std::env::VarError;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

use super::error::{Error, Status};
use super::ini;
use super::nul_string::{shown, trimmed};
use super::options::{Options, Setting};
use crate::dialect;
use crate::http::{ConnectSetting, ConnectSettings, GatewayUri, Secret, TlsFile, TlsSetting};

/// Where a URI comes from that is not given: MLflow's own variables, the first that is set and not empty.
const URI: [&str; 2] = ["MLFLOW_GATEWAY_URI", "MLFLOW_DEPLOYMENTS_TARGET"];

/// The last of them. It may name a store of files or a database as well, which is no server.
const TRACKING_URI: &str = "MLFLOW_TRACKING_URI";

/// What OpenAI's own client reads, for servers of its API.
const OPENAI_BASE_URL: &str = "OPENAI_BASE_URL";
const OPENAI_API_KEY: &str = "OPENAI_API_KEY";

/// The URI that stands for that server, as in MLflow's deployments.
const OPENAI: &str = "openai";

/// Where OpenAI's own API is.
const OPENAIS_OWN: &str = "https://api.openai.com/v1";

/// Of one attempt or of all, for MLflow; here the time of the whole call.
const TIMEOUT: [&str; 3] =
    ["MLFLOW_DEPLOYMENT_PREDICT_TOTAL_TIMEOUT", "MLFLOW_DEPLOYMENT_PREDICT_TIMEOUT", "MLFLOW_HTTP_REQUEST_TIMEOUT"];

/// As the option has it in milliseconds.
const MAX_SECONDS: u64 = 24 * 60 * 60;

/// For MLflow, of all requests that are no predictions.
const ROUTES_TIMEOUT: [&str; 1] = ["MLFLOW_DEPLOYMENT_CLIENT_HTTP_REQUEST_TIMEOUT"];

const INSECURE: &str = "MLFLOW_TRACKING_INSECURE_TLS";
const TRUSTED: [&str; 3] = ["MLFLOW_TRACKING_SERVER_CERT_PATH", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

/// More than any file of credentials has.
const MAX_FILE: u64 = 1024 * 1024;

/// Which server to ask, and with what settings unless others are set.
#[derive(Debug)]
pub(super) struct EnvironmentSettings {
    pub uri: GatewayUri,
    pub options: Options,
}

/// Whose variables a server's connection obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// MLflow's and Databricks' servers.
    Mlflow,
    Others,
}

/// Reads variables, in a test those of the test.
pub(super) struct Environment<'a>(pub &'a dyn Fn(&str) -> Result<String, VarError>);

/// The process's own.
pub(super) const PROCESS: Environment = Environment(&|name| std::env::var(name));

impl Environment<'_> {
    /// What a handle for this gateway begins with; without one, for the gateway that the environment names.
    pub fn find(&self, gateway: Option<&str>) -> Result<EnvironmentSettings, Error> {
        let (gateway, named_by) = match gateway {
            Some(gateway) => (gateway.to_owned(), None),
            None => self.gateway()?,
        };
        let profile = match gateway.strip_prefix("databricks") {
            Some("") => Some(None),
            Some(rest) => rest.strip_prefix("://").map(Some),
            None => None,
        };
        match profile {
            Some(profile) => self.databricks(profile),
            None if gateway == OPENAI => self.openai(self.openais_uri()?),
            None => {
                let uri = GatewayUri::parse(&gateway).map_err(|problem| {
                    let place = named_by.map(|name| format!(" (from the environment variable {name})"));
                    Error::new(Status::InvalidUri, problem + &place.unwrap_or_default())
                })?;
                // Its key is for that server alone, and MLflow's credentials are not for it.
                if uri.is_openai_base() && self.openais_uri().is_ok_and(|openais| uri.is_same_server(&openais)) {
                    return self.openai(uri);
                }
                let mut options = self.common(&uri, Family::Mlflow)?;
                if uri.is_openai_base() {
                    options.dialect = Some(dialect::OPENAI);
                }
                self.of_mlflow(&mut options)?;
                options.make_default();
                Ok(EnvironmentSettings { uri, options })
            }
        }
    }

    fn gateway(&self) -> Result<(String, Option<&'static str>), Error> {
        for name in URI {
            if let Some(gateway) = self.trimmed(name)? {
                return Ok((gateway.to_string(), Some(name)));
            }
        }
        let tracking = self.trimmed(TRACKING_URI)?;
        if let Some(gateway) = tracking.as_ref().filter(|uri| is_of_server(uri)) {
            return Ok((gateway.to_string(), Some(TRACKING_URI)));
        }
        let name = URI[0];
        let why = tracking.map(|_| format!(" ({TRACKING_URI} names no server)")).unwrap_or_default();
        let problem = format!("no gateway URI is given{why}; pass one, or set the environment variable {name}");
        Err(Error::new(Status::NoGatewayUri, problem))
    }

    /// The server that OpenAI's own client would use.
    fn openais_uri(&self) -> Result<GatewayUri, Error> {
        let base = self.trimmed(OPENAI_BASE_URL)?;
        GatewayUri::parse(base.as_ref().map_or(OPENAIS_OWN, |base| base)).map_err(|problem| {
            Error::new(Status::InvalidUri, format!("{problem} (from the environment variable {OPENAI_BASE_URL})"))
        })
    }

    /// That server, with the key for it.
    fn openai(&self, uri: GatewayUri) -> Result<EnvironmentSettings, Error> {
        let mut options = self.common(&uri, Family::Others)?;
        options.dialect = Some(dialect::OPENAI);
        if let Some(key) = self.trimmed(OPENAI_API_KEY)? {
            set(&mut options, "bearer_token", &key, OPENAI_API_KEY)?;
        }
        options.make_default();
        Ok(EnvironmentSettings { uri, options })
    }

    /// What concerns all servers.
    fn common(&self, uri: &GatewayUri, family: Family) -> Result<Options, Error> {
        let connect = ConnectSettings::from_environment(uri, &|name| self.of_proxies(name));
        let mut options = Options::new(connect);
        if let Some(timeout) = self.seconds(&TIMEOUT)? {
            options.call.timeout = timeout;
        }
        options.call.routes_timeout = self.seconds(&ROUTES_TIMEOUT)?;
        self.retries(&mut options)?;
        if uri.is_https() {
            self.tls(&mut options, family)?;
        }
        Ok(options)
    }

    /// The time that the first of these variables gives that is set.
    fn seconds(&self, names: &[&'static str]) -> Result<Option<Duration>, Error> {
        let Some((name, value)) = self.first(names)? else { return Ok(None) };
        let seconds = value.trim().parse().ok().filter(|seconds| (1..=MAX_SECONDS).contains(seconds));
        let seconds = seconds.ok_or_else(|| wrong(name, &format!("1 to {MAX_SECONDS} (seconds) are allowed")))?;
        Ok(Some(Duration::from_secs(seconds)))
    }

    /// What MLflow's client reads of its retries.
    fn retries(&self, options: &mut Options) -> Result<(), Error> {
        let [most, factor, jitter, respect] = [
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES",
            "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR",
            "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER",
            "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER",
        ];
        if let Some(value) = self.variable(most)? {
            set(options, "max_retries", value.trim(), most)?;
        }
        let backoff = &mut options.call.retries.mlflow;
        for (name, seconds) in [(factor, &mut backoff.factor), (jitter, &mut backoff.jitter)] {
            if let Some(value) = self.variable(name)? {
                let number = value.trim().parse().ok().filter(|number| (0.0..=120.0).contains(number));
                *seconds = number.ok_or_else(|| wrong(name, "0 to 120 (seconds) are allowed"))?;
            }
        }
        if let Some(respects) = self.boolean(respect)? {
            backoff.respects_retry_after = respects;
        }
        Ok(())
    }

    fn boolean(&self, name: &str) -> Result<Option<bool>, Error> {
        match self.variable(name)?.map(|value| value.to_ascii_lowercase()).as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(wrong(name, "allowed: true, 1, false, 0")),
        }
    }

    fn tls(&self, options: &mut Options, family: Family) -> Result<(), Error> {
        // What MLflow's server is trusted with, another one is not.
        let is_mlflows = family == Family::Mlflow;
        let insecure = is_mlflows && self.boolean(INSECURE)?.unwrap_or(false);
        match self.first(if is_mlflows { &TRUSTED } else { &TRUSTED[1..] })? {
            Some((name, _)) if insecure && name == TRUSTED[0] => {
                return Err(wrong(INSECURE, &format!("it and {name} exclude each other")));
            }
            _ if insecure => set(options, "insecure_tls", "true", INSECURE)?,
            Some((name, path)) => set_file(options, "ca_file", TlsFile::Trusted, &path, name)?,
            None => {}
        }
        const CLIENT: &str = "MLFLOW_TRACKING_CLIENT_CERT_PATH";
        match self.variable(CLIENT)?.filter(|_| is_mlflows) {
            Some(path) => set_file(options, "client_cert_file", TlsFile::Client, &path, CLIENT),
            None => Ok(()),
        }
    }

    /// What concerns MLflow's servers.
    fn of_mlflow(&self, options: &mut Options) -> Result<(), Error> {
        const TOKEN: &str = "MLFLOW_TRACKING_TOKEN";
        if let Some(token) = self.trimmed(TOKEN)? {
            set(options, "bearer_token", &token, TOKEN)?;
        }
        const WORKSPACE: &str = "MLFLOW_WORKSPACE";
        if let Some(workspace) = self.variable(WORKSPACE)? {
            set(options, "workspace", &workspace, WORKSPACE)?;
        }
        let file = self.home(".mlflow/credentials");
        let content = file.as_ref().map(read).transpose()?.flatten();
        for (option, name, key) in [
            ("username", "MLFLOW_TRACKING_USERNAME", "mlflow_tracking_username"),
            ("password", "MLFLOW_TRACKING_PASSWORD", "mlflow_tracking_password"),
        ] {
            if let Some(value) = self.variable(name)?.map(Zeroizing::new) {
                set(options, option, &value, name)?;
            } else if let (Some(file), Some(content)) = (&file, &content) {
                // MLflow reads it with Python's configparser, for which %% stands for %.
                let value = ini::value(content, "mlflow", key).map(|value| Zeroizing::new(value.replace("%%", "%")));
                if let Some(value) = value {
                    set(options, option, &value, &format!("{key} in {}", file.display()))?;
                }
            }
        }
        Ok(())
    }

    /// A workspace of Databricks: the one that the environment or the usual profile names, or that of a profile.
    fn databricks(&self, asked: Option<&str>) -> Result<EnvironmentSettings, Error> {
        let none = |problem: String| Error::new(Status::NoGatewayUri, problem);
        if let Some(profile) = asked.filter(|profile| profile.is_empty() || profile.contains([':', '/', '@', '?', '#']))
        {
            let problem = format!("\"databricks://{}\" names no profile; write databricks://PROFILE", shown(profile));
            return Err(Error::new(Status::InvalidUri, problem));
        }
        let file = match self.variable("DATABRICKS_CONFIG_FILE")? {
            Some(path) => match path.strip_prefix("~/") {
                Some(below_home) => self.home(below_home),
                None => Some(PathBuf::from(path)),
            },
            None => self.home(".databrickscfg"),
        };
        let from_variable = self.trimmed("DATABRICKS_CONFIG_PROFILE")?.filter(|_| asked.is_none());
        // As in Databricks' own SDK: who says anything by variables, and names no profile, does not mean the file. A
        // profile's token must not go to another host than the profile's.
        let mut is_said = false;
        for name in ["DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET"] {
            is_said |= asked.is_none() && self.trimmed(name)?.is_some();
        }
        let is_file_meant = asked.is_some() || from_variable.is_some() || !is_said;
        let content = file.as_ref().filter(|_| is_file_meant).map(read).transpose()?.flatten().unwrap_or_default();
        let place = file.as_ref().map_or_else(|| "~/.databrickscfg".to_owned(), |file| file.display().to_string());
        let profile = match asked.or(from_variable.as_deref().map(String::as_str)) {
            Some(profile) if ini::has_section(&content, profile) && profile != SETTINGS => profile,
            Some(profile) => return Err(none(format!("the file {place} has no profile \"{}\"", shown(profile)))),
            None => ini::value(&content, SETTINGS, "default_profile").unwrap_or("DEFAULT"),
        };
        let host = self.databricks_value("DATABRICKS_HOST", asked, &content, profile, "host")?.ok_or_else(|| {
            let variable = if asked.is_none() { "set the environment variable DATABRICKS_HOST, or " } else { "" };
            none(format!(
                "no workspace of Databricks is named; {variable}give the profile \"{profile}\" in {place} a host"
            ))
        })?;
        let uri = workspace(host.expose()).map_err(|problem| {
            Error::new(Status::InvalidUri, format!("{problem} (DATABRICKS_HOST, or host in {place})"))
        })?;
        let has_own_host = ini::value(&content, profile, "host")
            .is_some_and(|own| workspace(trimmed(own)).map(|own| own.to_string()) != Ok(uri.to_string()));
        let secrets = if has_own_host { "" } else { content.as_str() };
        let mut options = self.common(&uri, Family::Mlflow)?;
        options.dialect = Some(dialect::DATABRICKS);
        for (option, name, key) in [
            ("bearer_token", "DATABRICKS_TOKEN", "token"),
            ("client_id", "DATABRICKS_CLIENT_ID", "client_id"),
            ("client_secret", "DATABRICKS_CLIENT_SECRET", "client_secret"),
        ] {
            if let Some(value) = self.databricks_value(name, asked, secrets, profile, key)? {
                set(&mut options, option, value.expose(), &format!("{name}, or {key} in {place}"))?;
            }
        }
        options.make_default();
        Ok(EnvironmentSettings { uri, options })
    }

    /// By the variable, unless a profile was asked for, or else by the file.
    fn databricks_value(
        &self,
        name: &str,
        asked: Option<&str>,
        file: &str,
        profile: &str,
        key: &str,
    ) -> Result<Option<Secret>, Error> {
        let variable = if asked.is_none() { self.trimmed(name)? } else { None };
        let filed = || ini::value(file, profile, key).map(trimmed).filter(|value| !value.is_empty());
        Ok(variable.map(|value| Secret::new(&value)).or_else(|| filed().map(Secret::new)))
    }

    /// `None` if it is not set, or empty.
    fn variable(&self, name: &str) -> Result<Option<String>, Error> {
        match (self.0)(name) {
            Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) if URI.contains(&name) || [TRACKING_URI, OPENAI_BASE_URL].contains(&name) => {
                Err(Error::new(Status::InvalidUri, format!("the environment variable {name} is not UTF-8")))
            }
            Err(VarError::NotUnicode(_)) => Err(wrong(name, "it is not UTF-8")),
        }
    }

    /// As [`Environment::variable`], of a URI, a host, a name or a token, without what files of settings leave around
    /// it.
    fn trimmed(&self, name: &str) -> Result<Option<Zeroizing<String>>, Error> {
        let value = self.variable(name)?.map(Zeroizing::new);
        let value = value.as_ref().map(|value| trimmed(value)).filter(|value| !value.is_empty());
        Ok(value.map(|value| Zeroizing::new(value.to_owned())))
    }

    /// A variable about proxies. One that is not UTF-8 must not count as not set.
    fn of_proxies(&self, name: &str) -> Option<String> {
        let value = Zeroizing::new(match (self.0)(name) {
            Ok(value) => value,
            Err(VarError::NotPresent) => return None,
            Err(VarError::NotUnicode(value)) => value.to_string_lossy().into_owned(),
        });
        Some(trimmed(&value).to_owned())
    }

    fn first(&self, names: &[&'static str]) -> Result<Option<(&'static str, String)>, Error> {
        for name in names {
            if let Some(value) = self.variable(name)? {
                return Ok(Some((name, value)));
            }
        }
        Ok(None)
    }

    fn home(&self, below: &str) -> Option<PathBuf> {
        Some(PathBuf::from((self.0)("HOME").ok().filter(|home| !home.is_empty())?).join(below))
    }
}

/// Whether a tracking URI is that of a server.
fn is_of_server(uri: &str) -> bool {
    let is_http = ["http://", "https://"]
        .iter()
        .any(|scheme| uri.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    is_http || uri == "databricks" || uri.starts_with("databricks://")
}

/// The section of a Databricks file that is no profile.
const SETTINGS: &str = "__settings__";

/// The URI of a workspace, whose host may be named without a scheme. One with a query or a fragment was copied from a
/// browser: its server is meant.
fn workspace(host: &str) -> Result<GatewayUri, String> {
    let has_scheme = host.contains("://");
    let url = if has_scheme { host.to_owned() } else { format!("https://{host}") };
    match url.split_once(['?', '#']) {
        Some((before, _)) => GatewayUri::parse(before).map(|uri| uri.root()),
        None => GatewayUri::parse(&url),
    }
}

/// Sets an option to what was found at a place, which an error names.
fn set(options: &mut Options, option: &str, value: &str, place: &str) -> Result<(), Error> {
    Setting::parse(option, value)
        .and_then(|setting| options.set(setting))
        .map_err(|error| Error::new(Status::InvalidOptionValue, format!("{} (from {place})", error.message())))
}

/// As [`set`], for a file. One that cannot be used matters only if no option takes its place.
fn set_file(options: &mut Options, option: &str, file: TlsFile, path: &str, variable: &str) -> Result<(), Error> {
    set(options, option, path, variable).or_else(|error| {
        let unusable = TlsSetting::InvalidFile(file, error.message().to_owned());
        options.set(Setting::Connect(ConnectSetting::Tls(unusable)))
    })
}

fn wrong(variable: &str, problem: &str) -> Error {
    Error::new(Status::InvalidOptionValue, format!("the environment variable {variable}: {problem}"))
}

/// `None` if there is no such file.
fn read(path: &PathBuf) -> Result<Option<Zeroizing<String>>, Error> {
    let unusable = |problem: String| {
        Error::new(Status::InvalidOptionValue, format!("the file {} cannot be used: {problem}", path.display()))
    };
    let file = match File::open(path) {
        Ok(file) => file,
        // A service's home is often not its own to read.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(unusable(error.to_string())),
    };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    if length > MAX_FILE {
        return Err(unusable(format!("it is longer than {MAX_FILE} bytes")));
    }
    // In one piece: a block that grows leaves secrets behind.
    let mut content = Zeroizing::new(String::with_capacity(length as usize + 1));
    file.take(MAX_FILE).read_to_string(&mut content).map_err(|error| unusable(error.to_string()))?;
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(gateway: Option<&str>, variables: &[(&str, &str)]) -> Result<EnvironmentSettings, Error> {
        let read = |name: &str| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned()).ok_or(VarError::NotPresent)
        };
        Environment(&read).find(gateway)
    }

    #[test]
    fn the_first_uri_that_is_set_counts() {
        let uri = |variables: &[(&str, &str)]| find(None, variables).map(|found| found.uri.to_string());
        assert_eq!(uri(&[(URI[1], "http://b"), (URI[0], "http://a")]).unwrap(), "http://a");
        assert_eq!(uri(&[(URI[1], "http://b"), (URI[0], "")]).unwrap(), "http://b");
        assert_eq!(uri(&[]).unwrap_err().status(), Status::NoGatewayUri);
        let error = uri(&[(URI[1], "b")]).unwrap_err();
        assert!(error.message().contains(URI[1]), "{error}");
    }

    #[test]
    fn tracking_uri_counts_last_and_only_if_it_is_a_servers() {
        let uri = |variables: &[(&str, &str)]| find(None, variables).map(|found| found.uri.to_string());
        assert_eq!(uri(&[(TRACKING_URI, " HTTP://t:5000/\n")]).unwrap(), "HTTP://t:5000");
        assert_eq!(uri(&[(TRACKING_URI, "http://t"), (URI[1], "http://b")]).unwrap(), "http://b");
        let databricks = [(TRACKING_URI, "databricks"), ("DATABRICKS_HOST", "w.example")];
        assert_eq!(uri(&databricks).unwrap(), "https://w.example");
        for store in ["sqlite:///m.db", "file:///x", "./mlruns", "databricks-uc", "httpx://h", "é", "openai"] {
            let error = uri(&[(TRACKING_URI, store)]).unwrap_err();
            assert_eq!(error.status(), Status::NoGatewayUri, "{store}");
            assert!(error.message().contains(TRACKING_URI) && error.message().contains(URI[0]), "{error}");
        }
        let error = uri(&[(TRACKING_URI, "http://me:hunter2@h")]).unwrap_err();
        assert!(error.message().contains(TRACKING_URI) && !error.message().contains("hunter2"), "{error}");
    }

    fn dialect(found: &EnvironmentSettings) -> Option<&'static str> {
        found.options.dialect.map(|dialect| dialect.name())
    }

    /// The credentials that requests carry.
    fn bearer(found: &EnvironmentSettings) -> Option<String> {
        let sent = found.options.add_to(&crate::http::Headers::default());
        sent.secrets().find_map(|secret| secret.strip_prefix("Bearer ")).map(str::to_owned)
    }

    #[test]
    fn path_names_the_dialect_and_no_key() {
        let variables = [(OPENAI_API_KEY, "sk-1"), ("MLFLOW_TRACKING_TOKEN", "t-1")];
        let found = find(Some("http://gateway/mlflow/v1"), &variables).unwrap();
        assert_eq!((dialect(&found), found.uri.to_string().as_str()), (Some("openai"), "http://gateway/mlflow/v1"));
        assert_eq!(bearer(&found).as_deref(), Some("t-1"));
        assert_eq!(dialect(&find(Some("http://gateway"), &variables).unwrap()), None);
    }

    #[test]
    fn key_goes_to_the_server_that_openais_client_would_use_and_to_no_other() {
        let own = "https://llm.example:8443/openai/v1";
        let variables = [
            (OPENAI_API_KEY, " sk-1\n"),
            (OPENAI_BASE_URL, " \"https://llm.example:8443/openai/v1/\""),
            ("MLFLOW_TRACKING_TOKEN", "t-1"),
            ("MLFLOW_TRACKING_INSECURE_TLS", "true"),
            (TRUSTED[0], "/nowhere"),
            ("MLFLOW_WORKSPACE", "w"),
        ];
        for uri in ["openai", own, "https://LLM.example:8443/v1"] {
            let found = find(Some(uri), &variables).unwrap();
            assert_eq!((dialect(&found), bearer(&found).as_deref()), (Some("openai"), Some("sk-1")), "{uri}");
            assert!(found.uri.to_string().eq_ignore_ascii_case(if uri == "openai" { own } else { uri }));
            assert_eq!(
                (found.options.workspace, found.options.connect.configuration_error()),
                (None, None),
                "they are MLflow's"
            );
        }
        let variables = &variables[..3];
        for uri in [
            "https://llm.example/v1",
            "http://llm.example:8443/v1",
            "https://api.openai.com/v1",
            "https://llm.example:8443/openai",
            "http://127.0.0.1/v1",
        ] {
            assert_eq!(bearer(&find(Some(uri), variables).unwrap()).as_deref(), Some("t-1"), "{uri}");
        }
        let found =
            find(None, &[(URI[1], "openai"), (OPENAI_API_KEY, "sk-1"), ("MLFLOW_TRACKING_TOKEN", "t-1")]).unwrap();
        assert_eq!((found.uri.to_string().as_str(), bearer(&found).as_deref()), (OPENAIS_OWN, Some("sk-1")));
        let found = find(Some(OPENAIS_OWN), &[("MLFLOW_TRACKING_TOKEN", "t-1")]).unwrap();
        assert_eq!(bearer(&found), None, "MLflow's token is not OpenAI's");
        assert_eq!(find(None, variables).unwrap_err().status(), Status::NoGatewayUri, "nobody names the dialect");
        let error = find(Some("openai"), &[(OPENAI_BASE_URL, "http://me:hunter2@h/v1")]).unwrap_err();
        assert!(error.message().contains(OPENAI_BASE_URL) && !error.message().contains("hunter2"), "{error}");
        for uri in ["http://h", "http://h/v1"] {
            assert!(find(Some(uri), &[(OPENAI_BASE_URL, "no URI")]).is_ok(), "another server is named");
        }
    }

    #[test]
    fn seconds_become_milliseconds() {
        let ms = |variables: &[(&str, &str)]| {
            find(Some("http://h"), variables).map(|found| found.options.call.timeout.as_millis())
        };
        assert_eq!(ms(&[]).unwrap(), 300_000);
        assert_eq!(ms(&[(TIMEOUT[2], "2")]).unwrap(), 2_000);
        assert_eq!(ms(&[(TIMEOUT[2], "2"), (TIMEOUT[1], "4")]).unwrap(), 4_000);
        assert_eq!(ms(&[(TIMEOUT[1], "1"), (TIMEOUT[0], "3")]).unwrap(), 3_000);
        for value in ["0", "-1", "soon", "1.5", "99999999999999999999"] {
            let error = ms(&[(TIMEOUT[2], value)]).unwrap_err();
            assert_eq!(error.status(), Status::InvalidOptionValue);
            assert!(error.message().contains(TIMEOUT[2]), "{error}");
        }
    }

    #[test]
    fn routes_have_a_timeout_of_their_own() {
        let options = find(Some("http://h"), &[(ROUTES_TIMEOUT[0], " 7\n"), (TIMEOUT[0], "3")]).unwrap().options;
        assert_eq!(
            (options.call.timeout, options.call.routes_timeout),
            (Duration::from_secs(3), Some(Duration::from_secs(7)))
        );
        let mut changed = options.clone();
        changed.set(Setting::parse("timeout_ms", "5").unwrap()).unwrap();
        assert_eq!(changed.call.routes_timeout, None);
    }

    #[test]
    fn a_workspace_of_databricks_is_found() {
        let found = find(Some("databricks"), &[("DATABRICKS_HOST", "w.example/"), ("DATABRICKS_TOKEN", "t")]).unwrap();
        assert_eq!(found.uri.to_string(), "https://w.example");
        assert_eq!(found.options.dialect.unwrap().name(), "databricks");
        assert_eq!(find(Some("databricks"), &[]).unwrap_err().status(), Status::NoGatewayUri);
        let error = find(Some("databricks://p"), &[("DATABRICKS_HOST", "h")]).unwrap_err();
        assert!(error.message().contains("no profile \"p\""), "{error}");
        for uri in ["databricks://", "databricks://scope:prefix", "databricks:/", "databrickss://p"] {
            assert_eq!(find(Some(uri), &[]).unwrap_err().status(), Status::InvalidUri, "{uri}");
        }
    }

    #[test]
    fn what_surrounds_a_value_is_trimmed() {
        for uri in [" http://h", "http://h/\n", "\"http://h\"", "'http://h' \r\n", "\t\"http://h/\"\n"] {
            assert_eq!(find(None, &[(URI[0], uri)]).unwrap().uri.to_string(), "http://h", "{uri:?}");
        }
        assert_eq!(find(None, &[(URI[0], "\"\""), (URI[1], "http://b")]).unwrap().uri.to_string(), "http://b");
        let error = find(None, &[(URI[0], "http://a b")]).unwrap_err();
        assert!(error.message().contains(URI[0]), "{error}");
    }

    #[test]
    fn a_host_copied_from_a_browser_names_the_workspace() {
        for (host, uri) in [
            ("https://adb-1.azuredatabricks.net/?o=1", "https://adb-1.azuredatabricks.net"),
            ("adb-1.azuredatabricks.net/browse/folders/2?o=1#job/3", "https://adb-1.azuredatabricks.net"),
            ("https://adb-1.azuredatabricks.net/#setting", "https://adb-1.azuredatabricks.net"),
            (" \"adb-1.azuredatabricks.net/\"\n", "https://adb-1.azuredatabricks.net"),
            ("https://proxy.example/databricks/", "https://proxy.example/databricks"),
        ] {
            assert_eq!(find(Some("databricks"), &[("DATABRICKS_HOST", host)]).unwrap().uri.to_string(), uri);
        }
        let error = find(Some("databricks"), &[("DATABRICKS_HOST", "https://me:hunter2@h/?o=1")]).unwrap_err();
        assert!(error.message().contains("DATABRICKS_HOST") && !error.message().contains("hunter2"), "{error}");
    }

    #[test]
    fn trust_is_said_once() {
        let tls = |variables: &[(&str, &str)]| find(Some("https://h"), variables).map(drop);
        assert!(tls(&[(INSECURE, "True")]).is_ok());
        assert!(tls(&[(INSECURE, "0"), (TRUSTED[1], "")]).is_ok());
        assert!(tls(&[(INSECURE, "1"), (TRUSTED[1], "/nowhere")]).is_ok());
        for variables in [&[(INSECURE, "1"), (TRUSTED[0], "/x")][..], &[(INSECURE, "yes")]] {
            assert_eq!(tls(variables).unwrap_err().status(), Status::InvalidOptionValue);
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_matters_if_no_option_takes_its_place() {
        let variables = [(TRUSTED[2], "/nowhere"), ("MLFLOW_TRACKING_CLIENT_CERT_PATH", "/nowhere-else")];
        let mut options = find(Some("https://h"), &variables).unwrap().options;
        let mut set = |option, value| {
            options.set(Setting::parse(option, value).unwrap()).unwrap();
            options.connect.configuration_error().map(str::to_owned)
        };
        assert!(set("timeout_ms", "1").unwrap().contains("/nowhere cannot be read"));
        assert!(set("insecure_tls", "false").unwrap().contains(TRUSTED[2]));
        assert!(set("ca_file", "").unwrap().contains("/nowhere-else cannot be read"));
        assert_eq!(set("client_cert_file", ""), None);
        let options = find(Some("http://h"), &variables).unwrap().options;
        assert_eq!(options.connect.configuration_error(), None, "it is for TLS");
    }
}
