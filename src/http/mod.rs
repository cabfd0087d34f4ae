//! HTTP/1.1 for the gateways: where to, over what, and until when. Nothing above this module knows a socket.
//!
//! Each exchange goes over our own sockets and our own reading and writing of messages. ureq lends its transport trait,
//! by which TLS (rustls) lies on a socket or on a proxy's tunnel alike, and
//! the type of a URI.

mod agent;
mod body;
mod buffers;
mod connect;
mod connect_settings;
mod connection;
mod deadline;
mod error;
mod events;
#[cfg(fuzzing)]
pub mod fuzz;
mod happy_eyeballs;
mod head;
mod headers;
mod layer;
mod lookup;
mod mask;
mod method;
mod no_proxy;
mod pem;
mod percent;
mod pool;
mod proxy;
mod resolve;
mod response_reader;
mod secret;
mod socket;
mod target;
mod tcp;
mod tls;
mod tls_pinned;
mod tls_transport;
mod tls_trust;
mod uri;

pub use agent::{Agent, ContentType, Exchange, HttpResponse, Limits, Reply, Timeouts, Timestamps};
pub use connect_settings::{ConnectSetting, ConnectSettings, ProxySetting};
pub use error::{Limit, Phase, TransportError};
pub use events::{EventError, Events};
pub use head::header_fields;
pub use headers::{Headers, InvalidHeader, check_value};
pub use mask::{mask_bytes, mask_text};
pub use method::Method;
pub use pem::PemFile;
pub use pool::KeepAlive;
pub use response_reader::ResponseReader;
pub use secret::Secret;
pub use target::{InvalidTarget, RawTarget};
pub use tls::{TlsFile, TlsSetting};
pub use uri::{GatewayUri, without_secrets};

/// This library and its version, as servers see it.
pub const USER_AGENT: &str = concat!("mlflow-ai-gateway/", env!("CARGO_PKG_VERSION"));
