//! Responses of Databricks' agents, which have no choices: a list of messages (`agent/v2/chat`), or of outputs
//! (`agent/v1/responses`). The last message of the assistant is the response; before it an agent shows its work.

use super::json::few;
use super::objects::Object;
use super::reader::{self, Raw};
use super::response::{Candidate, Message};
use super::strings::Text;

/// The only candidate, of such a list.
pub(super) fn candidate<'a>(list: &'a str, finish_reason: Option<Text<'a>>) -> Result<Candidate<'a>, String> {
    let messages: Vec<Message> = few(list).map_err(|_| "its messages are not a list of messages")?;
    let last = messages.into_iter().rfind(Message::is_by_assistant);
    let last = last.ok_or("it has no message of the assistant")?;
    last.candidate(finish_reason).map_err(|why| format!("the assistant's last message{why}"))
}

/// The message that the candidate is made of, as it came; `None` if there is none.
pub(super) fn last_message(list: &str) -> Option<&str> {
    // It is checked before that there are not too many.
    let messages: Vec<Message> = few(list).ok()?;
    let last = messages.iter().rposition(Message::is_by_assistant)?;
    let messages: Vec<Raw> = reader::from_str(list).ok()?;
    messages.get(last).map(|message| message.get())
}

/// A message of the assistant, if it is one.
pub(super) fn message(json: &str) -> Option<Candidate<'_>> {
    let Object(message) = reader::from_str::<Object<Message>>(json).ok()?;
    if message.is_by_assistant() { message.candidate(None).ok() } else { None }
}
