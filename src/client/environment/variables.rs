//! Reads environment variables, and sets options to their values. Errors name the variable.

use std::env::VarError;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::client::error::{Error, Status};
use crate::client::option_parser::HandleOption;
use crate::client::options::Options;

/// Environment variables. Tests and fuzz targets replace those of the process.
pub struct Variables<'a>(pub &'a dyn Fn(&str) -> Result<String, VarError>);

pub const PROCESS: Variables = Variables(&|name| std::env::var(name));

impl Variables<'_> {
    /// Returns `None` if the variable is unset or empty.
    pub fn get(&self, name: &str) -> Result<Option<String>, Error> {
        match (self.0)(name) {
            Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => {
                Err(Error::new(Status::InvalidOptionValue, format!("the environment variable {name} is not UTF-8")))
            }
        }
    }

    /// Returns the first of these variables that is set, and its name.
    pub fn first(&self, names: &[&'static str]) -> Result<Option<(&'static str, String)>, Error> {
        for name in names {
            if let Some(value) = self.get(name)? {
                return Ok(Some((name, value)));
            }
        }
        Ok(None)
    }

    /// As [`Variables::get`], for a host, a name or a token, without the quotes and whitespace around it.
    pub fn trimmed(&self, name: &str) -> Result<Option<Zeroizing<String>>, Error> {
        let value = self.get(name)?.map(Zeroizing::new);
        let value = value.as_ref().map(|value| trimmed(value)).filter(|value| !value.is_empty());
        Ok(value.map(|value| Zeroizing::new(value.to_owned())))
    }

    /// As [`Variables::trimmed`], for a URI.
    pub fn uri(&self, name: &str) -> Result<Option<Zeroizing<String>>, Error> {
        self.trimmed(name).map_err(|error| Error::new(Status::InvalidUri, error.message()))
    }

    pub fn boolean(&self, name: &str) -> Result<Option<bool>, Error> {
        match self.get(name)?.map(|value| value.to_ascii_lowercase()).as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(invalid(name, "allowed: true, 1, false, 0")),
        }
    }

    /// Returns a variable about proxies. A value that is not UTF-8 must not count as unset: requests would bypass the
    /// proxy.
    pub fn proxy(&self, name: &str) -> Option<String> {
        let value = Zeroizing::new(match (self.0)(name) {
            Ok(value) => value,
            Err(VarError::NotPresent) => return None,
            Err(VarError::NotUnicode(value)) => value.to_string_lossy().into_owned(),
        });
        Some(trimmed(&value).to_owned())
    }

    /// Returns the path of a file below the home directory.
    pub fn home(&self, file: &str) -> Option<PathBuf> {
        Some(PathBuf::from((self.0)("HOME").ok().filter(|home| !home.is_empty())?).join(file))
    }
}

/// Removes the quotes and whitespace that configuration files leave around a value.
pub fn trimmed(value: &str) -> &str {
    value.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'')
}

/// Sets an option to a value found in `source`, which an error names.
pub fn set(options: &mut Options, option: &str, value: &str, source: &str) -> Result<(), Error> {
    HandleOption::parse(option, value)
        .and_then(|option| options.set(option))
        .map_err(|error| Error::new(Status::InvalidOptionValue, format!("{} (from {source})", error.message())))
}

pub fn invalid(variable: &str, problem: &str) -> Error {
    Error::new(Status::InvalidOptionValue, format!("the environment variable {variable}: {problem}"))
}
