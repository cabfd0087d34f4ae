//! What a handle or a request was told. A call works on the settings as they stood when it began.

use std::sync::{Arc, PoisonError, RwLock};

use super::options::Options;
use crate::dialect::Params;
use crate::http::Headers;

/// A handle's.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub params: Params,
    pub headers: Headers,
    pub options: Options,
}

/// Settings that any thread may change while calls run on the older ones.
#[derive(Debug, Default)]
pub(super) struct Shared<T>(RwLock<Arc<T>>);

impl<T: Clone> Shared<T> {
    pub fn snapshot(&self) -> Arc<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A change that fails has to leave the settings as they were. They are copied only if a call works on them.
    pub fn change<E>(&self, change: impl FnOnce(&mut T) -> Result<(), E>) -> Result<(), E> {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut current))
    }
}
