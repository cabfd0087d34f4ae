//! The events of Databricks' agents that respond as OpenAI's Responses API does (`agent/v1/responses`): pieces of a text,
//! and whole items, which repeat it.

use super::agent;
use super::chunk::{Chunk, Event, Piece};
use super::error_response::ErrorResponse;
use super::json::{Lenient, string_or_null};
use super::reader::Raw;
use super::response::{DecodeError, wrong};
use super::strings::{Fragment, Text};

/// What an event of this type says; `None` if it is of another family.
pub(super) fn event<'a>(
    kind: &Lenient<'a>,
    delta: Option<Raw<'a>>,
    item: Option<Raw<'a>>,
    data: &'a [u8],
) -> Option<Result<Event<'a>, DecodeError>> {
    if kind.is("response.output_text.delta") {
        let text = string_or_null(delta?.get()).map_err(|why| wrong(format!("delta: {why}"), data));
        return Some(text.map(|fragment| {
            let piece = Piece { text: fragment, ..Piece::default() };
            Event::Chunk(Chunk { pieces: vec![piece], ..Chunk::default() })
        }));
    }
    if kind.is("response.output_item.done") {
        let message = agent::message(item?.get());
        return Some(Ok(match message {
            Some(message) => {
                let text = message.text.map(|Text(text)| Fragment::from(text));
                Event::Item(Piece { role: message.role, text, ..Piece::default() })
            }
            // The agent's work.
            None => Event::Chunk(Chunk::default()),
        }));
    }
    if kind.is("response.failed") {
        return Some(Ok(Event::Error(ErrorResponse::in_success(data))));
    }
    let is_end = ["response.completed", "response.incomplete"].into_iter().any(|end| kind.is(end));
    is_end.then_some(Ok(Event::Done))
}
