//! Options: how the library behaves, as against parameters, which are the model's.

use std::time::Duration;

use super::error::{Error, Status};
use crate::dialect::{self, Dialect};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

const NAMES: &str = "dialect, timeout_ms";

#[derive(Debug, Clone)]
pub(super) struct Options {
    /// `None`: ask the server.
    pub dialect: Option<&'static dyn Dialect>,
    /// The time a whole call may take.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Options {
        // 300 s is the time that MLflow's own gateway client waits.
        Options { dialect: None, timeout: Duration::from_secs(300) }
    }
}

impl Options {
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        match name {
            "dialect" => self.dialect = dialect_named(value)?,
            "timeout_ms" => self.timeout = milliseconds(name, value)?,
            _ => {
                let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
                return Err(Error::new(
                    Status::UnknownOption,
                    format!("there is no option \"{name}\"; the options are {NAMES}"),
                ));
            }
        }
        Ok(())
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

fn milliseconds(name: &str, value: &str) -> Result<Duration, Error> {
    match value.parse() {
        Ok(ms @ 1..=DAY_MS) => Ok(Duration::from_millis(ms)),
        _ => Err(invalid(name, value, &format!("1 to {DAY_MS} (milliseconds)"))),
    }
}

fn invalid(name: &str, value: &str, allowed: &str) -> Error {
    let value: String = value.chars().filter(|c| !c.is_control()).take(64).collect();
    Error::new(Status::InvalidOptionValue, format!("the option {name} cannot be \"{value}\"; allowed: {allowed}"))
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
        let error = options.set("timeout", "1").unwrap_err();
        assert_eq!(error.status(), Status::UnknownOption);
        assert!(error.message().contains("timeout_ms"), "{error}");
    }
}
