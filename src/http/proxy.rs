//! The proxy on the way to the gateway: the one that was chosen, or that the environment names by the rules that curl
//! and Python's requests follow.

use std::fmt;

use ureq::ProxyProtocol;
use ureq::http::Uri;

use super::secret::Secret;
use super::uri::{GatewayUri, is_loopback, wrong_port};

#[derive(Clone)]
pub(super) struct Proxy {
    ureq: ureq::Proxy,
    /// What it wants to see of us.
    authorization: Option<Secret>,
}

impl Proxy {
    /// `what` says where the URL comes from. `Err` says what is wrong with it, without its credentials.
    pub fn parse(url: &str, what: &str) -> Result<Proxy, String> {
        let ureq = ureq::Proxy::new(url).ok().filter(|proxy| proxy.uri().authority().and_then(wrong_port).is_none());
        let ureq = ureq.ok_or_else(|| format!("{what} holds no proxy's URL"))?;
        if !matches!(ureq.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) {
            let protocol = ureq.protocol();
            return Err(format!("{what} names a proxy for {protocol:?}; only HTTP proxies can be used"));
        }
        let has_credentials = ureq.username().is_some() || ureq.password().is_some();
        let (user, password) = (ureq.username().unwrap_or_default(), ureq.password().unwrap_or_default());
        let authorization = has_credentials.then(|| Secret::basic(user, password));
        Ok(Proxy { ureq, authorization })
    }

    /// The proxy that the environment, read by `variable`, names for this gateway.
    pub fn from_environment(
        gateway: &GatewayUri,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Proxy>, String> {
        let first_set = |names: &[&'static str]| {
            names.iter().find_map(|name| Some((*name, variable(name).filter(|value| !value.is_empty())?)))
        };
        let of_scheme = if gateway.is_https() { ["https_proxy", "HTTPS_PROXY"] } else { ["http_proxy", "HTTP_PROXY"] };
        let Some((name, url)) = first_set(&[of_scheme[0], of_scheme[1], "all_proxy", "ALL_PROXY"]) else {
            return Ok(None);
        };
        let proxy = Proxy::parse(&url, &format!("the environment variable {name}"))?;
        // Whom to ask without it, in ureq's understanding of the list.
        let mut exceptions = ureq::Proxy::builder(ProxyProtocol::Http).host("unused");
        if let Some((_, hosts)) = first_set(&["no_proxy", "NO_PROXY"]) {
            for host in hosts.split(',').map(str::trim).filter(|host| !host.is_empty()) {
                exceptions = exceptions.no_proxy(host);
            }
        }
        let is_exception = exceptions.build().is_ok_and(|exceptions| exceptions.is_no_proxy(gateway.full()));
        Ok(Some(proxy).filter(|_| !is_exception))
    }

    pub fn ureq(&self) -> &ureq::Proxy {
        &self.ureq
    }

    pub fn uri(&self) -> &Uri {
        self.ureq.uri()
    }

    pub fn authorization(&self) -> Option<&Secret> {
        self.authorization.as_ref()
    }

    /// Its password, to be masked where it is repeated.
    pub fn password(&self) -> Option<&str> {
        self.ureq.password()
    }

    /// Whether what is sent to it stays on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.ureq.host())
    }
}

/// Without its credentials.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {}:{}", self.ureq.host(), self.ureq.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_no_password() {
        let proxy = Proxy::parse("http://me:hunter2@proxy.example:3128", "the option proxy").unwrap();
        assert_eq!(format!("{proxy:?}"), "the proxy proxy.example:3128");
        assert_eq!(proxy.authorization().unwrap().expose(), "Basic bWU6aHVudGVyMg==");
        for url in ["", "socks5://me:hunter2@h:1", "http://me:hunter2@h:99999", "http://"] {
            let problem = Proxy::parse(url, "the option proxy").unwrap_err();
            assert!(problem.starts_with("the option proxy") && !problem.contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn the_environment_names_it_for_some_hosts() {
        let found = |gateway: &str, variables: &[(&str, &str)]| {
            let of = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
            let found = Proxy::from_environment(&GatewayUri::parse(gateway).unwrap(), &of).unwrap();
            found.map(|proxy| proxy.ureq().host().to_owned())
        };
        let both = [("http_proxy", "a:1"), ("https_proxy", "b:1"), ("ALL_PROXY", "c:1"), ("no_proxy", "x.example, .y")];
        assert_eq!(found("http://h", &both), Some("a".to_owned()));
        assert_eq!(found("https://h", &both), Some("b".to_owned()));
        assert_eq!(found("https://x.example", &both), None);
        assert_eq!(found("https://h", &both[2..]), Some("c".to_owned()));
        assert_eq!(found("https://h", &[("https_proxy", ""), ("HTTPS_PROXY", "d:1")]), Some("d".to_owned()));
        assert_eq!(found("https://h", &[]), None);
    }
}
