//! Threads of our own, which the program's signal handlers know nothing of.
//!
//! They are the system's, not those of Rust's standard library: starting one of the latter leaves behind, on the thread
//! that starts it, what keeps the library from being unloaded.

use std::any::Any;
use std::cell::Cell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::panic::{self, AssertUnwindSafe};
use std::{io, ptr};

use super::lock::Lock;

thread_local! {
    static IS_OUR_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is one of ours, which has nobody to tell of a panic but who waits for it.
pub fn is_our_thread() -> bool {
    IS_OUR_THREAD.get()
}

type Work = Box<dyn FnOnce() + Send>;

/// A running thread. It is left to itself when this is dropped.
pub struct Thread {
    id: libc::pthread_t,
    is_joined: bool,
}

impl Thread {
    /// Runs the work on a new thread. Should the work panic, nobody learns of it.
    pub fn start(work: Work) -> io::Result<Thread> {
        // A fat pointer does not fit through the thread's argument.
        let argument = Box::into_raw(Box::new(work));
        let mut id = MaybeUninit::uninit();
        let failure = without_signals(|| {
            // SAFETY: the place and the function are as the system wants them, and the argument is the function's own.
            unsafe { libc::pthread_create(id.as_mut_ptr(), ptr::null(), run, argument.cast()) }
        });
        if failure != 0 {
            // SAFETY: no thread has got the work.
            drop(unsafe { Box::from_raw(argument) });
            return Err(io::Error::from_raw_os_error(failure));
        }
        // SAFETY: the call above succeeded, and has written it.
        Ok(Thread { id: unsafe { id.assume_init() }, is_joined: false })
    }

    /// Waits for its end.
    pub fn join(mut self) {
        self.is_joined = true;
        // SAFETY: the thread was started, and is neither joined nor detached yet.
        unsafe { libc::pthread_join(self.id, ptr::null_mut()) };
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if !self.is_joined {
            // SAFETY: as in `join`.
            unsafe { libc::pthread_detach(self.id) };
        }
    }
}

extern "C" fn run(argument: *mut c_void) -> *mut c_void {
    IS_OUR_THREAD.set(true);
    // SAFETY: `start` made it, and gave it to this thread alone.
    let work = unsafe { Box::from_raw(argument.cast::<Work>()) };
    let _ = panic::catch_unwind(AssertUnwindSafe(work));
    ptr::null_mut()
}

/// From now on the library stays in memory when the program unloads it: a thread is left to itself that has not ended.
/// Where it is a part of the program itself, it does so anyway.
#[cfg(target_os = "linux")]
pub fn keep_loaded() {
    let mut place = MaybeUninit::<libc::Dl_info>::zeroed();
    let itself = keep_loaded as *const c_void;
    // SAFETY: there is room for what the call finds, and the name that it finds belongs to the loaded library. The second
    // call loads nothing, but marks what is loaded under that name.
    unsafe {
        if libc::dladdr(itself, place.as_mut_ptr()) != 0 {
            let name = place.assume_init().dli_fname;
            libc::dlopen(name, libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub fn keep_loaded() {}

/// Runs the same work on so many threads at once, this one among them, and returns when all have ended. Where the
/// system gives no more threads, those that there are do it. A panic in one of them becomes one here.
pub fn side_by_side(threads: usize, work: &(dyn Fn() + Sync)) {
    let panicked: Lock<Option<Box<dyn Any + Send>>> = Lock::default();
    let watched = || {
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(work)) {
            *panicked.lock() = Some(payload);
        }
    };
    let shared: &(dyn Fn() + Sync) = &watched;
    // SAFETY: all threads that have it are joined below, before this function returns, and nothing between can panic.
    let shared: &'static (dyn Fn() + Sync) = unsafe { std::mem::transmute(shared) };
    let others: Vec<_> = (1..threads).map_while(|_| Thread::start(Box::new(shared)).ok()).collect();
    shared();
    others.into_iter().for_each(Thread::join);
    let panicked = panicked.lock().take();
    if let Some(payload) = panicked {
        panic::resume_unwind(payload);
    }
}

/// A thread that is started meanwhile never runs the program's signal handlers.
fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    let mut all = MaybeUninit::uninit();
    let mut before = MaybeUninit::uninit();
    // SAFETY: the first call fills `all`, and the second one reads it and fills `before`.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    let started = start();
    // SAFETY: `before` was filled above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
    started
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn all_work_and_all_are_waited_for() {
        let (worked, ours) = (AtomicUsize::new(0), AtomicUsize::new(0));
        side_by_side(8, &|| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            worked.fetch_add(1, Ordering::Relaxed);
            ours.fetch_add(usize::from(is_our_thread()), Ordering::Relaxed);
        });
        assert_eq!((worked.into_inner(), ours.into_inner()), (8, 7));
        assert!(!is_our_thread());
    }

    #[test]
    fn a_panic_comes_back_after_all_have_ended() {
        let ended = AtomicUsize::new(0);
        let payload = panic::catch_unwind(AssertUnwindSafe(|| {
            side_by_side(4, &|| {
                std::thread::sleep(std::time::Duration::from_millis(if is_our_thread() { 20 } else { 0 }));
                ended.fetch_add(1, Ordering::Relaxed);
                if is_our_thread() {
                    panic::resume_unwind(Box::new(7));
                }
            });
        }))
        .unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&7));
        assert_eq!(ended.into_inner(), 4);
    }
}
