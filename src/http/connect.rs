//! Opens connections to a gateway: through its proxy if there is one, with TLS if the URI is an https:// one.

use std::time::Instant;

use ureq::http::Uri;
use ureq::http::uri::Scheme;

use super::connect_settings::ConnectSettings;
use super::connection::Connection;
use super::deadline::Deadline;
use super::error::{Phase, TransportError};
use super::exchange::ContentType;
use super::happy_eyeballs::{self, Connected};
use super::head::RequestHead;
use super::headers::Headers;
use super::method::Method;
use super::proxy::Proxy;
use super::resolve::Resolver;
use super::tcp::TcpTransport;
use super::tls::Tls;
use super::tls_transport::TlsTransport;
use super::uri::GatewayUri;

/// More bytes than the head of any proxy's response to CONNECT has.
const MAX_PROXY_HEAD: usize = 16 * 1024;

/// Opens connections to one gateway.
#[derive(Debug, Default)]
pub(super) struct Connector {
    resolver: Resolver,
}

impl Connector {
    /// Connects to the gateway, directly or through a tunnel, or to its forwarding proxy.
    pub fn connect(
        &self,
        gateway: &GatewayUri,
        settings: &ConnectSettings,
        deadline: &Deadline,
    ) -> Result<Connection, TransportError> {
        let Some(proxy) = settings.proxy()? else {
            let connection = self.connect_tcp(gateway.full(), deadline)?;
            return with_tls(connection, gateway.full(), &settings.tls, deadline);
        };
        let to_proxy = self
            .connect_tcp(proxy.uri(), deadline)
            .and_then(|connection| with_tls(connection, proxy.uri(), &settings.tls, deadline))
            .map_err(proxy_error)?;
        if settings.forwarding_proxy(gateway).is_some() {
            return Ok(to_proxy);
        }
        let tunnel = open_tunnel(to_proxy, gateway, proxy, deadline).map_err(proxy_error)?;
        with_tls(tunnel, gateway.full(), &settings.tls, deadline)
    }

    /// Connects to the host of the URI. If none of the cached addresses can be connected to, resolves the name again.
    fn connect_tcp(&self, uri: &Uri, deadline: &Deadline) -> Result<Connection, TransportError> {
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
        Ok(Connection::new(Box::new(TcpTransport::new(stream)), round_trip))
    }
}

/// Makes the TLS handshake if the URI is an https:// one.
fn with_tls(below: Connection, uri: &Uri, tls: &Tls, deadline: &Deadline) -> Result<Connection, TransportError> {
    if uri.scheme() != Some(&Scheme::HTTPS) {
        return Ok(below);
    }
    let client = tls.client(uri.host().unwrap_or_default())?;
    let round_trip = below.round_trip();
    let layer = TlsTransport::handshake(client, below.into_layer(), &deadline.in_phase(Phase::Tls))?;
    Ok(Connection::new(Box::new(layer), round_trip))
}

/// Requests a tunnel through the proxy to the gateway (RFC 9110, 9.3.6).
fn open_tunnel(
    mut to_proxy: Connection,
    gateway: &GatewayUri,
    proxy: &Proxy,
    deadline: &Deadline,
) -> Result<Connection, TransportError> {
    let began = Instant::now();
    let authority = gateway.authority_with_port();
    let request = RequestHead {
        method: Method::Connect,
        origin: ["", ""],
        path: [&authority, ""],
        authority: &authority,
        headers: Headers::default().lines(),
        proxy_authorization: proxy.authorization(),
        content: ContentType::Json,
        body_len: None,
    }
    .write(b"");
    let deadline = deadline.in_phase(Phase::Proxy);
    to_proxy.send(&request.0, b"", &deadline).map_err(|failure| failure.error)?;
    let head = to_proxy.receive_head(MAX_PROXY_HEAD, &deadline)?;
    if !head.is_success() {
        let status = head.status;
        let why = format!("{proxy:?} refuses the tunnel: HTTP status {status}");
        return Err(TransportError::Proxy { why, is_permanent: !matches!(status, 429 | 500..=599) });
    }
    Ok(Connection::new(to_proxy.into_layer(), began.elapsed()))
}

/// Attributes an error to the proxy. The message names neither the gateway nor its host.
fn proxy_error(error: TransportError) -> TransportError {
    let (why, is_permanent) = match error {
        TransportError::Resolve { why, is_permanent } => {
            (format!("its host name cannot be resolved: {why}"), is_permanent)
        }
        TransportError::Connect(why) | TransportError::Lost(why, _) => {
            (format!("cannot connect to it or through it: {why}"), false)
        }
        TransportError::Tls { why, is_permanent, .. } => (format!("no secure connection to it: {why}"), is_permanent),
        TransportError::Protocol(why) => (format!("it does not speak HTTP/1.1: {why}"), true),
        TransportError::HeadTooLarge(limit) => (format!("the head of its response is longer than {limit} bytes"), true),
        TransportError::Timeout(limit, _) | TransportError::ConnectTimeout(limit, _) => {
            return TransportError::Timeout(limit, Phase::Proxy);
        }
        TransportError::Cancelled(_) => return TransportError::Cancelled(Phase::Proxy),
        other => return other,
    };
    TransportError::Proxy { why, is_permanent }
}
