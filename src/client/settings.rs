//! What a handle or a request was told. A call works on the settings as they stood when it began.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, compiler_fence};

use super::error::Error;
use super::log::Log;
use super::options::{Options, Setting};
use crate::dialect::Params;
use crate::http::{Headers, InvalidHeader};
use crate::sync::{CancelToken, Lock};

/// A handle's.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub params: Params,
    headers: Headers,
    options: Options,
    pub log: Option<Log>,
    /// Cancels calls.
    pub token: Option<Arc<CancelToken>>,
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
    pub fn set_header(&mut self, name: &str, value: Option<&str>) -> Result<(), InvalidHeader> {
        match value {
            Some(value) => self.headers.set(name, value)?,
            None => self.headers.unset(name)?,
        }
        self.sent = self.options.add_to(&self.headers);
        Ok(())
    }
}

/// A handle's settings, which any thread may change while calls run on the older ones.
#[derive(Debug)]
pub(super) struct Snapshots<T> {
    current: Lock<Arc<T>>,
    /// Changes are made on a copy, one after the other: a process that is forked meanwhile has the old or the new one.
    changing: Lock<()>,
}

impl<T: Clone> Snapshots<T> {
    pub fn new(settings: T) -> Snapshots<T> {
        Snapshots { current: Lock::of_word(Arc::new(settings)), changing: Lock::default() }
    }

    pub fn snapshot(&self) -> Arc<T> {
        Arc::clone(&self.current.lock())
    }

    /// A change that fails leaves the settings as they were.
    pub fn change<E>(&self, change: impl FnOnce(&mut T) -> Result<(), E>) -> Result<(), E> {
        let alone = self.changing.lock();
        let mut changed = T::clone(&self.snapshot());
        change(&mut changed)?;
        let before = mem::replace(&mut *self.current.lock(), Arc::new(changed));
        drop(alone);
        // Without a lock: what destroys a log's data is the program's, and may change settings itself.
        drop(before);
        Ok(())
    }
}

/// What a request was told, which grows piece by piece and may be large: a piece is added where it is.
#[derive(Debug)]
pub(super) struct CopyOnWrite<T>(Lock<Held<T>>);

#[derive(Debug)]
struct Held<T> {
    /// Then a process that is forked cannot use it.
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

    /// A change that fails has to leave it as it was. It is copied only if a call works on it.
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
