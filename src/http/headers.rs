//! Headers that the caller wants on every request.

use std::fmt;

use ureq::http::{HeaderMap, HeaderName, HeaderValue};

/// A server that takes longer ones is rare: 8 KiB is the smallest limit in wide use.
const MAX_VALUE: usize = 8 * 1024;

/// These frame the message, so setting them could only break it.
const OURS: [&str; 8] =
    ["connection", "content-length", "content-type", "expect", "host", "te", "transfer-encoding", "upgrade"];

/// What is wrong with a header, in words that do not hold its value.
#[derive(Debug)]
pub struct HeaderProblem(pub String);

/// Named values; names compare without regard to case.
#[derive(Clone, Default)]
pub struct Headers(HeaderMap);

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
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            HeaderProblem(format!("the value of the header {name} holds a line break or another control character"))
        })?;
        value.set_sensitive(true);
        self.0.insert(name, value);
        Ok(())
    }

    /// Forgets the header. One that is not there is no mistake.
    pub fn unset(&mut self, name: &str) -> Result<(), HeaderProblem> {
        self.0.remove(checked_name(name)?);
        Ok(())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter()
    }
}

/// Values are secrets more often than not, so none is shown.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
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
        assert_eq!(headers.iter().count(), 0);
    }

    #[test]
    fn shows_no_values() {
        let mut headers = Headers::default();
        headers.set("Authorization", "Bearer hunter2").unwrap();
        headers.set("authorization", "Bearer hunter3").unwrap();
        assert_eq!(headers.iter().count(), 1);
        assert!(!format!("{headers:?}").contains("hunter"));
        headers.unset("AUTHORIZATION").unwrap();
        assert_eq!(headers.iter().count(), 0);
    }
}
