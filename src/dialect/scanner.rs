//! Checks whether a text is JSON (RFC 8259). No recursion: nesting takes one byte of memory a level, and no stack.

/// Why a text is not JSON.
#[derive(Debug, PartialEq, Eq)]
pub enum JsonFault {
    /// The offset of the first byte that cannot be there; the length of the text if it ends too early.
    At(usize),
    /// There is no memory for that many levels.
    NoMemory(usize),
}

/// Checks the whole of a text.
pub(super) fn check(json: &str) -> Result<(), JsonFault> {
    Scanner { json: json.as_bytes(), at: 0, open: Vec::new() }.document()
}

struct Scanner<'a> {
    json: &'a [u8],
    at: usize,
    /// The brackets that close what is open.
    open: Vec<u8>,
}

impl Scanner<'_> {
    fn document(&mut self) -> Result<(), JsonFault> {
        loop {
            self.skip_space();
            let is_whole = self.value_or_opening()?;
            if is_whole && self.after_value()? {
                return Ok(());
            }
        }
    }

    /// A scalar or an empty container, which is whole; or the opening of another container and the name of its first
    /// member.
    fn value_or_opening(&mut self) -> Result<bool, JsonFault> {
        match self.peek() {
            Some(b'[') => self.opening(b']'),
            Some(b'{') => self.opening(b'}'),
            Some(b'"') => self.string().map(|()| true),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => self.number().map(|()| true),
        }
    }

    fn opening(&mut self, close: u8) -> Result<bool, JsonFault> {
        self.at += 1;
        self.skip_space();
        if self.takes(close) {
            return Ok(true);
        }
        self.open.try_reserve(1).map_err(|_| JsonFault::NoMemory(self.open.len()))?;
        self.open.push(close);
        if close == b'}' {
            self.name()?;
        }
        Ok(false)
    }

    /// The brackets that close after a value, and the comma and name before the next one. Whether that was all.
    fn after_value(&mut self) -> Result<bool, JsonFault> {
        loop {
            self.skip_space();
            let Some(close) = self.open.last().copied() else {
                return if self.at == self.json.len() { Ok(true) } else { Err(JsonFault::At(self.at)) };
            };
            if self.takes(close) {
                self.open.pop();
                continue;
            }
            self.expect(b',')?;
            if close == b'}' {
                self.skip_space();
                self.name()?;
            }
            return Ok(false);
        }
    }

    fn name(&mut self) -> Result<(), JsonFault> {
        if self.peek() != Some(b'"') {
            return Err(JsonFault::At(self.at));
        }
        self.string()?;
        self.skip_space();
        self.expect(b':')
    }

    /// From its opening quote.
    fn string(&mut self) -> Result<(), JsonFault> {
        self.at += 1;
        loop {
            let rest = self.json.get(self.at..).unwrap_or_default();
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..b' ')).unwrap_or(rest.len());
            self.at += plain;
            if self.takes(b'"') {
                return Ok(());
            }
            self.expect(b'\\')?;
            match self.peek() {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
                Some(b'u') => {
                    self.at += 1;
                    for _ in 0..4 {
                        self.one(|byte| byte.is_ascii_hexdigit())?;
                    }
                }
                _ => return Err(JsonFault::At(self.at)),
            }
        }
    }

    fn number(&mut self) -> Result<(), JsonFault> {
        self.takes(b'-');
        if !self.takes(b'0') {
            self.digits()?;
        }
        if self.takes(b'.') {
            self.digits()?;
        }
        if self.takes(b'e') || self.takes(b'E') {
            _ = self.takes(b'+') || self.takes(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonFault> {
        self.one(|byte| byte.is_ascii_digit())?;
        while self.one(|byte| byte.is_ascii_digit()).is_ok() {}
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Result<bool, JsonFault> {
        word.iter().try_for_each(|letter| self.expect(*letter)).map(|()| true)
    }

    fn skip_space(&mut self) {
        while self.one(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).is_ok() {}
    }

    fn peek(&self) -> Option<u8> {
        self.json.get(self.at).copied()
    }

    fn takes(&mut self, byte: u8) -> bool {
        self.expect(byte).is_ok()
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonFault> {
        self.one(|other| other == byte)
    }

    fn one(&mut self, is_right: impl FnOnce(u8) -> bool) -> Result<(), JsonFault> {
        if !self.peek().is_some_and(is_right) {
            return Err(JsonFault::At(self.at));
        }
        self.at += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn json_is_accepted_whole() {
        for json in [
            "0",
            "-0",
            "1e400",
            "-1.50E-07",
            "1E+2",
            "123456789012345678901234567890",
            "true",
            "false",
            "null",
            r#""""#,
            "[]",
            "{}",
            " [ ] ",
            "\t{\n}\r",
            "[1 , 2,[ ],{}]",
            r#"{"a":1,"a":{"b":[null]}}"#,
            r#"{"":""}"#,
            r#""\"\\\/\b\f\n\r\t\u0000\uD800\uaBcD""#,
            "\"é\u{7f}\u{2028}\u{10ffff}\"",
            " 1 ",
        ] {
            assert_eq!(check(json), Ok(()), "{json}");
        }
    }

    #[test]
    fn first_byte_that_is_wrong_is_named() {
        for (json, at) in [
            ("", 0),
            (" ", 1),
            ("[", 1),
            ("[1", 2),
            ("[1,", 3),
            ("[1,]", 3),
            ("[,1]", 1),
            ("[1 2]", 3),
            ("[1}", 2),
            ("{", 1),
            ("{}}", 2),
            ("{1:2}", 1),
            (r#"{"a"}"#, 4),
            (r#"{"a":}"#, 5),
            (r#"{"a":1,}"#, 7),
            (r#"{"a" "b"}"#, 5),
            ("nul", 3),
            ("nulL", 3),
            ("True", 0),
            ("truex", 4),
            ("NaN", 0),
            ("-Infinity", 1),
            ("01", 1),
            ("-", 1),
            ("+1", 0),
            (".5", 0),
            ("1.", 2),
            ("1.e1", 2),
            ("1e", 2),
            ("1e+", 3),
            ("0x1", 1),
            ("\"", 1),
            ("\"a\n\"", 2),
            ("\"\0\"", 1),
            (r#""\x41""#, 2),
            (r#""\u12g4""#, 5),
            (r#""\u12"#, 5),
            ("'a'", 0),
            ("1 1", 2),
            ("\u{feff}1", 0),
            ("[1]\0", 3),
            ("/**/1", 0),
            ("1//", 1),
            ("\u{a0}1", 0),
        ] {
            assert_eq!(check(json), Err(JsonFault::At(at)), "{json}");
        }
    }

    /// Each text with one byte left out, doubled, or put in the place of another.
    #[test]
    fn serde_accepts_the_same() {
        let whole = r#" {"a":[-1.5e+3,true,false,null,{},[],"\u00e9\n\""],"b":{"c":"x"}} "#;
        let mut checked = 0;
        for at in 0..whole.len() {
            for other in
                ["", "\"", "\\", "[", "]", "{", "}", ",", ":", "0", "1", "-", "+", ".", "e", "u", "t", " ", "\n"]
            {
                for end in [at, at + 1] {
                    let json = [&whole[..at], other, &whole[end..]].concat();
                    let expected = serde_json::from_str::<&RawValue>(&json).is_ok();
                    assert_eq!(check(&json).is_ok(), expected, "{json}");
                    checked += usize::from(expected);
                }
            }
        }
        assert!(checked > 200, "{checked}");
    }

    #[test]
    fn no_depth_is_too_deep() {
        let deep = |open: &str, value: &str, close: &str| open.repeat(1_000_000) + value + &close.repeat(1_000_000);
        let check = |json: String| std::thread::Builder::new().stack_size(16 * 1024).spawn(move || check(&json));
        for json in [deep("[", "", "]"), deep(r#"{"a":"#, "1", "}")] {
            assert_eq!(check(json).unwrap().join().unwrap(), Ok(()));
        }
        assert_eq!(check("[".repeat(1_000_000)).unwrap().join().unwrap(), Err(JsonFault::At(1_000_000)));
    }
}
