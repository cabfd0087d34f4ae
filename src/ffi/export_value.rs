//! The body of an exported function that cannot fail.

use super::catch_panic::catch_panic;

/// `export_value!(fallback, { ... })` runs the body, in which the thread cannot be cancelled, and returns its value, or the
/// fallback if it panics.
macro_rules! export_value {
    ($fallback:expr, $body:block) => {
        $crate::ffi::pthread_cancel::uncancellable(|| $crate::ffi::export_value::value_or($fallback, || $body))
    };
}
pub(super) use export_value;

/// See [`export_value!`].
pub(super) fn value_or<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch_panic(body).unwrap_or(fallback)
}
