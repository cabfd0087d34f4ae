//! The settings of a handle. A call uses the settings at its start.

use std::sync::Arc;

use super::error::{Error, Status};
use super::log::Log;
use super::option_parser::HandleOption;
use super::options::Options;
use crate::dialect::Params;
use crate::http::{Headers, InvalidHeader};
use crate::sync::CancelToken;

/// The settings of a handle.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub params: Params,
    headers: Headers,
    options: Options,
    pub log: Option<Log>,
    pub token: Option<Arc<CancelToken>>,
    /// The headers of every request: `headers`, and those that options add.
    request_headers: Headers,
}

impl Settings {
    pub fn new(options: Options) -> Settings {
        let request_headers = options.request_headers(&Headers::default());
        Settings { options, request_headers, ..Settings::default() }
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    pub fn request_headers(&self) -> &Headers {
        &self.request_headers
    }

    /// Returns the error of settings with which nothing can be sent.
    pub fn check(&self) -> Result<(), Error> {
        let error = self.options.connect.configuration_error();
        error.map_or(Ok(()), |why| Err(Error::new(Status::InvalidOptionValue, why)))
    }

    pub fn set_option(&mut self, option: HandleOption) -> Result<(), Error> {
        self.options.set(option)?;
        self.request_headers = self.options.request_headers(&self.headers);
        Ok(())
    }

    /// Sets or unsets a header.
    pub fn set_header(&mut self, name: &str, value: Option<&str>) -> Result<(), InvalidHeader> {
        match value {
            Some(value) => self.headers.set(name, value)?,
            None => self.headers.unset(name)?,
        }
        self.request_headers = self.options.request_headers(&self.headers);
        Ok(())
    }
}
