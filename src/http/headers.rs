//! The request headers that callers can set, and our defaults.

use std::fmt;

use zeroize::Zeroizing;

use super::secret::Secret;

/// Few servers accept longer values: 8 KiB is the smallest limit in wide use.
const MAX_VALUE: usize = 8 * 1024;

/// Longer than the name of any header.
const MAX_NAME: usize = 256;

/// Few servers accept more headers.
const MAX_COUNT: usize = 100;

/// Headers that callers cannot set, because they frame the message.
const RESERVED: [&str; 10] = [
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    // The credentials of a proxy belong to the option `proxy`, and must not go to the gateway.
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Headers that are sent unless they are set.
const DEFAULTS: [(&str, &str); 3] = [
    ("accept", "application/json, text/event-stream"),
    // Without it a server may compress (RFC 9110, 12.5.3), and some proxies do.
    ("accept-encoding", "identity"),
    ("user-agent", super::USER_AGENT),
];

/// Parts of the names of headers that carry credentials.
const CREDENTIAL_NAMES: [&str; 7] = ["auth", "cookie", "credential", "key", "password", "secret", "token"];

/// Why a header is rejected. The message does not contain its value.
#[derive(Debug)]
pub struct InvalidHeader(pub String);

/// Request headers. Names are case-insensitive. They are serialized when they change, and not for each request.
#[derive(Clone)]
pub struct Headers {
    set: Vec<Field>,
    /// Further secrets, which are not values as such.
    masked: Vec<Secret>,
    lines: Zeroizing<Vec<u8>>,
}

#[derive(Clone)]
struct Field {
    /// In lower case.
    name: String,
    value: Secret,
    /// Whether it is masked in error messages.
    is_masked: bool,
}

impl Default for Headers {
    fn default() -> Headers {
        let mut headers = Headers { set: Vec::new(), masked: Vec::new(), lines: Zeroizing::default() };
        headers.serialize();
        headers
    }
}

impl Headers {
    /// Sets a header. Its value counts as a secret.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        let name = checked_name(name)?;
        check_value(&format!("the header {name}"), value)?;
        if self.set.len() >= MAX_COUNT && !self.has(&name) {
            return Err(InvalidHeader(format!("at most {MAX_COUNT} headers can be set")));
        }
        self.put(Field { name, value: Secret::new(value), is_masked: true });
        self.serialize();
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Returns whether a header of this name, in lower case, is set.
    pub fn has(&self, name: &str) -> bool {
        self.set.iter().any(|field| field.name == name)
    }

    /// Returns whether any of the headers carries credentials.
    pub fn has_credentials(&self) -> bool {
        self.set.iter().any(|field| names_credential(&field.name))
    }

    /// Returns these headers, with the others replacing those of the same name.
    pub fn with(&self, others: &Headers) -> Headers {
        let mut all = self.clone();
        others.set.iter().for_each(|field| all.put(field.clone()));
        all.serialize();
        all
    }

    /// Adds a secret unless a header of that name, in lower case, is set. [`check_value`] must accept the value.
    pub fn or_secret(mut self, name: &'static str, value: &Secret) -> Headers {
        self.put_if_new(name, value, true);
        self
    }

    /// As [`Headers::or_secret`], with a value that is not masked.
    pub fn or_plain(mut self, name: &'static str, value: &str) -> Headers {
        self.put_if_new(name, &Secret::new(value), false);
        self
    }

    /// Masks another secret in error messages.
    pub fn mask(&mut self, secret: &Secret) {
        self.masked.push(secret.clone());
    }

    /// Unsets a header. Unsetting one that is not set is not an error.
    pub fn unset(&mut self, name: &str) -> Result<(), InvalidHeader> {
        let name = checked_name(name)?;
        self.set.retain(|field| field.name != name);
        self.serialize();
        Ok(())
    }

    /// Returns the secrets to mask in error messages.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let of_fields = self.set.iter().filter(|field| field.is_masked).map(|field| field.value.expose());
        of_fields.chain(self.masked.iter().map(Secret::expose))
    }

    /// Returns the header lines to send, including our defaults.
    pub(super) fn lines(&self) -> &[u8] {
        &self.lines
    }

    fn put(&mut self, field: Field) {
        match self.set.iter_mut().find(|other| other.name == field.name) {
            Some(other) => *other = field,
            None => self.set.push(field),
        }
    }

    fn put_if_new(&mut self, name: &'static str, value: &Secret, is_masked: bool) {
        if !self.has(name) {
            self.put(Field { name: name.to_owned(), value: value.clone(), is_masked });
            self.serialize();
        }
    }

    fn serialize(&mut self) {
        let defaults = DEFAULTS.into_iter().filter(|(name, _)| !self.has(name));
        let set = self.set.iter().map(|field| (field.name.as_str(), field.value.expose()));
        let all: Vec<_> = defaults.chain(set).collect();
        // Allocated once: a block that grows leaves copies of secrets behind.
        let length = all.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let mut lines = Zeroizing::new(Vec::with_capacity(length));
        for (name, value) in all {
            for part in [name, ": ", value, "\r\n"] {
                lines.extend_from_slice(part.as_bytes());
            }
        }
        self.lines = lines;
    }
}

/// Shows names only: most values are secrets.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.set.iter().map(|field| &field.name)).finish()
    }
}

/// Checks that a value can be sent. `name` names it in the error message.
pub fn check_value(name: &str, value: &str) -> Result<(), InvalidHeader> {
    if value.len() > MAX_VALUE {
        let length = value.len();
        return Err(InvalidHeader(format!(
            "the value of {name} is {length} bytes long; at most {MAX_VALUE} are allowed"
        )));
    }
    // Not by parsing it as a HeaderValue, which keeps a copy that is not wiped.
    if value.bytes().any(|byte| byte != b'\t' && (byte < b' ' || byte == 0x7f)) {
        return Err(InvalidHeader(format!("the value of {name} contains a line break or another control character")));
    }
    Ok(())
}

/// Returns whether a header or query field of this name, in lower case, carries credentials.
pub(super) fn names_credential(name: &str) -> bool {
    CREDENTIAL_NAMES.iter().any(|part| name.contains(part))
}

/// Returns whether a string is a token, as the names of headers and methods are (RFC 9110, 5.6.2).
pub(super) fn is_token(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

/// Checks a header name, and returns it in lower case.
fn checked_name(name: &str) -> Result<String, InvalidHeader> {
    if name.len() > MAX_NAME || !is_token(name) {
        let problem = format!("a header name consists of 1 to {MAX_NAME} letters, digits and !#$%&'*+-.^_`|~");
        return Err(InvalidHeader(problem));
    }
    let name = name.to_ascii_lowercase();
    if RESERVED.contains(&name.as_str()) {
        return Err(InvalidHeader(format!("the header {name} is set by the library")));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_and_reserved_headers_are_rejected() {
        let mut headers = Headers::default();
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("é", "x"),
            ("Content-Length", "1"),
            ("HOST", "x"),
            ("X-A", "a\r\nX-B: c"),
            ("X-A", "a\0"),
            ("X-A", &"a".repeat(MAX_VALUE + 1)),
        ] {
            assert!(headers.set(name, value).is_err(), "{name}");
        }
        assert_eq!(headers.lines(), Headers::default().lines());
    }

    #[test]
    fn debug_output_shows_no_values() {
        let mut headers = Headers::default();
        headers.set("Authorization", "Bearer hunter2").unwrap();
        headers.set("authorization", "Bearer hunter3").unwrap();
        assert!(!format!("{headers:?}").contains("hunter"));
        assert!(headers.lines().ends_with(b"authorization: Bearer hunter3\r\n"));
        headers.unset("AUTHORIZATION").unwrap();
        assert_eq!(headers.lines(), Headers::default().lines());
    }

    #[test]
    fn secrets_and_plain_values_are_distinguished() {
        let mut headers = Headers::default();
        headers.set("X-Flag", "on").unwrap();
        assert!(!headers.has_credentials());
        headers = headers.or_secret("authorization", &Secret::bearer("t")).or_secret("x-flag", &Secret::new("off"));
        headers = headers.or_plain("user-agent", "mine").or_plain("authorization", "other");
        headers.mask(&Secret::new("hunter2"));
        assert!(headers.has_credentials());
        assert_eq!(headers.secrets().collect::<Vec<_>>(), ["on", "Bearer t", "hunter2"]);
        let expected = "accept: application/json, text/event-stream\r\naccept-encoding: identity\r\nx-flag: on\r\nauthorization: Bearer t\r\n\
                        user-agent: mine\r\n";
        assert_eq!(String::from_utf8_lossy(headers.lines()), expected);
    }

    #[test]
    fn number_of_headers_is_limited() {
        let mut headers = Headers::default();
        for number in 0..MAX_COUNT {
            headers.set(&format!("x-{number}"), "1").unwrap();
        }
        headers.set("x-0", "2").unwrap();
        assert!(headers.set("x-more", "1").is_err());
    }

    #[test]
    fn set_headers_replace_defaults() {
        let mut headers = Headers::default();
        assert!(
            headers
                .lines()
                .starts_with(b"accept: application/json, text/event-stream\r\naccept-encoding: identity\r\nuser-agent: mlflow-ai-gateway/")
        );
        headers.set("User-Agent", "mine").unwrap();
        assert_eq!(
            headers.lines(),
            b"accept: application/json, text/event-stream\r\naccept-encoding: identity\r\nuser-agent: mine\r\n"
        );
    }
}
