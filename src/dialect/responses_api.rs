//! Events in the format of OpenAI's Responses API, which Databricks' agents send (`agent/v1/responses`): deltas of a
//! text, and complete items, which repeat the text.

use super::chunk::{Chunk, Delta, Event};
use super::error_response::ErrorResponse;
use super::json::{Lenient, string_or_null};
use super::message_list;
use super::reader::Raw;
use super::response::{DecodeError, wrong_shape};
use super::strings::{Fragment, Text};

/// Decodes an event of this type; `None` if the type is not one of the Responses API that matters here.
pub(super) fn decode_event<'a>(
    kind: &Lenient<'a>,
    delta: Option<Raw<'a>>,
    item: Option<Raw<'a>>,
    data: &'a [u8],
) -> Option<Result<Event<'a>, DecodeError>> {
    if kind.is("response.output_text.delta") {
        let text = string_or_null(delta?.get()).map_err(|why| wrong_shape(format!("delta: {why}"), data));
        return Some(text.map(|text| {
            let delta = Delta { text, ..Delta::default() };
            Event::Chunk(Chunk { deltas: vec![delta], ..Chunk::default() })
        }));
    }
    if kind.is("response.output_item.done") {
        let message = message_list::assistant_message(item?.get());
        return Some(Ok(match message {
            Some(message) => {
                let text = message.text.map(|Text(text)| Fragment::from(text));
                Event::Item(Delta { role: message.role, text, ..Delta::default() })
            }
            // A tool call of the agent, or its result.
            None => Event::Chunk(Chunk::default()),
        }));
    }
    if kind.is("response.failed") {
        return Some(Ok(Event::Error(ErrorResponse::in_success(data))));
    }
    let is_end = ["response.completed", "response.incomplete"].into_iter().any(|end| kind.is(end));
    is_end.then_some(Ok(Event::Done))
}
