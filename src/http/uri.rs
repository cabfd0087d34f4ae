//! The gateway's URI: checked once, when the handle is made, and joined with paths afterwards.

use std::fmt;

use ureq::http::Uri;
use ureq::http::uri::Authority;

/// Servers and proxies refuse longer request lines anyway: 8 KiB is the smallest limit in wide use.
const MAX_LENGTH: usize = 8 * 1024;

/// An `http://` or `https://` URI, without credentials, query, fragment or trailing slash.
#[derive(Debug, Clone)]
pub struct GatewayUri {
    text: String,
    full: Uri,
}

impl GatewayUri {
    /// On failure: what is wrong with it and what to write instead, in words that hold no credentials.
    pub fn parse(text: &str) -> Result<GatewayUri, String> {
        if text.is_empty() {
            return Err("the gateway URI is empty; write for example http://127.0.0.1:5000".to_owned());
        }
        if text.len() > MAX_LENGTH {
            return Err(format!("the gateway URI is {} bytes long; {MAX_LENGTH} are allowed", text.len()));
        }
        let shown = without_secrets(text);
        match scheme(text) {
            Some(scheme) if is_http(scheme) => {}
            Some(scheme) => {
                return Err(format!(
                    "the gateway URI \"{shown}\" has the scheme \"{scheme}\"; http:// and https:// are understood"
                ));
            }
            None => {
                return Err(format!(
                    "the gateway URI \"{shown}\" has no scheme; write http://{shown} or https://{shown}"
                ));
            }
        }
        if text.contains('@') {
            return Err(format!(
                "the gateway URI \"{shown}\" holds credentials, which would show up in logs; \
                 leave them out and set an Authorization header instead"
            ));
        }
        let uri: Uri = text.parse().map_err(|error| format!("the gateway URI \"{shown}\" is not a URI: {error}"))?;
        let authority = uri.authority().ok_or_else(|| format!("the gateway URI \"{shown}\" names no host"))?;
        if authority.host().is_empty() {
            return Err(format!("the gateway URI \"{shown}\" names no host"));
        }
        let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        if !port.is_empty() && authority.port_u16().unwrap_or(0) == 0 {
            return Err(format!("the gateway URI \"{shown}\" has the port \"{}\"; 1 to 65535 are ports", &port[1..]));
        }
        if text.contains(['?', '#']) {
            return Err(format!(
                "the gateway URI \"{shown}\" has a query or a fragment; end it with the path under which the gateway is mounted"
            ));
        }
        Ok(GatewayUri { text: text.trim_end_matches('/').to_owned(), full: uri })
    }

    /// The host and, if it is given, the port.
    pub(super) fn authority(&self) -> &str {
        self.full.authority().map_or("", Authority::as_str)
    }

    /// The path under which the gateway is mounted, without a slash at its end.
    pub(super) fn path(&self) -> &str {
        self.full.path().trim_end_matches('/')
    }

    pub(super) fn full(&self) -> &Uri {
        &self.full
    }
}

impl fmt::Display for GatewayUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What stands before `://`, if it can be a scheme: letters, digits, `+`, `-` and `.` (RFC 3986, 3.1).
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)).then_some(scheme)
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// The URI for an error message: credentials and query replaced, control characters and excess length gone.
pub(super) fn without_secrets(text: &str) -> String {
    const SHOWN: usize = 200;
    let (scheme, rest) = text.split_at(scheme(text).map_or(0, |scheme| scheme.len() + "://".len()));
    // The last @ counts, wherever it stands: a password with a slash in it must not slip through.
    let rest = match rest.rsplit_once('@') {
        Some((_, rest)) => format!("***@{rest}"),
        None => rest.to_owned(),
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}{rest}").chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_right() {
        for (given, base) in [
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("http://127.0.0.1:5000/", "http://127.0.0.1:5000"),
            ("https://gateway.example/mlflow//", "https://gateway.example/mlflow"),
            ("HTTP://[::1]:5000", "HTTP://[::1]:5000"),
            ("https://gateway.example:443/a/b", "https://gateway.example:443/a/b"),
        ] {
            assert_eq!(GatewayUri::parse(given).unwrap().to_string(), base);
        }
        for (given, authority, path) in [
            ("http://h", "h", ""),
            ("http://h:5000/", "h:5000", ""),
            ("http://[::1]:5000/ml/flow//", "[::1]:5000", "/ml/flow"),
        ] {
            let uri = GatewayUri::parse(given).unwrap();
            assert_eq!((uri.authority(), uri.path()), (authority, path));
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (given, said) in [
            ("", "is empty"),
            ("127.0.0.1:5000", "no scheme; write http://127.0.0.1:5000"),
            ("localhost", "no scheme"),
            ("ftp://host", "the scheme \"ftp\""),
            ("http://", "is not a URI"),
            ("http://:5000", "names no host"),
            ("://host", "has the scheme \"\""),
            ("http:// host", "is not a URI"),
            ("http://host:99999", "the port \"99999\""),
            ("http://host:0", "the port \"0\""),
            ("http://host:", "the port \"\""),
            ("http://host/?a=b", "has a query"),
            ("http://host#a", "fragment"),
        ] {
            let message = GatewayUri::parse(given).unwrap_err();
            assert!(message.contains(said), "{given}: {message}");
        }
        assert!(GatewayUri::parse(&format!("http://{}", "a".repeat(9000))).unwrap_err().contains("bytes long"));
    }

    #[test]
    fn never_repeats_credentials() {
        for given in [
            "http://user:hunter2@host",
            "http://user:hun/ter2@host",
            "user:hunter2@host",
            "ftp://user:hunter2@host",
            "http://host/?token=hunter2",
            "http://user:hunter2@host:99999",
            "user:hunter2@x://host",
            "http://user:hunter2#x@host",
            "http://user:x?hunter2@host",
            "user:x#hunter2@host",
            "http://user:hunter2/x@host:5000",
        ] {
            let message = GatewayUri::parse(given).unwrap_err();
            assert!(!message.contains("hunter2") && !message.contains("hun/"), "{given}: {message}");
        }
    }
}
