//! HTTP/1.1 for the gateways: where to, over what, and until when. Nothing above this module knows a socket.
//!
//! Each exchange goes over our own sockets and our own reading and writing of messages; ureq's connectors, which can
//! be put on top of any socket, do TLS and the proxy's handshake when a connection is opened.

mod agent;
mod body;
mod connect;
mod connection;
mod deadline;
mod failure;
mod head;
mod headers;
mod pool;
mod resolve;
mod tcp;
mod tls;
mod uri;

pub use agent::{Agent, Exchange, Method, Reply};
pub use failure::{Failure, Phase};
pub use headers::{HeaderProblem, Headers};
pub use tls::{Tls, TlsOptions, certificates, private_key};
pub use uri::GatewayUri;

const USER_AGENT: &str = concat!("mlflow-ai-gateway/", env!("CARGO_PKG_VERSION"));
