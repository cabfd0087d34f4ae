//! HTTP/1.1: connections, TLS, proxies, name lookups, server-sent events and deadlines. Only this module uses sockets.
//!
//! A connection is a stack of [layers](layer): TCP, and TLS over it or over a proxy's tunnel. rustls encrypts, httparse
//! parses heads, and URIs have ureq's type. A [deadline](deadline) is passed as a value down to each system
//! call.

mod agent;
mod body;
mod connect;
mod connect_settings;
mod connection;
mod deadline;
mod error;
mod events;
mod exchange;
#[cfg(fuzzing)]
pub mod fuzz;
mod happy_eyeballs;
mod head;
mod headers;
mod input_buffer;
mod layer;
mod lookup;
mod mask;
mod method;
mod no_proxy;
mod pem;
mod percent;
mod pool;
mod proxy;
mod raw_target;
mod resolve;
mod response_reader;
mod secret;
mod socket;
mod tcp;
mod tls;
mod tls_insecure;
mod tls_pinned;
mod tls_sessions;
mod tls_transport;
mod uri;

pub use agent::{Agent, HttpResponse};
pub use connect_settings::{ConnectSetting, ConnectSettings, ProxySetting};
pub use deadline::Deadline;
pub use error::{Limit, Phase, TransportError};
pub use events::Events;
pub use exchange::{ContentType, Exchange, KeepAlive, Limits, Reply, Timeouts, Timestamps};
pub use head::header_fields;
pub use headers::{Headers, InvalidHeader, check_value};
pub use mask::{mask_bytes, mask_text};
pub use method::Method;
pub use pem::PemFile;
pub use raw_target::{InvalidTarget, RawTarget};
pub use response_reader::ResponseReader;
pub use secret::Secret;
pub use tls::{TlsFile, TlsSetting};
pub use uri::{GatewayUri, without_secrets};

/// The User-Agent of this library.
pub const USER_AGENT: &str = concat!("mlflow-ai-gateway/", env!("CARGO_PKG_VERSION"));
