//! What a successful answer says, in one shape for all dialects.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::Task;
use super::json::{Lenient, NO_MEMORY, Text, Words};
use super::tools::{self, ToolCalls};
use super::usage::Usage;

/// As much of a wrong answer as an error message shows.
const SHOWN: usize = 120;

/// A successful answer. It has at least one candidate.
#[derive(Debug)]
pub struct Answer<'a> {
    pub model: Option<Text<'a>>,
    pub usage: Usage,
    pub candidates: Vec<Candidate<'a>>,
}

#[derive(Debug, Default)]
pub struct Candidate<'a> {
    /// `None` where the model gave none, for example because it asks for a tool instead.
    pub text: Option<Text<'a>>,
    pub role: Option<Text<'a>>,
    pub finish_reason: Option<Text<'a>>,
    pub tool_calls: Option<ToolCalls<'a>>,
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
    /// There is no memory for all vectors, which have so many numbers each.
    OutOfMemory(usize),
    /// There is no memory to read so many bytes.
    NoMemory(usize),
}

/// Parses the JSON object of one shape.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Malformed> {
    let text = utf8(body)?;
    check_memory(body)?;
    // serde would take a list for an object's fields without their names.
    if text.trim_ascii_start().starts_with('[') {
        let list: Result<IgnoredAny, _> = serde_json::from_str(text);
        let error = list.map_or_else(|error| error, |_| serde::de::Error::custom("a list, not an object"));
        return Err(malformed(&error, body));
    }
    serde_json::from_str(text).map_err(|error| malformed(&error, body))
}

/// The parser takes memory for texts with escapes in them, and cannot say that there is none.
pub(super) fn check_memory(body: &[u8]) -> Result<(), Malformed> {
    const LITTLE: usize = 64 * 1024;
    /// The texts as they are put together, in a buffer that doubles, and their copies.
    const TIMES: usize = 4;
    if body.len() <= LITTLE || memchr::memchr(b'\\', body).is_none() {
        return Ok(());
    }
    let enough = Vec::<u8>::new().try_reserve_exact(body.len().saturating_mul(TIMES));
    enough.map_err(|_| Malformed::NoMemory(body.len()))
}

/// A body that is looked through once need not be looked through at each string in it.
pub(super) fn utf8(body: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(body).map_err(|error| {
        let start = body.trim_ascii_start();
        if start.starts_with(b"<") {
            return Malformed::Html;
        }
        let why = format!("not UTF-8: the byte at offset {} is wrong", error.valid_up_to());
        Malformed::NotJson(why, beginning(start))
    })
}

pub(super) fn malformed(error: &serde_json::Error, body: &[u8]) -> Malformed {
    told(error, &error.to_string(), body)
}

/// As [`malformed`], where the parser saw another text, so that its place in it says nothing.
pub(super) fn malformed_elsewhere(error: &serde_json::Error, body: &[u8]) -> Malformed {
    let why = error.to_string();
    told(error, why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why), body)
}

fn told(error: &serde_json::Error, why: &str, body: &[u8]) -> Malformed {
    let start = body.trim_ascii_start();
    // The parser repeats what it did not expect, however long that is.
    let why = beginning(why.as_bytes());
    match error.classify() {
        _ if why.starts_with(NO_MEMORY) => Malformed::NoMemory(body.len()),
        _ if start.starts_with(b"<") => Malformed::Html,
        Category::Data => Malformed::WrongShape(why, beginning(start)),
        Category::Syntax | Category::Eof | Category::Io => Malformed::NotJson(why, beginning(start)),
    }
}

/// One candidate of a route of this task, which has to have what the task is for.
pub(super) fn candidate<'a>(
    task: Task,
    message: Option<Message<'a>>,
    text: Option<Text<'a>>,
    finish_reason: Lenient<'a>,
) -> Result<Candidate<'a>, &'static str> {
    let candidate = match task {
        Task::Chat => message.ok_or("a candidate has no message")?.0,
        _ => Candidate { text: Some(text.ok_or("a candidate has no text")?), ..Candidate::default() },
    };
    Ok(Candidate { finish_reason: finish_reason.text(), ..candidate })
}

/// An answer, or the lack of one.
pub(super) fn of<'a>(
    body: &[u8],
    model: Option<Text<'a>>,
    usage: Usage,
    candidates: impl Iterator<Item = Result<Candidate<'a>, &'static str>>,
) -> Result<Answer<'a>, Malformed> {
    let candidates: Result<Vec<_>, _> = candidates.collect();
    let candidates = candidates.map_err(|why| Malformed::WrongShape(why.to_owned(), beginning(body)))?;
    if candidates.is_empty() { Err(Malformed::NoCandidates) } else { Ok(Answer { model, usage, candidates }) }
}

/// How a text begins, on one line.
pub fn beginning(body: &[u8]) -> String {
    // Cut before decoding: a character takes at most four bytes, and the body may be huge.
    let cut = &body[..body.len().min(4 * SHOWN + 4)];
    let text = String::from_utf8_lossy(cut);
    let mut shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    if body.len() > shown.len() {
        shown.push('…');
    }
    shown
}

/// The message of a chat's candidate, alike in all dialects. `content` may be null, but not left out, unless there
/// are tool calls: otherwise any JSON object would pass for a message.
#[derive(Deserialize)]
#[serde(try_from = "Fields<'a>", bound(deserialize = "'de: 'a"))]
pub(super) struct Message<'a>(Candidate<'a>);

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    role: Lenient<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    content: Option<Option<Words<'a>>>,
    #[serde(borrow, default)]
    tool_calls: Option<&'a RawValue>,
}

impl<'a> TryFrom<Fields<'a>> for Message<'a> {
    type Error = String;

    fn try_from(fields: Fields<'a>) -> Result<Self, Self::Error> {
        let calls = fields.tool_calls.map(tools::all).transpose();
        let tool_calls = calls.map_err(|error| format!("tool_calls: {error}"))?.flatten();
        match fields.content {
            None if tool_calls.is_none() => Err("the message has neither content nor tool_calls".to_owned()),
            content => Ok(Message(Candidate {
                text: content.flatten().map(|words| words.0),
                role: fields.role.text(),
                finish_reason: None,
                tool_calls,
            })),
        }
    }
}

/// Tells a field that is null from one that is not there.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
