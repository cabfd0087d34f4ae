//! HTTP/1.1 for the gateways: where to, over what, and until when. Nothing above this module knows a socket.
//!
//! Each exchange goes over our own sockets and our own reading and writing of messages. ureq lends its transport trait,
//! by which TLS (rustls) lies on a socket or on a proxy's tunnel alike, and
//! the type of a URI.

mod agent;
mod body;
mod buffers;
mod connect;
mod connection;
mod deadline;
mod events;
mod failure;
#[cfg(fuzzing)]
pub mod fuzz;
mod happy_eyeballs;
mod head;
mod headers;
mod incoming;
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
mod secret;
mod socket;
mod target;
mod tcp;
mod tls;
mod tls_pinned;
mod tls_transport;
mod tls_trust;
mod uri;
mod way;

pub use agent::{Agent, Content, Exchange, Limits, Moments, Opened, Reply, Timeouts};
pub use events::{EventProblem, Events};
pub use failure::{Failure, Limit, Phase};
pub use head::header_fields;
pub use headers::{HeaderProblem, Headers, check_value};
pub use incoming::Incoming;
pub use mask::{mask_bytes, mask_text};
pub use method::Method;
pub use pem::PemFile;
pub use pool::KeepAlive;
pub use secret::Secret;
pub use target::{RawTarget, TargetProblem};
pub use tls::{TlsFile, TlsSetting};
pub use uri::{GatewayUri, without_secrets};
pub use way::{ProxySetting, Way, WaySetting};

/// This library and its version, as servers see it.
pub const USER_AGENT: &str = concat!("mlflow-ai-gateway/", env!("CARGO_PKG_VERSION"));
