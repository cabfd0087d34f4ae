//! What the fuzz targets see of HTTP.

use super::body::{Body, Step};
use super::proxy::Proxy;
use super::{head, no_proxy};

pub use super::events::Event;
pub use super::{EventError, Events, GatewayUri, header_fields, mask_bytes, mask_text};

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing(head::Framing);

impl Framing {
    pub const CHUNKED: Framing = Framing(head::Framing::Chunked);
    pub const UNTIL_CLOSE: Framing = Framing(head::Framing::UntilClose);

    pub fn length(length: u64) -> Framing {
        Framing(head::Framing::Length(length))
    }
}

/// An answer's head.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    pub framing: Framing,
    pub keep_alive: bool,
    pub location: Option<String>,
    pub is_event_stream: bool,
    pub raw: Vec<u8>,
    /// So many bytes were it, with the interim answers before it.
    pub length: usize,
}

pub fn head(wire: &[u8]) -> Result<Option<Head>, String> {
    let head = head::response(wire).map_err(|problem| format!("{problem:?}"))?;
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

/// What became of a body when no more came.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// It is complete, and so many bytes of the wire were it.
    Complete(usize),
    /// It may end here, if the connection does.
    Open,
    /// More has to come.
    Partial,
    Wrong(&'static str),
}

/// Takes in what comes on the wire piece by piece, as a connection does.
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
            Err(why) => return (decoded, End::Wrong(why)),
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

/// How a proxy is shown, or why it is none.
pub fn proxy(url: &str) -> Result<String, String> {
    Proxy::parse(url, "its value").map(|proxy| format!("{proxy:?}"))
}

/// Whether a list as of `NO_PROXY` names the gateway.
pub fn is_without_proxy(list: &str, gateway: &GatewayUri) -> bool {
    no_proxy::names(list, gateway)
}
