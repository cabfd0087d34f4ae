//! The method and path of a raw request, as the caller sets them.

use std::fmt;

use super::headers::{is_token, names_credential};
use super::method::Method;
use super::percent;
use super::secret::Secret;
use super::uri::MAX_LENGTH;

/// Longer than the name of any method.
const MAX_METHOD: usize = 64;

/// Why a method or a path is rejected. The message contains no query.
#[derive(Debug)]
pub struct InvalidTarget(pub String);

/// A method, and a path with its query, below the gateway URI.
#[derive(Clone)]
pub struct RawTarget {
    method: Option<String>,
    path: String,
}

impl RawTarget {
    pub fn new(method: Option<&str>, path: &str) -> Result<RawTarget, InvalidTarget> {
        if let Some(method) = method {
            check_method(method).map_err(InvalidTarget)?;
        }
        check_path(path).map_err(InvalidTarget)?;
        Ok(RawTarget { method: method.map(str::to_owned), path: path.to_owned() })
    }

    /// Returns the method that was set, or else POST for a request with a body and GET for one without.
    pub fn method(&self, has_body: bool) -> Method<'_> {
        match &self.method {
            Some(method) => Method::new(method),
            None if has_body => Method::Post,
            None => Method::Get,
        }
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the path without its query, in which some providers expect their keys. It can be shown.
    pub fn path_without_query(&self) -> &str {
        without_query(&self.path)
    }

    /// Returns the credentials in the query, by the names of the fields, decoded and as written. They are masked in
    /// error messages.
    pub fn secrets(&self) -> impl Iterator<Item = Secret> {
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        let values = query.split('&').filter_map(|field| field.split_once('='));
        let values = values.filter(|(name, _)| names_credential(&name.to_ascii_lowercase())).map(|(_, value)| value);
        values.flat_map(|value| {
            let (decoded, is_valid) = percent::decoded(value);
            let decoded = std::str::from_utf8(&decoded).ok().filter(|decoded| is_valid && *decoded != value);
            decoded.map(Secret::new).into_iter().chain([Secret::new(value)])
        })
    }
}

/// Shows the target without its query.
impl fmt::Debug for RawTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawTarget").field("method", &self.method).field("path", &self.path_without_query()).finish()
    }
}

fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or_default()
}

fn check_method(method: &str) -> Result<(), String> {
    if method.len() > MAX_METHOD || !is_token(method) {
        return Err(format!(
            "a method is made of 1 to {MAX_METHOD} letters, digits and !#$%&'*+-.^_`|~, for example \"POST\""
        ));
    }
    if method.eq_ignore_ascii_case("CONNECT") {
        return Err("the method CONNECT is for proxies; set the option proxy instead".to_owned());
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), String> {
    let shown = || without_query(path).chars().filter(|c| !c.is_control()).take(200).collect::<String>();
    if path.len() > MAX_LENGTH {
        return Err(format!("the path is {} bytes long; at most {MAX_LENGTH} are allowed", path.len()));
    }
    if !path.starts_with('/') {
        return Err(format!("the path \"{}\" does not begin with \"/\"; it is relative to the gateway URI", shown()));
    }
    if path.contains('#') {
        return Err(format!("the path \"{}\" has a fragment (#), which is not sent", shown()));
    }
    // RFC 3986, 3.3 and 3.4.
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte);
    if !path.bytes().all(is_allowed) {
        return Err(format!("the path \"{}\" has a character that must be percent-encoded", shown()));
    }
    let (decoded, is_valid) = percent::decoded(without_query(path));
    if !is_valid {
        return Err(format!("the path \"{}\" has a % without two hexadecimal digits after it", shown()));
    }
    if decoded.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| segment == b"..") {
        return Err(format!("the path \"{}\" has a \"..\"", shown()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_tokens_except_connect() {
        for method in ["GET", "post", "PATCH", "M-SEARCH", "x", &"A".repeat(MAX_METHOD)] {
            assert!(RawTarget::new(Some(method), "/").is_ok(), "{method}");
        }
        for method in ["", "A B", "GET\r\n", "GÉT", "a/b", "CONNECT", "connect", &"A".repeat(MAX_METHOD + 1)] {
            assert!(RawTarget::new(Some(method), "/").is_err(), "{method}");
        }
        let method = |name, has_body| RawTarget::new(name, "/").unwrap().method(has_body).as_str().to_owned();
        assert_eq!([method(None, true), method(None, false), method(Some("PUT"), false)], ["POST", "GET", "PUT"]);
        assert_eq!(method(Some("get"), false), "get");
    }

    #[test]
    fn paths_stay_below_the_gateway() {
        for path in [
            "/",
            "/a/b.c:d?x=/../y&z=%20",
            "//a",
            "/a..b/...",
            "/.",
            "/%41",
            "/a?",
            "/v1beta/models/g:streamGenerateContent?alt=sse",
        ] {
            assert!(RawTarget::new(None, path).is_ok(), "{path}");
        }
        for path in [
            "",
            "a",
            "http://h/",
            "?a",
            "/a#b",
            "/a?b#c",
            "/..",
            "/a/../b",
            "/a/..?x",
            "/%2e./x",
            "/.%2E/x",
            "/a%2f..%2Fb",
            "/a%5c../b",
            "/a\\b",
            "/a b",
            "/é",
            "/a\r\nX: y",
            "/\0",
            "/%",
            "/%4",
            "/%zz",
            "/a?b=c d",
            &"/a".repeat(5000),
        ] {
            assert!(RawTarget::new(None, path).is_err(), "{path}");
        }
    }

    #[test]
    fn queries_are_never_shown() {
        for path in ["/a/..?key=hunter2", "/a?key=hunter2#x", "/a b?key=hunter2", "a?key=hunter2", "/%?key=hunter2"] {
            let InvalidTarget(message) = RawTarget::new(None, path).unwrap_err();
            assert!(!message.contains("hunter2"), "{message}");
        }
        let target = RawTarget::new(None, "/a?key=hunter2&alt=sse&access_token=%C3%A9&x").unwrap();
        let secrets: Vec<_> = target.secrets().map(|secret| secret.expose().to_owned()).collect();
        assert_eq!(
            (target.path_without_query(), secrets),
            ("/a", ["hunter2", "é", "%C3%A9"].map(str::to_owned).to_vec())
        );
        assert!(!format!("{target:?}").contains("hunter2"), "{target:?}");
    }
}
