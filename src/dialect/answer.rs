//! What a successful answer says, in one shape for all dialects.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;

use super::json::Text;

/// As much of a wrong answer as an error message shows.
const SHOWN: usize = 120;

/// A successful answer. It has at least one candidate.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    pub candidates: Vec<Candidate<'a>>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// `None` where the model gave none, for example because it asks for a tool instead.
    pub text: Option<Text<'a>>,
    pub asks_for_tools: bool,
}

/// Why a body that came with a success cannot be understood.
#[derive(Debug, PartialEq, Eq)]
pub enum Malformed {
    Html,
    /// Why, in the parser's words, and how the body begins.
    NotJson(String, String),
    /// Why, in the parser's words, and how the body begins.
    WrongShape(String, String),
    NoCandidates,
}

/// Parses the JSON of one shape.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(body).map_err(|error| {
        let start = body.trim_ascii_start();
        // The parser repeats what it did not expect, however long that is.
        let why = beginning(error.to_string().as_bytes());
        match error.classify() {
            _ if start.starts_with(b"<") => Malformed::Html,
            Category::Data => Malformed::WrongShape(why, beginning(start)),
            Category::Syntax | Category::Eof | Category::Io => Malformed::NotJson(why, beginning(start)),
        }
    })
}

/// An answer, or the lack of one.
pub(super) fn of<'a>(candidates: impl Iterator<Item = Candidate<'a>>) -> Result<Answer<'a>, Malformed> {
    let candidates: Vec<_> = candidates.collect();
    if candidates.is_empty() { Err(Malformed::NoCandidates) } else { Ok(Answer { candidates }) }
}

/// How a text begins, on one line.
pub(super) fn beginning(body: &[u8]) -> String {
    // Cut before decoding: a character takes at most four bytes, and the body may be huge.
    let cut = &body[..body.len().min(4 * SHOWN + 4)];
    let text = String::from_utf8_lossy(cut);
    let mut shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    if body.len() > shown.len() {
        shown.push('…');
    }
    shown
}

impl<'a> Candidate<'a> {
    pub(super) fn of_text(text: Text<'a>) -> Self {
        Candidate { text: Some(text), asks_for_tools: false }
    }
}

/// The message of a chat's candidate, alike in all dialects. `content` may be null, but not left out, unless there
/// are tool calls: otherwise any JSON object would pass for a message.
#[derive(Deserialize)]
#[serde(try_from = "Fields<'a>", bound(deserialize = "'de: 'a"))]
pub(super) struct Message<'a>(Candidate<'a>);

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    content: Option<Option<Text<'a>>>,
    #[serde(default)]
    tool_calls: Option<Vec<IgnoredAny>>,
}

impl<'a> TryFrom<Fields<'a>> for Message<'a> {
    type Error = &'static str;

    fn try_from(fields: Fields<'a>) -> Result<Self, Self::Error> {
        let asks_for_tools = fields.tool_calls.is_some_and(|calls| !calls.is_empty());
        match fields.content {
            None if !asks_for_tools => Err("the message has neither content nor tool_calls"),
            content => Ok(Message(Candidate { text: content.flatten(), asks_for_tools })),
        }
    }
}

impl<'a> From<Message<'a>> for Candidate<'a> {
    fn from(message: Message<'a>) -> Self {
        message.0
    }
}

/// Tells a field that is null from one that is not there.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
