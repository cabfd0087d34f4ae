//! State that several threads, or a process and its forked child, may touch, and waiting with a deadline and cancel tokens.
//!
//! Everything here stays correct in a child that was forked while other threads of its parent were using it. The rest of the
//! library takes one of these types for shared state, and does not deal with processes:
//!
//! | type | for |
//! |---|---|
//! | [`Lock`] | a value that is used for short moments |
//! | [`Exclusive`] | a value that one thread uses for as long as it needs |
//! | [`Snapshots`], [`CopyOnWrite`] | a value that is read as it was when a call began, while other threads change it |
//! | [`SetOnce`] | a value that is made when it is first needed |
//! | [`SingleFlight`] | a value that one thread makes for all that need it |
//! | [`ProcessLocal`] | a value that a forked child must not use |

mod cancel;
mod copy_on_write;
mod exclusive;
mod futex;
mod lock;
mod process;
mod process_local;
mod set_once;
mod single_flight;
mod snapshots;
mod threads;
mod wait;

pub use cancel::{CancelToken, CancelTokens};
pub use copy_on_write::CopyOnWrite;
pub use exclusive::Exclusive;
pub use lock::Lock;
pub use process_local::ProcessLocal;
pub use set_once::SetOnce;
pub use single_flight::{Leader, Role, SingleFlight};
pub use snapshots::Snapshots;
pub use threads::{Thread, is_library_thread, keep_loaded, run_in_parallel};
pub use wait::{WaitError, any_ready, ready, sleep};
