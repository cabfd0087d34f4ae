//! The proxy that the environment names, by the rules that curl and Python's requests follow.

use std::env;

use ureq::{Proxy, ProxyProtocol};

/// The proxy for a gateway of this scheme; `Err` says what is wrong with it, without its credentials.
pub(super) fn from_environment(is_https: bool) -> Result<Option<Proxy>, String> {
    let of_scheme = if is_https { ["https_proxy", "HTTPS_PROXY"] } else { ["http_proxy", "HTTP_PROXY"] };
    let Some((name, value)) = first_set(&[of_scheme[0], of_scheme[1], "all_proxy", "ALL_PROXY"]) else {
        return Ok(None);
    };
    let given = Proxy::new(&value).map_err(|_| format!("the environment variable {name} holds no proxy's URL"))?;
    if !matches!(given.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) {
        return Err(format!(
            "the environment variable {name} names a proxy for {:?}; only HTTP proxies can be used",
            given.protocol()
        ));
    }
    let mut builder = Proxy::builder(given.protocol()).host(given.host()).port(given.port());
    if let Some(user) = given.username() {
        builder = builder.username(user);
    }
    if let Some(password) = given.password() {
        builder = builder.password(password);
    }
    if let Some((_, hosts)) = first_set(&["no_proxy", "NO_PROXY"]) {
        for host in hosts.split(',').map(str::trim).filter(|host| !host.is_empty()) {
            builder = builder.no_proxy(host);
        }
    }
    let proxy = builder.build();
    proxy.map(Some).map_err(|_| format!("the environment variable {name} holds no proxy's URL"))
}

fn first_set(names: &[&'static str]) -> Option<(&'static str, String)> {
    names.iter().find_map(|name| Some((*name, env::var(name).ok().filter(|value| !value.is_empty())?)))
}
