//! The system's look-up of host names. The standard library's does not report which kind of failure it is.

use std::ffi::{CStr, CString};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ptr;

/// Why a name has no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LookupError {
    /// In the system's words.
    pub why: String,
    /// Whether it would be the same another time.
    pub is_lasting: bool,
}

/// The addresses of a host, in the order in which to try them. May take as long as the system's resolver likes.
pub(super) fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, LookupError> {
    let lasting = |why: &str| LookupError { why: why.to_owned(), is_lasting: true };
    let name = CString::new(host).map_err(|_| lasting("the name holds a NUL byte"))?;
    // SAFETY: all zeroes are a valid value of this type.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_socktype = libc::SOCK_STREAM;
    let mut list = ptr::null_mut();
    // SAFETY: name and hints are there, and there is a place for the list.
    let code = unsafe { libc::getaddrinfo(name.as_ptr(), ptr::null(), &raw const hints, &raw mut list) };
    if code != 0 {
        return Err(no_address(code, &io::Error::last_os_error()));
    }
    let mut found = Vec::new();
    let mut at = list;
    // SAFETY: the system made the list, and each of its entries is there until it is freed below.
    while let Some(entry) = unsafe { at.as_ref() } {
        // SAFETY: an entry's address is of the family that the entry says.
        found.extend(unsafe { address(entry, port) });
        at = entry.ai_next;
    }
    // SAFETY: the list is the system's, and not used any more.
    unsafe { libc::freeaddrinfo(list) };
    if found.is_empty() { Err(lasting("the name has no address")) } else { Ok(found) }
}

/// # Safety
/// The entry's address is there, and of the entry's family.
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

fn no_address(code: libc::c_int, error: &io::Error) -> LookupError {
    if code == libc::EAI_SYSTEM || matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) {
        return LookupError { why: error.to_string(), is_lasting: false };
    }
    // SAFETY: the system's text for a code is there for good.
    let why = unsafe { CStr::from_ptr(libc::gai_strerror(code)) }.to_string_lossy().into_owned();
    let is_lasting = matches!(code, libc::EAI_NONAME | libc::EAI_FAIL);
    #[cfg(target_os = "linux")]
    let is_lasting = is_lasting || code == libc::EAI_NODATA;
    LookupError { why, is_lasting }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_addresses_of_a_name() {
        let found = look_up("localhost", 5000).unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 5000), "{found:?}");
    }

    #[test]
    fn only_a_temporary_failure_is_worth_another_try() {
        let other = io::Error::from_raw_os_error(0);
        assert!(no_address(libc::EAI_NONAME, &other).is_lasting);
        assert!(!no_address(libc::EAI_AGAIN, &other).is_lasting);
        let full = no_address(libc::EAI_NONAME, &io::Error::from_raw_os_error(libc::EMFILE));
        assert!(!full.is_lasting && full.why.contains("open files"), "{full:?}");
        assert!(look_up("a\0b", 1).unwrap_err().is_lasting);
    }
}
