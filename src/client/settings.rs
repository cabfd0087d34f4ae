//! What a handle was told. A call works on the settings as they stood when it began.

use std::sync::{Arc, PoisonError, RwLock};

use super::options::Options;
use crate::dialect::Params;
use crate::http::Headers;

#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub params: Params,
    pub headers: Headers,
    pub options: Options,
}

/// Settings that any thread may change while calls run on the older ones.
#[derive(Debug, Default)]
pub(super) struct Shared(RwLock<Arc<Settings>>);

impl Shared {
    pub fn snapshot(&self) -> Arc<Settings> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A change that fails leaves the settings as they were.
    pub fn change<E>(&self, change: impl FnOnce(&mut Settings) -> Result<(), E>) -> Result<(), E> {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Settings::clone(&current);
        change(&mut changed)?;
        *current = Arc::new(changed);
        Ok(())
    }
}
