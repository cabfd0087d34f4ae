//! The gateway URI: checked once, when the handle is created, and joined with paths afterwards.

use std::fmt;
use std::net::IpAddr;

use ureq::http::Uri;
use ureq::http::uri::{Authority, PathAndQuery, Scheme};

/// Servers and proxies reject longer request lines: 8 KiB is the smallest limit in wide use.
pub(super) const MAX_LENGTH: usize = 8 * 1024;

/// An http:// or https:// URI without credentials, query, fragment or trailing slash.
#[derive(Debug, Clone)]
pub struct GatewayUri {
    text: String,
    full: Uri,
    is_loopback: bool,
}

impl GatewayUri {
    /// Parses a URI. The error message says what to write instead, and contains no credentials.
    pub fn parse(text: &str) -> Result<GatewayUri, String> {
        if text.is_empty() {
            return Err("the gateway URI is empty; write for example http://127.0.0.1:5000".to_owned());
        }
        if text.len() > MAX_LENGTH {
            return Err(format!("the gateway URI is {} bytes long; at most {MAX_LENGTH} are allowed", text.len()));
        }
        let shown = without_secrets(text);
        match scheme(text) {
            Some(scheme) if is_http(scheme) => {}
            Some(scheme) => {
                return Err(format!(
                    "the gateway URI \"{shown}\" has the scheme \"{scheme}\"; supported are http:// and https://"
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
                "the gateway URI \"{shown}\" contains credentials, which would show up in logs; \
                 leave them out and set the options username and password instead"
            ));
        }
        let uri: Uri = text.parse().map_err(|error| format!("the gateway URI \"{shown}\" is not a URI: {error}"))?;
        let authority = uri.authority().ok_or_else(|| format!("the gateway URI \"{shown}\" has no host"))?;
        if authority.host().is_empty() {
            return Err(format!("the gateway URI \"{shown}\" has no host"));
        }
        if let Some(port) = invalid_port(authority) {
            return Err(format!("the gateway URI \"{shown}\" has the port \"{port}\"; allowed are 1 to 65535"));
        }
        if text.contains(['?', '#']) {
            return Err(format!(
                "the gateway URI \"{shown}\" has a query or a fragment; end it with the path under which the gateway is mounted"
            ));
        }
        let is_loopback = is_loopback(authority.host());
        Ok(GatewayUri { text: text.trim_end_matches('/').to_owned(), full: uri, is_loopback })
    }

    /// Returns the host and, if there is one, the port.
    pub(super) fn authority(&self) -> &str {
        self.full.authority().map_or("", Authority::as_str)
    }

    pub(super) fn host(&self) -> &str {
        self.full.host().unwrap_or_default()
    }

    pub(super) fn port(&self) -> u16 {
        port(&self.full)
    }

    /// Returns the host and the port, also if it is the default.
    pub(super) fn authority_with_port(&self) -> String {
        format!("{}:{}", self.host(), self.port())
    }

    /// Returns the path under which the gateway is mounted, without a trailing slash.
    pub(super) fn path(&self) -> &str {
        self.full.path().trim_end_matches('/')
    }

    /// Returns whether the path ends in `/v1`, as base URLs of OpenAI's API do.
    pub fn is_openai_base(&self) -> bool {
        self.path().ends_with("/v1")
    }

    /// Returns whether both have the same scheme, host and port.
    pub fn is_same_server(&self, other: &GatewayUri) -> bool {
        self.path_of_same_server(other.root().text.as_str()).is_some()
    }

    pub(super) fn full(&self) -> &Uri {
        &self.full
    }

    pub fn is_https(&self) -> bool {
        self.full.scheme() == Some(&Scheme::HTTPS)
    }

    /// Returns whether the host is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// Returns the URI of the same server without a path.
    pub fn root(&self) -> GatewayUri {
        let mut root = self.clone();
        root.text.truncate(self.text.len() - self.path().len());
        root.full = root.text.parse().unwrap_or(root.full);
        root
    }

    /// Returns the path and query of a URL, if it is a URL of this server or an absolute path.
    pub fn path_of_same_server(&self, url: &str) -> Option<String> {
        if url.starts_with('/') && !url.starts_with("//") {
            return url.parse::<PathAndQuery>().ok().map(|path| path.as_str().to_owned());
        }
        let other: Uri = url.parse().ok()?;
        let is_same = other.scheme() == self.full.scheme()
            && other.host().is_some_and(|host| host.eq_ignore_ascii_case(self.host()))
            && port(&other) == port(&self.full)
            && other.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        is_same.then(|| other.path_and_query().map_or("/", PathAndQuery::as_str).to_owned())
    }

    /// Joins the URI with a path, with or without a leading slash. Returns an absolute URL as it is.
    pub fn absolute(&self, path: &str) -> String {
        if scheme(path).is_some() { path.to_owned() } else { format!("{self}/{}", path.trim_start_matches('/')) }
    }
}

impl fmt::Display for GatewayUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns the port of a URI, or the default port of its scheme.
pub(super) fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 })
}

/// Returns the port if it is not a valid one.
pub(super) fn invalid_port(authority: &Authority) -> Option<&str> {
    let host_and_port = authority.as_str().rsplit('@').next().unwrap_or_default();
    let port = host_and_port.strip_prefix(authority.host())?.strip_prefix(':')?;
    (authority.port_u16().unwrap_or(0) == 0).then_some(port)
}

/// Returns the part before `://` if it can be a scheme: letters, digits, `+`, `-` and `.` (RFC 3986, 3.1).
pub(super) fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)).then_some(scheme)
}

/// Returns whether a host is this machine by its name or address alone. Not for names that end in `.localhost`, which
/// some resolvers look up elsewhere.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost",
    }
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// Returns a URI for an error message: credentials are masked, query, control characters and excess length are removed.
pub fn without_secrets(text: &str) -> String {
    const SHOWN: usize = 200;
    let (scheme, rest) = text.split_at(scheme(text).map_or(0, |scheme| scheme.len() + "://".len()));
    // Up to the last @, wherever it is: a password may contain a slash.
    let rest = match rest.rsplit_once('@') {
        Some((_, rest)) => format!("***@{rest}"),
        None => rest.to_owned(),
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let whole = format!("{scheme}{rest}");
    let mut shown: String = whole.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    if shown.len() < whole.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_uris_lose_only_trailing_slashes() {
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
    fn loopback_hosts_are_recognized() {
        for host in ["localhost", "LOCALHOST.", "127.0.0.1", "127.255.0.3", "[::1]", "::ffff:127.0.0.1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["localhost.example", "a.localhost", "128.0.0.1", "0.0.0.0", "[::2]", "10.0.0.1", "notlocalhost", ""]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn openai_base_urls_are_recognized() {
        let parse = |uri| GatewayUri::parse(uri).unwrap();
        for text in ["http://h/v1", "http://h:1/v1//", "https://h/gateway/mlflow/v1/"] {
            assert!(parse(text).is_openai_base(), "{text}");
        }
        for text in ["http://h", "http://h/v1/x", "http://h/apiv1", "http://v1", "http://h/V1", "http://h/v1beta"] {
            assert!(!parse(text).is_openai_base(), "{text}");
        }
        assert!(parse("https://h/v1").is_same_server(&parse("https://H:443/other/v1")));
        for other in ["http://h/v1", "https://h:444/v1", "https://h.example/v1", "https://g/v1"] {
            assert!(!parse("https://h/v1").is_same_server(&parse(other)), "{other}");
        }
    }

    #[test]
    fn paths_of_the_same_server_are_found() {
        let gateway = GatewayUri::parse("https://h.example/ml/flow/").unwrap();
        assert_eq!(gateway.root().to_string(), "https://h.example");
        assert_eq!((gateway.root().path(), gateway.root().authority()), ("", "h.example"));
        let same = |url| gateway.path_of_same_server(url);
        assert_eq!(same("https://H.example:443/oidc/v1/token"), Some("/oidc/v1/token".to_owned()));
        assert_eq!(same("/x?y=1"), Some("/x?y=1".to_owned()));
        for url in [
            "http://h.example/x",
            "https://h.example.evil/x",
            "https://h.example:8443/x",
            "https://u@h.example/x",
            "//other/x",
            "x",
            "/a b",
        ] {
            assert_eq!(same(url), None, "{url}");
        }
        assert_eq!(gateway.absolute("/gateway/x/invocations"), "https://h.example/ml/flow/gateway/x/invocations");
        assert_eq!(gateway.absolute("gateway/x/invocations"), "https://h.example/ml/flow/gateway/x/invocations");
        assert_eq!(gateway.absolute("https://other/x"), "https://other/x");
    }

    #[test]
    fn error_messages_name_the_problem() {
        for (given, expected) in [
            ("", "is empty"),
            ("127.0.0.1:5000", "no scheme; write http://127.0.0.1:5000"),
            ("localhost", "no scheme"),
            ("ftp://host", "the scheme \"ftp\""),
            ("http://", "is not a URI"),
            ("http://:5000", "has no host"),
            ("://host", "has the scheme \"\""),
            ("http:// host", "is not a URI"),
            ("http://host:99999", "the port \"99999\""),
            ("http://host:0", "the port \"0\""),
            ("http://host:", "the port \"\""),
            ("http://host/?a=b", "has a query"),
            ("http://host#a", "fragment"),
        ] {
            let message = GatewayUri::parse(given).unwrap_err();
            assert!(message.contains(expected), "{given}: {message}");
        }
        assert!(GatewayUri::parse(&format!("http://{}", "a".repeat(9000))).unwrap_err().contains("bytes long"));
    }

    #[test]
    fn error_messages_contain_no_credentials() {
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
