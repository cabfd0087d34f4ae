//! The proxy before the gateway: from the option, or from the environment by the rules of curl and Python's requests.

use std::fmt;

use ureq::http::Uri;
use ureq::http::uri::Authority;
use zeroize::Zeroizing;

use super::no_proxy;
use super::percent;
use super::secret::Secret;
use super::uri::{GatewayUri, invalid_port, is_loopback, scheme};

#[derive(Clone)]
pub(super) struct Proxy {
    /// Without credentials.
    uri: Uri,
    /// The value of the header Proxy-Authorization.
    authorization: Option<Secret>,
    password: Option<Secret>,
}

impl Proxy {
    /// Parses a proxy URL. `source` names its origin in error messages, which contain no credentials.
    pub fn parse(url: &str, source: &str) -> Result<Proxy, String> {
        let invalid = || format!("{source} is not the URL of a proxy");
        let (scheme, rest) = match scheme(url) {
            Some(scheme) => (scheme, &url[scheme.len() + "://".len()..]),
            None => ("http", url),
        };
        if !["http", "https"].iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
            return Err(format!("{source} is the URL of a {scheme}:// proxy; only HTTP proxies are supported"));
        }
        let (rest, path) = rest.split_once('/').unwrap_or((rest, ""));
        // A password that contains a slash would be taken for a port.
        if path.contains('@') {
            return Err(invalid());
        }
        let (credentials, authority) = match rest.rsplit_once('@') {
            Some((credentials, authority)) => (Some(credentials), authority),
            None => (None, rest),
        };
        let uri: Uri = format!("{scheme}://{authority}/").parse().map_err(|_| invalid())?;
        let is_valid =
            uri.authority().is_some_and(|authority| !authority.host().is_empty() && invalid_port(authority).is_none());
        if !is_valid {
            return Err(invalid());
        }
        let (user, password) =
            credentials.map(|credentials| credentials.split_once(':').unwrap_or((credentials, ""))).unzip();
        let decoded = |part: Option<&str>| part.map(|part| decoded(part).ok_or_else(invalid)).transpose();
        let (user, password) = (decoded(user)?, decoded(password)?);
        let authorization = user
            .as_ref()
            .zip(password.as_ref())
            .map(|(user, password)| Secret::basic(user.expose(), password.expose()));
        Ok(Proxy { uri, authorization, password })
    }

    /// Returns the proxy for this gateway from the environment, which `variable` reads.
    pub fn from_environment(
        gateway: &GatewayUri,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Proxy>, String> {
        let first_set = |names: &[&'static str]| {
            names.iter().find_map(|name| Some((*name, variable(name).filter(|value| !value.is_empty())?)))
        };
        let exceptions = first_set(&["no_proxy", "NO_PROXY"]).map(|(_, hosts)| hosts).unwrap_or_default();
        // Checked before the URL is parsed: an unusable proxy does not matter for these hosts.
        if no_proxy::contains(&exceptions, gateway) {
            return Ok(None);
        }
        // In a CGI program, HTTP_PROXY is the header "Proxy" of the request that it serves (CVE-2016-5385).
        let is_cgi = variable("REQUEST_METHOD").is_some();
        let names = match gateway.is_https() {
            true => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"][..],
            false if is_cgi => &["http_proxy", "all_proxy", "ALL_PROXY"],
            false => &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
        };
        let Some((name, url)) = first_set(names).map(|(name, url)| (name, Zeroizing::new(url))) else {
            return Ok(None);
        };
        Proxy::parse(&url, &format!("the environment variable {name}")).map(Some)
    }

    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    pub fn authorization(&self) -> Option<&Secret> {
        self.authorization.as_ref()
    }

    /// Returns the password, which is masked in error messages.
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// Returns whether the proxy is on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.uri.host().unwrap_or_default())
    }
}

/// Shows the proxy without its credentials.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {}", self.uri.authority().map_or("", Authority::as_str))
    }
}

/// Decodes the percent-encoding of a user name or password.
fn decoded(part: &str) -> Option<Secret> {
    std::str::from_utf8(&percent::decoded(part).0).ok().map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_parsed_and_not_shown() {
        let proxy = Proxy::parse("http://me:hunter2@proxy.example:3128", "the option proxy").unwrap();
        assert_eq!(format!("{proxy:?}"), "the proxy proxy.example:3128");
        assert_eq!(proxy.authorization().unwrap().expose(), "Basic bWU6aHVudGVyMg==");
        let proxy = Proxy::parse("https://m%40e:p%2Fw%zz@[::1]", "").unwrap();
        assert_eq!(proxy.password().unwrap().expose(), "p/w%zz");
        assert_eq!(proxy.authorization(), Some(&Secret::basic("m@e", "p/w%zz")));
        assert_eq!(proxy.uri().to_string(), "https://[::1]/");
        assert!(Proxy::parse("proxy.example:3128", "").unwrap().authorization().is_none());
        for url in [
            "",
            "http://%ff@h",
            "http://user:1234/hunter2@h:1",
            "user:hunter2://x@h",
            "socks5://me:hunter2@h:1",
            "http://me:hunter2@h:99999",
            "http://",
        ] {
            let problem = Proxy::parse(url, "the option proxy").unwrap_err();
            assert!(problem.starts_with("the option proxy") && !problem.contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn environment_determines_the_proxy_by_scheme_and_host() {
        let found = |gateway: &str, variables: &[(&str, &str)]| {
            let of = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
            let found = Proxy::from_environment(&GatewayUri::parse(gateway).unwrap(), &of).unwrap();
            found.map(|proxy| proxy.uri().host().unwrap().to_owned())
        };
        let both = [("http_proxy", "a:1"), ("https_proxy", "b:1"), ("ALL_PROXY", "c:1"), ("no_proxy", "x.example, .y")];
        assert_eq!(found("http://h", &both), Some("a".to_owned()));
        assert_eq!(found("https://h", &both), Some("b".to_owned()));
        assert_eq!(found("https://x.example", &both), None);
        assert_eq!(found("https://h", &both[2..]), Some("c".to_owned()));
        assert_eq!(found("https://h", &[("https_proxy", ""), ("HTTPS_PROXY", "d:1")]), Some("d".to_owned()));
        assert_eq!(found("https://h", &[]), None);
        // In a CGI program, HTTP_PROXY comes from a request.
        let cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "evil:1"), ("HTTPS_PROXY", "b:1")];
        assert_eq!(found("http://h", &cgi), None);
        assert_eq!(found("https://h", &cgi), Some("b".to_owned()));
        assert_eq!(found("http://h", &[&cgi[..], &[("ALL_PROXY", "c:1")]].concat()), Some("c".to_owned()));
        assert_eq!(found("http://h", &[&cgi[..], &[("http_proxy", "a:1")]].concat()), Some("a".to_owned()));
    }

    #[test]
    fn unusable_proxy_does_not_matter_for_hosts_in_no_proxy() {
        let found = |no_proxy: &str| {
            let of = |name: &str| match name {
                "ALL_PROXY" => Some("socks5://h:1".to_owned()),
                "no_proxy" => Some(no_proxy.to_owned()),
                _ => None,
            };
            Proxy::from_environment(&GatewayUri::parse("http://gateway.example").unwrap(), &of)
        };
        assert!(found("other,\ngateway.example").unwrap().is_none());
        assert!(found("other").unwrap_err().contains("ALL_PROXY"));
    }
}
