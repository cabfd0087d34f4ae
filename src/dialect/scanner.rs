//! Skips JSON values (RFC 8259) in valid UTF-8. Not recursive: a level of nesting takes one bit of memory, and no
//! stack.

/// Why a text is not JSON.
#[derive(Debug, PartialEq, Eq)]
pub enum JsonError {
    /// The offset of the first invalid byte; the length of the text if it is truncated.
    At(usize),
    /// No memory for this number of levels.
    NoMemory(usize),
}

/// Checks that a whole text is one JSON value.
pub(super) fn check(json: &str) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(json);
    match scanner.skip() {
        Ok(_) if scanner.peek().is_none() => Ok(()),
        Err(SyntaxError::NoMemory(levels)) => Err(JsonError::NoMemory(levels)),
        _ => Err(JsonError::At(scanner.at)),
    }
}

/// Why a value cannot be skipped.
pub(super) enum SyntaxError {
    /// The text is not JSON at the scanner's position.
    Here,
    /// No memory for this number of levels.
    NoMemory(usize),
}

/// A position in a text.
pub(super) struct Scanner<'a> {
    pub json: &'a str,
    pub at: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(json: &'a str) -> Scanner<'a> {
        Scanner { json, at: 0 }
    }

    /// Skips whitespace, and returns the next byte without consuming it.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        loop {
            match self.json.as_bytes().get(self.at) {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    #[inline]
    pub fn expect(&mut self, byte: u8) -> Result<(), SyntaxError> {
        if self.peek() != Some(byte) {
            return Err(SyntaxError::Here);
        }
        self.at += 1;
        Ok(())
    }

    /// Skips a value, and returns its JSON.
    #[inline]
    pub fn skip(&mut self) -> Result<&'a str, SyntaxError> {
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'"') => {
                self.skip_string()?;
            }
            Some(b'{' | b'[') => self.skip_container()?,
            _ => self.skip_scalar(first)?,
        }
        Ok(&self.json[start..self.at])
    }

    /// Skips a string from its opening quote on. Returns whether it has escapes.
    #[inline]
    pub fn skip_string(&mut self) -> Result<bool, SyntaxError> {
        self.at += 1;
        let rest = self.json.as_bytes().get(self.at..).unwrap_or_default();
        let length = plain_length(rest);
        if rest.get(length) != Some(&b'"') {
            self.at += length;
            return self.skip_escapes().map(|()| true);
        }
        self.at += length + 1;
        Ok(false)
    }

    #[inline(never)]
    fn skip_escapes(&mut self) -> Result<(), SyntaxError> {
        let bytes = self.json.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.at += 1,
                _ => return Err(SyntaxError::Here),
            }
            match bytes.get(self.at) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
                Some(b'u') => {
                    let digits = self.at + 1..self.at + 5;
                    self.at += 1 + count(&bytes[digits.start..], u8::is_ascii_hexdigit).min(4);
                    if self.at != digits.end {
                        return Err(SyntaxError::Here);
                    }
                }
                _ => return Err(SyntaxError::Here),
            }
            self.at += plain_length(&bytes[self.at..]);
        }
    }

    pub fn skip_scalar(&mut self, first: Option<u8>) -> Result<(), SyntaxError> {
        match first {
            Some(b'n') => self.skip_literal(b"null"),
            Some(b't') => self.skip_literal(b"true"),
            Some(b'f') => self.skip_literal(b"false"),
            _ => self.skip_number(),
        }
    }

    #[inline]
    pub fn skip_literal(&mut self, literal: &[u8]) -> Result<(), SyntaxError> {
        let rest = &self.json.as_bytes()[self.at..];
        if !rest.starts_with(literal) {
            self.at += rest.iter().zip(literal).take_while(|(byte, letter)| byte == letter).count();
            return Err(SyntaxError::Here);
        }
        self.at += literal.len();
        Ok(())
    }

    fn skip_number(&mut self) -> Result<(), SyntaxError> {
        let bytes = self.json.as_bytes();
        let next = |at: usize| bytes.get(at).copied().unwrap_or_default();
        self.at += usize::from(next(self.at) == b'-');
        // No digit may follow a leading zero.
        if next(self.at) == b'0' {
            self.at += 1;
        } else {
            self.skip_digits()?;
        }
        if next(self.at) == b'.' {
            self.at += 1;
            self.skip_digits()?;
        }
        if matches!(next(self.at), b'e' | b'E') {
            self.at += 1;
            self.at += usize::from(matches!(next(self.at), b'+' | b'-'));
            self.skip_digits()?;
        }
        Ok(())
    }

    #[inline]
    fn skip_digits(&mut self) -> Result<(), SyntaxError> {
        let digits = count(&self.json.as_bytes()[self.at..], u8::is_ascii_digit);
        self.at += digits;
        if digits == 0 { Err(SyntaxError::Here) } else { Ok(()) }
    }

    /// Skips an object or a list from its opening bracket on.
    #[inline(never)]
    fn skip_container(&mut self) -> Result<(), SyntaxError> {
        let mut outer = Levels::default();
        let mut is_object = self.json.as_bytes()[self.at] == b'{';
        self.at += 1;
        let mut is_first = true;
        loop {
            let closing = if is_object { b'}' } else { b']' };
            let mut next = self.peek();
            if next == Some(closing) {
                self.at += 1;
                match outer.pop() {
                    Some(outer) => is_object = outer,
                    None => return Ok(()),
                }
                is_first = false;
                continue;
            }
            if !std::mem::take(&mut is_first) {
                self.expect(b',')?;
                next = self.peek();
            }
            if is_object {
                if next != Some(b'"') {
                    return Err(SyntaxError::Here);
                }
                self.skip_string()?;
                self.expect(b':')?;
                next = self.peek();
            }
            match next {
                Some(b'"') => {
                    self.skip_string()?;
                }
                Some(bracket @ (b'{' | b'[')) => {
                    outer.push(is_object)?;
                    is_object = bracket == b'{';
                    self.at += 1;
                    is_first = true;
                }
                _ => self.skip_scalar(next)?,
            }
        }
    }
}

/// Returns the number of leading bytes that match.
#[inline]
fn count(bytes: &[u8], matches: impl Fn(&u8) -> bool) -> usize {
    let mut count = 0;
    while bytes.get(count).is_some_and(&matches) {
        count += 1;
    }
    count
}

/// Returns the number of leading bytes of a string that are no quote, no backslash and no control character.
#[inline]
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let mut words = bytes.chunks_exact(8);
    let mut at = 0;
    for word in &mut words {
        let word = u64::from_le_bytes(word.try_into().unwrap_or_default());
        // Sets the high bit of each byte that is zero. Bytes above the first such byte may be false positives.
        let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\'))) | control) & HIGH;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at + words.remainder().iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count()
}

/// The containers around a value: a bit for each, set for an object.
#[derive(Default)]
struct Levels {
    count: usize,
    innermost: u64,
    others: Vec<u64>,
}

impl Levels {
    fn push(&mut self, is_object: bool) -> Result<(), SyntaxError> {
        if self.count > 0 && self.count % 64 == 0 {
            self.others.try_reserve(1).map_err(|_| SyntaxError::NoMemory(self.count))?;
            self.others.push(self.innermost);
        }
        self.innermost = self.innermost << 1 | u64::from(is_object);
        self.count += 1;
        Ok(())
    }

    fn pop(&mut self) -> Option<bool> {
        self.count = self.count.checked_sub(1)?;
        let is_object = self.innermost & 1 == 1;
        self.innermost >>= 1;
        if self.count > 0 && self.count % 64 == 0 {
            self.innermost = self.others.pop().unwrap_or_default();
        }
        Some(is_object)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn valid_json_is_accepted() {
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
    fn error_has_the_offset_of_the_first_invalid_byte() {
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
            assert_eq!(check(json), Err(JsonError::At(at)), "{json}");
        }
    }

    /// Checks every text that differs by one removed, inserted or replaced byte.
    #[test]
    fn accepts_the_same_as_serde_json() {
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
    fn depth_is_unlimited() {
        let deep = |open: &str, value: &str, close: &str| open.repeat(1_000_000) + value + &close.repeat(1_000_000);
        let check = |json: String| std::thread::Builder::new().stack_size(16 * 1024).spawn(move || check(&json));
        for json in [deep("[", "", "]"), deep(r#"{"a":"#, "1", "}")] {
            assert_eq!(check(json).unwrap().join().unwrap(), Ok(()));
        }
        assert_eq!(check("[".repeat(1_000_000)).unwrap().join().unwrap(), Err(JsonError::At(1_000_000)));
    }
}
