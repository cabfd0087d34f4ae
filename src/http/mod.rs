//! HTTP/1.1 for the gateways: where to, over what, and until when. Nothing above this module knows a socket.
//!
//! Each exchange goes over our own sockets and our own reading and writing of messages. ureq lends its transport trait,
//! by which TLS (rustls) lies on a socket or on a proxy's tunnel alike, and its proxy handshake.

mod agent;
mod body;
mod connect;
mod connection;
mod deadline;
mod events;
mod failure;
mod fork;
mod head;
mod headers;
mod incoming;
mod pool;
mod proxy;
mod resolve;
mod tcp;
mod threads;
mod tls;
mod tls_transport;
mod tls_trust;
mod uri;

pub use agent::{Agent, Exchange, Method, Reply};
pub use events::{EventTooLarge, Events};
pub use failure::{Failure, Phase};
pub use head::header_fields;
pub use headers::{HeaderProblem, Headers};
pub use incoming::Incoming;
pub use threads::{is_our_thread, side_by_side};
pub use tls::{Tls, TlsSetting};
pub use uri::GatewayUri;

const USER_AGENT: &str = concat!("mlflow-ai-gateway/", env!("CARGO_PKG_VERSION"));
