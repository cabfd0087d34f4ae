//! Texts that are nobody else's business.

use std::fmt;

use zeroize::Zeroizing;

/// A secret. Its memory is wiped when it is dropped, and it is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: &str) -> Secret {
        Secret(Zeroizing::new(text.to_owned()))
    }

    /// `user:password` as HTTP's Basic scheme writes it (RFC 7617), with the name of the scheme.
    pub fn basic(user: &str, password: &str) -> Secret {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;
        let pair = Zeroizing::new([user, ":", password].concat());
        Secret::prefixed("Basic ", &Zeroizing::new(STANDARD.encode(pair.as_bytes())))
    }

    /// A token with the name of its scheme (RFC 6750).
    pub fn bearer(token: &str) -> Secret {
        Secret::prefixed("Bearer ", token)
    }

    /// In one piece from the beginning: a text that grows leaves its beginnings behind.
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

/// Bytes that hold a secret, in a block that is wiped when it is dropped. It costs less than [`Zeroizing`], which writes
/// byte by byte, where that is done for each call.
pub(super) struct Wiped(pub Vec<u8>);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.fill(0);
        // Lest it is left out, since nothing reads it.
        std::hint::black_box(&mut self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_to_nobody() {
        let secret = Secret::basic("Aladdin", "open sesame");
        assert_eq!(secret.expose(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(format!("{secret:?} {:?}", Some(Secret::bearer("x"))), "*** Some(***)");
    }
}
