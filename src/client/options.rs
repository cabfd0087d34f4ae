//! Options: how the library behaves, as against parameters, which are the model's.

use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::error::{Error, Status};
use crate::dialect::{self, Dialect};
use crate::http::{Tls, TlsOptions, certificates, private_key};

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
    tls_options: TlsOptions,
    tls: Arc<Tls>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            dialect: None,
            // The time that MLflow's own gateway client waits.
            timeout: Duration::from_secs(300),
            max_connections: 64,
            tls_options: TlsOptions::default(),
            tls: Arc::default(),
        }
    }
}

impl Options {
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        match name {
            "dialect" => self.dialect = dialect_named(value)?,
            "timeout_ms" => self.timeout = Duration::from_millis(number(name, value, 1..=DAY_MS, " (milliseconds)")?),
            "max_connections" => self.max_connections = number(name, value, 0..=65536, "")? as usize,
            "ca_file" | "client_cert_file" | "client_key_file" | "insecure_tls" => self.set_tls(name, value)?,
            _ => {
                let name = shown(name);
                return Err(Error::new(
                    Status::UnknownOption,
                    format!("there is no option \"{name}\"; the options are {NAMES}"),
                ));
            }
        }
        Ok(())
    }

    /// A certificate without its key is a mistake that can be seen only when both had their chance to be set.
    pub fn tls(&self) -> Result<&Arc<Tls>, Error> {
        match (&self.tls_options.client_chain, &self.tls_options.client_key) {
            (Some(_), None) => Err(Error::new(
                Status::InvalidOptionValue,
                "the option client_cert_file is set, but holds no private key, and client_key_file is not set",
            )),
            (None, Some(_)) => Err(Error::new(
                Status::InvalidOptionValue,
                "the option client_key_file is set, but client_cert_file is not",
            )),
            _ => Ok(&self.tls),
        }
    }

    fn set_tls(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let wrong = |problem: String| Error::new(Status::InvalidOptionValue, format!("the option {name}: {problem}"));
        let mut changed = self.tls_options.clone();
        match name {
            "insecure_tls" => changed.insecure = boolean(name, value)?,
            "ca_file" => changed.trusted = read_pem(value, certificates).map_err(wrong)?,
            "client_key_file" => changed.client_key = read_pem(value, private_key).map_err(wrong)?.map(Arc::new),
            _ => {
                changed.client_chain = read_pem(value, certificates).map_err(wrong)?;
                // One file may hold both, as other programs have it.
                if let Ok(Some(key)) = read_pem(value, private_key) {
                    changed.client_key = Some(Arc::new(key));
                }
            }
        }
        if changed.insecure && changed.trusted.is_some() {
            return Err(wrong("insecure_tls and ca_file exclude each other".to_owned()));
        }
        self.tls = Arc::new(Tls::new(&changed).map_err(wrong)?);
        self.tls_options = changed;
        Ok(())
    }
}

/// What the file holds; nothing if the value is empty, which takes the option back.
fn read_pem<T>(path: &str, parse: impl FnOnce(&[u8]) -> Result<T, String>) -> Result<Option<T>, String> {
    if path.is_empty() {
        return Ok(None);
    }
    let mut pem = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_PEM_FILE).read_to_end(&mut pem))
        .map_err(|error| format!("the file {path} cannot be read: {error}"))?;
    parse(&pem).map(Some).map_err(|problem| format!("the file {path} cannot be used: {problem}"))
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
        Ok(number) if allowed.contains(&number) => Ok(number),
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
            options.set("timeout_ms", value).unwrap();
            assert_eq!(options.timeout, Duration::from_millis(ms));
        }
        options.set("dialect", "gateway").unwrap();
        assert_eq!(options.dialect.unwrap().name(), "gateway");
        options.set("dialect", "auto").unwrap();
        assert!(options.dialect.is_none());
    }

    #[test]
    fn says_what_is_allowed() {
        let mut options = Options::default();
        for value in ["", "0", "-1", "1.5", "1s", " 1", "86400001", "99999999999999999999999"] {
            let error = options.set("timeout_ms", value).unwrap_err();
            assert_eq!(error.status(), Status::InvalidOptionValue);
            assert!(error.message().contains("1 to 86400000"), "{error}");
        }
        let error = options.set("dialect", "klingon").unwrap_err();
        assert!(error.message().contains("auto, deployments, gateway"), "{error}");
        for value in ["-1", "65537", "many"] {
            let error = options.set("max_connections", value).unwrap_err();
            assert!(error.message().contains("0 to 65536"), "{error}");
        }
        let error = options.set("insecure_tls", "1").unwrap_err();
        assert!(error.message().contains("true, false"), "{error}");
        let error = options.set("timeout", "1").unwrap_err();
        assert_eq!(error.status(), Status::UnknownOption);
        assert!(error.message().contains("timeout_ms"), "{error}");
    }
}
