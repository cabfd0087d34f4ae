//! Values in a JSON document, by JSON pointers (RFC 6901).

use std::borrow::Cow;

use super::response::check_memory;
use super::scanner::{self, JsonError};
use super::strings::Fragment;

/// A JSON pointer as its reference tokens, unescaped.
pub struct JsonPointer<'a>(Vec<Cow<'a, str>>);

/// Why a text is not a JSON pointer.
#[derive(Debug, PartialEq, Eq)]
pub enum PointerError {
    NoSlash,
    /// The offset of a `~` that neither 0 nor 1 follows.
    Escape(usize),
}

impl<'a> JsonPointer<'a> {
    pub fn parse(pointer: &'a str) -> Result<JsonPointer<'a>, PointerError> {
        if let Some((at, _)) = pointer.match_indices('~').find(|(at, _)| !pointer[at + 1..].starts_with(['0', '1'])) {
            return Err(PointerError::Escape(at));
        }
        if pointer.is_empty() {
            return Ok(JsonPointer(Vec::new()));
        }
        let tokens = pointer.strip_prefix('/').ok_or(PointerError::NoSlash)?.split('/');
        Ok(JsonPointer(tokens.map(unescaped).collect()))
    }

    /// The value in a document that it points to: of members of the same name the last one's. The document is checked
    /// to its end, and then passed over once, however deep the value is in it.
    pub fn find<'j>(&self, document: &'j str) -> Result<Option<JsonValue<'j>>, JsonError> {
        scanner::check(document)?;
        let (mut rest, mut found) = (document.trim_ascii(), None);
        let mut around: Vec<Container> = Vec::new();
        loop {
            // Here is a value that the first tokens point to.
            match self.0.get(around.len()) {
                Some(token) if rest.starts_with(['{', '[']) => {
                    let is_object = rest.starts_with('{');
                    let elements_before = if is_object { None } else { index(token) };
                    around.push(Container { token, is_object, elements_before });
                    rest = &rest[1..];
                }
                token => {
                    let value;
                    (value, rest) = rest.split_at(extent(rest));
                    found = token.is_none().then_some(JsonValue(value));
                }
            }
            // The next one is in a container around it.
            loop {
                let Some(container) = around.last_mut() else { return Ok(found) };
                match advance(&mut rest, container.is_object) {
                    Some(name) if container.is_meant(name) => break,
                    Some(_) => rest = &rest[extent(rest)..],
                    None => {
                        rest = rest.get(1..).unwrap_or_default();
                        around.pop();
                    }
                }
            }
            found = None;
        }
    }
}

/// An array or object that is being passed over.
struct Container<'a> {
    /// What is pointed to in it.
    token: &'a str,
    is_object: bool,
    /// Of an array: how many elements come before the one that is pointed to. `None` if that is not there, or has come.
    elements_before: Option<usize>,
}

impl Container<'_> {
    /// Whether the next member of this name, as it is written, or the next element is the one that is pointed to.
    fn is_meant(&mut self, name: &str) -> bool {
        if self.is_object {
            return says(name, self.token);
        }
        let before = self.elements_before;
        self.elements_before = before.and_then(|before| before.checked_sub(1));
        before == Some(0)
    }
}

/// Goes on to the next element of an array, or to the value of the next member of an object; returns the member's name as
/// it is written. `None` at the end.
fn advance<'a>(rest: &mut &'a str, is_object: bool) -> Option<&'a str> {
    *rest = rest.trim_start_matches([' ', '\t', '\n', '\r', ',']);
    if rest.starts_with([']', '}']) || rest.is_empty() {
        return None;
    }
    let mut name = "";
    if is_object {
        (name, *rest) = rest.split_at(extent(rest));
        *rest = rest.trim_start_matches([' ', '\t', '\n', '\r', ':']);
    }
    Some(name)
}

fn unescaped(token: &str) -> Cow<'_, str> {
    if token.contains('~') { Cow::Owned(token.replace("~1", "/").replace("~0", "~")) } else { Cow::Borrowed(token) }
}

/// What a JSON value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are the kinds that JSON has")]
pub enum JsonKind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

/// A value as it is written in a checked document, without the space around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonValue<'a>(&'a str);

impl<'a> JsonValue<'a> {
    /// What it is.
    pub fn kind(self) -> JsonKind {
        match self.0.as_bytes().first() {
            Some(b'n') => JsonKind::Null,
            Some(b't' | b'f') => JsonKind::Bool,
            Some(b'"') => JsonKind::String,
            Some(b'[') => JsonKind::Array,
            Some(b'{') => JsonKind::Object,
            _ => JsonKind::Number,
        }
    }

    /// What a string says, and any other value as it is written.
    pub fn text(self) -> Result<Cow<'a, str>, JsonError> {
        if self.kind() != JsonKind::String {
            return Ok(Cow::Borrowed(self.0));
        }
        check_memory(self.0.as_bytes()).map_err(|_| JsonError::NoMemory(self.0.len()))?;
        Ok(string(self.0))
    }

    /// How many elements an array has, or members with different names an object.
    pub fn count(self) -> Result<Option<usize>, JsonError> {
        match self.kind() {
            JsonKind::Array => Ok(Some(self.items().count())),
            JsonKind::Object => {
                let (mut names, no_memory) = (Vec::new(), |_| JsonError::NoMemory(self.0.len()));
                names.try_reserve_exact(self.items().count()).map_err(no_memory)?;
                check_memory(self.0.as_bytes()).map_err(|_| JsonError::NoMemory(self.0.len()))?;
                names.extend(self.items().map(|(name, _)| string(name)));
                names.sort_unstable();
                names.dedup();
                Ok(Some(names.len()))
            }
            _ => Ok(None),
        }
    }

    /// The elements of an array, or the members of an object with their names as they are written.
    fn items(self) -> impl Iterator<Item = (&'a str, JsonValue<'a>)> {
        let is_object = self.kind() == JsonKind::Object;
        let mut rest = self.0.get(1..).unwrap_or_default();
        std::iter::from_fn(move || {
            let name = advance(&mut rest, is_object)?;
            let value;
            (value, rest) = rest.split_at(extent(rest));
            Some((name, JsonValue(value)))
        })
    }
}

/// An index into an array: digits without leading zeros.
fn index(token: &str) -> Option<usize> {
    let is_index = token == "0" || !token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit());
    if is_index { token.parse().ok() } else { None }
}

/// Whether a string says this. One that is too long for it is not put together.
fn says(json: &str, text: &str) -> bool {
    const LONGEST_ESCAPE: usize = r"\u0000".len();
    json.len() <= text.len() * LONGEST_ESCAPE + 2 && string(json) == text
}

fn string(json: &str) -> Cow<'_, str> {
    Fragment::of_json(json).map(|fragment| fragment.text.0).unwrap_or_default()
}

/// How long the value is that a part of a checked document begins with.
fn extent(json: &str) -> usize {
    let bytes = json.as_bytes();
    if !bytes.starts_with(b"[") && !bytes.starts_with(b"{") {
        return scalar_extent(bytes);
    }
    let (mut at, mut depth) = (0, 0);
    while let Some(next) = bytes[at..].iter().position(|byte| matches!(byte, b'"' | b'[' | b'{' | b']' | b'}')) {
        at += next;
        match bytes[at] {
            b'"' => at += scalar_extent(&bytes[at..]),
            b'[' | b'{' => (at, depth) = (at + 1, depth + 1),
            _ => (at, depth) = (at + 1, depth - 1),
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn scalar_extent(bytes: &[u8]) -> usize {
    if !bytes.starts_with(b"\"") {
        let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b']' | b'}');
        return bytes.iter().position(is_end).unwrap_or(bytes.len());
    }
    let mut at = 1;
    while let Some(next) = memchr::memchr2(b'"', b'\\', &bytes[at..]) {
        at += next + 1;
        if bytes[at - 1] == b'"' {
            break;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find<'a>(json: &'a str, pointer: &str) -> Option<(JsonKind, Cow<'a, str>)> {
        let value = JsonPointer::parse(pointer).unwrap().find(json).unwrap()?;
        Some((value.kind(), value.text().unwrap()))
    }

    fn text(json: &str, pointer: &str) -> Option<String> {
        find(json, pointer).map(|(_, text)| text.into_owned())
    }

    #[test]
    fn examples_of_rfc_6901() {
        let document = r#"{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5,
            "k\"l": 6, " ": 7, "m~n": 8}"#;
        assert_eq!(text(document, "").as_deref(), Some(document));
        assert_eq!(find(document, "/foo"), Some((JsonKind::Array, r#"["bar", "baz"]"#.into())));
        assert_eq!(find(document, "/foo/0"), Some((JsonKind::String, "bar".into())));
        let names = ["/", "/a~1b", "/c%d", "/e^f", "/g|h", "/i\\j", "/k\"l", "/ ", "/m~0n"];
        for (number, pointer) in names.into_iter().enumerate() {
            assert_eq!(find(document, pointer), Some((JsonKind::Number, number.to_string().into())), "{pointer}");
        }
    }

    #[test]
    fn kinds_tell_values_of_the_same_text_apart() {
        let document = r#" [null, true, false, 5, "5", "null", [ ], { } ] "#;
        let kinds: Vec<_> = (0..8).map(|at| find(document, &format!("/{at}")).unwrap()).collect();
        let expected = [
            (JsonKind::Null, "null"),
            (JsonKind::Bool, "true"),
            (JsonKind::Bool, "false"),
            (JsonKind::Number, "5"),
            (JsonKind::String, "5"),
            (JsonKind::String, "null"),
            (JsonKind::Array, "[ ]"),
            (JsonKind::Object, "{ }"),
        ];
        assert_eq!(kinds, expected.map(|(kind, text)| (kind, text.into())));
        assert_eq!(find(document, ""), Some((JsonKind::Array, document.trim().into())));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let document = r#"{"a":[1,{"b":null}],"s":"[1]","0":"zero"}"#;
        for pointer in [
            "/b",
            "/a/2",
            "/a/-",
            "/a/00",
            "/a/01",
            "/a/+1",
            "/a/-1",
            "/a/1.0",
            "/a/",
            "/a/x",
            "/a/0/0",
            "/a/1/b/c",
            "/a/99999999999999999999999",
            "/s/0",
            "/A",
            "/ a",
            "//",
            "/a//",
            "/a/\u{661}",
        ] {
            assert_eq!(text(document, pointer), None, "{pointer}");
        }
        assert_eq!(text(document, "/a/1/b").as_deref(), Some("null"));
        assert_eq!(text(document, "/0").as_deref(), Some("zero"));
    }

    #[test]
    fn values_stay_as_they_are_written() {
        let document = "{\"n\":-1.50E+07,\"big\":123456789012345678901234567890 ,\"o\": {\"x\" : [1 ,2]\n} }";
        assert_eq!(text(document, "/n").as_deref(), Some("-1.50E+07"));
        assert_eq!(text(document, "/big").as_deref(), Some("123456789012345678901234567890"));
        assert_eq!(text(document, "/o").as_deref(), Some("{\"x\" : [1 ,2]\n}"));
        assert_eq!(text(document, "/o/x/1").as_deref(), Some("2"));
    }

    #[test]
    fn strings_come_unescaped() {
        let document = r#"{"a\u0062\/":"\"\\\/\b\f\n\r\t\u0000\u00e9\ud83d\ude00\ud800!","c":"]}\\","d":1}"#;
        let expected = "\"\\/\u{8}\u{c}\n\r\t\0é\u{1F600}\u{fffd}!";
        assert_eq!(text(document, "/ab~1").as_deref(), Some(expected));
        assert_eq!(text(document, "/c").as_deref(), Some("]}\\"));
        assert_eq!(text(document, "/d").as_deref(), Some("1"));
        assert!(matches!(find("[\"plain\"]", "/0"), Some((_, Cow::Borrowed("plain")))));
    }

    #[test]
    fn last_of_duplicate_names_counts() {
        assert_eq!(text(r#"{"a":1,"b":2,"\u0061":3}"#, "/a").as_deref(), Some("3"));
        assert_eq!(text(r#"{"a":{"b":1},"a":{}}"#, "/a/b"), None);
        assert_eq!(text(r#"{"a":1,"a":{"b":1}}"#, "/a/b").as_deref(), Some("1"));
        assert_eq!(text(r#"{"\u0061\u0062":1,"\u0061\u0062\u0063":2}"#, "/ab").as_deref(), Some("1"));
    }

    #[test]
    fn depth_and_length_cost_no_more_than_the_document_is_long() {
        const LEVELS: usize = 200_000;
        for (token, open, close) in [("/0", "[", "]"), ("/a", r#"{"a":"#, "}"), ("/a/1", r#"{"a":[0,"#, "]}")] {
            let document = [&open.repeat(LEVELS), "7", &close.repeat(LEVELS)].concat();
            let (pointer, began) = (token.repeat(LEVELS), std::time::Instant::now());
            assert_eq!(text(&document, &pointer).as_deref(), Some("7"), "{token}");
            assert!(began.elapsed().as_secs() < 10, "{token}");
        }
    }

    #[test]
    fn elements_and_members_are_counted() {
        let count = |json: &str| JsonPointer(Vec::new()).find(json).unwrap().unwrap().count().unwrap();
        for (json, expected) in [
            ("[]", 0),
            (" [ ] ", 0),
            ("[0]", 1),
            ("[1,[2,3],{\"a\":4},\"],[\"]", 4),
            ("{}", 0),
            (r#"{"a":1,"b":{"c":2,"d":3}}"#, 2),
            (r#"{"a":1,"b":2,"\u0061":3}"#, 2),
        ] {
            assert_eq!(count(json), Some(expected), "{json}");
        }
        assert_eq!(["1", "null", "\"[]\"", "true"].map(count), [None; 4]);
    }

    #[test]
    fn pointer_without_slash_or_with_a_bare_tilde_is_none() {
        let fault = |pointer| JsonPointer::parse(pointer).err();
        for pointer in ["a", " ", "#/a", "0", "é"] {
            assert_eq!(fault(pointer), Some(PointerError::NoSlash), "{pointer}");
        }
        for (pointer, at) in [("/~", 1), ("/a~2", 2), ("/~0~", 3), ("/a/~b", 3), ("/~~0", 1), ("~", 0)] {
            assert_eq!(fault(pointer), Some(PointerError::Escape(at)), "{pointer}");
        }
        assert_eq!(text(r#"{"~1":1,"/":2}"#, "/~01").as_deref(), Some("1"));
    }

    #[test]
    fn document_is_checked_to_its_end() {
        let fault = |json| JsonPointer::parse("/a").unwrap().find(json).err();
        assert_eq!(fault(r#"{"a":1}x"#), Some(JsonError::At(7)));
        assert_eq!(fault(r#"{"a":1"#), Some(JsonError::At(6)));
        assert_eq!(fault(""), Some(JsonError::At(0)));
    }
}
