//! Waiting that ends in time, and when the caller has had enough.

use std::io;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use super::cancel::CancelToken;

/// Why there is nothing more to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    Time,
    Cancelled,
}

/// How often is looked whether a token was cancelled, where the system cannot tell of it.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Up to here it ends a wait late by a millisecond or so.
const EXACT: Duration = Duration::from_secs(1);

/// The time that is left.
pub(super) fn left(until: Instant, token: Option<&CancelToken>) -> Result<Duration, Over> {
    if token.is_some_and(CancelToken::is_cancelled) {
        return Err(Over::Cancelled);
    }
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(Over::Time) } else { Ok(left) }
}

/// Waits until the descriptor is ready for one of these events, or has failed.
pub fn ready(
    descriptor: RawFd,
    events: libc::c_short,
    until: Instant,
    token: Option<&CancelToken>,
) -> Result<(), Over> {
    loop {
        if poll(Some((descriptor, events)), until, token)? {
            return Ok(());
        }
    }
}

/// Waits until then.
pub fn sleep(until: Instant, token: Option<&CancelToken>) -> Result<(), Over> {
    loop {
        match poll(None, until, token) {
            Ok(_) => {}
            Err(Over::Time) => return Ok(()),
            Err(over) => return Err(over),
        }
    }
}

/// Waits once, and says whether the descriptor is ready.
fn poll(descriptor: Option<(RawFd, libc::c_short)>, until: Instant, token: Option<&CancelToken>) -> Result<bool, Over> {
    let left = left(until, token)?;
    let bell = token.and_then(CancelToken::bell);
    let most = if token.is_some() && bell.is_none() { left.min(LOOK_AGAIN) } else { left };
    // The system ends a long wait late, by a thousandth of it and more: its last part is waited for on its own.
    let most = if most > 2 * EXACT { most - EXACT } else { most };
    let entry = |(fd, events)| libc::pollfd { fd, events, revents: 0 };
    let nothing = (-1, 0);
    let mut entries = [entry(descriptor.unwrap_or(nothing)), entry(bell.map_or(nothing, |bell| (bell, libc::POLLIN)))];
    // Rounded up: what is early is only late in another round.
    let ms = i32::try_from(most.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    // SAFETY: the entries are there, and are two.
    let count = unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, ms) };
    if count < 0 {
        match io::Error::last_os_error().kind() {
            io::ErrorKind::Interrupted => {}
            // There is no memory for the system to wait with; it is not to be asked as fast as it says so.
            _ => std::thread::sleep(most.min(LOOK_AGAIN)),
        }
        return Ok(false);
    }
    let [of_descriptor, of_bell] = entries;
    match token {
        Some(token) if of_bell.revents != 0 => token.heed()?,
        _ => {}
    }
    Ok(of_descriptor.revents != 0)
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
        let token = CancelToken::new().unwrap();
        let readable = |until, token| ready(one.as_raw_fd(), libc::POLLIN, until, token);
        let began = Instant::now();
        assert_eq!(readable(after(20), None), Err(Over::Time));
        assert_eq!(readable(after(20), Some(&token)), Err(Over::Time));
        assert_eq!(sleep(after(20), Some(&token)), Ok(()));
        assert!(began.elapsed() >= Duration::from_millis(60));
        drop(other);
        assert_eq!(readable(after(5000), Some(&token)), Ok(()));
        token.cancel();
        assert_eq!(readable(after(5000), Some(&token)), Err(Over::Cancelled));
        assert!(began.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn all_that_wait_are_woken_and_none_after_a_reset() {
        let token = Arc::new(CancelToken::new().unwrap());
        for _ in 0..3 {
            std::thread::scope(|scope| {
                let waiting: Vec<_> = (0..4).map(|_| scope.spawn(|| sleep(after(10_000), Some(&token)))).collect();
                std::thread::sleep(Duration::from_millis(20));
                token.cancel();
                waiting.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), Err(Over::Cancelled)));
            });
            token.reset();
            assert_eq!(sleep(after(5), Some(&token)), Ok(()));
        }
    }
}
