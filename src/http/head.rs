//! Message heads: writes those of requests, parses those of responses.

use std::mem::MaybeUninit;
use std::time::{Duration, SystemTime};

use super::error::TransportError;
use super::exchange::ContentType;
use super::method::Method;
use super::secret::{Secret, Wiped};

/// Up to this number, fields are parsed without allocating memory. Most servers send a tenth of it.
const USUAL_HEADERS: usize = 100;

/// The maximum number of fields, as documented in the header of this library.
const MAX_HEADERS: usize = 1000;

/// The request line and the headers of a request.
pub(super) struct RequestHead<'a> {
    pub method: Method<'a>,
    /// For a forwarding proxy, the scheme and authority of the gateway; else empty.
    pub origin: [&'a str; 2],
    pub path: [&'a str; 2],
    pub authority: &'a str,
    /// Complete lines.
    pub headers: &'a [u8],
    pub proxy_authorization: Option<&'a Secret>,
    pub content: ContentType,
    /// `None` for a request without a body.
    pub body_len: Option<usize>,
}

impl RequestHead<'_> {
    /// Writes the head, with the empty line at its end, and `body` behind it.
    pub fn write(&self, body: &[u8]) -> Wiped {
        const REST: usize = 160;
        let for_proxy = self.proxy_authorization.map_or("", Secret::expose);
        let target: usize = self.origin.iter().chain(&self.path).map(|part| part.len()).sum();
        let known = target + self.authority.len() + for_proxy.len();
        // Allocated once: a block that grows leaves copies of secrets behind.
        let mut head = Vec::with_capacity(REST + known + self.headers.len() + body.len());
        let mut push = |parts: &[&str]| parts.iter().for_each(|part| head.extend_from_slice(part.as_bytes()));
        push(&[self.method.as_str(), " "]);
        push(&self.origin);
        push(&self.path);
        push(&[" HTTP/1.1\r\nhost: ", self.authority, "\r\n"]);
        if self.proxy_authorization.is_some() {
            push(&["proxy-authorization: ", for_proxy, "\r\n"]);
        }
        head.extend_from_slice(self.headers);
        match self.body_len {
            Some(length) => {
                head.extend_from_slice(b"content-type: ");
                head.extend_from_slice(self.content.as_str().as_bytes());
                head.extend_from_slice(b"\r\ncontent-length: ");
                push_number(&mut head, length);
                head.extend_from_slice(b"\r\n");
            }
            None if self.method.expects_body() => head.extend_from_slice(b"content-length: 0\r\n"),
            None => {}
        }
        head.extend_from_slice(b"\r\n");
        head.extend_from_slice(body);
        Wiped(head)
    }
}

fn push_number(to: &mut Vec<u8>, number: usize) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    to.extend_from_slice(&digits[at..]);
}

/// How a body ends (RFC 9112, 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// The parsed head of a response.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub status: u16,
    pub framing: Framing,
    pub keep_alive: bool,
    /// How long the server keeps an idle connection, if it announces that.
    pub idle_timeout: Option<Duration>,
    pub retry_after: Option<Duration>,
    pub location: Option<String>,
    pub content: ContentKind,
    /// The content encoding, if it changes the body.
    pub encoding: Option<String>,
    /// As received, except that folded lines are joined.
    pub raw: Vec<u8>,
}

impl Head {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the head of a response that is sent without its body.
    pub fn without_body(self) -> Head {
        Head { framing: Framing::Length(0), encoding: None, ..self }
    }
}

/// The kind of a body by its content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentKind {
    EventStream,
    /// JSON, plain text or no type. Some servers and proxies use them for event streams.
    Any,
    Other,
}

/// Parses the head of a response, and returns it with its length. Skips interim responses (1xx). Returns `None` if the
/// head is incomplete.
pub(super) fn response(input: &[u8]) -> Result<Option<(Head, usize)>, TransportError> {
    let mut headers = [MaybeUninit::uninit(); USUAL_HEADERS];
    match parse(input, &httparse::ParserConfig::default(), &mut headers) {
        // It may have folded lines or many fields, which few heads have.
        Err(_) => unusual_response(input),
        other => other,
    }
}

/// As [`response`], also for folded lines and for many fields.
#[cold]
fn unusual_response(input: &[u8]) -> Result<Option<(Head, usize)>, TransportError> {
    let mut config = httparse::ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true);
    let found = parse(input, &config, &mut vec![MaybeUninit::uninit(); MAX_HEADERS])?;
    match found {
        Some((head, length)) if is_folded(&head.raw) => {
            let unfolded = unfolded(head.raw);
            Ok(response(&unfolded)?.map(|(head, _)| (head, length)))
        }
        found => Ok(found),
    }
}

fn parse<'b>(
    input: &'b [u8],
    config: &httparse::ParserConfig,
    headers: &mut [MaybeUninit<httparse::Header<'b>>],
) -> Result<Option<(Head, usize)>, TransportError> {
    let mut start = 0;
    loop {
        let mut parsed = httparse::Response::new(&mut []);
        let input = &input[start..];
        let length = match config.parse_response_with_uninit_headers(&mut parsed, input, headers) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(TransportError::TooManyHeaders(MAX_HEADERS)),
            Err(error) => return Err(TransportError::Protocol(error.to_string())),
        };
        start += length;
        if parsed.code.is_some_and(|code| !(100..200).contains(&code)) {
            let head = interpret(&parsed, &input[..length]).map_err(TransportError::Protocol)?;
            return Ok(Some((head, start)));
        }
    }
}

fn is_folded(raw: &[u8]) -> bool {
    raw.windows(2).any(|pair| matches!(pair, b"\n " | b"\n\t"))
}

/// Joins each folded line with the line before it by spaces (RFC 9112, 5.2).
fn unfolded(mut raw: Vec<u8>) -> Vec<u8> {
    for at in 1..raw.len().saturating_sub(1) {
        if raw[at] == b'\n' && matches!(raw[at + 1], b' ' | b'\t') {
            raw[at] = b' ';
            if raw[at - 1] == b'\r' {
                raw[at - 1] = b' ';
            }
        }
    }
    raw
}

/// Compares a field name with one in lower case.
fn is(name: &str, lower: &[u8]) -> bool {
    // This bit distinguishes upper and lower case. Without it, no other characters of these names become equal.
    const CASE: u64 = 0x2020_2020_2020_2020;
    let name = name.as_bytes();
    if name.len() != lower.len() {
        return false;
    }
    let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes);
    let (names, lowers) = (name.chunks_exact(8), lower.chunks_exact(8));
    names.remainder().iter().zip(lowers.remainder()).all(|(a, b)| *a | 0x20 == *b)
        && names.zip(lowers).all(|(a, b)| word(a) | CASE == word(b))
}

/// Reads the fields that matter for the connection, the body and retries.
fn interpret(parsed: &httparse::Response, raw: &[u8]) -> Result<Head, String> {
    let status = parsed.code.unwrap_or_default();
    let mut head = Head {
        status,
        framing: Framing::UntilClose,
        // HTTP/1.0 closes connections. The extension that keeps them does not work through proxies (RFC 9112, C.2.2).
        keep_alive: parsed.version == Some(1),
        idle_timeout: None,
        retry_after: None,
        location: None,
        content: ContentKind::Any,
        encoding: None,
        raw: raw.to_vec(),
    };
    let mut length = None;
    let mut chunked = false;
    let (mut retry_after, mut retry_after_ms) = (None, None);
    for header in parsed.headers.iter() {
        let value = header.value.trim_ascii();
        // The length alone rules out most names, which is cheaper than comparing letters.
        match header.name.len() {
            14 if is(header.name, b"content-length") => {
                let number = number(value).ok_or("a content-length that is not a number")?;
                if length.is_some_and(|other| other != number) {
                    return Err("two different content-lengths".to_owned());
                }
                length = Some(number);
            }
            17 if is(header.name, b"transfer-encoding") => {
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err("a transfer-encoding other than chunked".to_owned());
                }
                chunked = true;
            }
            10 if is(header.name, b"connection") => {
                let mut options = value.split(|b| *b == b',').map(<[u8]>::trim_ascii);
                head.keep_alive &= !options.any(|option| option.eq_ignore_ascii_case(b"close"));
            }
            10 if is(header.name, b"keep-alive") => head.idle_timeout = idle_timeout(value),
            16 if is(header.name, b"content-encoding") => head.encoding = encoding(value),
            12 if is(header.name, b"content-type") => head.content = content_kind(value),
            11 if is(header.name, b"retry-after") => {
                retry_after = self::retry_after(value);
            }
            14 if is(header.name, b"retry-after-ms") => {
                retry_after_ms = seconds(value).map(|ms| ms / 1000);
            }
            8 if is(header.name, b"location") => head.location = std::str::from_utf8(value).ok().map(str::to_owned),
            _ => {}
        }
    }
    // The more precise one takes precedence, as in OpenAI's clients.
    head.retry_after = retry_after_ms.or(retry_after);
    head.framing = match (chunked, length) {
        _ if status == 204 || status == 304 => Framing::Length(0),
        // Both together may be request smuggling: the length is ignored, and the connection is not reused.
        (true, length) => {
            head.keep_alive &= length.is_none();
            Framing::Chunked
        }
        (false, Some(length)) => Framing::Length(length),
        (false, None) => {
            head.keep_alive = false;
            Framing::UntilClose
        }
    };
    Ok(head)
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Classifies a content type. Ignores its parameters, such as a charset.
fn content_kind(content_type: &[u8]) -> ContentKind {
    let kind = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let is = |name: &[u8]| kind.eq_ignore_ascii_case(name);
    if is(b"application/json") || is(b"text/plain") || kind.is_empty() {
        ContentKind::Any
    } else if is(b"text/event-stream") {
        ContentKind::EventStream
    } else {
        ContentKind::Other
    }
}

/// Returns the content encoding, or `None` for names that some servers give to a plain body.
fn encoding(value: &[u8]) -> Option<String> {
    let harmless: [&[u8]; 5] = [b"", b"identity", b"none", b"utf-8", b"utf8"];
    let is_harmless = harmless.iter().any(|name| value.eq_ignore_ascii_case(name));
    (!is_harmless).then(|| String::from_utf8_lossy(value).into_owned())
}

/// Returns the parameter `timeout` of the header `Keep-Alive` (RFC 2068, 19.7.1.1).
fn idle_timeout(value: &[u8]) -> Option<Duration> {
    value.split(|byte| *byte == b',').find_map(|part| {
        let (name, value) = std::str::from_utf8(part).ok()?.split_once('=')?;
        let seconds = value.trim().trim_matches('"').parse().ok()?;
        name.trim().eq_ignore_ascii_case("timeout").then(|| Duration::from_secs(seconds))
    })
}

/// Returns the header fields of a received head, as (name, value) in their order.
pub fn header_fields(raw: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    let lines = raw.split(|byte| *byte == b'\n').skip(1);
    lines.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = std::str::from_utf8(&line[..colon]).ok()?;
        Some((name, line[colon + 1..].trim_ascii()))
    })
}

/// Parses a number of seconds or a date (RFC 9110, 10.2.3).
fn retry_after(value: &[u8]) -> Option<Duration> {
    seconds(value).or_else(|| {
        let at = httpdate::parse_http_date(std::str::from_utf8(value).ok()?).ok()?;
        Some(at.duration_since(SystemTime::now()).unwrap_or_default())
    })
}

/// Parses a number of seconds. Some servers send fractions.
fn seconds(value: &[u8]) -> Option<Duration> {
    let value = std::str::from_utf8(value).ok()?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    // A larger number is cut to the maximum.
    Some(Duration::try_from_secs_f64(fast_float2::parse(value).ok()?).unwrap_or(Duration::from_secs(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &str) -> Result<Head, String> {
        let text = format!("{}\r\n\r\n", lines.replace('\n', "\r\n"));
        for cut in 0..text.len() {
            assert_eq!(response(&text.as_bytes()[..cut]), Ok(None), "{cut}");
        }
        match response(text.as_bytes()) {
            Ok(found) => {
                let (head, length) = found.unwrap();
                assert_eq!(length, text.len());
                Ok(head)
            }
            Err(TransportError::Protocol(why)) => Err(why),
            Err(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn request_head_has_line_headers_and_length() {
        let post = RequestHead {
            method: Method::Post,
            origin: ["", ""],
            path: ["/ml", "/x"],
            authority: "h:5000",
            headers: b"a: b\r\n",
            proxy_authorization: None,
            content: ContentType::Json,
            body_len: Some(1234),
        };
        let text = |head: &RequestHead| String::from_utf8(head.write(b"").0.clone()).unwrap();
        let expected = "POST /ml/x HTTP/1.1\r\nhost: h:5000\r\na: b\r\ncontent-type: application/json\r\n\
                        content-length: 1234\r\n\r\n";
        assert_eq!(text(&post), expected);
        let get =
            RequestHead { method: Method::Get, path: ["", "/x"], authority: "h", headers: b"", body_len: None, ..post };
        let empty = RequestHead { method: Method::Post, ..get };
        assert_eq!(text(&empty), "POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n");
        let search = RequestHead { method: Method::Other("QUERY"), body_len: Some(2), ..get };
        assert!(text(&search).ends_with("content-type: application/json\r\ncontent-length: 2\r\n\r\n"));
        assert_eq!(text(&get), "GET /x HTTP/1.1\r\nhost: h\r\n\r\n");
        let secret = Secret::basic("u", "p");
        let forwarded = RequestHead { origin: ["http://", "h"], proxy_authorization: Some(&secret), ..get };
        let expected = "GET http://h/x HTTP/1.1\r\nhost: h\r\nproxy-authorization: Basic dTpw\r\n\r\n";
        assert_eq!(text(&forwarded), expected);
        assert!(forwarded.write(b"").0.capacity() < 256);
        assert!(forwarded.write(b"{}").0.ends_with(b"\r\n\r\n{}"));
        let mut numbers = Vec::new();
        for number in [0, 7, 10, usize::MAX] {
            push_number(&mut numbers, number);
            numbers.push(b' ');
        }
        assert_eq!(numbers, format!("0 7 10 {} ", usize::MAX).as_bytes());
    }

    #[test]
    fn framing_follows_from_status_and_headers() {
        let of = |lines| head(lines).map(|head| (head.framing, head.keep_alive));
        assert_eq!(of("HTTP/1.1 200 OK\nContent-Length: 5"), Ok((Framing::Length(5), true)));
        assert_eq!(of("HTTP/1.1 200 OK\nContent-Length: 5\ncontent-length: 5"), Ok((Framing::Length(5), true)));
        assert_eq!(of("HTTP/1.1 200 OK\nTransfer-Encoding: Chunked"), Ok((Framing::Chunked, true)));
        assert_eq!(of("HTTP/1.1 200 OK"), Ok((Framing::UntilClose, false)));
        assert_eq!(of("HTTP/1.1 204 No Content"), Ok((Framing::Length(0), true)));
        assert_eq!(of("HTTP/1.1 200 OK\nContent-Length: 5\nConnection: foo, close"), Ok((Framing::Length(5), false)));
        let twice = "HTTP/1.1 200 OK\nContent-Length: 5\nConnection: close\nConnection: keep-alive";
        assert_eq!(of(twice), Ok((Framing::Length(5), false)));
        assert_eq!(of("HTTP/1.0 200 OK\nContent-Length: 5"), Ok((Framing::Length(5), false)));
        assert_eq!(of("HTTP/1.0 200 OK\nContent-Length: 5\nConnection: keep-alive"), Ok((Framing::Length(5), false)));
        assert_eq!(of("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nContent-Length: 5"), Ok((Framing::Chunked, false)));
    }

    #[test]
    fn ambiguous_heads_are_rejected() {
        for lines in [
            "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 6",
            "HTTP/1.1 200 OK\nContent-Length: 5, 5",
            "HTTP/1.1 200 OK\nContent-Length: +5",
            "HTTP/1.1 200 OK\nContent-Length: ",
            "HTTP/1.1 200 OK\nContent-Length: 99999999999999999999",
            "HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked",
        ] {
            assert!(head(lines).is_err(), "{lines}");
        }
        for input in ["SSH-2.0-OpenSSH\r\n", "HTTP/2 200 OK\r\n\r\n", "<html>", "HTTP/1.1 abc OK\r\n\r\n"] {
            assert!(response(input.as_bytes()).is_err(), "{input}");
        }
    }

    #[test]
    fn number_of_header_fields_is_limited() {
        let of = |count| format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(count));
        for count in [1, USUAL_HEADERS, USUAL_HEADERS + 1, MAX_HEADERS] {
            let (head, length) = response(of(count).as_bytes()).unwrap().unwrap();
            assert_eq!((header_fields(&head.raw).count(), length), (count, of(count).len()));
        }
        assert_eq!(response(of(MAX_HEADERS + 1).as_bytes()), Err(TransportError::TooManyHeaders(MAX_HEADERS)));
    }

    #[test]
    fn folded_lines_are_joined() {
        let folded = head("HTTP/1.1 429 No\nX-Note: a\n b\n\tc\nRetry-After:\n  7\nContent-Length: 0").unwrap();
        assert_eq!(folded.retry_after, Some(Duration::from_secs(7)));
        let fields: Vec<_> = header_fields(&folded.raw).collect();
        assert_eq!(fields[..2], [("X-Note", &b"a   b  \tc"[..]), ("Retry-After", b"7")]);
    }

    #[test]
    fn identity_encodings_are_ignored() {
        let of = |value| head(&format!("HTTP/1.1 200 OK\nContent-Encoding: {value}")).unwrap().encoding;
        for harmless in ["", "none", "identity", "Identity", "utf-8", "UTF8"] {
            assert_eq!(of(harmless), None, "{harmless}");
        }
        assert_eq!(of("gzip").as_deref(), Some("gzip"));
        assert_eq!(of("gzip, identity").as_deref(), Some("gzip, identity"));
    }

    #[test]
    fn keep_alive_timeout_is_parsed() {
        let of = |value| head(&format!("HTTP/1.1 200 OK\nKeep-Alive: {value}")).unwrap().idle_timeout;
        assert_eq!(of("timeout=5, max=100"), Some(Duration::from_secs(5)));
        assert_eq!(of("max=100, Timeout = \"0\""), Some(Duration::ZERO));
        assert_eq!(of("timeout=soon"), None);
        assert_eq!(of("300"), None);
    }

    #[test]
    fn interim_responses_are_skipped() {
        let text = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
        let (head, length) = response(text).unwrap().unwrap();
        assert_eq!((head.status, length), (200, text.len()));
        assert_eq!(response(&text[..60]), Ok(None));
    }

    #[test]
    fn retry_after_and_location_are_parsed() {
        let wait = |value: &str| head(&format!("HTTP/1.1 429 No\nRetry-After: {value}")).unwrap().retry_after;
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        assert_eq!(wait("0"), Some(Duration::ZERO));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        assert!(wait(&soon).is_some_and(|wait| (55..=60).contains(&wait.as_secs())));
        assert_eq!(wait("99999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(wait("1.5"), Some(Duration::from_millis(1500)));
        assert_eq!(wait("1.5.5"), None);
        assert_eq!(wait(".5"), None);
        assert_eq!(wait("9\nRetry-After-Ms: 300"), Some(Duration::from_millis(300)));
        assert_eq!(wait("9\nRetry-After-Ms: soon"), Some(Duration::from_secs(9)));
        assert_eq!(wait("-1"), None);
        assert_eq!(wait("soon"), None);
        let moved = head("HTTP/1.1 302 Found\nLocation: https://u:p@h/login?token=x").unwrap();
        assert_eq!(moved.location.as_deref(), Some("https://u:p@h/login?token=x"));
        assert_eq!(wait("+5"), None);
    }
}
