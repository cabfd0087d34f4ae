//! What threads wait for, and how: locks, work that is shared, and the caller's word that it has had enough. All of it
//! stays sound in a process that is forked from one whose other threads were in the middle of something.

mod cancel;
mod exclusive;
mod flight;
mod futex;
mod lock;
mod process;
mod set_once;
mod threads;
mod wait;

pub use cancel::{CancelToken, CancelTokens};
pub use exclusive::Exclusive;
pub use flight::{Flight, Landing};
pub use lock::Lock;
pub use process::current as current_process;
pub use set_once::SetOnce;
pub use threads::{Thread, is_our_thread, keep_loaded, side_by_side};
pub use wait::{Over, any_ready, ready, sleep};
