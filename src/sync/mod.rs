//! State that several threads, or a process and its forked child, may use; and waiting with a deadline and cancel
//! tokens.
//!
//! All types stay correct in a child that was forked while other threads of its parent were using them. The rest of the
//! library uses these types for shared state, and does not deal with processes:
//!
//! | type | for |
//! |---|---|
//! | [`Lock`] | a value that is used for a short time |
//! | [`Exclusive`] | a value that one thread uses for as long as it needs |
//! | [`Snapshots`], [`CopyOnWrite`] | a value that calls read as it was at their start, while other threads change it |
//! | [`SetOnce`] | a value that is made when it is first needed |
//! | [`SingleFlight`] | a value that one thread makes for all threads that need it |
//! | [`ProcessLocal`] | a value that a forked child must not use |
//! | [`Signal`], [`Readiness`] | wake the threads and the event loop that wait for a change of such a value |
//! | [`Yielding`] | lets other threads run before a thread sleeps |

mod cancel;
mod copy_on_write;
mod exclusive;
mod futex;
mod lock;
mod process;
mod process_local;
mod readiness;
mod set_once;
mod signal;
mod single_flight;
mod snapshots;
mod threads;
mod wait;
mod waker;
mod yielding;

pub use cancel::{CancelToken, CancelTokens};
pub use copy_on_write::CopyOnWrite;
pub use exclusive::Exclusive;
pub use lock::{Guard, Lock};
pub use process_local::ProcessLocal;
pub use readiness::Readiness;
pub use set_once::SetOnce;
pub use signal::Signal;
pub use single_flight::{Leader, Role, SingleFlight};
pub use snapshots::Snapshots;
pub use threads::{Thread, is_library_thread, keep_loaded, run_in_parallel};
pub use wait::{WaitError, any_ready, ready, sleep, wait_until};
pub use yielding::Yielding;
