//! No panic leaves the library, and none is printed.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::client::is_library_thread;

/// Runs the body. A panic becomes its description.
pub(super) fn catch_panic<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    silence_panics();
    let outer = IS_CATCHING.replace(true);
    // A panic leaves every object valid: its locks guard single assignments.
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    IS_CATCHING.set(outer);
    result.map_err(describe)
}

thread_local! {
    static IS_CATCHING: Cell<bool> = const { Cell::new(false) };
    static LOCATION: Cell<Location> = const { Cell::new(Location::NONE) };
}

/// Where a panic happened. Without a destructor: one in a thread-local would keep the library loaded after dlclose().
#[derive(Clone, Copy)]
struct Location {
    file: [u8; 96],
    file_len: usize,
    line: u32,
}

impl Location {
    const NONE: Location = Location { file: [0; 96], file_len: 0, line: 0 };
}

/// Replaces the panic hook, which would write to stderr. The new one prints nothing for panics in the library, and passes
/// others, of a Rust program that uses the library, to the former hook.
fn silence_panics() {
    static IS_INSTALLED: AtomicBool = AtomicBool::new(false);
    if !IS_INSTALLED.load(Ordering::Relaxed) && !IS_INSTALLED.swap(true, Ordering::Relaxed) {
        let former = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IS_CATCHING.get() || is_library_thread() { note_location(info) } else { former(info) }
        }));
    }
}

fn note_location(info: &PanicHookInfo) {
    let mut noted = Location::NONE;
    if let Some(location) = info.location() {
        noted.line = location.line();
        for (to, from) in noted.file.iter_mut().zip(location.file().bytes()) {
            *to = from;
            noted.file_len += 1;
        }
    }
    LOCATION.set(noted);
}

#[cold]
#[inline(never)]
fn describe(payload: Box<dyn Any + Send>) -> String {
    let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(message), _) => message,
        (_, Some(message)) => message.as_str(),
        _ => "no message",
    };
    let location = LOCATION.replace(Location::NONE);
    if location.file_len == 0 {
        return format!("internal error in mlflow-ai-gateway, please report it: {message}");
    }
    let file = String::from_utf8_lossy(location.file.get(..location.file_len).unwrap_or_default()).into_owned();
    format!("internal error in mlflow-ai-gateway, please report it: {message} ({file}:{})", location.line)
}
