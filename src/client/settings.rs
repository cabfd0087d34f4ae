//! What a handle or a request was told. A call works on the settings as they stood when it began.

use std::sync::{Arc, PoisonError, RwLock};

use super::error::Error;
use super::log::Log;
use super::options::{Options, Setting};
use crate::dialect::Params;
use crate::http::{HeaderProblem, Headers};

/// A handle's.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub params: Params,
    headers: Headers,
    options: Options,
    pub log: Option<Log>,
    /// What requests carry: the headers that were set, and those that the options ask for.
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

    /// With `None` the header is taken back.
    pub fn set_header(&mut self, name: &str, value: Option<&str>) -> Result<(), HeaderProblem> {
        match value {
            Some(value) => self.headers.set(name, value)?,
            None => self.headers.unset(name)?,
        }
        self.sent = self.options.add_to(&self.headers);
        Ok(())
    }
}

/// Settings that any thread may change while calls run on the older ones.
#[derive(Debug, Default)]
pub(super) struct Shared<T>(RwLock<Arc<T>>);

impl<T: Clone> Shared<T> {
    pub fn new(settings: T) -> Shared<T> {
        Shared(RwLock::new(Arc::new(settings)))
    }

    pub fn snapshot(&self) -> Arc<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A change that fails has to leave the settings as they were. They are copied only if a call works on them.
    pub fn change<E>(&self, change: impl FnOnce(&mut T) -> Result<(), E>) -> Result<(), E> {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut current))
    }
}
