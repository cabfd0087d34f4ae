//! HTTP functions for the fuzz targets.

use super::body::{Body, Step};
use super::proxy::Proxy;
use super::{head, no_proxy};

pub use super::events::Event;
pub use super::{Events, GatewayUri, TransportError, header_fields, mask_bytes, mask_text};

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing(head::Framing);

impl Framing {
    pub const CHUNKED: Framing = Framing(head::Framing::Chunked);
    pub const UNTIL_CLOSE: Framing = Framing(head::Framing::UntilClose);

    pub fn length(length: u64) -> Framing {
        Framing(head::Framing::Length(length))
    }
}

/// The head of a response.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    pub framing: Framing,
    pub keep_alive: bool,
    pub location: Option<String>,
    pub is_event_stream: bool,
    pub raw: Vec<u8>,
    /// The number of its bytes, including interim responses before it.
    pub length: usize,
}

pub fn head(wire: &[u8]) -> Result<Option<Head>, String> {
    let head = head::response(wire).map_err(|error| format!("{error:?}"))?;
    Ok(head.map(|(head, length)| Head {
        status: head.status,
        framing: Framing(head.framing),
        keep_alive: head.keep_alive,
        location: head.location,
        is_event_stream: head.content == head::ContentKind::EventStream,
        raw: head.raw,
        length,
    }))
}

/// The state of a body after the last byte of input.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// It is complete, and had this many bytes of the input.
    Complete(usize),
    /// The end of the connection would end it.
    Open,
    /// It is incomplete.
    Partial,
    Invalid(&'static str),
}

/// Decodes a body that is received in pieces.
pub fn body<'a>(framing: Framing, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, End) {
    let (mut body, mut decoded, mut input, mut used) = (Body::new(framing.0), Vec::new(), Vec::new(), 0);
    let mut pieces = pieces;
    loop {
        let taken = match body.step(&input) {
            Ok(Step::Data(range)) => {
                decoded.extend_from_slice(&input[range.clone()]);
                range.end
            }
            Ok(Step::Skip(framing)) => framing,
            Ok(Step::End) => return (decoded, End::Complete(used)),
            Err(why) => return (decoded, End::Invalid(why)),
            Ok(Step::More) => match pieces.next() {
                Some(piece) => {
                    input.extend_from_slice(piece);
                    0
                }
                None => return (decoded, if body.may_end() { End::Open } else { End::Partial }),
            },
        };
        used += taken;
        input.drain(..taken);
    }
}

/// Returns how a proxy is shown, or why its URL is rejected.
pub fn proxy(url: &str) -> Result<String, String> {
    Proxy::parse(url, "its value").map(|proxy| format!("{proxy:?}"))
}

/// Returns whether a list as in `NO_PROXY` contains the gateway.
pub fn is_in_no_proxy(list: &str, gateway: &GatewayUri) -> bool {
    no_proxy::contains(list, gateway)
}
