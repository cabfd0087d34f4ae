//! The settings of a handle. A call uses the settings of the moment when it began.

use std::sync::Arc;

use super::error::Error;
use super::log::Log;
use super::options::{Options, Setting};
use crate::dialect::Params;
use crate::http::{Headers, InvalidHeader};
use crate::sync::CancelToken;

/// The parameters, headers and options of a handle, its log and its cancel token.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub params: Params,
    headers: Headers,
    options: Options,
    pub log: Option<Log>,
    /// The cancel token of all calls.
    pub token: Option<Arc<CancelToken>>,
    /// The headers of every request: those that were set, and those made from options.
    sent: Headers,
}

impl Settings {
    pub fn new(options: Options) -> Settings {
        let sent = options.add_to(&Headers::default());
        Settings { options, sent, ..Settings::default() }
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    pub fn sent(&self) -> &Headers {
        &self.sent
    }

    pub fn set_option(&mut self, setting: Setting) -> Result<(), Error> {
        self.options.set(setting)?;
        self.sent = self.options.add_to(&self.headers);
        Ok(())
    }

    /// Sets a header, or removes it with `None`.
    pub fn set_header(&mut self, name: &str, value: Option<&str>) -> Result<(), InvalidHeader> {
        match value {
            Some(value) => self.headers.set(name, value)?,
            None => self.headers.unset(name)?,
        }
        self.sent = self.options.add_to(&self.headers);
        Ok(())
    }
}
