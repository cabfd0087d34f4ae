//! What the program fetches from a queue: the events of streams, and the end of each request.

use super::super::embed::Embeddings;
use super::super::error::Error;
use super::super::response::Response;
use super::owned_event::OwnedEvent;
use super::ticket::Permit;

/// An event of a stream, or the end of a request. It does not depend on the queue.
#[derive(Debug)]
pub struct Completion {
    /// The tag of the request.
    pub tag: u64,
    /// The event or the end.
    pub kind: CompletionKind,
    /// Keeps the place of the event in the window of its stream.
    _permit: Option<Permit>,
}

/// The kind of a completion.
#[derive(Debug)]
pub enum CompletionKind {
    /// An event of a stream.
    Event(OwnedEvent),
    /// The end of a request.
    Done(Box<Done>),
}

/// The end of a request.
#[derive(Debug, Default)]
pub struct Done {
    /// The response; of a failed stream, what was gathered.
    pub response: Option<Response>,
    /// The embeddings.
    pub embeddings: Option<Embeddings>,
    /// Why the request failed; `None` if it is complete.
    pub error: Option<Error>,
}

impl Completion {
    pub(super) fn event(event: OwnedEvent, permit: Permit) -> Completion {
        Completion { tag: permit.ticket.tag, kind: CompletionKind::Event(event), _permit: Some(permit) }
    }

    pub(super) fn done(tag: u64, done: Box<Done>) -> Completion {
        Completion { tag, kind: CompletionKind::Done(done), _permit: None }
    }
}

impl From<Error> for Done {
    fn from(error: Error) -> Done {
        Done { error: Some(error), ..Done::default() }
    }
}
