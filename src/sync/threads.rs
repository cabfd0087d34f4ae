//! Threads of the library, on which no signal handler of the program runs.
//!
//! They are pthreads, not threads of the standard library: starting one of the latter leaves a thread-local destructor
//! on the calling thread, which keeps the library from being unloaded.

use std::any::Any;
use std::cell::Cell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{io, ptr};

use super::lock::Lock;

thread_local! {
    static IS_LIBRARY_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether the calling thread was started by the library.
pub fn is_library_thread() -> bool {
    IS_LIBRARY_THREAD.get()
}

type Work = Box<dyn FnOnce() + Send>;

/// A thread of the library. Dropping this detaches it.
pub struct Thread {
    id: libc::pthread_t,
    is_joined: bool,
}

impl Thread {
    /// Starts a thread that runs `work`. A panic in it is ignored.
    pub fn start(work: Work) -> io::Result<Thread> {
        Thread::start_with(work, ptr::null())
    }

    /// As [`Thread::start`], with a stack of this size besides what the system needs, if it allows one so small.
    pub fn start_with_stack(size: usize, work: Work) -> io::Result<Thread> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the attributes are initialized, then used, then destroyed. If the size is too small for the system,
        // they keep the default one.
        unsafe {
            if libc::pthread_attr_init(attributes.as_mut_ptr()) != 0 {
                return Thread::start(work);
            }
            libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), size + system_part_of_stack(attributes.as_ptr()));
            let thread = Thread::start_with(work, attributes.as_ptr());
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
            thread
        }
    }

    fn start_with(work: Work, attributes: *const libc::pthread_attr_t) -> io::Result<Thread> {
        // A fat pointer does not fit through the thread's argument.
        let argument = Box::into_raw(Box::new(work));
        let mut id = MaybeUninit::uninit();
        let failure = without_signals(|| {
            // SAFETY: `id` is valid for writes, the attributes are NULL or valid, and `run` takes ownership of the
            // argument.
            unsafe { libc::pthread_create(id.as_mut_ptr(), attributes, run, argument.cast()) }
        });
        if failure != 0 {
            // SAFETY: no thread was started that owns the argument.
            drop(unsafe { Box::from_raw(argument) });
            return Err(io::Error::from_raw_os_error(failure));
        }
        // SAFETY: the call above succeeded and has written it.
        Ok(Thread { id: unsafe { id.assume_init() }, is_joined: false })
    }

    /// Waits until the thread has ended.
    pub fn join(mut self) {
        self.is_joined = true;
        // SAFETY: the thread was started, and neither joined nor detached.
        unsafe { libc::pthread_join(self.id, ptr::null_mut()) };
    }
}

/// Returns the size of what the system puts into each stack. glibc puts the thread-local variables of the program there,
/// which may be larger than the stack itself.
///
/// # Safety
/// The attributes are initialized.
unsafe fn system_part_of_stack(attributes: *const libc::pthread_attr_t) -> usize {
    // SAFETY: the name is a C string. The function has this type in every glibc that has it.
    let min_stack: Option<unsafe extern "C" fn(*const libc::pthread_attr_t) -> usize> =
        unsafe { std::mem::transmute(libc::dlsym(libc::RTLD_DEFAULT, c"__pthread_get_minstack".as_ptr())) };
    // SAFETY: guaranteed by the caller.
    min_stack.map_or(0, |min_stack| unsafe { min_stack(attributes) })
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
    IS_LIBRARY_THREAD.set(true);
    // SAFETY: `start` made the box and passed it to this thread only.
    let work = unsafe { Box::from_raw(argument.cast::<Work>()) };
    let _ = panic::catch_unwind(AssertUnwindSafe(work));
    ptr::null_mut()
}

/// Keeps the library loaded after dlclose(), because a detached thread still runs its code. A program that is linked
/// with the static library is never unloaded.
#[cfg(target_os = "linux")]
pub fn keep_loaded() {
    static IS_KEPT: AtomicBool = AtomicBool::new(false);
    if IS_KEPT.load(Ordering::Relaxed) {
        return;
    }
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    let address = keep_loaded as *const c_void;
    // SAFETY: `info` is valid for writes, and the name in it lives as long as the loaded library. dlopen() loads
    // nothing here, but marks the library of that name.
    unsafe {
        if libc::dladdr(address, info.as_mut_ptr()) != 0 {
            let name = info.assume_init().dli_fname;
            libc::dlopen(name, libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
        }
    }
    IS_KEPT.store(true, Ordering::Relaxed);
}

#[cfg(not(target_os = "linux"))]
pub fn keep_loaded() {}

/// Runs `work` on this and on other threads at the same time, at most `threads` together, and returns when all have
/// ended. If the system cannot start more threads, fewer do it. A panic on one of them is resumed on this thread.
pub fn run_in_parallel(threads: usize, work: &(dyn Fn() + Sync)) {
    let panicked: Lock<Option<Box<dyn Any + Send>>> = Lock::default();
    let catching = || {
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(work)) {
            *panicked.lock() = Some(payload);
        }
    };
    let shared: &(dyn Fn() + Sync) = &catching;
    // SAFETY: all threads that use it are joined before this function returns, and nothing before that can panic.
    let shared: &'static (dyn Fn() + Sync) = unsafe { std::mem::transmute(shared) };
    let others: Vec<_> = (1..threads).map_while(|_| Thread::start(Box::new(shared)).ok()).collect();
    shared();
    others.into_iter().for_each(Thread::join);
    let panicked = panicked.lock().take();
    if let Some(payload) = panicked {
        panic::resume_unwind(payload);
    }
}

/// Starts a thread with all signals blocked: no signal handler of the program may run on it.
fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    let mut all = MaybeUninit::uninit();
    let mut previous = MaybeUninit::uninit();
    // SAFETY: the first call fills `all`; the second one reads it and fills `previous`.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), previous.as_mut_ptr());
    }
    let started = start();
    // SAFETY: `previous` was filled above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, previous.as_ptr(), ptr::null_mut()) };
    started
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn all_threads_work_and_are_joined() {
        let (worked, of_library) = (AtomicUsize::new(0), AtomicUsize::new(0));
        run_in_parallel(8, &|| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            worked.fetch_add(1, Ordering::Relaxed);
            of_library.fetch_add(usize::from(is_library_thread()), Ordering::Relaxed);
        });
        assert_eq!((worked.into_inner(), of_library.into_inner()), (8, 7));
        assert!(!is_library_thread());
    }

    #[test]
    fn panic_is_resumed_after_all_threads_have_ended() {
        let ended = AtomicUsize::new(0);
        let payload = panic::catch_unwind(AssertUnwindSafe(|| {
            run_in_parallel(4, &|| {
                std::thread::sleep(std::time::Duration::from_millis(if is_library_thread() { 20 } else { 0 }));
                ended.fetch_add(1, Ordering::Relaxed);
                if is_library_thread() {
                    panic::resume_unwind(Box::new(7));
                }
            });
        }))
        .unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&7));
        assert_eq!(ended.into_inner(), 4);
    }
}
