//! The settings of a handle, and the containers in which threads share and change settings. A call uses the settings at
//! its start.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, compiler_fence};

use super::error::Error;
use super::log::Log;
use super::option_parser::HandleOption;
use super::options::Options;
use crate::dialect::Params;
use crate::http::{Headers, InvalidHeader};
use crate::sync::{CancelToken, Lock};

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

/// A value that any thread may replace while calls use the former one.
#[derive(Debug)]
pub(super) struct Snapshots<T> {
    current: Lock<Arc<T>>,
    /// Held during a change, which is made on a copy: a child that is forked meanwhile has the old or the new value.
    changing: Lock<()>,
}

impl<T: Clone> Snapshots<T> {
    pub fn new(settings: T) -> Snapshots<T> {
        Snapshots { current: Lock::of_word(Arc::new(settings)), changing: Lock::default() }
    }

    pub fn snapshot(&self) -> Arc<T> {
        Arc::clone(&self.current.lock())
    }

    /// Changes the value. A change that fails has no effect.
    pub fn change<E>(&self, change: impl FnOnce(&mut T) -> Result<(), E>) -> Result<(), E> {
        let alone = self.changing.lock();
        let mut changed = T::clone(&self.snapshot());
        change(&mut changed)?;
        let before = mem::replace(&mut *self.current.lock(), Arc::new(changed));
        drop(alone);
        // Dropped without a lock: the program's destructor of log data may change settings.
        drop(before);
        Ok(())
    }
}

/// A value that may be large and grows piece by piece. It is changed in place, and copied only if a call uses it.
#[derive(Debug)]
pub(super) struct CopyOnWrite<T>(Lock<Held<T>>);

#[derive(Debug)]
struct Held<T> {
    /// Set during a change: a child that is forked meanwhile must not use the value.
    is_changing: AtomicBool,
    value: Arc<T>,
}

impl<T: Default> Default for CopyOnWrite<T> {
    fn default() -> CopyOnWrite<T> {
        CopyOnWrite::new(Arc::default())
    }
}

impl<T: Default> CopyOnWrite<T> {
    pub fn new(value: Arc<T>) -> CopyOnWrite<T> {
        let held = Held { is_changing: AtomicBool::new(false), value };
        CopyOnWrite(Lock::recovering(held, |held| {
            if *held.is_changing.get_mut() {
                mem::forget(mem::take(&mut held.value));
                *held.is_changing.get_mut() = false;
            }
        }))
    }
}

impl<T: Clone> CopyOnWrite<T> {
    pub fn snapshot(&self) -> Arc<T> {
        Arc::clone(&self.0.lock().value)
    }

    /// Changes the value. `change` must have no effect if it fails.
    pub fn change<E>(&self, change: impl FnOnce(&mut T) -> Result<(), E>) -> Result<(), E> {
        let mut held = self.0.lock();
        let Held { is_changing, value } = &mut *held;
        is_changing.store(true, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        let changed = change(Arc::make_mut(value));
        compiler_fence(Ordering::SeqCst);
        is_changing.store(false, Ordering::Relaxed);
        changed
    }
}
