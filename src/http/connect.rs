//! From a URI to a connection: through a proxy if there is one, and with TLS if the URI says so.

use ureq::http::Uri;
use ureq::http::uri::Scheme;
use ureq::unversioned::transport::Transport;

use super::agent::{Content, Method};
use super::connection::Connection;
use super::deadline::Deadline;
use super::failure::{Failure, Phase};
use super::head::RequestHead;
use super::headers::Headers;
use super::proxy::Proxy;
use super::resolve::Resolver;
use super::tcp::{BUFFER, TcpTransport};
use super::tls::Tls;
use super::tls_transport::TlsTransport;
use super::uri::GatewayUri;
use super::way::Way;

/// How connections to one gateway are opened.
#[derive(Debug, Default)]
pub(super) struct Opener {
    resolver: Resolver,
}

impl Opener {
    /// Opens a connection: to the gateway, through a proxy's tunnel to it, or to the proxy that passes requests on.
    pub fn open(&self, gateway: &GatewayUri, way: &Way, deadline: &Deadline) -> Result<Box<dyn Transport>, Failure> {
        let Some(proxy) = way.proxy()? else {
            return self.connect(gateway.full(), None, &way.tls, deadline);
        };
        let to_proxy = self.connect(proxy.uri(), None, &way.tls, deadline).map_err(proxys)?;
        if way.forwarder(gateway).is_some() {
            return Ok(to_proxy);
        }
        let tunnel = tunnel(gateway, proxy, to_proxy, deadline).map_err(proxys)?;
        self.connect(gateway.full(), Some(tunnel), &way.tls, deadline)
    }

    /// A socket, unless there is a tunnel already, and TLS over it if the URI says so.
    fn connect(
        &self,
        uri: &Uri,
        tunnel: Option<Box<dyn Transport>>,
        tls: &Tls,
        deadline: &Deadline,
    ) -> Result<Box<dyn Transport>, Failure> {
        let below = match tunnel {
            Some(tunnel) => tunnel,
            None => TcpTransport::connect(&self.resolver.addresses(uri, deadline)?, deadline)?.boxed(),
        };
        if uri.scheme() == Some(&Scheme::HTTPS) {
            deadline.enter(Phase::Tls);
            let client = tls.client(uri.host().unwrap_or_default())?;
            Ok(TlsTransport::open(client, below)?.boxed())
        } else {
            Ok(below)
        }
    }
}

/// Asks the proxy to pass on all bytes to the gateway and back (RFC 9110, 9.3.6).
fn tunnel(
    gateway: &GatewayUri,
    proxy: &Proxy,
    to_proxy: Box<dyn Transport>,
    deadline: &Deadline,
) -> Result<Box<dyn Transport>, Failure> {
    let with_port = gateway.authority_with_port();
    let head = RequestHead {
        method: Method::Connect,
        origin: ["", ""],
        path: [&with_port, ""],
        authority: &with_port,
        headers: Headers::default().lines(),
        proxy_authorization: proxy.authorization(),
        content: Content::Json,
        body_len: 0,
    }
    .write();
    deadline.enter(Phase::Proxy);
    let mut connection = Connection::new(to_proxy, deadline.clone());
    connection.send(&head.0, b"").map_err(|not_sent| not_sent.failure)?;
    match connection.receive_head(BUFFER)?.status {
        200..=299 => Ok(connection.into_transport()),
        status => {
            let is_lasting = !matches!(status, 429 | 500..=599);
            Err(Failure::Proxy { why: format!("{proxy:?} refuses the tunnel: HTTP status {status}"), is_lasting })
        }
    }
}

/// A failure on the way to the proxy, which names neither the gateway nor its host.
fn proxys(failure: Failure) -> Failure {
    let (why, is_lasting) = match failure {
        Failure::Resolve(why) => (format!("its host name cannot be resolved: {why}"), false),
        Failure::Connect(why) | Failure::Lost(why, _) => (format!("cannot connect to it or through it: {why}"), false),
        Failure::Tls { why, is_lasting, .. } => (format!("no secure connection to it: {why}"), is_lasting),
        Failure::Protocol(why) => (format!("it does not speak HTTP/1.1: {why}"), true),
        Failure::HeadTooLarge(limit) => (format!("it answers with a head of more than {limit} bytes"), true),
        // Whatever it was: it is the proxy that is asked.
        Failure::Timeout(limit, _) => return Failure::Timeout(limit, Phase::Proxy),
        Failure::Cancelled(_) => return Failure::Cancelled(Phase::Proxy),
        other => return other,
    };
    Failure::Proxy { why, is_lasting }
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
