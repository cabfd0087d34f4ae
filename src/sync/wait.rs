//! Waiting with a deadline and cancel tokens.

use std::io;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use super::cancel::{CancelToken, CancelTokens, MAX_TOKENS};

/// Why a wait ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitError {
    DeadlineExpired,
    Cancelled,
}

/// How often a thread checks whether a token was cancelled if the cancellation cannot wake it.
pub(super) const RECHECK: Duration = Duration::from_millis(5);

/// The longest wait that the system ends at most about half a millisecond late.
const EXACT: Duration = Duration::from_millis(100);

/// Returns the time until the deadline.
pub(super) fn remaining(deadline: Instant, tokens: &CancelTokens) -> Result<Duration, WaitError> {
    if tokens.is_cancelled() {
        return Err(WaitError::Cancelled);
    }
    let remaining = deadline.saturating_duration_since(Instant::now());
    if remaining.is_zero() { Err(WaitError::DeadlineExpired) } else { Ok(remaining) }
}

/// Waits until the descriptor is ready for one of the events or has failed. Returns the events that it reports.
pub fn ready(
    descriptor: RawFd,
    events: libc::c_short,
    deadline: Instant,
    tokens: &CancelTokens,
) -> Result<libc::c_short, WaitError> {
    let mut entries = [UNUSED; 1 + MAX_TOKENS];
    entries[0] = entry(descriptor, events);
    loop {
        if poll(&mut entries, deadline, tokens)? {
            return Ok(entries[0].revents);
        }
    }
}

/// Waits until one of the descriptors is ready for one of the events or has failed. Returns its index.
pub fn any_ready(
    descriptors: &[RawFd],
    events: libc::c_short,
    deadline: Instant,
    tokens: &CancelTokens,
) -> Result<usize, WaitError> {
    let mut entries: Vec<_> = descriptors.iter().map(|descriptor| entry(*descriptor, events)).collect();
    entries.extend([UNUSED; MAX_TOKENS]);
    loop {
        if poll(&mut entries, deadline, tokens)? {
            if let Some(at) = entries[..descriptors.len()].iter().position(|entry| entry.revents != 0) {
                return Ok(at);
            }
        }
    }
}

/// Waits until the deadline, unless a token is cancelled.
pub fn sleep(deadline: Instant, tokens: &CancelTokens) -> Result<(), WaitError> {
    loop {
        match poll(&mut [UNUSED; MAX_TOKENS], deadline, tokens) {
            Ok(_) => {}
            Err(WaitError::DeadlineExpired) => return Ok(()),
            Err(cancelled) => return Err(cancelled),
        }
    }
}

/// Waits until the condition holds, which the caller announces by [`CancelToken::wake`].
pub fn wait_until(
    condition: &mut dyn FnMut() -> bool,
    deadline: Instant,
    tokens: &CancelTokens,
) -> Result<(), WaitError> {
    while !condition() {
        poll(&mut [UNUSED; MAX_TOKENS], deadline, tokens)?;
    }
    Ok(())
}

/// An entry that the system ignores.
const UNUSED: libc::pollfd = libc::pollfd { fd: -1, events: 0, revents: 0 };

fn entry(fd: RawFd, events: libc::c_short) -> libc::pollfd {
    libc::pollfd { fd, events, revents: 0 }
}

/// Waits once. Returns whether a descriptor is ready. The last entries are for the descriptors of the tokens.
fn poll(entries: &mut [libc::pollfd], deadline: Instant, tokens: &CancelTokens) -> Result<bool, WaitError> {
    let mut timeout = remaining(deadline, tokens)?;
    let descriptors = entries.len().saturating_sub(MAX_TOKENS);
    let mut wakers = 0;
    for (entry_of_token, token) in entries[descriptors..].iter_mut().zip(tokens.each()) {
        let waker = token.map(CancelToken::descriptor);
        match waker {
            Some(None) => timeout = timeout.min(RECHECK),
            Some(Some(_)) => wakers += 1,
            None => {}
        }
        *entry_of_token = entry(waker.flatten().unwrap_or(-1), libc::POLLIN);
    }
    let timeout = next_step(timeout);
    let used = if wakers == 0 { descriptors } else { entries.len() };
    if let Err(error) = poll_once(&mut entries[..used], timeout) {
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            // The system has no memory to wait with. The pause avoids a busy loop.
            _ => std::thread::sleep(timeout.min(RECHECK)),
        }
        return Ok(false);
    }
    let (descriptors, wakers) = entries.split_at(descriptors);
    for (waker, token) in wakers.iter().zip(tokens.each()) {
        match token {
            Some(token) if waker.revents != 0 && token.confirm() => return Err(WaitError::Cancelled),
            _ => {}
        }
    }
    Ok(descriptors.iter().any(|descriptor| descriptor.revents != 0))
}

/// Returns how long to wait at once if `timeout` is left.
///
/// Linux ends a wait late by up to 0.1 % of its length, and by up to 0.5 % in a process with a positive nice value, at
/// most 100 ms (`select_estimate_accuracy` in its fs/select.c). So the end of a long wait is a separate, short one.
fn next_step(timeout: Duration) -> Duration {
    if timeout > EXACT { timeout - (timeout / 16).max(EXACT / 2) } else { timeout }
}

/// Waits with a precision of nanoseconds. `poll` takes whole milliseconds, and would end up to one late.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn poll_once(entries: &mut [libc::pollfd], timeout: Duration) -> io::Result<()> {
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos() as _,
    };
    // SAFETY: the entries and the time are valid, and the number of entries is right.
    let count =
        unsafe { libc::ppoll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, &raw const time, std::ptr::null()) };
    if count < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn poll_once(entries: &mut [libc::pollfd], timeout: Duration) -> io::Result<()> {
    // Rounded up, since a wait that ends early is repeated.
    let ms = i32::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    // SAFETY: the entries are valid, and their number is right.
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
    fn long_waits_are_split_so_that_a_late_system_hardly_delays_their_end() {
        for ms in [1, 50, 99, 100, 101, 150, 1000, 2500, 60_000, 3_600_000, 86_400_000] {
            let timeout = Duration::from_millis(ms);
            let (mut passed, mut steps) = (Duration::ZERO, 0);
            while passed < timeout {
                let step = next_step(timeout - passed);
                passed += step + (step / 200).min(Duration::from_millis(100));
                steps += 1;
            }
            let late = passed - timeout;
            assert!(late <= Duration::from_micros(500) && steps <= 10, "{ms} ms: {late:?} late after {steps} steps");
        }
    }

    #[test]
    fn wait_ends_at_event_deadline_or_cancellation() {
        let (one, other) = UnixStream::pair().unwrap();
        let (none, token) = (CancelTokens::default(), Arc::new(CancelToken::new().unwrap()));
        let tokens = CancelTokens::new(Some(&token), None);
        let readable = |deadline, tokens: &CancelTokens| ready(one.as_raw_fd(), libc::POLLIN, deadline, tokens);
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
        assert!(began.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn each_token_wakes_all_threads_and_none_after_a_reset() {
        let pair = [(); MAX_TOKENS].map(|()| Arc::new(CancelToken::new().unwrap()));
        let tokens = CancelTokens::new(Some(&pair[0]), Some(&pair[1])).with_queue(&pair[2]);
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
