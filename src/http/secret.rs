//! Secrets: strings that are wiped after use and never shown.

use std::fmt;

use zeroize::Zeroizing;

/// A secret string. Its memory is wiped when it is dropped, and `Debug` masks it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: &str) -> Secret {
        Secret(Zeroizing::new(text.to_owned()))
    }

    /// Makes credentials of the Basic scheme (RFC 7617), including the name of the scheme.
    pub fn basic(user: &str, password: &str) -> Secret {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;
        let pair = Zeroizing::new([user, ":", password].concat());
        Secret::prefixed("Basic ", &Zeroizing::new(STANDARD.encode(pair.as_bytes())))
    }

    /// Makes credentials of the Bearer scheme (RFC 6750), including the name of the scheme.
    pub fn bearer(token: &str) -> Secret {
        Secret::prefixed("Bearer ", token)
    }

    /// Allocates once: a string that grows leaves copies behind.
    fn prefixed(scheme: &str, secret: &str) -> Secret {
        Secret(Zeroizing::new([scheme, secret].concat()))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Bytes that contain a secret and are wiped when dropped. Cheaper than [`Zeroizing`], which writes byte by byte; used
/// once a call.
pub(super) struct Wiped(pub Vec<u8>);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.fill(0);
        // Keeps the compiler from removing the writes, which nothing reads.
        std::hint::black_box(&mut self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_masks_secrets() {
        let secret = Secret::basic("Aladdin", "open sesame");
        assert_eq!(secret.expose(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(format!("{secret:?} {:?}", Some(Secret::bearer("x"))), "*** Some(***)");
    }
}
