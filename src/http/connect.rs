//! From a URI to a connection: through a proxy if there is one, and with TLS if the URI says so.

use std::sync::Arc;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::uri::Scheme;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver as UreqResolver};
use ureq::unversioned::transport::time::Instant as UreqInstant;
use ureq::unversioned::transport::{ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, Transport};

use super::USER_AGENT;
use super::deadline::Deadline;
use super::failure::{Failure, Phase};
use super::proxy::Proxy;
use super::resolve::Resolver;
use super::tcp::TcpTransport;
use super::tls::Tls;
use super::tls_transport::TlsTransport;
use super::uri::GatewayUri;
use super::way::Way;

/// ureq takes no more.
const MAX_ADDRESSES: usize = 16;

/// How connections to one gateway are opened.
#[derive(Debug, Default)]
pub(super) struct Opener {
    resolver: Arc<Resolver>,
}

impl Opener {
    /// Opens a connection: to the gateway, through a proxy's tunnel to it, or to the proxy that passes requests on.
    pub fn open(
        &self,
        gateway: &GatewayUri,
        way: &Arc<Way>,
        deadline: &Deadline,
    ) -> Result<Box<dyn Transport>, Failure> {
        let bounded = BoundedResolver { resolver: Arc::clone(&self.resolver), deadline: deadline.clone() };
        let tunnel = match way.proxy()? {
            None => None,
            Some(proxy) if way.forwarder(gateway).is_some() => {
                return connect(proxy.uri(), None, &way.tls, &bounded).map_err(proxys);
            }
            Some(proxy) => tunnel(gateway.full(), proxy, way, &bounded)?,
        };
        connect(gateway.full(), tunnel, &way.tls, &bounded)
    }
}

/// ureq's connector does the proxy's handshake, over our sockets.
fn tunnel(
    uri: &Uri,
    proxy: &Proxy,
    way: &Arc<Way>,
    bounded: &BoundedResolver,
) -> Result<Option<Box<dyn Transport>>, Failure> {
    let config = Config::builder().user_agent(USER_AGENT).proxy(Some(proxy.ureq().clone())).build();
    let (through, below) = (Arc::clone(way), bounded.clone());
    let details = ConnectionDetails {
        uri,
        addrs: bounded.empty(),
        config: &config,
        request_level: false,
        resolver: bounded,
        now: UreqInstant::now(),
        // The transports below look at the deadline itself.
        timeout: NextTimeout::default(),
        current_time: Arc::new(UreqInstant::now),
        // How the proxy itself is connected to.
        run_connector: Arc::new(move |details| {
            connect(details.uri, None, &through.tls, &below).map_err(|failure| proxys(failure).into())
        }),
        register_shutdown: Arc::new(|_| Ok(())),
    };
    let tunnel = ConnectProxyConnector::default()
        .connect(&details, None::<Box<dyn Transport>>)
        .map_err(|error| proxys(Failure::of(error, Phase::Connect)))?;
    Ok(tunnel.map(Transport::boxed))
}

/// A socket, unless there is a tunnel already, and TLS over it if the URI says so.
fn connect(
    uri: &Uri,
    tunnel: Option<Box<dyn Transport>>,
    tls: &Tls,
    bounded: &BoundedResolver,
) -> Result<Box<dyn Transport>, Failure> {
    let below = match tunnel {
        Some(tunnel) => tunnel,
        None => {
            let addresses = bounded.resolver.addresses(uri, &bounded.deadline)?;
            TcpTransport::connect(&addresses, &bounded.deadline)?.boxed()
        }
    };
    if uri.scheme() == Some(&Scheme::HTTPS) {
        let client = tls.client(uri.host().unwrap_or_default())?;
        Ok(TlsTransport::open(client, below)?.boxed())
    } else {
        Ok(below)
    }
}

/// A failure on the way to the proxy, which names neither the gateway nor its host.
fn proxys(failure: Failure) -> Failure {
    match failure {
        Failure::Resolve(why) => Failure::Proxy(format!("its host name cannot be resolved: {why}")),
        Failure::Connect(why) | Failure::Lost(why) => {
            Failure::Proxy(format!("cannot connect to it or through it: {why}"))
        }
        Failure::Tls(why) => Failure::Proxy(format!("no secure connection to it: {why}")),
        other => other,
    }
}

/// Our resolver, as ureq wants to call it for the proxy's name.
#[derive(Debug, Clone)]
struct BoundedResolver {
    resolver: Arc<Resolver>,
    deadline: Deadline,
}

impl UreqResolver for BoundedResolver {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut result = self.empty();
        let found = self.resolver.addresses(uri, &self.deadline).map_err(proxys)?;
        for address in found.iter().take(MAX_ADDRESSES) {
            result.push(*address);
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    /// ureq says that its connectors and transports may change with any minor release. When this fails, read its
    /// changelog, look through connect.rs, tcp.rs and tls_transport.rs, measure again, and only then change the number.
    #[test]
    fn ureqs_minor_version_is_the_one_that_was_looked_at() {
        let lock = include_str!("../../Cargo.lock");
        let version = lock.split("name = \"ureq\"\nversion = \"").nth(1).unwrap();
        assert!(version.starts_with("3.5."), "ureq is {}", version.lines().next().unwrap());
        assert!(include_str!("../../Cargo.toml").contains("ureq = { version = \"~3.5\""));
    }
}
