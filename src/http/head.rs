//! The head of a message: ours is written, the server's is read.

use std::mem::MaybeUninit;
use std::time::{Duration, SystemTime};

use super::agent::{Content, Method};
use super::secret::{Secret, Wiped};

/// More headers than any server sends.
const MAX_HEADERS: usize = 100;

/// What is said before a request's body.
pub(super) struct RequestHead<'a> {
    pub method: Method,
    /// Where a proxy passes it on, the gateway's scheme and authority; else empty.
    pub origin: [&'a str; 2],
    pub path: [&'a str; 2],
    pub authority: &'a str,
    /// Whole lines.
    pub headers: &'a [u8],
    pub proxy_authorization: Option<&'a Secret>,
    pub content: Content,
    pub body_len: usize,
}

impl RequestHead<'_> {
    /// The request's line and headers, up to the empty line.
    pub fn write(&self) -> Wiped {
        const REST: usize = 160;
        let for_proxy = self.proxy_authorization.map_or("", Secret::expose);
        let target: usize = self.origin.iter().chain(&self.path).map(|part| part.len()).sum();
        let known = target + self.authority.len() + for_proxy.len();
        // In one piece: a block that grows leaves secrets behind.
        let mut head = Vec::with_capacity(REST + known + self.headers.len());
        let mut push = |parts: &[&str]| parts.iter().for_each(|part| head.extend_from_slice(part.as_bytes()));
        push(&[self.method.as_str(), " "]);
        push(&self.origin);
        push(&self.path);
        push(&[" HTTP/1.1\r\nhost: ", self.authority, "\r\n"]);
        if self.proxy_authorization.is_some() {
            push(&["proxy-authorization: ", for_proxy, "\r\n"]);
        }
        head.extend_from_slice(self.headers);
        if self.method.has_body() {
            head.extend_from_slice(b"content-type: ");
            head.extend_from_slice(self.content.as_str().as_bytes());
            head.extend_from_slice(b"\r\ncontent-length: ");
            push_number(&mut head, self.body_len);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
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

/// How the end of a body is known (RFC 9112, 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// What the head of an answer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub status: u16,
    pub framing: Framing,
    pub keep_alive: bool,
    pub retry_after: Option<Duration>,
    pub location: Option<String>,
    pub is_event_stream: bool,
    /// All of it, as it came.
    pub raw: Vec<u8>,
}

/// Reads a head, if it is complete, and says how many bytes it takes. Heads of interim answers (1xx) are passed over.
pub(super) fn response(input: &[u8]) -> Result<Option<(Head, usize)>, String> {
    let mut start = 0;
    loop {
        let mut headers = [MaybeUninit::uninit(); MAX_HEADERS];
        let mut parsed = httparse::Response::new(&mut []);
        let parser = httparse::ParserConfig::default();
        let input = &input[start..];
        let length = match parser.parse_response_with_uninit_headers(&mut parsed, input, &mut headers) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        start += length;
        if parsed.code.is_some_and(|code| !(100..200).contains(&code)) {
            let head = read(&parsed, &input[..length])?;
            return Ok(Some((head, start)));
        }
    }
}

fn read(parsed: &httparse::Response, raw: &[u8]) -> Result<Head, String> {
    let status = parsed.code.unwrap_or_default();
    let mut head = Head {
        status,
        framing: Framing::UntilClose,
        keep_alive: parsed.version == Some(1),
        retry_after: None,
        location: None,
        is_event_stream: false,
        raw: raw.to_vec(),
    };
    let mut length = None;
    let mut chunked = false;
    let mut says_close = false;
    for header in parsed.headers.iter() {
        let value = header.value.trim_ascii();
        // Most names differ in length already, which is cheaper to see than their letters.
        match header.name.len() {
            14 if header.name.eq_ignore_ascii_case("content-length") => {
                let number = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
                let number = number.and_then(|text| text.parse().ok()).ok_or("a content-length that is no number")?;
                if length.is_some_and(|other| other != number) {
                    return Err("two different content-lengths".to_owned());
                }
                length = Some(number);
            }
            17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err("a transfer-encoding other than chunked".to_owned());
                }
                chunked = true;
            }
            10 if header.name.eq_ignore_ascii_case("connection") => {
                let has = |word: &str| {
                    value.split(|b| *b == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
                };
                says_close |= has("close");
                head.keep_alive |= has("keep-alive");
            }
            16 if header.name.eq_ignore_ascii_case("content-encoding") && !value.eq_ignore_ascii_case(b"identity") => {
                return Err("a content-encoding that was not asked for".to_owned());
            }
            12 if header.name.eq_ignore_ascii_case("content-type") => head.is_event_stream = is_event_stream(value),
            11 if header.name.eq_ignore_ascii_case("retry-after") => head.retry_after = retry_after(value),
            8 if header.name.eq_ignore_ascii_case("location") => {
                head.location = std::str::from_utf8(value).ok().map(str::to_owned)
            }
            _ => {}
        }
    }
    head.keep_alive &= !says_close;
    head.framing = match (chunked, length) {
        _ if status == 204 || status == 304 => Framing::Length(0),
        // Both at once is how requests are smuggled: the length is void, and the connection is not used again.
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

/// Without regard to parameters, such as a charset.
fn is_event_stream(content_type: &[u8]) -> bool {
    let kind = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"text/event-stream")
}

/// The headers of a head that was read before, as (name, value) in their order.
pub fn header_fields(raw: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    let lines = raw.split(|byte| *byte == b'\n').skip(1);
    lines.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = std::str::from_utf8(&line[..colon]).ok()?;
        Some((name, line[colon + 1..].trim_ascii()))
    })
}

/// Seconds or a date (RFC 9110, 10.2.3).
fn retry_after(value: &[u8]) -> Option<Duration> {
    let value = std::str::from_utf8(value).ok()?;
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More than there is room for is as good as for ever.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &str) -> Result<Head, String> {
        let text = format!("{}\r\n\r\n", lines.replace('\n', "\r\n"));
        for cut in 0..text.len() {
            assert_eq!(response(&text.as_bytes()[..cut]), Ok(None), "{cut}");
        }
        let (head, length) = response(text.as_bytes())?.unwrap();
        assert_eq!(length, text.len());
        Ok(head)
    }

    #[test]
    fn writes_a_request() {
        let post = RequestHead {
            method: Method::Post,
            origin: ["", ""],
            path: ["/ml", "/x"],
            authority: "h:5000",
            headers: b"a: b\r\n",
            proxy_authorization: None,
            content: Content::Json,
            body_len: 1234,
        };
        let text = |head: &RequestHead| String::from_utf8(head.write().0.clone()).unwrap();
        let expected = "POST /ml/x HTTP/1.1\r\nhost: h:5000\r\na: b\r\ncontent-type: application/json\r\n\
                        content-length: 1234\r\n\r\n";
        assert_eq!(text(&post), expected);
        let get = RequestHead { method: Method::Get, path: ["", "/x"], authority: "h", headers: b"", ..post };
        assert_eq!(text(&get), "GET /x HTTP/1.1\r\nhost: h\r\n\r\n");
        let secret = Secret::basic("u", "p");
        let passed_on = RequestHead { origin: ["http://", "h"], proxy_authorization: Some(&secret), ..get };
        let expected = "GET http://h/x HTTP/1.1\r\nhost: h\r\nproxy-authorization: Basic dTpw\r\n\r\n";
        assert_eq!(text(&passed_on), expected);
        assert!(passed_on.write().0.capacity() < 256);
        let mut numbers = Vec::new();
        for number in [0, 7, 10, usize::MAX] {
            push_number(&mut numbers, number);
            numbers.push(b' ');
        }
        assert_eq!(numbers, format!("0 7 10 {} ", usize::MAX).as_bytes());
    }

    #[test]
    fn the_end_of_the_body_is_known() {
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
        assert_eq!(of("HTTP/1.0 200 OK\nContent-Length: 5\nConnection: keep-alive"), Ok((Framing::Length(5), true)));
        assert_eq!(of("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nContent-Length: 5"), Ok((Framing::Chunked, false)));
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        for lines in [
            "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 6",
            "HTTP/1.1 200 OK\nContent-Length: 5, 5",
            "HTTP/1.1 200 OK\nContent-Length: +5",
            "HTTP/1.1 200 OK\nContent-Length: ",
            "HTTP/1.1 200 OK\nContent-Length: 99999999999999999999",
            "HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked",
            "HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: 5",
        ] {
            assert!(head(lines).is_err(), "{lines}");
        }
        for input in ["SSH-2.0-OpenSSH\r\n", "HTTP/2 200 OK\r\n\r\n", "<html>", "HTTP/1.1 abc OK\r\n\r\n"] {
            assert!(response(input.as_bytes()).is_err(), "{input}");
        }
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
        assert!(response(many.as_bytes()).is_err());
    }

    #[test]
    fn interim_answers_are_passed_over() {
        let text = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
        let (head, length) = response(text).unwrap().unwrap();
        assert_eq!((head.status, length), (200, text.len()));
        assert_eq!(response(&text[..60]), Ok(None));
    }

    #[test]
    fn reads_when_to_come_back_and_where_to_go() {
        let wait = |value: &str| head(&format!("HTTP/1.1 429 No\nRetry-After: {value}")).unwrap().retry_after;
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        assert_eq!(wait("0"), Some(Duration::ZERO));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        assert!(wait(&soon).is_some_and(|wait| (55..=60).contains(&wait.as_secs())));
        assert_eq!(wait("99999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(wait("-1"), None);
        assert_eq!(wait("soon"), None);
        let moved = head("HTTP/1.1 302 Found\nLocation: https://u:p@h/login?token=x").unwrap();
        assert_eq!(moved.location.as_deref(), Some("https://u:p@h/login?token=x"));
        assert_eq!(wait("+5"), None);
    }
}
