//! HTTP/1.1 for the gateways: where to, over what, and until when. Nothing above this module knows a socket.

mod agent;
mod connect;
mod failure;
mod headers;
mod resolve;
mod uri;

pub use agent::{Agent, Exchange, Method, Reply};
pub use failure::{Failure, Phase};
pub use headers::{HeaderProblem, Headers};
pub use uri::GatewayUri;
