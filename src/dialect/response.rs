//! Successful model responses: one type for all dialects, and what their decoders share.

use serde::de::{IgnoredAny, MapAccess};
use serde_json::error::Category;

use super::Task;
use super::error_response::ErrorResponse;
use super::excerpt::excerpt;
use super::json::{Lenient, Truthy, field, string_or_null, without_place};
use super::message_content::MessageContent;
use super::objects::{Fields, Object, read_once};
use super::reader::{self, Raw};
use super::reasoning::{Reasoning, ReasoningFields};
use super::strings::{NO_MEMORY, Text};
use super::tools::{self, ToolCalls};

/// A successful response. It has at least one candidate.
#[derive(Debug)]
pub struct ModelResponse<'a> {
    pub candidates: Vec<Candidate<'a>>,
}

#[derive(Debug, Default)]
pub struct Candidate<'a> {
    /// `None` if the model sent none, for example because it calls a tool instead.
    pub text: Option<Text<'a>>,
    pub role: Option<Text<'a>>,
    pub finish_reason: Option<Text<'a>>,
    pub tool_calls: Option<ToolCalls<'a>>,
    /// The explanation of a model that refuses to respond.
    pub refusal: Option<Text<'a>>,
    pub reasoning: Option<Reasoning<'a>>,
    /// Also true for reasoning that is encrypted.
    pub has_reasoning: bool,
    /// Whether it contains images, recordings or other media.
    pub has_media: bool,
}

impl Candidate<'_> {
    /// Returns whether the model sent no text. An empty string counts as text unless something else came with it.
    pub fn lacks_text(&self) -> bool {
        self.text.as_ref().is_none_or(|text| text.0.is_empty() && self.has_other_content())
    }

    /// Returns whether a content filter removed the text.
    pub fn is_filtered(&self) -> bool {
        self.finish_reason.as_ref().is_some_and(|reason| reason.0 == "content_filter")
    }

    fn has_other_content(&self) -> bool {
        let is_without_text = self.refusal.is_some() || self.has_reasoning || self.has_media;
        is_without_text || self.tool_calls.is_some() || self.is_filtered()
    }
}

/// Why the body of a successful HTTP response cannot be decoded.
#[derive(Debug, PartialEq, Eq)]
pub enum DecodeError {
    Html,
    /// The parser's message, and an excerpt of the body.
    NotJson(String, String),
    /// The parser's message, and an excerpt of the body.
    WrongShape(String, String),
    NoCandidates,
    /// The body is an error response.
    ErrorResponse(Box<ErrorResponse>),
    /// No memory for all embeddings, which have this dimension.
    NoMemoryForEmbeddings(usize),
    /// No memory to parse a body of this length.
    NoMemoryToParse(usize),
}

/// Parses a body that is a JSON object.
pub(super) fn parse<'a, T: Fields<'a>>(body: &'a [u8]) -> Result<T, DecodeError> {
    let text = parse_utf8(body)?;
    check_memory(body)?;
    let shape_error = match reader::from_str(text) {
        Ok(Object(fields)) => return Ok(fields),
        Err(error) => error,
    };
    // The reader stops at the first value of a wrong type. What follows need not be JSON.
    let error = match serde_json::from_str::<IgnoredAny>(text) {
        Err(error) => error,
        _ if text.trim_ascii_start().starts_with('[') => serde::de::Error::custom("a list, not an object"),
        _ => shape_error,
    };
    Err(parse_error(&error, body))
}

/// Checks that there is memory for the strings with escapes. The parser allocates it, and aborts if it cannot.
pub(super) fn check_memory(body: &[u8]) -> Result<(), DecodeError> {
    const SMALL: usize = 64 * 1024;
    /// For the strings while they are unescaped into a buffer that doubles, and for their copies.
    const FACTOR: usize = 4;
    if body.len() <= SMALL || memchr::memchr(b'\\', body).is_none() {
        return Ok(());
    }
    let reserved = Vec::<u8>::new().try_reserve_exact(body.len().saturating_mul(FACTOR));
    reserved.map_err(|_| DecodeError::NoMemoryToParse(body.len()))
}

/// Checks the whole body at once, so that the parser need not check each string.
pub(super) fn parse_utf8(body: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(body).map_err(|error| {
        let start = body.trim_ascii_start();
        if start.starts_with(b"<") {
            return DecodeError::Html;
        }
        let why = format!("not UTF-8: invalid byte at offset {}", error.valid_up_to());
        DecodeError::NotJson(why, excerpt(start))
    })
}

pub(super) fn parse_error(error: &serde_json::Error, body: &[u8]) -> DecodeError {
    decode_error(error, &error.to_string(), body)
}

/// Like [`parse_error`], without the line and column: the parser read a changed copy of the body.
pub(super) fn parse_error_without_place(error: &serde_json::Error, body: &[u8]) -> DecodeError {
    decode_error(error, &without_place(error), body)
}

fn decode_error(error: &serde_json::Error, why: &str, body: &[u8]) -> DecodeError {
    let start = body.trim_ascii_start();
    // The message quotes the unexpected value, however long that is.
    let why = excerpt(why.as_bytes());
    match error.classify() {
        _ if why.contains(NO_MEMORY) => DecodeError::NoMemoryToParse(body.len()),
        _ if start.starts_with(b"<") => DecodeError::Html,
        Category::Data => DecodeError::WrongShape(why, excerpt(start)),
        Category::Syntax | Category::Eof | Category::Io => DecodeError::NotJson(why, excerpt(start)),
    }
}

/// Builds a candidate from the fields that a route of this task requires. An error starts with the place of the wrong
/// field in the candidate.
pub(super) fn candidate<'a>(
    task: Task,
    message: Option<Message<'a>>,
    text: Option<Raw<'a>>,
    finish_reason: Lenient<'a>,
) -> Result<Candidate<'a>, String> {
    let finish_reason = finish_reason.name();
    if matches!(task, Task::Chat | Task::Responses) {
        let message = message.ok_or(": missing field `message`")?;
        return message.candidate(finish_reason).map_err(|why| format!(".message{why}"));
    }
    let text = field(".text", text, string_or_null)?.flatten().ok_or(": missing field `text`")?.text;
    Ok(Candidate { text: Some(text), finish_reason, ..Candidate::default() })
}

/// Builds the error for JSON of a wrong shape.
pub(super) fn wrong_shape(why: String, body: &[u8]) -> DecodeError {
    if why.contains(NO_MEMORY) {
        return DecodeError::NoMemoryToParse(body.len());
    }
    DecodeError::WrongShape(excerpt(why.as_bytes()), excerpt(body.trim_ascii_start()))
}

/// Builds a response from the candidates in the list of this name.
pub(super) fn with_candidates<'a>(
    body: &[u8],
    list: &str,
    candidates: impl Iterator<Item = Result<Candidate<'a>, String>>,
) -> Result<ModelResponse<'a>, DecodeError> {
    let place = |(at, candidate): (usize, Result<_, String>)| candidate.map_err(|why| format!("{list}[{at}]{why}"));
    let candidates: Result<Vec<_>, _> = candidates.enumerate().map(place).collect();
    let candidates = candidates.map_err(|why| wrong_shape(why, body))?;
    if candidates.is_empty() { Err(DecodeError::NoCandidates) } else { Ok(ModelResponse { candidates }) }
}

/// Builds the error for a body without the field that all responses have. It may be an error response.
pub(super) fn missing_field(body: &[u8], why: &str) -> DecodeError {
    if ErrorResponse::is_in(body) {
        return error_response(body);
    }
    wrong_shape(why.to_owned(), body)
}

/// Fails if the field `error` is set, whatever other fields there are, as OpenAI's own client does.
pub(super) fn check_error(error: &Truthy, body: &[u8]) -> Result<(), DecodeError> {
    if error.0 { Err(error_response(body)) } else { Ok(()) }
}

fn error_response(body: &[u8]) -> DecodeError {
    DecodeError::ErrorResponse(Box::new(ErrorResponse::in_success(body)))
}

/// The message of a chat's candidate. All dialects share its format.
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
            "content" => read_once(&mut self.content, "content", map)?,
            "tool_calls" => read_once(&mut self.tool_calls, "tool_calls", map)?,
            "refusal" => self.refusal = map.next_value()?,
            "images" | "audio" => self.has_media |= map.next_value::<Truthy>()?.0,
            name => return self.reasoning.read(name, map),
        }
        Ok(true)
    }
}

impl<'a> Message<'a> {
    pub fn is_by_assistant(&self) -> bool {
        self.role.is("assistant")
    }

    /// Builds a candidate. `content` may be null, but not missing unless there is other content: otherwise any JSON
    /// object would be a message.
    pub fn candidate(self, finish_reason: Option<Text<'a>>) -> Result<Candidate<'a>, String> {
        let has_content = self.content.is_some();
        let content = field(".content", self.content, MessageContent::from_json)?.unwrap_or_default();
        let candidate = Candidate {
            text: content.text.map(|fragment| fragment.text),
            role: self.role.name(),
            finish_reason,
            tool_calls: field(".tool_calls", self.tool_calls, tools::parse_list)?.flatten(),
            refusal: self.refusal.name().or(content.refusal.map(|refusal| refusal.text)),
            has_reasoning: self.reasoning.is_present() || content.has_reasoning,
            reasoning: self.reasoning.first().or(content.reasoning),
            has_media: self.has_media || content.has_others,
        };
        if has_content || candidate.has_other_content() {
            Ok(candidate)
        } else {
            Err(": neither content nor tool_calls".to_owned())
        }
    }
}
