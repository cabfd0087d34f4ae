//! Parses the names and values of options. `options.rs` applies them.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::auth::{AuthHeader, CredentialPart};
use super::error::{Error, Status, shortened};
use super::pem_files;
use super::retry::RetryPolicy;
use crate::dialect::{self, Dialect, Task};
use crate::http::{ConnectSetting, ProxySetting, Secret, TlsSetting, check_value};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// More than the memory of any machine, and small enough for additions not to overflow.
const MAX_BYTES: u64 = 1 << 40;

/// Options that only a handle has.
const HANDLE_OPTIONS: [&str; 17] = [
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

/// Options that a handle and a request have.
const CALL_OPTIONS: [&str; 20] = [
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
    "require_text",
    "retry_backoff_ms",
    "retry_max_backoff_ms",
    "retry_policy",
    "retry_read_timeouts",
    "stream_timeout_ms",
    "task",
    "timeout_ms",
];

/// A parsed option of a handle, with the content of the file that it names.
pub(super) enum HandleOption {
    Dialect(Option<&'static dyn Dialect>),
    MaxConnections(usize),
    KeepAlive(Duration),
    Connect(ConnectSetting),
    Credential(CredentialPart, Option<Secret>),
    AuthHeader(AuthHeader),
    AllowInsecureAuth(bool),
    Workspace(Option<String>),
    UserAgent(Option<String>),
    Call(CallOption),
}

/// A parsed option of a call. A request may override it.
#[derive(Debug, Clone, Copy)]
pub(super) enum CallOption {
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
    RequireText(bool),
    EmbedBatchSize(usize),
    EmbedConcurrency(usize),
    Task(Option<Task>),
}

impl HandleOption {
    /// Parses an option of a handle, and reads the file that it names.
    pub fn parse(name: &str, value: &str) -> Result<HandleOption, Error> {
        let invalid = |problem: String| invalid_option(format!("the option {name}: {problem}"));
        let tls = |setting: Result<TlsSetting, String>| -> Result<HandleOption, Error> {
            Ok(HandleOption::Connect(ConnectSetting::Tls(setting.map_err(invalid)?)))
        };
        let header_value = || -> Result<Option<&str>, Error> {
            check_value(&format!("the option {name}"), value).map_err(|problem| invalid_option(problem.0))?;
            Ok(Some(value).filter(|value| !value.is_empty()))
        };
        let credential = |part| -> Result<HandleOption, Error> {
            Ok(HandleOption::Credential(part, header_value()?.map(Secret::new)))
        };
        Ok(match name {
            "dialect" => HandleOption::Dialect(parse_dialect(value)?),
            "keep_alive_ms" => HandleOption::KeepAlive(parse_ms(name, value, 0..=DAY_MS)?),
            "max_connections" => HandleOption::MaxConnections(parse_number(name, value, 0..=65536)? as usize),
            "insecure_tls" => tls(Ok(TlsSetting::Insecure(parse_bool(name, value)?)))?,
            "ca_file" => tls(TlsSetting::trusted(&pem_files::read_all(value).map_err(invalid)?))?,
            "client_cert_file" => tls(TlsSetting::client_chain(pem_files::read(value).map_err(invalid)?.as_ref()))?,
            "client_key_file" => tls(TlsSetting::client_key(pem_files::read(value).map_err(invalid)?.as_ref()))?,
            "proxy" => HandleOption::Connect(ConnectSetting::Proxy(ProxySetting::parse(value).map_err(invalid)?)),
            "username" if value.contains(':') => {
                return Err(invalid("a user name must not contain a colon".to_owned()));
            }
            "username" => credential(CredentialPart::Username)?,
            "password" => credential(CredentialPart::Password)?,
            "bearer_token" => credential(CredentialPart::BearerToken)?,
            "client_id" => credential(CredentialPart::ClientId)?,
            "client_secret" => credential(CredentialPart::ClientSecret)?,
            "auth_header" => HandleOption::AuthHeader(parse_auth_header(value)?),
            "allow_insecure_auth" => HandleOption::AllowInsecureAuth(parse_bool(name, value)?),
            "workspace" => HandleOption::Workspace(header_value()?.map(str::to_owned)),
            "user_agent" => HandleOption::UserAgent(header_value()?.map(str::to_owned)),
            _ => HandleOption::Call(CallOption::parse(name, value)?.ok_or_else(|| {
                let all = [&HANDLE_OPTIONS[..], &CALL_OPTIONS[..]].concat().join(", ");
                unknown_option(name, &format!("the options are {all}"))
            })?),
        })
    }
}

impl CallOption {
    /// Parses an option of a request.
    pub fn parse_for_request(name: &str, value: &str) -> Result<CallOption, Error> {
        CallOption::parse(name, value)?.ok_or_else(|| {
            if HANDLE_OPTIONS.contains(&name) {
                let problem = format!(
                    "the option {name} cannot be set on a request; set it on the gateway handle, with \
                     mlflow_gateway_set_option()"
                );
                Error::new(Status::UnknownOption, problem)
            } else {
                unknown_option(name, &format!("the options of a request are {}", CALL_OPTIONS.join(", ")))
            }
        })
    }

    /// Returns `None` if no option of a call has this name.
    fn parse(name: &str, value: &str) -> Result<Option<CallOption>, Error> {
        let ms = |allowed| parse_ms(name, value, allowed);
        // 0 means no separate limit.
        let limit = || ms(0..=DAY_MS).map(|timeout| Some(timeout).filter(|timeout| !timeout.is_zero()));
        let count = |max| parse_number(name, value, 0..=max).map(|number| number as u32);
        let size =
            |min, max| parse_number(name, value, min..=max).map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        Ok(Some(match name {
            "timeout_ms" => CallOption::Timeout(ms(1..=DAY_MS)?),
            "connect_timeout_ms" => CallOption::ConnectTimeout(limit()?),
            "first_byte_timeout_ms" => CallOption::FirstByteTimeout(limit()?),
            "idle_timeout_ms" => CallOption::IdleTimeout(limit()?),
            "stream_timeout_ms" => CallOption::StreamTimeout(ms(1..=DAY_MS)?),
            "max_retries" => CallOption::MaxRetries(count(10)?),
            "retry_backoff_ms" => CallOption::RetryBackoff(ms(1..=60_000)?),
            "retry_max_backoff_ms" => CallOption::RetryMaxBackoff(ms(1..=600_000)?),
            "retry_read_timeouts" => CallOption::RetryReadTimeouts(parse_bool(name, value)?),
            "retry_policy" => CallOption::RetryPolicy(match value {
                "careful" => RetryPolicy::Careful,
                "mlflow" => RetryPolicy::Mlflow,
                _ => return Err(invalid_value(name, value, "careful, mlflow")),
            }),
            "max_response_bytes" => CallOption::MaxResponseBytes(size(1024, MAX_BYTES)?),
            "max_header_bytes" => CallOption::MaxHeaderBytes(size(1024, 64 * 1024)?),
            "max_event_bytes" => CallOption::MaxEventBytes(size(1024, 1 << 30)?),
            "max_gathered_bytes" => CallOption::MaxGatheredBytes(size(1024, MAX_BYTES)?),
            "max_redirects" => CallOption::MaxRedirects(count(10)?),
            "gather_stream" => CallOption::GatherStream(parse_bool(name, value)?),
            "require_text" => CallOption::RequireText(parse_bool(name, value)?),
            "embed_batch_size" => CallOption::EmbedBatchSize(size(1, 100_000)?),
            "embed_concurrency" => CallOption::EmbedConcurrency(size(1, 64)?),
            "task" => CallOption::Task(match value {
                "auto" => None,
                "chat" => Some(Task::Chat),
                "completions" => Some(Task::Completions),
                _ => return Err(invalid_value(name, value, "auto, chat, completions")),
            }),
            _ => return Ok(None),
        }))
    }
}

fn parse_dialect(value: &str) -> Result<Option<&'static dyn Dialect>, Error> {
    if value == "auto" {
        return Ok(None);
    }
    let found = dialect::ALL.into_iter().find(|dialect| dialect.name() == value);
    found.map(Some).ok_or_else(|| {
        let names: Vec<_> = dialect::ALL.iter().map(|dialect| dialect.name()).collect();
        invalid_value("dialect", value, &format!("auto, {}", names.join(", ")))
    })
}

fn parse_auth_header(value: &str) -> Result<AuthHeader, Error> {
    match value.to_ascii_lowercase().as_str() {
        "authorization" => Ok(AuthHeader::Authorization),
        "x-mlflow-authorization" => Ok(AuthHeader::MlflowAuthorization),
        _ => Err(invalid_value("auth_header", value, "Authorization, X-MLflow-Authorization")),
    }
}

fn parse_bool(name: &str, value: &str) -> Result<bool, Error> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid_value(name, value, "true, false")),
    }
}

fn parse_number(name: &str, value: &str, allowed: RangeInclusive<u64>) -> Result<u64, Error> {
    match value.parse() {
        Ok(number) if allowed.contains(&number) && !value.starts_with('+') => Ok(number),
        _ => {
            let unit = if name.ends_with("_ms") { " (milliseconds)" } else { "" };
            Err(invalid_value(name, value, &format!("{} to {}{unit}", allowed.start(), allowed.end())))
        }
    }
}

fn parse_ms(name: &str, value: &str, allowed: RangeInclusive<u64>) -> Result<Duration, Error> {
    parse_number(name, value, allowed).map(Duration::from_millis)
}

fn unknown_option(name: &str, known: &str) -> Error {
    Error::new(Status::UnknownOption, format!("unknown option \"{}\"; {known}", shortened(name)))
}

fn invalid_value(name: &str, value: &str, allowed: &str) -> Error {
    invalid_option(format!("the option {name}: invalid value \"{}\"; allowed: {allowed}", shortened(value)))
}

fn invalid_option(problem: String) -> Error {
    Error::new(Status::InvalidOptionValue, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(name: &str, value: &str) -> Error {
        HandleOption::parse(name, value).err().unwrap()
    }

    #[test]
    fn error_lists_the_allowed_values() {
        for value in ["", "0", "+5", "-1", "1.5", "1s", " 1", "86400001", "99999999999999999999999"] {
            let error = error_of("timeout_ms", value);
            assert_eq!(error.status(), Status::InvalidOptionValue);
            assert!(error.message().contains("1 to 86400000"), "{error}");
        }
        let error = error_of("dialect", "klingon");
        assert!(error.message().contains("auto, deployments, gateway"), "{error}");
        for value in ["-1", "65537", "many"] {
            let error = error_of("max_connections", value);
            assert!(error.message().contains("0 to 65536"), "{error}");
        }
        let error = error_of("insecure_tls", "1");
        assert!(error.message().contains("true, false"), "{error}");
        let error = error_of("timeout", "1");
        assert_eq!(error.status(), Status::UnknownOption);
        assert!(error.message().contains("timeout_ms"), "{error}");
    }
}
