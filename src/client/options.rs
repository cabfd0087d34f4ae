//! Options: how the library behaves, as against parameters, which are the model's.

use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::error::{Error, Status};
use crate::dialect::{self, Dialect};
use crate::http::{Tls, TlsSetting};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// More than any bundle of certificates has.
const MAX_PEM_FILE: u64 = 8 * 1024 * 1024;

const HANDLE_NAMES: [&str; 6] =
    ["ca_file", "client_cert_file", "client_key_file", "dialect", "insecure_tls", "max_connections"];

const CALL_NAMES: [&str; 5] =
    ["embed_batch_size", "embed_concurrency", "gather_stream", "max_event_bytes", "timeout_ms"];

#[derive(Debug, Clone)]
pub(super) struct Options {
    /// `None`: ask the server.
    pub dialect: Option<&'static dyn Dialect>,
    /// As many connections are kept for later calls.
    pub max_connections: usize,
    pub tls: Arc<Tls>,
    pub call: CallOptions,
}

/// Those that concern one call, which a request may have of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallOptions {
    /// The time a whole call may take.
    pub timeout: Duration,
    /// The longest event of a stream.
    pub max_event_bytes: usize,
    /// Whether a stream's texts are kept until its end.
    pub gather_stream: bool,
    /// As many inputs are sent in one request for vectors.
    pub embed_batch_size: usize,
    /// As many such requests are under way at once.
    pub embed_concurrency: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { dialect: None, max_connections: 64, tls: Arc::default(), call: CallOptions::default() }
    }
}

impl Default for CallOptions {
    fn default() -> CallOptions {
        CallOptions {
            // The time that MLflow's own gateway client waits.
            timeout: Duration::from_secs(300),
            max_event_bytes: 16 * 1024 * 1024,
            gather_stream: true,
            // As in LangChain's MlflowEmbeddings.
            embed_batch_size: 20,
            embed_concurrency: 1,
        }
    }
}

/// An option's name and value, understood, with its file read.
pub(super) enum Setting {
    Dialect(Option<&'static dyn Dialect>),
    MaxConnections(usize),
    Tls(TlsSetting),
    Call(CallSetting),
}

/// As [`Setting`], of those that concern one call.
#[derive(Debug, Clone, Copy)]
pub(super) enum CallSetting {
    Timeout(Duration),
    MaxEventBytes(usize),
    GatherStream(bool),
    EmbedBatchSize(usize),
    EmbedConcurrency(usize),
}

impl Setting {
    pub fn parse(name: &str, value: &str) -> Result<Setting, Error> {
        let wrong = |problem: String| Error::new(Status::InvalidOptionValue, format!("the option {name}: {problem}"));
        Ok(match name {
            "dialect" => Setting::Dialect(dialect_named(value)?),
            "max_connections" => Setting::MaxConnections(number(name, value, 0..=65536, "")? as usize),
            "insecure_tls" => Setting::Tls(TlsSetting::Insecure(boolean(name, value)?)),
            "ca_file" => Setting::Tls(TlsSetting::trusted(&read(value).map_err(wrong)?).map_err(wrong)?),
            "client_cert_file" => Setting::Tls(TlsSetting::client_chain(&read(value).map_err(wrong)?).map_err(wrong)?),
            "client_key_file" => Setting::Tls(TlsSetting::client_key(&read(value).map_err(wrong)?).map_err(wrong)?),
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
        Ok(Some(match name {
            "timeout_ms" => {
                let ms = number(name, value, 1..=DAY_MS, " (milliseconds)")?;
                CallSetting::Timeout(Duration::from_millis(ms))
            }
            "max_event_bytes" => CallSetting::MaxEventBytes(number(name, value, 1024..=1 << 30, "")? as usize),
            "gather_stream" => CallSetting::GatherStream(boolean(name, value)?),
            "embed_batch_size" => CallSetting::EmbedBatchSize(number(name, value, 1..=100_000, "")? as usize),
            "embed_concurrency" => CallSetting::EmbedConcurrency(number(name, value, 1..=64, "")? as usize),
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
            CallSetting::Timeout(timeout) => self.timeout = timeout,
            CallSetting::MaxEventBytes(most) => self.max_event_bytes = most,
            CallSetting::GatherStream(gathers) => self.gather_stream = gathers,
            CallSetting::EmbedBatchSize(size) => self.embed_batch_size = size,
            CallSetting::EmbedConcurrency(most) => self.embed_concurrency = most,
        }
    }
}

impl Options {
    pub fn set(&mut self, setting: Setting) -> Result<(), Error> {
        match setting {
            Setting::Dialect(dialect) => self.dialect = dialect,
            Setting::MaxConnections(most) => self.max_connections = most,
            Setting::Call(setting) => self.call.set(setting),
            Setting::Tls(setting) => {
                let changed = self.tls.with(setting);
                self.tls = Arc::new(changed.map_err(|problem| Error::new(Status::InvalidOptionValue, problem))?);
            }
        }
        Ok(())
    }
}

/// What the file holds; nothing if the path is empty, which takes the option back.
fn read(path: &str) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    if !path.is_empty() {
        File::open(path)
            .and_then(|file| file.take(MAX_PEM_FILE).read_to_end(&mut content))
            .map_err(|error| format!("the file {path} cannot be read: {error}"))?;
        if content.is_empty() {
            return Err(format!("the file {path} is empty"));
        }
    }
    Ok(content)
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

/// As much of a text as an error message repeats.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
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
