//! Options: how the library behaves, as against parameters, which are the model's.

use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::auth::{Auth, AuthHeader, CredentialPart};
use super::error::{Error, Status};
use super::nul_string::shown;
use super::retry::{RetryOptions, RetryPolicy};
use crate::dialect::{self, Dialect, Task};
use crate::http::{
    ConnectSetting, ConnectSettings, Headers, KeepAlive, Limits, PemFile, ProxySetting, Secret, Timeouts, TlsSetting,
    USER_AGENT, check_value,
};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// More than any bundle of certificates has.
const MAX_PEM_FILE: u64 = 8 * 1024 * 1024;

const HANDLE_NAMES: [&str; 17] = [
    "allow_insecure_auth",
    "auth_header",
    "bearer_token",
    "ca_file",
    "client_cert_file",
    "client_id",
    "client_key_file",
    "client_secret",
    "dialect",
    "insecure_tls",
    "keep_alive_ms",
    "max_connections",
    "password",
    "proxy",
    "user_agent",
    "username",
    "workspace",
];

const CALL_NAMES: [&str; 19] = [
    "connect_timeout_ms",
    "embed_batch_size",
    "embed_concurrency",
    "first_byte_timeout_ms",
    "gather_stream",
    "idle_timeout_ms",
    "max_event_bytes",
    "max_gathered_bytes",
    "max_header_bytes",
    "max_redirects",
    "max_response_bytes",
    "max_retries",
    "retry_backoff_ms",
    "retry_max_backoff_ms",
    "retry_policy",
    "retry_read_timeouts",
    "stream_timeout_ms",
    "task",
    "timeout_ms",
];

/// More than any machine has memory for, and less than overflows.
const MAX_BYTES: u64 = 1 << 40;

#[derive(Debug, Clone)]
pub(super) struct Options {
    /// `None`: ask the server.
    pub dialect: Option<&'static dyn Dialect>,
    pub keep_alive: KeepAlive,
    pub connect: Arc<ConnectSettings>,
    pub auth: Auth,
    /// Sent as the header that MLflow reads it from.
    pub workspace: Option<String>,
    /// What the caller's program calls itself, before our name.
    pub user_agent: Option<String>,
    pub call: CallOptions,
}

/// Those that concern one call, which a request may have of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallOptions {
    /// The time a whole call may take.
    pub timeout: Duration,
    /// And one that asks no model but about routes, if the environment says so.
    pub routes_timeout: Option<Duration>,
    /// And parts of it.
    pub timeouts: Timeouts,
    /// The maximum wait for an event after the first one.
    pub idle_timeout: Option<Duration>,
    /// How long a stream may take that has begun.
    pub stream_timeout: Duration,
    pub limits: Limits,
    /// As many bytes of texts and calls of tools a stream may have.
    pub max_gathered_bytes: usize,
    pub max_redirects: u32,
    pub retries: RetryOptions,
    /// The longest event of a stream.
    pub max_event_bytes: usize,
    /// Whether a stream's texts are kept until its end.
    pub gather_stream: bool,
    /// As many inputs are sent in one request for vectors.
    pub embed_batch_size: usize,
    /// As many such requests are under way at once.
    pub embed_concurrency: usize,
    /// What a prompt is sent as where the server does not say what the route is for; `None`: as the dialect has it.
    pub task: Option<Task>,
}

impl Default for Options {
    fn default() -> Options {
        Options::new(ConnectSettings::default())
    }
}

impl Default for CallOptions {
    fn default() -> CallOptions {
        CallOptions {
            // The time that MLflow's own gateway client waits.
            timeout: Duration::from_secs(300),
            routes_timeout: None,
            timeouts: Timeouts { connect: Some(Duration::from_secs(10)), first_byte: None },
            idle_timeout: Some(Duration::from_secs(120)),
            stream_timeout: Duration::from_secs(3600),
            limits: Limits { head: 16 * 1024, body: 256 * 1024 * 1024 },
            max_gathered_bytes: 256 * 1024 * 1024,
            max_redirects: 0,
            retries: RetryOptions::default(),
            max_event_bytes: 16 * 1024 * 1024,
            gather_stream: true,
            // As in LangChain's MlflowEmbeddings.
            embed_batch_size: 20,
            embed_concurrency: 1,
            task: None,
        }
    }
}

/// An option's name and value, understood, with its file read.
pub(super) enum Setting {
    Dialect(Option<&'static dyn Dialect>),
    MaxConnections(usize),
    MaxIdle(Duration),
    Connect(ConnectSetting),
    Auth(CredentialPart, Option<Secret>),
    AuthHeader(AuthHeader),
    AllowInsecureAuth(bool),
    Workspace(Option<String>),
    UserAgent(Option<String>),
    Call(CallSetting),
}

/// As [`Setting`], of those that concern one call.
#[derive(Debug, Clone, Copy)]
pub(super) enum CallSetting {
    Timeout(Duration),
    ConnectTimeout(Option<Duration>),
    FirstByteTimeout(Option<Duration>),
    IdleTimeout(Option<Duration>),
    StreamTimeout(Duration),
    MaxRetries(u32),
    RetryBackoff(Duration),
    RetryMaxBackoff(Duration),
    RetryReadTimeouts(bool),
    RetryPolicy(RetryPolicy),
    MaxResponseBytes(usize),
    MaxHeaderBytes(usize),
    MaxEventBytes(usize),
    MaxGatheredBytes(usize),
    MaxRedirects(u32),
    GatherStream(bool),
    EmbedBatchSize(usize),
    EmbedConcurrency(usize),
    Task(Option<Task>),
}

impl Setting {
    pub fn parse(name: &str, value: &str) -> Result<Setting, Error> {
        let wrong = |problem: String| Error::new(Status::InvalidOptionValue, format!("the option {name}: {problem}"));
        let tls =
            |setting: Result<TlsSetting, String>| Ok(Setting::Connect(ConnectSetting::Tls(setting.map_err(wrong)?)));
        let secret = |part| -> Result<Setting, Error> {
            check_value(&format!("the option {name}"), value).map_err(|problem| wrong_value(problem.0))?;
            Ok(Setting::Auth(part, Some(Secret::new(value)).filter(|_| !value.is_empty())))
        };
        let text = || -> Result<Option<String>, Error> {
            check_value(&format!("the option {name}"), value).map_err(|problem| wrong_value(problem.0))?;
            Ok(Some(value.to_owned()).filter(|value| !value.is_empty()))
        };
        Ok(match name {
            "dialect" => Setting::Dialect(dialect_named(value)?),
            "keep_alive_ms" => {
                Setting::MaxIdle(Duration::from_millis(number(name, value, 0..=DAY_MS, " (milliseconds)")?))
            }
            "max_connections" => Setting::MaxConnections(number(name, value, 0..=65536, "")? as usize),
            "insecure_tls" => return tls(Ok(TlsSetting::Insecure(boolean(name, value)?))),
            "ca_file" => return tls(TlsSetting::trusted(&read_all(value).map_err(wrong)?)),
            "client_cert_file" => return tls(TlsSetting::client_chain(read(value).map_err(wrong)?.as_ref())),
            "client_key_file" => return tls(TlsSetting::client_key(read(value).map_err(wrong)?.as_ref())),
            "proxy" => Setting::Connect(ConnectSetting::Proxy(ProxySetting::parse(value).map_err(wrong)?)),
            "username" if value.contains(':') => return Err(wrong("a name cannot have a colon in it".to_owned())),
            "username" => return secret(CredentialPart::Username),
            "password" => return secret(CredentialPart::Password),
            "bearer_token" => return secret(CredentialPart::BearerToken),
            "client_id" => return secret(CredentialPart::ClientId),
            "client_secret" => return secret(CredentialPart::ClientSecret),
            "auth_header" => Setting::AuthHeader(auth_header(value)?),
            "allow_insecure_auth" => Setting::AllowInsecureAuth(boolean(name, value)?),
            "workspace" => Setting::Workspace(text()?),
            "user_agent" => Setting::UserAgent(text()?),
            _ => Setting::Call(CallSetting::parse(name, value)?.ok_or_else(|| {
                let all = [&HANDLE_NAMES[..], &CALL_NAMES[..]].concat().join(", ");
                unknown(name, &format!("the options are {all}"))
            })?),
        })
    }
}

impl CallSetting {
    /// `None` if there is none of that name.
    fn parse(name: &str, value: &str) -> Result<Option<CallSetting>, Error> {
        let time = |allowed| number(name, value, allowed, " (milliseconds)").map(Duration::from_millis);
        // 0 means no separate limit.
        let limit = || time(0..=DAY_MS).map(|timeout| Some(timeout).filter(|timeout| !timeout.is_zero()));
        let count = |most| number(name, value, 0..=most, "").map(|number| number as u32);
        let bytes =
            |most| number(name, value, 1024..=most, "").map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        Ok(Some(match name {
            "timeout_ms" => CallSetting::Timeout(time(1..=DAY_MS)?),
            "connect_timeout_ms" => CallSetting::ConnectTimeout(limit()?),
            "first_byte_timeout_ms" => CallSetting::FirstByteTimeout(limit()?),
            "idle_timeout_ms" => CallSetting::IdleTimeout(limit()?),
            "stream_timeout_ms" => CallSetting::StreamTimeout(time(1..=DAY_MS)?),
            "max_retries" => CallSetting::MaxRetries(count(10)?),
            "retry_backoff_ms" => CallSetting::RetryBackoff(time(1..=60_000)?),
            "retry_max_backoff_ms" => CallSetting::RetryMaxBackoff(time(1..=600_000)?),
            "retry_read_timeouts" => CallSetting::RetryReadTimeouts(boolean(name, value)?),
            "retry_policy" => CallSetting::RetryPolicy(match value {
                "careful" => RetryPolicy::Careful,
                "mlflow" => RetryPolicy::Mlflow,
                _ => return Err(invalid(name, value, "careful, mlflow")),
            }),
            "max_response_bytes" => CallSetting::MaxResponseBytes(bytes(MAX_BYTES)?),
            "max_header_bytes" => CallSetting::MaxHeaderBytes(bytes(64 * 1024)?),
            "max_event_bytes" => CallSetting::MaxEventBytes(bytes(1 << 30)?),
            "max_gathered_bytes" => CallSetting::MaxGatheredBytes(bytes(MAX_BYTES)?),
            "max_redirects" => CallSetting::MaxRedirects(count(10)?),
            "gather_stream" => CallSetting::GatherStream(boolean(name, value)?),
            "embed_batch_size" => CallSetting::EmbedBatchSize(number(name, value, 1..=100_000, "")? as usize),
            "embed_concurrency" => CallSetting::EmbedConcurrency(number(name, value, 1..=64, "")? as usize),
            "task" => CallSetting::Task(match value {
                "auto" => None,
                "chat" => Some(Task::Chat),
                "completions" => Some(Task::Completions),
                _ => return Err(invalid(name, value, "auto, chat, completions")),
            }),
            _ => return Ok(None),
        }))
    }

    pub fn parse_for_request(name: &str, value: &str) -> Result<CallSetting, Error> {
        CallSetting::parse(name, value)?.ok_or_else(|| {
            if HANDLE_NAMES.contains(&name) {
                let why = format!("the option {name} cannot be set for a request, but for its gateway handle");
                Error::new(Status::UnknownOption, why)
            } else {
                unknown(name, &format!("the options of a request are {}", CALL_NAMES.join(", ")))
            }
        })
    }
}

impl CallOptions {
    pub fn set(&mut self, setting: CallSetting) {
        match setting {
            CallSetting::Timeout(timeout) => {
                self.timeout = timeout;
                self.routes_timeout = None;
            }
            CallSetting::ConnectTimeout(timeout) => self.timeouts.connect = timeout,
            CallSetting::FirstByteTimeout(timeout) => self.timeouts.first_byte = timeout,
            CallSetting::IdleTimeout(timeout) => self.idle_timeout = timeout,
            CallSetting::StreamTimeout(timeout) => self.stream_timeout = timeout,
            CallSetting::MaxRetries(most) => self.retries.max = Some(most),
            CallSetting::RetryBackoff(first) => self.retries.backoff = first,
            CallSetting::RetryMaxBackoff(most) => self.retries.max_backoff = most,
            CallSetting::RetryReadTimeouts(retries) => self.retries.read_timeouts = retries,
            CallSetting::RetryPolicy(policy) => self.retries.policy = policy,
            CallSetting::MaxResponseBytes(most) => self.limits.body = most,
            CallSetting::MaxHeaderBytes(most) => self.limits.head = most,
            CallSetting::MaxGatheredBytes(most) => self.max_gathered_bytes = most,
            CallSetting::MaxRedirects(most) => self.max_redirects = most,
            CallSetting::MaxEventBytes(most) => self.max_event_bytes = most,
            CallSetting::GatherStream(gathers) => self.gather_stream = gathers,
            CallSetting::EmbedBatchSize(size) => self.embed_batch_size = size,
            CallSetting::EmbedConcurrency(most) => self.embed_concurrency = most,
            CallSetting::Task(task) => self.task = task,
        }
    }
}

impl Options {
    /// Returns the defaults, with these proxy and TLS settings.
    pub fn new(connect: ConnectSettings) -> Options {
        Options {
            dialect: None,
            // Servers close idle connections, too, often sooner.
            keep_alive: KeepAlive { max_connections: 64, max_idle: Duration::from_secs(60) },
            connect: Arc::new(connect),
            auth: Auth::default(),
            workspace: None,
            user_agent: None,
            call: CallOptions::default(),
        }
    }

    /// Makes what was found in the environment give way to what is set later.
    pub fn make_default(&mut self) {
        self.connect = Arc::new(self.connect.as_default());
        self.auth.make_default();
    }

    /// The headers of all requests: these, and what the options add to them.
    pub fn add_to(&self, headers: &Headers) -> Headers {
        let mut all = headers.clone();
        if let Some(workspace) = &self.workspace {
            all = all.or_plain("x-mlflow-workspace", workspace);
        }
        if let Some(program) = &self.user_agent {
            all = all.or_plain("user-agent", &format!("{program} {USER_AGENT}"));
        }
        self.connect.secrets().iter().for_each(|secret| all.mask(secret));
        self.auth.add_to(all)
    }

    pub fn set(&mut self, setting: Setting) -> Result<(), Error> {
        match setting {
            Setting::Dialect(dialect) => self.dialect = dialect,
            Setting::MaxConnections(most) => self.keep_alive.max_connections = most,
            Setting::MaxIdle(most) => self.keep_alive.max_idle = most,
            Setting::Call(setting) => self.call.set(setting),
            Setting::Connect(setting) => {
                self.connect = Arc::new(self.connect.with(setting).map_err(wrong_value)?);
            }
            Setting::Auth(part, secret) => self.auth.set(part, secret),
            Setting::AuthHeader(header) => self.auth.header = header,
            Setting::AllowInsecureAuth(allow) => self.auth.allow_insecure = allow,
            Setting::Workspace(workspace) => self.workspace = workspace,
            Setting::UserAgent(program) => self.user_agent = program,
        }
        Ok(())
    }
}

/// As [`read`], or all files of a folder, which is how OpenSSL keeps certificates, too.
fn read_all(path: &str) -> Result<Vec<PemFile>, String> {
    if path.is_empty() || !Path::new(path).is_dir() {
        return Ok(read(path)?.into_iter().collect());
    }
    let unreadable = |error: io::Error| format!("the folder {path} cannot be read: {error}");
    let (mut all, mut length) = (Vec::new(), 0);
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.is_file() && length < MAX_PEM_FILE as usize {
            let file = file.to_str().and_then(|file| read(file).ok()).flatten();
            length += file.as_ref().map_or(0, |file| file.content.len());
            all.extend(file);
        }
    }
    if all.is_empty() {
        return Err(format!("the folder {path} holds no file"));
    }
    Ok(all)
}

/// The file; `None` if the path is empty, which unsets the option.
fn read(path: &str) -> Result<Option<PemFile>, String> {
    if path.is_empty() {
        return Ok(None);
    }
    let mut content = Zeroizing::new(Vec::new());
    File::open(path)
        .and_then(|file| {
            // In one piece: a block that grows leaves parts of a key behind.
            let length = file.metadata()?.len().min(MAX_PEM_FILE);
            content.reserve_exact(length as usize + 1);
            file.take(MAX_PEM_FILE).read_to_end(&mut content)
        })
        .map_err(|error| format!("the file {path} cannot be read: {error}"))?;
    if content.is_empty() {
        return Err(format!("the file {path} is empty"));
    }
    Ok(Some(PemFile { path: path.to_owned(), content }))
}

fn wrong_value(problem: String) -> Error {
    Error::new(Status::InvalidOptionValue, problem)
}

fn auth_header(value: &str) -> Result<AuthHeader, Error> {
    match value.to_ascii_lowercase().as_str() {
        "authorization" => Ok(AuthHeader::Authorization),
        "x-mlflow-authorization" => Ok(AuthHeader::MlflowAuthorization),
        _ => Err(invalid("auth_header", value, "Authorization, X-MLflow-Authorization")),
    }
}

fn boolean(name: &str, value: &str) -> Result<bool, Error> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid(name, value, "true, false")),
    }
}

fn number(name: &str, value: &str, allowed: RangeInclusive<u64>, unit: &str) -> Result<u64, Error> {
    match value.parse() {
        Ok(number) if allowed.contains(&number) && !value.starts_with('+') => Ok(number),
        _ => Err(invalid(name, value, &format!("{} to {}{unit}", allowed.start(), allowed.end()))),
    }
}

fn dialect_named(value: &str) -> Result<Option<&'static dyn Dialect>, Error> {
    if value == "auto" {
        return Ok(None);
    }
    match dialect::ALL.into_iter().find(|dialect| dialect.name() == value) {
        Some(dialect) => Ok(Some(dialect)),
        None => {
            let known: Vec<_> = dialect::ALL.iter().map(|dialect| dialect.name()).collect();
            Err(invalid("dialect", value, &format!("auto, {}", known.join(", "))))
        }
    }
}

fn unknown(name: &str, known: &str) -> Error {
    Error::new(Status::UnknownOption, format!("there is no option \"{}\"; {known}", shown(name)))
}

fn invalid(name: &str, value: &str, allowed: &str) -> Error {
    let value = shown(value);
    Error::new(Status::InvalidOptionValue, format!("the option {name} cannot be \"{value}\"; allowed: {allowed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_is_allowed() {
        let mut options = Options::default();
        assert_eq!(options.call.timeout, Duration::from_secs(300));
        for (value, ms) in [("1", 1), ("5000", 5000), ("86400000", DAY_MS)] {
            options.set(Setting::parse("timeout_ms", value).unwrap()).unwrap();
            assert_eq!(options.call.timeout, Duration::from_millis(ms));
        }
        options.set(Setting::parse("dialect", "gateway").unwrap()).unwrap();
        assert_eq!(options.dialect.unwrap().name(), "gateway");
        options.set(Setting::parse("dialect", "auto").unwrap()).unwrap();
        assert!(options.dialect.is_none());
    }

    fn refused(name: &str, value: &str) -> Error {
        Setting::parse(name, value).err().unwrap()
    }

    #[test]
    fn says_what_is_allowed() {
        for value in ["", "0", "+5", "-1", "1.5", "1s", " 1", "86400001", "99999999999999999999999"] {
            let error = refused("timeout_ms", value);
            assert_eq!(error.status(), Status::InvalidOptionValue);
            assert!(error.message().contains("1 to 86400000"), "{error}");
        }
        let error = refused("dialect", "klingon");
        assert!(error.message().contains("auto, deployments, gateway"), "{error}");
        for value in ["-1", "65537", "many"] {
            let error = refused("max_connections", value);
            assert!(error.message().contains("0 to 65536"), "{error}");
        }
        let error = refused("insecure_tls", "1");
        assert!(error.message().contains("true, false"), "{error}");
        let error = refused("timeout", "1");
        assert_eq!(error.status(), Status::UnknownOption);
        assert!(error.message().contains("timeout_ms"), "{error}");
    }
}
