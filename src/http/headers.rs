//! Headers that the caller wants on every request.

use std::fmt;

use ureq::http::{HeaderMap, HeaderName, HeaderValue};

/// A server that takes longer ones is rare: 8 KiB is the smallest limit in wide use.
const MAX_VALUE: usize = 8 * 1024;

/// Servers take hardly more.
const MAX_COUNT: usize = 100;

/// Shorter words are no secrets, and stand in many sentences.
const MIN_SECRET: usize = 6;

/// These frame the message, so setting them could only break it.
const OURS: [&str; 9] = [
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What is sent where the caller does not set it.
const OWN: [(&str, &str); 2] = [("accept", "application/json, text/event-stream"), ("user-agent", super::USER_AGENT)];

/// What is wrong with a header, in words that do not hold its value.
#[derive(Debug)]
pub struct HeaderProblem(pub String);

/// Named values; names compare without regard to case. Written once when they change, since every request has them.
#[derive(Clone)]
pub struct Headers {
    set: HeaderMap,
    lines: Vec<u8>,
}

impl Default for Headers {
    fn default() -> Headers {
        let mut headers = Headers { set: HeaderMap::new(), lines: Vec::new() };
        headers.write();
        headers
    }
}

impl Headers {
    /// Replaces the header's value.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), HeaderProblem> {
        let name = checked_name(name)?;
        if value.len() > MAX_VALUE {
            return Err(HeaderProblem(format!(
                "the value of the header {name} is {} bytes long; {MAX_VALUE} are allowed",
                value.len()
            )));
        }
        let value = HeaderValue::from_str(value).map_err(|_| {
            HeaderProblem(format!("the value of the header {name} holds a line break or another control character"))
        })?;
        if self.set.len() >= MAX_COUNT && !self.set.contains_key(&name) {
            return Err(HeaderProblem(format!("{MAX_COUNT} headers are set, and no more are allowed")));
        }
        self.set.insert(name, value);
        self.write();
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// These, with the others in place of those of the same name.
    pub fn with(&self, others: &Headers) -> Headers {
        let mut all = self.clone();
        for (name, value) in &others.set {
            all.set.insert(name.clone(), value.clone());
        }
        all.write();
        all
    }

    /// Forgets the header. One that is not there is no mistake.
    pub fn unset(&mut self, name: &str) -> Result<(), HeaderProblem> {
        self.set.remove(checked_name(name)?);
        self.write();
        Ok(())
    }

    /// The text without the values, should a server repeat them: neither whole nor, as in "Bearer x", by the last word.
    pub fn mask(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for value in self.set.values().filter_map(|value| value.to_str().ok()) {
            for secret in [value, value.rsplit(' ').next().unwrap_or_default()] {
                if secret.len() >= MIN_SECRET {
                    masked = mask_cut(masked.replace(secret, "***"), secret);
                }
            }
        }
        masked
    }

    /// All of them as they are sent, with our own where the caller set none.
    pub(super) fn lines(&self) -> &[u8] {
        &self.lines
    }

    fn write(&mut self) {
        self.lines.clear();
        for (name, value) in OWN {
            if !self.set.contains_key(name) {
                push_line(&mut self.lines, name.as_bytes(), value.as_bytes());
            }
        }
        for (name, value) in &self.set {
            push_line(&mut self.lines, name.as_str().as_bytes(), value.as_bytes());
        }
    }
}

/// A text that was cut ends in "…", and there it may hold the beginning of a secret.
fn mask_cut(text: String, secret: &str) -> String {
    let Some((cut, rest)) = text.rsplit_once('…') else { return text };
    let beginnings = (MIN_SECRET..secret.len()).rev().filter_map(|len| secret.get(..len));
    match beginnings.into_iter().find_map(|beginning| cut.strip_suffix(beginning)) {
        Some(before) => format!("{before}***…{rest}"),
        None => text,
    }
}

fn push_line(lines: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        lines.extend_from_slice(part);
    }
}

/// Values are secrets more often than not, so none is shown.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.set.keys()).finish()
    }
}

fn checked_name(name: &str) -> Result<HeaderName, HeaderProblem> {
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| HeaderProblem("a header's name is made of letters, digits and !#$%&'*+-.^_`|~".to_owned()))?;
    if OURS.contains(&name.as_str()) {
        return Err(HeaderProblem(format!("the header {name} is written by this library itself")));
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
    fn masks_what_a_server_repeats() {
        let mut headers = Headers::default();
        headers.set("Authorization", "Bearer hunter2").unwrap();
        headers.set("X-Flag", "on").unwrap();
        assert_eq!(headers.mask("no: Bearer hunter2 is on"), "no: *** is on");
        assert_eq!(headers.mask("token hunter2"), "token ***");
        headers.set("Authorization", "Bearer hunter2hunter2").unwrap();
        assert_eq!(headers.mask("it begins with: hunter2hun… (1)"), "it begins with: ***… (1)");
        assert_eq!(headers.mask("it begins with: Bearer hunter2…"), "it begins with: ***…");
        assert_eq!(headers.mask("it begins with: a hunt…"), "it begins with: a hunt…");
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
                .starts_with(b"accept: application/json, text/event-stream\r\nuser-agent: mlflow-ai-gateway/")
        );
        headers.set("User-Agent", "mine").unwrap();
        assert_eq!(headers.lines(), b"accept: application/json, text/event-stream\r\nuser-agent: mine\r\n");
    }
}
