//! Headers that requests carry beside those that frame them.

use std::fmt;

use zeroize::Zeroizing;

use super::secret::Secret;

/// A server that takes longer ones is rare: 8 KiB is the smallest limit in wide use.
const MAX_VALUE: usize = 8 * 1024;

/// Longer than any header's.
const MAX_NAME: usize = 256;

/// Servers take hardly more.
const MAX_COUNT: usize = 100;

/// These frame the message, so setting them could only break it.
const OURS: [&str; 10] = [
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    // A proxy's credentials are a part of the option `proxy`, and not for the gateway.
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What is sent where nobody sets it.
const OWN: [(&str, &str); 3] = [
    ("accept", "application/json, text/event-stream"),
    // Without it a server may compress (RFC 9110, 12.5.3), and some proxies do.
    ("accept-encoding", "identity"),
    ("user-agent", super::USER_AGENT),
];

/// What stands in the names of headers by which a client shows who it is.
const CREDENTIALS: [&str; 7] = ["auth", "cookie", "credential", "key", "password", "secret", "token"];

/// What is wrong with a header, in words that do not hold its value.
#[derive(Debug)]
pub struct InvalidHeader(pub String);

/// Named values; names compare without regard to case. Written once when they change, since every request has them.
#[derive(Clone)]
pub struct Headers {
    set: Vec<Field>,
    /// Secrets that the values are made of, in a form that is not theirs.
    hidden: Vec<Secret>,
    lines: Zeroizing<Vec<u8>>,
}

#[derive(Clone)]
struct Field {
    /// In lower case.
    name: String,
    value: Secret,
    /// Whether it is masked where a server repeats it.
    is_masked: bool,
}

impl Default for Headers {
    fn default() -> Headers {
        let mut headers = Headers { set: Vec::new(), hidden: Vec::new(), lines: Zeroizing::default() };
        headers.write();
        headers
    }
}

impl Headers {
    /// Replaces the header's value, which counts as a secret.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        let name = checked_name(name)?;
        check_value(&format!("the header {name}"), value)?;
        if self.set.len() >= MAX_COUNT && !self.has(&name) {
            return Err(InvalidHeader(format!("{MAX_COUNT} headers are set, and no more are allowed")));
        }
        self.put(Field { name, value: Secret::new(value), is_masked: true });
        self.write();
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Whether a header of this name, in lower case, is set.
    pub fn has(&self, name: &str) -> bool {
        self.set.iter().any(|field| field.name == name)
    }

    /// Whether any of them says who the client is.
    pub fn has_credentials(&self) -> bool {
        self.set.iter().any(|field| names_credential(&field.name))
    }

    /// These, with the others in place of those of the same name.
    pub fn with(&self, others: &Headers) -> Headers {
        let mut all = self.clone();
        others.set.iter().for_each(|field| all.put(field.clone()));
        all.write();
        all
    }

    /// These, and a secret where none of that name (in lower case) is set. Its value was checked by [`check_value`].
    pub fn or_secret(mut self, name: &'static str, value: &Secret) -> Headers {
        self.put_if_new(name, value, true);
        self
    }

    /// As [`Headers::or_secret`], with a value that may be seen.
    pub fn or_plain(mut self, name: &'static str, value: &str) -> Headers {
        self.put_if_new(name, &Secret::new(value), false);
        self
    }

    /// Masks this text, too, where a server repeats it.
    pub fn hide(&mut self, secret: &Secret) {
        self.hidden.push(secret.clone());
    }

    /// Forgets the header. One that is not there is no mistake.
    pub fn unset(&mut self, name: &str) -> Result<(), InvalidHeader> {
        let name = checked_name(name)?;
        self.set.retain(|field| field.name != name);
        self.write();
        Ok(())
    }

    /// What is masked where a server repeats it.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let of_fields = self.set.iter().filter(|field| field.is_masked).map(|field| field.value.expose());
        of_fields.chain(self.hidden.iter().map(Secret::expose))
    }

    /// All of them as they are sent, with our own where nobody set any.
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
            self.write();
        }
    }

    fn write(&mut self) {
        let own = OWN.into_iter().filter(|(name, _)| !self.has(name));
        let set = self.set.iter().map(|field| (field.name.as_str(), field.value.expose()));
        let all: Vec<_> = own.chain(set).collect();
        // In one piece: a block that grows leaves secrets behind.
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

/// Values are secrets more often than not, so none is shown.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.set.iter().map(|field| &field.name)).finish()
    }
}

/// Whether a value can be sent; `what` names it.
pub fn check_value(what: &str, value: &str) -> Result<(), InvalidHeader> {
    if value.len() > MAX_VALUE {
        let length = value.len();
        return Err(InvalidHeader(format!("the value of {what} is {length} bytes long; {MAX_VALUE} are allowed")));
    }
    // Looked at in place: HeaderValue would keep a copy of it, which nobody wipes.
    if value.bytes().any(|byte| byte != b'\t' && (byte < b' ' || byte == 0x7f)) {
        return Err(InvalidHeader(format!("the value of {what} holds a line break or another control character")));
    }
    Ok(())
}

/// Whether what has this name, in lower case, shows who a client is.
pub(super) fn names_credential(name: &str) -> bool {
    CREDENTIALS.iter().any(|part| name.contains(part))
}

/// Whether it is what names of headers and methods are (RFC 9110, 5.6.2).
pub(super) fn is_token(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

/// The name in lower case.
fn checked_name(name: &str) -> Result<String, InvalidHeader> {
    if name.len() > MAX_NAME || !is_token(name) {
        let problem = format!("a header's name is made of 1 to {MAX_NAME} letters, digits and !#$%&'*+-.^_`|~");
        return Err(InvalidHeader(problem));
    }
    let name = name.to_ascii_lowercase();
    if OURS.contains(&name.as_str()) {
        return Err(InvalidHeader(format!("the header {name} is written by this library itself")));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_would_break_the_message() {
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
    fn shows_no_values() {
        let mut headers = Headers::default();
        headers.set("Authorization", "Bearer hunter2").unwrap();
        headers.set("authorization", "Bearer hunter3").unwrap();
        assert!(!format!("{headers:?}").contains("hunter"));
        assert!(headers.lines().ends_with(b"authorization: Bearer hunter3\r\n"));
        headers.unset("AUTHORIZATION").unwrap();
        assert_eq!(headers.lines(), Headers::default().lines());
    }

    #[test]
    fn knows_which_values_are_secrets() {
        let mut headers = Headers::default();
        headers.set("X-Flag", "on").unwrap();
        assert!(!headers.has_credentials());
        headers = headers.or_secret("authorization", &Secret::bearer("t")).or_secret("x-flag", &Secret::new("off"));
        headers = headers.or_plain("user-agent", "mine").or_plain("authorization", "other");
        headers.hide(&Secret::new("hunter2"));
        assert!(headers.has_credentials());
        assert_eq!(headers.secrets().collect::<Vec<_>>(), ["on", "Bearer t", "hunter2"]);
        let expected = "accept: application/json, text/event-stream\r\naccept-encoding: identity\r\nx-flag: on\r\nauthorization: Bearer t\r\n\
                        user-agent: mine\r\n";
        assert_eq!(String::from_utf8_lossy(headers.lines()), expected);
    }

    #[test]
    fn there_is_an_end_to_headers() {
        let mut headers = Headers::default();
        for number in 0..MAX_COUNT {
            headers.set(&format!("x-{number}"), "1").unwrap();
        }
        headers.set("x-0", "2").unwrap();
        assert!(headers.set("x-more", "1").is_err());
    }

    #[test]
    fn what_the_caller_sets_replaces_ours() {
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
