//! Request methods.

/// A request method. Case-sensitive (RFC 9110, 9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method<'a> {
    Get,
    Head,
    Post,
    Put,
    Delete,
    /// Only for proxies.
    Connect,
    Other(&'a str),
}

impl<'a> Method<'a> {
    pub fn new(name: &'a str) -> Method<'a> {
        let known = [Method::Get, Method::Head, Method::Post, Method::Put, Method::Delete, Method::Connect];
        known.into_iter().find(|method| method.as_str() == name).unwrap_or(Method::Other(name))
    }

    pub fn as_str(self) -> &'a str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Connect => "CONNECT",
            Method::Other(name) => name,
        }
    }

    /// Returns whether a server expects a Content-Length also without a body (RFC 9110, 8.6).
    pub(super) fn expects_body(self) -> bool {
        matches!(self, Method::Post | Method::Put | Method::Other("PATCH"))
    }
}
