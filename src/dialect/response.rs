//! What a successful answer says, in one shape for all dialects.

use serde::de::{IgnoredAny, MapAccess};
use serde_json::error::Category;

use super::Task;
use super::error_response::ErrorResponse;
use super::json::{Lenient, MessageContent, NO_MEMORY, Truth, field, string_or_null, without_place};
use super::objects::{Fields, Object, once};
use super::reader::{self, Raw};
use super::reasoning::{Reasoning, ReasoningFields};
use super::strings::Text;
use super::tools::{self, ToolCalls};

/// As much of a wrong answer as an error message shows.
const SHOWN: usize = 120;

/// A successful answer. It has at least one candidate.
#[derive(Debug)]
pub struct ModelResponse<'a> {
    pub candidates: Vec<Candidate<'a>>,
}

#[derive(Debug, Default)]
pub struct Candidate<'a> {
    /// `None` where the model gave none, for example because it asks for a tool instead.
    pub text: Option<Text<'a>>,
    pub role: Option<Text<'a>>,
    pub finish_reason: Option<Text<'a>>,
    pub tool_calls: Option<ToolCalls<'a>>,
    /// Why the model refuses, in its own words.
    pub refusal: Option<Text<'a>>,
    pub reasoning: Option<Reasoning<'a>>,
    /// Also one that nobody can read.
    pub has_reasoning: bool,
    /// Whether there are images, recordings or the like.
    pub has_media: bool,
}

impl Candidate<'_> {
    /// Whether the model gave no text. An empty one may be a text, unless something else came in its place.
    pub fn lacks_text(&self) -> bool {
        self.text.as_ref().is_none_or(|text| text.0.is_empty() && self.has_something_else())
    }

    /// Whether a content filter took the text away.
    pub fn is_filtered(&self) -> bool {
        self.finish_reason.as_ref().is_some_and(|reason| reason.0 == "content_filter")
    }

    fn has_something_else(&self) -> bool {
        let has_words = self.refusal.is_some() || self.has_reasoning;
        self.tool_calls.is_some() || has_words || self.has_media || self.is_filtered()
    }
}

/// Why a body that came with a success cannot be understood.
#[derive(Debug, PartialEq, Eq)]
pub enum DecodeError {
    Html,
    /// Why, in the parser's words, and how the body begins.
    NotJson(String, String),
    /// Why, in the parser's words, and how the body begins.
    WrongShape(String, String),
    NoCandidates,
    /// It says itself that it is an error.
    ErrorResponse(Box<ErrorResponse>),
    /// There is no memory for all vectors, which have so many numbers each.
    OutOfMemory(usize),
    /// There is no memory to read so many bytes.
    NoMemory(usize),
}

/// Parses the JSON object of one shape.
pub(super) fn parse<'a, T: Fields<'a>>(body: &'a [u8]) -> Result<T, DecodeError> {
    let text = utf8(body)?;
    check_memory(body)?;
    let wrong = match reader::from_str(text) {
        Ok(Object(fields)) => return Ok(fields),
        Err(error) => error,
    };
    // What is found to be of another shape before its end was read need not be JSON at all.
    let error = match serde_json::from_str::<IgnoredAny>(text) {
        Err(error) => error,
        _ if text.trim_ascii_start().starts_with('[') => serde::de::Error::custom("a list, not an object"),
        _ => wrong,
    };
    Err(malformed(&error, body))
}

/// The parser takes memory for texts with escapes in them, and cannot say that there is none.
pub(super) fn check_memory(body: &[u8]) -> Result<(), DecodeError> {
    const LITTLE: usize = 64 * 1024;
    /// The texts as they are put together, in a buffer that doubles, and their copies.
    const TIMES: usize = 4;
    if body.len() <= LITTLE || memchr::memchr(b'\\', body).is_none() {
        return Ok(());
    }
    let enough = Vec::<u8>::new().try_reserve_exact(body.len().saturating_mul(TIMES));
    enough.map_err(|_| DecodeError::NoMemory(body.len()))
}

/// A body that is looked through once need not be looked through at each string in it.
pub(super) fn utf8(body: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(body).map_err(|error| {
        let start = body.trim_ascii_start();
        if start.starts_with(b"<") {
            return DecodeError::Html;
        }
        let why = format!("not UTF-8: the byte at offset {} is wrong", error.valid_up_to());
        DecodeError::NotJson(why, beginning(start))
    })
}

pub(super) fn malformed(error: &serde_json::Error, body: &[u8]) -> DecodeError {
    told(error, &error.to_string(), body)
}

/// As [`malformed`], where the parser saw another text, so that its place in it says nothing.
pub(super) fn malformed_elsewhere(error: &serde_json::Error, body: &[u8]) -> DecodeError {
    told(error, &without_place(error), body)
}

fn told(error: &serde_json::Error, why: &str, body: &[u8]) -> DecodeError {
    let start = body.trim_ascii_start();
    // The parser repeats what it did not expect, however long that is.
    let why = beginning(why.as_bytes());
    match error.classify() {
        _ if why.contains(NO_MEMORY) => DecodeError::NoMemory(body.len()),
        _ if start.starts_with(b"<") => DecodeError::Html,
        Category::Data => DecodeError::WrongShape(why, beginning(start)),
        Category::Syntax | Category::Eof | Category::Io => DecodeError::NotJson(why, beginning(start)),
    }
}

/// One candidate of a route of this task, which has to have what the task is for. What is wrong begins with its place in
/// the candidate.
pub(super) fn candidate<'a>(
    task: Task,
    message: Option<Message<'a>>,
    text: Option<Raw<'a>>,
    finish_reason: Lenient<'a>,
) -> Result<Candidate<'a>, String> {
    let finish_reason = finish_reason.name();
    if matches!(task, Task::Chat | Task::Responses) {
        let message = message.ok_or(": there is no message")?;
        return message.candidate(finish_reason).map_err(|why| format!(".message{why}"));
    }
    let text = field(".text", text, string_or_null)?.flatten().ok_or(": there is no text")?.text;
    Ok(Candidate { text: Some(text), finish_reason, ..Candidate::default() })
}

/// JSON that is another than it should be, and why.
pub(super) fn wrong(why: String, body: &[u8]) -> DecodeError {
    if why.contains(NO_MEMORY) {
        return DecodeError::NoMemory(body.len());
    }
    DecodeError::WrongShape(beginning(why.as_bytes()), beginning(body.trim_ascii_start()))
}

/// An answer, or the lack of one, of candidates in this list.
pub(super) fn of<'a>(
    body: &[u8],
    list: &str,
    candidates: impl Iterator<Item = Result<Candidate<'a>, String>>,
) -> Result<ModelResponse<'a>, DecodeError> {
    let place = |(at, candidate): (usize, Result<_, String>)| candidate.map_err(|why| format!("{list}[{at}]{why}"));
    let candidates: Result<Vec<_>, _> = candidates.enumerate().map(place).collect();
    let candidates = candidates.map_err(|why| wrong(why, body))?;
    if candidates.is_empty() { Err(DecodeError::NoCandidates) } else { Ok(ModelResponse { candidates }) }
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

/// What a body is that lacks the field that all responses have: an error, or nothing that is known.
pub(super) fn instead(body: &[u8], why: &str) -> DecodeError {
    if ErrorResponse::is_in(body) {
        return refused(body);
    }
    wrong(why.to_owned(), body)
}

/// An error counts more than what is beside it, as for OpenAI's own client.
pub(super) fn check_error(error: &Truth, body: &[u8]) -> Result<(), DecodeError> {
    if error.0 { Err(refused(body)) } else { Ok(()) }
}

fn refused(body: &[u8]) -> DecodeError {
    DecodeError::ErrorResponse(Box::new(ErrorResponse::in_success(body)))
}

/// The message of a chat's candidate, alike in all dialects.
#[derive(Default)]
pub(super) struct Message<'a> {
    role: Lenient<'a>,
    content: Option<Raw<'a>>,
    tool_calls: Option<Raw<'a>>,
    refusal: Lenient<'a>,
    reasoning: ReasoningFields<'a>,
    has_media: bool,
}

impl<'de> Fields<'de> for Message<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "role" => self.role = map.next_value()?,
            "content" => once(&mut self.content, "content", map)?,
            "tool_calls" => once(&mut self.tool_calls, "tool_calls", map)?,
            "refusal" => self.refusal = map.next_value()?,
            "images" | "audio" => self.has_media |= map.next_value::<Truth>()?.0,
            name => return self.reasoning.read(name, map),
        }
        Ok(true)
    }
}

impl<'a> Message<'a> {
    pub fn is_by_assistant(&self) -> bool {
        self.role.is("assistant")
    }

    /// `content` may be null, but not left out, unless something else tells why: otherwise any JSON object would pass
    /// for a message.
    pub fn candidate(self, finish_reason: Option<Text<'a>>) -> Result<Candidate<'a>, String> {
        let has_content = self.content.is_some();
        let content = field(".content", self.content, MessageContent::of_json)?.unwrap_or_default();
        let candidate = Candidate {
            text: content.text.map(|fragment| fragment.text),
            role: self.role.name(),
            finish_reason,
            tool_calls: field(".tool_calls", self.tool_calls, tools::all)?.flatten(),
            refusal: self.refusal.name().or(content.refusal.map(|refusal| refusal.text)),
            has_reasoning: self.reasoning.says_anything() || content.has_reasoning,
            reasoning: self.reasoning.first().or(content.reasoning),
            has_media: self.has_media || content.has_others,
        };
        if has_content || candidate.has_something_else() {
            Ok(candidate)
        } else {
            Err(": there is neither content nor tool_calls".to_owned())
        }
    }
}
