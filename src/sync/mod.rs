//! What threads wait for, and how: locks, work that is shared, and the caller's word that it has had enough. All of it
//! stays sound in a process that is forked from one whose other threads were in the middle of something.

mod cancel;
mod exclusive;
mod futex;
mod lock;
mod process;
mod set_once;
mod single_flight;
mod threads;
mod wait;

pub use cancel::{CancelToken, CancelTokens};
pub use exclusive::Exclusive;
pub use lock::Lock;
pub use process::current as current_process;
pub use set_once::SetOnce;
pub use single_flight::{Landing, SingleFlight};
pub use threads::{Thread, is_our_thread, keep_loaded, side_by_side};
pub use wait::{WaitError, any_ready, ready, sleep};
