//! Resolves host names with the system's getaddrinfo. The standard library does not report whether a failure is
//! permanent.

use std::ffi::{CStr, CString};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ptr;

/// Why a name has no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LookupError {
    /// The system's error message.
    pub why: String,
    /// Whether a retry would fail in the same way.
    pub is_permanent: bool,
}

/// Returns the addresses of a host, in the order in which to try them. Blocks until the system's resolver returns.
pub(super) fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, LookupError> {
    let permanent = |why: &str| LookupError { why: why.to_owned(), is_permanent: true };
    let name = CString::new(host).map_err(|_| permanent("the name contains a NUL byte"))?;
    // SAFETY: all zeroes are a valid value of this type.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_socktype = libc::SOCK_STREAM;
    let mut list = ptr::null_mut();
    // SAFETY: name, hints and list are valid for the call.
    let code = unsafe { libc::getaddrinfo(name.as_ptr(), ptr::null(), &raw const hints, &raw mut list) };
    if code != 0 {
        return Err(lookup_error(code, &io::Error::last_os_error()));
    }
    let mut found = Vec::new();
    let mut next = list;
    // SAFETY: the entries of the system's list are valid until it is freed below.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: an entry's address is of the family in `ai_family`.
        found.extend(unsafe { address(entry, port) });
        next = entry.ai_next;
    }
    // SAFETY: the list is the system's, and is not used any more.
    unsafe { libc::freeaddrinfo(list) };
    if found.is_empty() { Err(permanent("the name has no address")) } else { Ok(found) }
}

/// # Safety
/// The entry's address must be valid and of the entry's family.
unsafe fn address(entry: &libc::addrinfo, port: u16) -> Option<SocketAddr> {
    match entry.ai_family {
        libc::AF_INET => {
            // SAFETY: as promised by the caller.
            let address = unsafe { &*entry.ai_addr.cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddrV4::new(ip, port).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as promised by the caller.
            let address = unsafe { &*entry.ai_addr.cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
            Some(SocketAddrV6::new(ip, port, address.sin6_flowinfo, address.sin6_scope_id).into())
        }
        _ => None,
    }
}

/// Converts an error code of getaddrinfo, and the value of errno after it.
fn lookup_error(code: libc::c_int, error: &io::Error) -> LookupError {
    if code == libc::EAI_SYSTEM || matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) {
        return LookupError { why: error.to_string(), is_permanent: false };
    }
    // SAFETY: the system's message for a code is a static string.
    let why = unsafe { CStr::from_ptr(libc::gai_strerror(code)) }.to_string_lossy().into_owned();
    let is_permanent = matches!(code, libc::EAI_NONAME | libc::EAI_FAIL);
    #[cfg(target_os = "linux")]
    let is_permanent = is_permanent || code == libc::EAI_NODATA;
    LookupError { why, is_permanent }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_resolves_to_loopback_addresses() {
        let found = look_up("localhost", 5000).unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 5000), "{found:?}");
    }

    #[test]
    fn temporary_failures_and_lack_of_descriptors_are_not_permanent() {
        let other = io::Error::from_raw_os_error(0);
        assert!(lookup_error(libc::EAI_NONAME, &other).is_permanent);
        assert!(!lookup_error(libc::EAI_AGAIN, &other).is_permanent);
        let full = lookup_error(libc::EAI_NONAME, &io::Error::from_raw_os_error(libc::EMFILE));
        assert!(!full.is_permanent && full.why.contains("open files"), "{full:?}");
        assert!(look_up("a\0b", 1).unwrap_err().is_permanent);
    }
}
