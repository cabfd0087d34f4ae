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

const NAMES: &str = "ca_file, client_cert_file, client_key_file, dialect, insecure_tls, max_connections, timeout_ms";

#[derive(Debug, Clone)]
pub(super) struct Options {
    /// `None`: ask the server.
    pub dialect: Option<&'static dyn Dialect>,
    /// The time a whole call may take.
    pub timeout: Duration,
    /// As many connections are kept for later calls.
    pub max_connections: usize,
    pub tls: Arc<Tls>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            dialect: None,
            // The time that MLflow's own gateway client waits.
            timeout: Duration::from_secs(300),
            max_connections: 64,
            tls: Arc::default(),
        }
    }
}

/// An option's name and value, understood, with its file read.
pub(super) enum Setting {
    Dialect(Option<&'static dyn Dialect>),
    Timeout(Duration),
    MaxConnections(usize),
    Tls(TlsSetting),
}

impl Setting {
    pub fn parse(name: &str, value: &str) -> Result<Setting, Error> {
        let wrong = |problem: String| Error::new(Status::InvalidOptionValue, format!("the option {name}: {problem}"));
        Ok(match name {
            "dialect" => Setting::Dialect(dialect_named(value)?),
            "timeout_ms" => {
                let ms = number(name, value, 1..=DAY_MS, " (milliseconds)")?;
                Setting::Timeout(Duration::from_millis(ms))
            }
            "max_connections" => Setting::MaxConnections(number(name, value, 0..=65536, "")? as usize),
            "insecure_tls" => Setting::Tls(TlsSetting::Insecure(boolean(name, value)?)),
            "ca_file" => Setting::Tls(TlsSetting::trusted(&read(value).map_err(wrong)?).map_err(wrong)?),
            "client_cert_file" => Setting::Tls(TlsSetting::client_chain(&read(value).map_err(wrong)?).map_err(wrong)?),
            "client_key_file" => Setting::Tls(TlsSetting::client_key(&read(value).map_err(wrong)?).map_err(wrong)?),
            _ => {
                let name = shown(name);
                return Err(Error::new(
                    Status::UnknownOption,
                    format!("there is no option \"{name}\"; the options are {NAMES}"),
                ));
            }
        })
    }
}

impl Options {
    pub fn set(&mut self, setting: Setting) -> Result<(), Error> {
        match setting {
            Setting::Dialect(dialect) => self.dialect = dialect,
            Setting::Timeout(timeout) => self.timeout = timeout,
            Setting::MaxConnections(most) => self.max_connections = most,
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
        assert_eq!(options.timeout, Duration::from_secs(300));
        for (value, ms) in [("1", 1), ("5000", 5000), ("86400000", DAY_MS)] {
            options.set(Setting::parse("timeout_ms", value).unwrap()).unwrap();
            assert_eq!(options.timeout, Duration::from_millis(ms));
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
