//! Responses without choices: a list of messages or outputs, as Databricks' agents send (`agent/v2/chat`,
//! `agent/v1/responses`). The last message of the assistant is the response; those before it show the agent's work.

use super::json::bounded_list;
use super::objects::Object;
use super::reader::{self, Raw};
use super::response::{Candidate, Message};
use super::strings::Text;

/// Decodes such a list as the only candidate of the response.
pub(super) fn candidate<'a>(list: &'a str, finish_reason: Option<Text<'a>>) -> Result<Candidate<'a>, String> {
    let messages: Vec<Message> = bounded_list(list).map_err(|_| "its messages are not a list of messages")?;
    let last = messages.into_iter().rfind(Message::is_by_assistant);
    let last = last.ok_or("it has no message of the assistant")?;
    last.candidate(finish_reason).map_err(|why| format!("the assistant's last message{why}"))
}

/// Returns the JSON of the message that [`candidate`] decodes; `None` if there is none.
pub(super) fn last_message(list: &str) -> Option<&str> {
    // This limits the number of messages, which the next parser does not.
    let messages: Vec<Message> = bounded_list(list).ok()?;
    let last = messages.iter().rposition(Message::is_by_assistant)?;
    let messages: Vec<Raw> = reader::from_str(list).ok()?;
    messages.get(last).map(|message| message.get())
}

/// Decodes a message of the assistant; `None` if it is anything else.
pub(super) fn assistant_message(json: &str) -> Option<Candidate<'_>> {
    let Object(message) = reader::from_str::<Object<Message>>(json).ok()?;
    if message.is_by_assistant() { message.candidate(None).ok() } else { None }
}
