//! Hosts that are reached without the proxy of the environment, by the rules that curl and Python's requests share.

use std::net::IpAddr;

use super::uri::GatewayUri;

/// Returns whether a list of hosts, as in `NO_PROXY`, contains the gateway. An entry is a host name, a domain with or
/// without a leading dot, an address, a network (`10.0.0.0/8`), each optionally with a port, or `*` for all hosts.
pub(super) fn contains(list: &str, gateway: &GatewayUri) -> bool {
    let host = gateway.host().trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    let address = host.parse::<IpAddr>().ok();
    list.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.to_ascii_lowercase();
        let (entry, port) = split_port(&entry);
        let is_same_port = port.is_none_or(|port| port == gateway.port());
        let is_same_host = match address {
            _ if entry == "*" => true,
            Some(address) => is_in(address, entry),
            None => {
                let domain = entry.trim_start_matches('*').trim_matches('.');
                let before = host.strip_suffix(domain);
                !domain.is_empty() && before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
            }
        };
        is_same_host && is_same_port
    })
}

/// Splits the port off an entry. An IPv6 address is in brackets if a port follows.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    match entry.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

/// Returns whether an entry is this address, or a network that contains it.
fn is_in(address: IpAddr, entry: &str) -> bool {
    let (network, length) = match entry.split_once('/') {
        Some((network, length)) => (network, length.parse::<u32>().ok()),
        None => (entry, Some(128)),
    };
    let network = network.trim_matches(['[', ']']).parse::<IpAddr>();
    match (address, network, length) {
        (IpAddr::V4(one), Ok(IpAddr::V4(other)), Some(length)) => {
            let differs = u32::from(one) ^ u32::from(other);
            differs.leading_zeros() >= length.min(32)
        }
        (IpAddr::V6(one), Ok(IpAddr::V6(other)), Some(length)) => {
            let differs = u128::from(one) ^ u128::from(other);
            differs.leading_zeros() >= length.min(128)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_contain_names_domains_addresses_and_networks() {
        let is_listed = |list: &str, gateway: &str| contains(list, &GatewayUri::parse(gateway).unwrap());
        for (list, gateway) in [
            ("example.org", "http://example.org"),
            ("EXAMPLE.org", "http://a.Example.org"),
            (" other, .example.org ", "https://a.b.example.org"),
            ("*.example.org", "http://a.example.org"),
            ("*", "http://anything"),
            ("127.0.0.1", "http://127.0.0.1:5000"),
            ("10.0.0.0/8", "http://10.1.2.3"),
            ("::1", "http://[::1]:5000"),
            ("[fe80::]/10", "http://[fe80::1]"),
            ("example.org:5000", "http://example.org:5000"),
            ("127.0.0.1:80", "http://127.0.0.1"),
            ("example.org:443", "https://example.org"),
        ] {
            assert!(is_listed(list, gateway), "{list} {gateway}");
        }
        for (list, gateway) in [
            ("", "http://example.org"),
            ("example.org", "http://notexample.org"),
            ("a.example.org", "http://example.org"),
            (".", "http://example.org"),
            ("10.0.0.0/8", "http://11.1.2.3"),
            ("10.0.0.0/x", "http://10.1.2.3"),
            ("127.0.0.1", "http://127.0.0.10"),
            ("0.0.1", "http://127.0.0.1"),
            ("::1", "http://127.0.0.1"),
            ("example.org:5000", "http://example.org:5001"),
        ] {
            assert!(!is_listed(list, gateway), "{list} {gateway}");
        }
    }
}
