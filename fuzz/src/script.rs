//! The input of the target `abi`: calls of C functions, one per line, followed by responses of the gateway, each after
//! a line `===`.
//!
//! A call is a letter (see `fuzz_targets/abi.rs`), a character that selects the objects, and arguments separated by `|`.
//! The argument `~` is NULL; `*` and a number is a string of this length.
//!
//! A response is a letter and the body: `j` JSON, `s` an event stream, `t` an event stream until the connection is
//! closed; or three digits, the HTTP status, and the body; or, if it starts with `HTTP`, all bytes that are sent. `c`
//! cancels the waiting call. Any other response closes the connection. `:PORT` in a response becomes the gateway's own
//! port.

use std::ffi::{CString, c_char};
use std::{fmt, ptr};

use crate::server::{self, ScriptedResponse};

const END: &[u8] = b"\n===\n";

/// Parses the calls and the responses.
pub fn parse(input: &[u8]) -> (Vec<Call<'_>>, Vec<ScriptedResponse>) {
    let mut parts = Parts(Some(input));
    let calls = parts.next().unwrap_or_default().split(|byte| *byte == b'\n');
    (calls.filter_map(Call::parse).collect(), parts.map(|part| response(&with_port(part))).collect())
}

fn with_port(response: &[u8]) -> Vec<u8> {
    const PORT: &[u8] = b":PORT";
    let mut filled = response.to_owned();
    while let Some(at) = filled.windows(PORT.len()).position(|part| part == PORT) {
        filled.splice(at..at + PORT.len(), format!(":{}", server::port()).into_bytes());
    }
    filled
}

struct Parts<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let all = self.0.take()?;
        let Some(end) = all.windows(END.len()).position(|part| part == END) else { return Some(all) };
        self.0 = Some(&all[end + END.len()..]);
        Some(&all[..end])
    }
}

pub struct Call<'a> {
    pub function: u8,
    objects: u8,
    arguments: &'a [u8],
}

impl<'a> Call<'a> {
    fn parse(line: &'a [u8]) -> Option<Call<'a>> {
        let [function, objects, arguments @ ..] = line else { return None };
        Some(Call { function: *function, objects: *objects, arguments })
    }

    /// Returns the number of the gateway, 0 or 1.
    pub fn gateway(&self) -> usize {
        usize::from(self.objects & 1)
    }

    /// Returns the number of the request.
    pub fn request(&self) -> usize {
        usize::from(self.objects >> 1 & 1)
    }

    /// Returns the number of the response, stream, embeddings, routes or token.
    pub fn result(&self) -> usize {
        usize::from(self.objects >> 2 & 1)
    }

    /// Returns whether outputs are not NULL: for all but `8` and `9`.
    pub fn has_outputs(&self) -> bool {
        self.objects & 8 == 0
    }

    /// Returns whether the error output is not NULL: for digits.
    pub fn has_error_output(&self) -> bool {
        self.objects & 64 == 0
    }

    fn argument(&self, place: usize) -> &'a [u8] {
        self.arguments.split(|byte| *byte == b'|').nth(place).unwrap_or_default()
    }

    pub fn text(&self, place: usize) -> Text {
        Text::of(self.argument(place))
    }

    pub fn int(&self, place: usize) -> i64 {
        std::str::from_utf8(self.argument(place)).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    pub fn double(&self, place: usize) -> f64 {
        std::str::from_utf8(self.argument(place)).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}

/// Formats it as in the script.
impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = [&[self.function, self.objects], self.arguments].concat();
        f.write_str(&String::from_utf8_lossy(&line))
    }
}

/// An argument in its own allocation, so that the sanitizer notices reads past its end.
pub struct Text(Option<CString>);

impl Text {
    fn of(argument: &[u8]) -> Text {
        let length = argument.strip_prefix(b"*").and_then(|number| std::str::from_utf8(number).ok()?.parse().ok());
        let mut bytes = match (argument, length) {
            (b"~", _) => return Text(None),
            (_, Some(length)) => vec![b'x'; usize::min(length, 20_000)],
            _ => argument.to_owned(),
        };
        bytes.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b'0');
        Text(CString::new(bytes).ok())
    }

    pub fn from(text: &str) -> Text {
        Text(CString::new(text).ok())
    }

    pub fn pointer(&self) -> *const c_char {
        self.0.as_ref().map_or(ptr::null(), |text| text.as_ptr())
    }

    /// Returns the string, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_ref()?.to_str().ok()
    }
}

/// An argument with a length.
pub enum Sized {
    Terminated(Text),
    /// Not NUL-terminated.
    Bytes(Box<[u8]>),
    /// With a length that is too large.
    TooLong,
}

impl Sized {
    pub fn of(call: &Call, place: usize) -> Sized {
        let argument = call.argument(place);
        match argument {
            b"!" => Sized::TooLong,
            [b'~'] | [b'*', ..] => Sized::Terminated(call.text(place)),
            _ if argument.len() % 2 == 0 => Sized::Terminated(call.text(place)),
            _ => Sized::Bytes(argument.into()),
        }
    }

    pub fn pointer(&self) -> *const c_char {
        match self {
            Sized::Terminated(text) => text.pointer(),
            Sized::Bytes(bytes) => bytes.as_ptr().cast(),
            Sized::TooLong => c"".as_ptr(),
        }
    }

    pub fn length(&self) -> usize {
        match self {
            Sized::Terminated(_) => usize::MAX,
            Sized::Bytes(bytes) => bytes.len(),
            Sized::TooLong => usize::MAX / 2 + 1,
        }
    }
}

fn response(response: &[u8]) -> ScriptedResponse {
    match response {
        [b'j', body @ ..] => with_length("200", body),
        [b's', body @ ..] => ScriptedResponse { bytes: in_two_chunks(body), keeps_open: true, cancels: false },
        [b't', body @ ..] => {
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            ScriptedResponse { bytes: [head, body].concat(), keeps_open: false, cancels: false }
        }
        [b'2'..=b'9', b'0'..=b'9', b'0'..=b'9', body @ ..] => {
            with_length(&String::from_utf8_lossy(&response[..3]), body)
        }
        [b'H', b'T', b'T', b'P', ..] => {
            ScriptedResponse { bytes: response.to_owned(), keeps_open: false, cancels: false }
        }
        [b'c'] => ScriptedResponse { bytes: Vec::new(), keeps_open: true, cancels: true },
        _ => ScriptedResponse { bytes: Vec::new(), keeps_open: false, cancels: false },
    }
}

fn with_length(status: &str, body: &[u8]) -> ScriptedResponse {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    ScriptedResponse { bytes: [head.as_bytes(), body].concat(), keeps_open: true, cancels: false }
}

fn in_two_chunks(body: &[u8]) -> Vec<u8> {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut bytes = head.to_vec();
    let (one, other) = body.split_at(body.len() / 2);
    // An empty chunk would end the body.
    for chunk in [one, other].into_iter().filter(|chunk| !chunk.is_empty()) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}
