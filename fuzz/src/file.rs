//! A file in memory that can be opened by its path.

use std::io::{Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::{Mutex, OnceLock};

pub struct File(String);

impl File {
    /// Creates the file. Only one can exist at a time.
    pub fn of(content: &[u8]) -> File {
        static FILE: OnceLock<Mutex<std::fs::File>> = OnceLock::new();
        let file = FILE.get_or_init(|| {
            // SAFETY: the name is NUL-terminated, and the returned descriptor is ours.
            let created = unsafe {
                let descriptor = libc::memfd_create(c"fuzz".as_ptr(), libc::MFD_CLOEXEC);
                assert!(descriptor >= 0, "memfd_create failed");
                std::fs::File::from_raw_fd(descriptor)
            };
            Mutex::new(created)
        });
        let mut file = file.lock().expect("no thread panicked while it had the lock");
        file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).expect("it is in memory");
        file.write_all(content).expect("it is in memory");
        File(format!("/proc/self/fd/{}", file.as_raw_fd()))
    }

    pub fn path(&self) -> &str {
        &self.0
    }
}
