//! Waiting that ends in time, and when the caller has had enough.

use std::io;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use super::cancel::{CancelToken, CancelTokens, MOST};

/// Why there is nothing more to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitError {
    DeadlineExpired,
    Cancelled,
}

/// How often is looked whether a token was cancelled, where the system cannot tell of it.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Up to here it ends a wait late by a millisecond or so.
const EXACT: Duration = Duration::from_secs(1);

/// The time that is left.
pub(super) fn left(until: Instant, tokens: &CancelTokens) -> Result<Duration, WaitError> {
    if tokens.is_cancelled() {
        return Err(WaitError::Cancelled);
    }
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(WaitError::DeadlineExpired) } else { Ok(left) }
}

/// Waits until the descriptor is ready for one of these events, or has failed; returns the events that it reports.
pub fn ready(
    descriptor: RawFd,
    events: libc::c_short,
    until: Instant,
    tokens: &CancelTokens,
) -> Result<libc::c_short, WaitError> {
    let mut entries = [entry(descriptor, events), NONE, NONE];
    loop {
        if poll(&mut entries, until, tokens)? {
            return Ok(entries[0].revents);
        }
    }
}

/// Waits until one of the descriptors is ready for these events, or has failed; returns its place in the list.
pub fn any_ready(
    descriptors: &[RawFd],
    events: libc::c_short,
    until: Instant,
    tokens: &CancelTokens,
) -> Result<usize, WaitError> {
    let mut entries: Vec<_> = descriptors.iter().map(|descriptor| entry(*descriptor, events)).collect();
    entries.extend([NONE; MOST]);
    loop {
        if poll(&mut entries, until, tokens)? {
            if let Some(at) = entries[..descriptors.len()].iter().position(|entry| entry.revents != 0) {
                return Ok(at);
            }
        }
    }
}

/// Waits until then.
pub fn sleep(until: Instant, tokens: &CancelTokens) -> Result<(), WaitError> {
    loop {
        match poll(&mut [NONE; MOST], until, tokens) {
            Ok(_) => {}
            Err(WaitError::DeadlineExpired) => return Ok(()),
            Err(over) => return Err(over),
        }
    }
}

/// What the system passes over.
const NONE: libc::pollfd = libc::pollfd { fd: -1, events: 0, revents: 0 };

fn entry(fd: RawFd, events: libc::c_short) -> libc::pollfd {
    libc::pollfd { fd, events, revents: 0 }
}

/// Waits once; returns whether a descriptor is ready. The last entries are the places of the tokens' bells.
fn poll(entries: &mut [libc::pollfd], until: Instant, tokens: &CancelTokens) -> Result<bool, WaitError> {
    let mut most = left(until, tokens)?;
    let descriptors = entries.len().saturating_sub(MOST);
    let mut bells = 0;
    for (place, token) in entries[descriptors..].iter_mut().zip(tokens.each()) {
        let bell = token.map(CancelToken::bell);
        match bell {
            Some(None) => most = most.min(LOOK_AGAIN),
            Some(Some(_)) => bells += 1,
            None => {}
        }
        *place = entry(bell.flatten().unwrap_or(-1), libc::POLLIN);
    }
    // The system ends a long wait late, by a thousandth of it and more: its last part is waited for on its own.
    let most = if most > 2 * EXACT { most - EXACT } else { most };
    let used = if bells == 0 { descriptors } else { entries.len() };
    if let Err(error) = poll_once(&mut entries[..used], most) {
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            // There is no memory for the system to wait with; it is not to be asked as fast as it says so.
            _ => std::thread::sleep(most.min(LOOK_AGAIN)),
        }
        return Ok(false);
    }
    let (descriptors, bells) = entries.split_at(descriptors);
    for (bell, token) in bells.iter().zip(tokens.each()) {
        match token {
            Some(token) if bell.revents != 0 => token.heed()?,
            _ => {}
        }
    }
    Ok(descriptors.iter().any(|descriptor| descriptor.revents != 0))
}

/// The nanoseconds count: `poll` takes whole milliseconds, and would end up to one late.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn poll_once(entries: &mut [libc::pollfd], most: Duration) -> io::Result<()> {
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(most.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: most.subsec_nanos() as _,
    };
    // SAFETY: the entries are there, and as many as this; so is the time.
    let count =
        unsafe { libc::ppoll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, &raw const time, std::ptr::null()) };
    if count < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn poll_once(entries: &mut [libc::pollfd], most: Duration) -> io::Result<()> {
    // Rounded up: a wait that ends early is only another round.
    let ms = i32::try_from(most.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    // SAFETY: the entries are there, and as many as this.
    let count = unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, ms) };
    if count < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;

    use super::*;

    fn after(ms: u64) -> Instant {
        Instant::now() + Duration::from_millis(ms)
    }

    #[test]
    fn waits_for_what_comes_first() {
        let (one, other) = UnixStream::pair().unwrap();
        let (none, token) = (CancelTokens::default(), Arc::new(CancelToken::new().unwrap()));
        let tokens = CancelTokens::of([Some(&token), None]);
        let readable = |until, tokens: &CancelTokens| ready(one.as_raw_fd(), libc::POLLIN, until, tokens);
        let began = Instant::now();
        assert_eq!(readable(after(20), &none), Err(WaitError::DeadlineExpired));
        assert_eq!(readable(after(20), &tokens), Err(WaitError::DeadlineExpired));
        assert_eq!(sleep(after(20), &tokens), Ok(()));
        assert!(began.elapsed() >= Duration::from_millis(60));
        drop(other);
        assert!(readable(after(5000), &tokens).is_ok_and(|events| events & libc::POLLIN != 0));
        let both = [-1, one.as_raw_fd()];
        assert_eq!(any_ready(&both, libc::POLLIN, after(5000), &tokens), Ok(1));
        assert_eq!(any_ready(&both[..1], libc::POLLIN, after(5), &none), Err(WaitError::DeadlineExpired));
        token.cancel();
        assert_eq!(readable(after(5000), &tokens), Err(WaitError::Cancelled));
        assert!(began.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn each_token_wakes_all_that_wait_and_none_after_a_reset() {
        let pair = [(); 2].map(|()| Arc::new(CancelToken::new().unwrap()));
        let tokens = CancelTokens::of(pair.each_ref().map(Some));
        for token in pair.iter().chain(&pair) {
            std::thread::scope(|scope| {
                let waiting: Vec<_> = (0..4).map(|_| scope.spawn(|| sleep(after(10_000), &tokens))).collect();
                std::thread::sleep(Duration::from_millis(20));
                token.cancel();
                waiting.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), Err(WaitError::Cancelled)));
            });
            token.reset();
            assert_eq!(sleep(after(5), &tokens), Ok(()));
        }
    }
}
