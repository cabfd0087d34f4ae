//! From a URI to a connection: through a proxy if there is one, and with TLS if the URI says so.

use std::time::{Duration, Instant};

use ureq::http::Uri;
use ureq::http::uri::Scheme;

use super::agent::ContentType;
use super::connect_settings::ConnectSettings;
use super::connection::Connection;
use super::deadline::Deadline;
use super::error::{Phase, TransportError};
use super::happy_eyeballs::{self, Connected};
use super::head::RequestHead;
use super::headers::Headers;
use super::layer::Layer;
use super::method::Method;
use super::proxy::Proxy;
use super::resolve::Resolver;
use super::tcp::TcpTransport;
use super::tls::Tls;
use super::tls_transport::TlsTransport;
use super::uri::GatewayUri;

/// More bytes than the head of any proxy's response to CONNECT has.
const MAX_PROXY_HEAD: usize = 16 * 1024;

/// How connections to one gateway are opened.
#[derive(Debug, Default)]
pub(super) struct Connector {
    resolver: Resolver,
}

/// A connection that can be used, and how long its first exchange of packets took at least.
pub(super) struct OpenConnection {
    pub layer: Box<dyn Layer>,
    pub round_trip: Duration,
}

impl Connector {
    /// Opens a connection: to the gateway, through a proxy's tunnel to it, or to the proxy that passes requests on.
    pub fn open(
        &self,
        gateway: &GatewayUri,
        way: &ConnectSettings,
        deadline: &Deadline,
    ) -> Result<OpenConnection, TransportError> {
        let Some(proxy) = way.proxy()? else {
            let tcp = self.connect(gateway.full(), deadline)?;
            return over(tcp, gateway.full(), &way.tls, deadline);
        };
        let to_proxy = self.connect(proxy.uri(), deadline).map_err(proxys)?;
        let to_proxy = over(to_proxy, proxy.uri(), &way.tls, deadline).map_err(proxys)?;
        if way.forwarder(gateway).is_some() {
            return Ok(to_proxy);
        }
        let began = Instant::now();
        let tunnel = tunnel(gateway, proxy, to_proxy.layer, deadline).map_err(proxys)?;
        let tunnel = OpenConnection { layer: tunnel, round_trip: began.elapsed() };
        over(tunnel, gateway.full(), &way.tls, deadline)
    }

    /// Connects to the host of the URI. Where none of its addresses that are remembered can be connected to, it may have
    /// moved.
    fn connect(&self, uri: &Uri, deadline: &Deadline) -> Result<OpenConnection, TransportError> {
        let mut found = self.resolver.addresses(uri, deadline)?;
        let mut connected = happy_eyeballs::connect(&found.addresses, deadline);
        if matches!(connected, Err(TransportError::Connect(_) | TransportError::ConnectTimeout(..))) {
            self.resolver.forget(uri);
        }
        if found.is_remembered && matches!(connected, Err(TransportError::Connect(_))) {
            found = self.resolver.addresses(uri, deadline)?;
            connected = happy_eyeballs::connect(&found.addresses, deadline);
        }
        let Connected { stream, address, round_trip } = connected?;
        self.resolver.note_connected(uri, &found, address);
        Ok(OpenConnection { layer: Box::new(TcpTransport::new(stream, deadline)), round_trip })
    }
}

/// What the URI wants over a connection: TLS, or nothing.
fn over(below: OpenConnection, uri: &Uri, tls: &Tls, deadline: &Deadline) -> Result<OpenConnection, TransportError> {
    if uri.scheme() != Some(&Scheme::HTTPS) {
        return Ok(below);
    }
    deadline.enter(Phase::Tls);
    let client = tls.client(uri.host().unwrap_or_default())?;
    Ok(OpenConnection { layer: Box::new(TlsTransport::open(client, below.layer)?), ..below })
}

/// Asks the proxy to pass on all bytes to the gateway and back (RFC 9110, 9.3.6).
fn tunnel(
    gateway: &GatewayUri,
    proxy: &Proxy,
    to_proxy: Box<dyn Layer>,
    deadline: &Deadline,
) -> Result<Box<dyn Layer>, TransportError> {
    let with_port = gateway.authority_with_port();
    let head = RequestHead {
        method: Method::Connect,
        origin: ["", ""],
        path: [&with_port, ""],
        authority: &with_port,
        headers: Headers::default().lines(),
        proxy_authorization: proxy.authorization(),
        content: ContentType::Json,
        body_len: None,
    }
    .write(b"");
    deadline.enter(Phase::Proxy);
    let mut connection = Connection::new(to_proxy, deadline.clone(), Duration::ZERO);
    connection.send(&head.0, b"").map_err(|not_sent| not_sent.failure)?;
    match connection.receive_head(MAX_PROXY_HEAD)?.status {
        200..=299 => Ok(connection.into_layer()),
        status => {
            let is_lasting = !matches!(status, 429 | 500..=599);
            Err(TransportError::Proxy {
                why: format!("{proxy:?} refuses the tunnel: HTTP status {status}"),
                is_lasting,
            })
        }
    }
}

/// A failure on the way to the proxy, which names neither the gateway nor its host.
fn proxys(failure: TransportError) -> TransportError {
    let (why, is_lasting) = match failure {
        TransportError::Resolve { why, is_lasting } => (format!("its host name cannot be resolved: {why}"), is_lasting),
        TransportError::Connect(why) | TransportError::Lost(why, _) => {
            (format!("cannot connect to it or through it: {why}"), false)
        }
        TransportError::Tls { why, is_lasting, .. } => (format!("no secure connection to it: {why}"), is_lasting),
        TransportError::Protocol(why) => (format!("it does not speak HTTP/1.1: {why}"), true),
        TransportError::HeadTooLarge(limit) => (format!("it answers with a head of more than {limit} bytes"), true),
        // Whatever it was: it is the proxy that is asked.
        TransportError::Timeout(limit, _) | TransportError::ConnectTimeout(limit, _) => {
            return TransportError::Timeout(limit, Phase::Proxy);
        }
        TransportError::Cancelled(_) => return TransportError::Cancelled(Phase::Proxy),
        other => return other,
    };
    TransportError::Proxy { why, is_lasting }
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
