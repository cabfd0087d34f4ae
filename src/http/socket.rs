//! Sockets that connect without blocking. A cancel token cannot interrupt the standard library's connect.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// A socket that is connecting.
pub(super) struct Connecting(OwnedFd);

impl Connecting {
    /// Starts to connect.
    pub fn begin(address: &SocketAddr) -> io::Result<Connecting> {
        let socket = socket(address)?;
        let begun = match address {
            SocketAddr::V4(address) => {
                // SAFETY: all-zero bytes are a valid value of this type.
                let mut name: libc::sockaddr_in = unsafe { std::mem::zeroed() };
                name.sin_family = libc::AF_INET as libc::sa_family_t;
                name.sin_port = address.port().to_be();
                name.sin_addr.s_addr = u32::from_ne_bytes(address.ip().octets());
                connect(&socket, &name)
            }
            SocketAddr::V6(address) => {
                // SAFETY: as above.
                let mut name: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
                name.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                name.sin6_port = address.port().to_be();
                name.sin6_addr.s6_addr = address.ip().octets();
                name.sin6_flowinfo = address.flowinfo();
                name.sin6_scope_id = address.scope_id();
                connect(&socket, &name)
            }
        };
        match begun {
            // After a signal the system continues to connect.
            Err(error) if !matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => Err(error),
            _ => Ok(Connecting(socket)),
        }
    }

    /// Returns the descriptor, which becomes writable when the socket is connected or has failed.
    pub fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Returns the connection, or the error.
    pub fn finish(self) -> io::Result<TcpStream> {
        let stream = TcpStream::from(self.0);
        stream.take_error()?.map_or(Ok(()), Err)?;
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Creates a socket that is closed on exec.
fn socket(address: &SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    #[cfg(target_os = "linux")]
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    #[cfg(not(target_os = "linux"))]
    let kind = libc::SOCK_STREAM;
    // SAFETY: the call uses no memory of ours.
    let descriptor = unsafe { libc::socket(family, kind, 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, so nothing else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    #[cfg(not(target_os = "linux"))]
    prepare(descriptor);
    Ok(socket)
}

#[cfg(not(target_os = "linux"))]
fn prepare(descriptor: i32) {
    // SAFETY: the descriptor is open, and the calls use no memory of ours.
    unsafe {
        libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
        libc::fcntl(descriptor, libc::F_SETFL, libc::O_NONBLOCK);
    }
    #[cfg(target_vendor = "apple")]
    {
        let on: libc::c_int = 1;
        let (value, size) = ((&raw const on).cast(), size_of_val(&on) as libc::socklen_t);
        // SAFETY: the value is valid and has this size.
        unsafe { libc::setsockopt(descriptor, libc::SOL_SOCKET, libc::SO_NOSIGPIPE, value, size) };
    }
}

fn connect<T>(socket: &OwnedFd, name: &T) -> io::Result<()> {
    let (name, size) = (std::ptr::from_ref(name).cast(), size_of::<T>() as libc::socklen_t);
    // SAFETY: the name is a socket address of this size.
    let done = unsafe { libc::connect(socket.as_raw_fd(), name, size) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
