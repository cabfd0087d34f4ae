//! Finds values in a JSON document by JSON pointer (RFC 6901).

use std::borrow::Cow;

use super::response::check_memory;
use super::scanner::{self, JsonError};
use super::strings::Fragment;

/// A JSON pointer as its reference tokens, unescaped.
pub struct JsonPointer<'a>(Vec<Cow<'a, str>>);

/// Why a string is not a JSON pointer.
#[derive(Debug, PartialEq, Eq)]
pub enum PointerError {
    NoSlash,
    /// The offset of a `~` that is not followed by 0 or 1.
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
        Ok(JsonPointer(tokens.map(unescape).collect()))
    }

    /// Returns the value in a document, the last one if a name is repeated. Checks the whole document first, and then
    /// passes over it once, whatever the depth of the value.
    pub fn find<'j>(&self, document: &'j str) -> Result<Option<JsonValue<'j>>, JsonError> {
        scanner::check(document)?;
        let (mut rest, mut found) = (document.trim_ascii(), None);
        let mut containers: Vec<Container> = Vec::new();
        loop {
            // `rest` starts with the value that the first tokens point to.
            match self.0.get(containers.len()) {
                Some(token) if rest.starts_with(['{', '[']) => {
                    let is_object = rest.starts_with('{');
                    let elements_before = if is_object { None } else { parse_index(token) };
                    containers.push(Container { token, is_object, elements_before });
                    rest = &rest[1..];
                }
                token => {
                    let value;
                    (value, rest) = rest.split_at(value_length(rest));
                    found = token.is_none().then_some(JsonValue(value));
                }
            }
            // The next such value is in a container around it.
            loop {
                let Some(container) = containers.last_mut() else { return Ok(found) };
                match advance(&mut rest, container.is_object) {
                    Some(name) if container.matches(name) => break,
                    Some(_) => rest = &rest[value_length(rest)..],
                    None => {
                        rest = rest.get(1..).unwrap_or_default();
                        containers.pop();
                    }
                }
            }
            found = None;
        }
    }
}

/// An array or object around the current value.
struct Container<'a> {
    /// The token that selects an element or member of it.
    token: &'a str,
    is_object: bool,
    /// For an array, the number of elements before the selected one. `None` if it does not exist or has been passed.
    elements_before: Option<usize>,
}

impl Container<'_> {
    /// Returns whether the token selects the next element, or the next member, whose name is this JSON string.
    fn matches(&mut self, name: &str) -> bool {
        if self.is_object {
            return string_equals(name, self.token);
        }
        let before = self.elements_before;
        self.elements_before = before.and_then(|before| before.checked_sub(1));
        before == Some(0)
    }
}

/// Moves to the next element of an array, or to the value of the next member of an object. Returns the JSON of the
/// member's name; `None` at the end.
fn advance<'a>(rest: &mut &'a str, is_object: bool) -> Option<&'a str> {
    *rest = rest.trim_start_matches([' ', '\t', '\n', '\r', ',']);
    if rest.starts_with([']', '}']) || rest.is_empty() {
        return None;
    }
    let mut name = "";
    if is_object {
        (name, *rest) = rest.split_at(value_length(rest));
        *rest = rest.trim_start_matches([' ', '\t', '\n', '\r', ':']);
    }
    Some(name)
}

fn unescape(token: &str) -> Cow<'_, str> {
    if token.contains('~') { Cow::Owned(token.replace("~1", "/").replace("~0", "~")) } else { Cow::Borrowed(token) }
}

/// The type of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the types of JSON")]
pub enum JsonKind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

/// The JSON of a value in a checked document, without the whitespace around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonValue<'a>(&'a str);

impl<'a> JsonValue<'a> {
    /// Returns its type.
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

    /// Returns the unescaped text of a string, or the JSON of any other value.
    pub fn text(self) -> Result<Cow<'a, str>, JsonError> {
        if self.kind() != JsonKind::String {
            return Ok(Cow::Borrowed(self.0));
        }
        check_memory(self.0.as_bytes()).map_err(|_| JsonError::NoMemory(self.0.len()))?;
        Ok(unescape_string(self.0))
    }

    /// Returns the number of elements of an array, or of members with different names of an object.
    pub fn count(self) -> Result<Option<usize>, JsonError> {
        match self.kind() {
            JsonKind::Array => Ok(Some(self.items().count())),
            JsonKind::Object => {
                let (mut names, no_memory) = (Vec::new(), |_| JsonError::NoMemory(self.0.len()));
                names.try_reserve_exact(self.items().count()).map_err(no_memory)?;
                check_memory(self.0.as_bytes()).map_err(|_| JsonError::NoMemory(self.0.len()))?;
                names.extend(self.items().map(|(name, _)| unescape_string(name)));
                names.sort_unstable();
                names.dedup();
                Ok(Some(names.len()))
            }
            _ => Ok(None),
        }
    }

    /// Returns the elements of an array, or the members of an object with the JSON of their names.
    fn items(self) -> impl Iterator<Item = (&'a str, JsonValue<'a>)> {
        let is_object = self.kind() == JsonKind::Object;
        let mut rest = self.0.get(1..).unwrap_or_default();
        std::iter::from_fn(move || {
            let name = advance(&mut rest, is_object)?;
            let value;
            (value, rest) = rest.split_at(value_length(rest));
            Some((name, JsonValue(value)))
        })
    }
}

/// Parses an array index: digits without leading zeros.
fn parse_index(token: &str) -> Option<usize> {
    let is_index = token == "0" || !token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit());
    if is_index { token.parse().ok() } else { None }
}

/// Returns whether a JSON string has this value. One that is too long for that is not unescaped.
fn string_equals(json: &str, text: &str) -> bool {
    const LONGEST_ESCAPE: usize = r"\u0000".len();
    json.len() <= text.len() * LONGEST_ESCAPE + 2 && unescape_string(json) == text
}

fn unescape_string(json: &str) -> Cow<'_, str> {
    Fragment::from_json(json).map(|fragment| fragment.text.0).unwrap_or_default()
}

/// Returns the length of the value that a part of a checked document starts with.
fn value_length(json: &str) -> usize {
    let bytes = json.as_bytes();
    if !bytes.starts_with(b"[") && !bytes.starts_with(b"{") {
        return scalar_length(bytes);
    }
    let (mut at, mut depth) = (0, 0);
    while let Some(next) = bytes[at..].iter().position(|byte| matches!(byte, b'"' | b'[' | b'{' | b']' | b'}')) {
        at += next;
        match bytes[at] {
            b'"' => at += scalar_length(&bytes[at..]),
            b'[' | b'{' => (at, depth) = (at + 1, depth + 1),
            _ => (at, depth) = (at + 1, depth - 1),
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn scalar_length(bytes: &[u8]) -> usize {
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
    fn examples_of_rfc_6901_are_found() {
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
    fn kind_distinguishes_values_of_the_same_text() {
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
    fn missing_value_is_not_found() {
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
    fn values_are_returned_unchanged() {
        let document = "{\"n\":-1.50E+07,\"big\":123456789012345678901234567890 ,\"o\": {\"x\" : [1 ,2]\n} }";
        assert_eq!(text(document, "/n").as_deref(), Some("-1.50E+07"));
        assert_eq!(text(document, "/big").as_deref(), Some("123456789012345678901234567890"));
        assert_eq!(text(document, "/o").as_deref(), Some("{\"x\" : [1 ,2]\n}"));
        assert_eq!(text(document, "/o/x/1").as_deref(), Some("2"));
    }

    #[test]
    fn strings_are_unescaped() {
        let document = r#"{"a\u0062\/":"\"\\\/\b\f\n\r\t\u0000\u00e9\ud83d\ude00\ud800!","c":"]}\\","d":1}"#;
        let expected = "\"\\/\u{8}\u{c}\n\r\t\0é\u{1F600}\u{fffd}!";
        assert_eq!(text(document, "/ab~1").as_deref(), Some(expected));
        assert_eq!(text(document, "/c").as_deref(), Some("]}\\"));
        assert_eq!(text(document, "/d").as_deref(), Some("1"));
        assert!(matches!(find("[\"plain\"]", "/0"), Some((_, Cow::Borrowed("plain")))));
    }

    #[test]
    fn last_of_repeated_names_counts() {
        assert_eq!(text(r#"{"a":1,"b":2,"\u0061":3}"#, "/a").as_deref(), Some("3"));
        assert_eq!(text(r#"{"a":{"b":1},"a":{}}"#, "/a/b"), None);
        assert_eq!(text(r#"{"a":1,"a":{"b":1}}"#, "/a/b").as_deref(), Some("1"));
        assert_eq!(text(r#"{"\u0061\u0062":1,"\u0061\u0062\u0063":2}"#, "/ab").as_deref(), Some("1"));
    }

    #[test]
    fn time_grows_only_with_the_length_of_the_document() {
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
    fn pointer_without_slash_or_with_a_bare_tilde_is_refused() {
        let error = |pointer| JsonPointer::parse(pointer).err();
        for pointer in ["a", " ", "#/a", "0", "é"] {
            assert_eq!(error(pointer), Some(PointerError::NoSlash), "{pointer}");
        }
        for (pointer, at) in [("/~", 1), ("/a~2", 2), ("/~0~", 3), ("/a/~b", 3), ("/~~0", 1), ("~", 0)] {
            assert_eq!(error(pointer), Some(PointerError::Escape(at)), "{pointer}");
        }
        assert_eq!(text(r#"{"~1":1,"/":2}"#, "/~01").as_deref(), Some("1"));
    }

    #[test]
    fn document_is_checked_to_its_end() {
        let error = |json| JsonPointer::parse("/a").unwrap().find(json).err();
        assert_eq!(error(r#"{"a":1}x"#), Some(JsonError::At(7)));
        assert_eq!(error(r#"{"a":1"#), Some(JsonError::At(6)));
        assert_eq!(error(""), Some(JsonError::At(0)));
    }
}
