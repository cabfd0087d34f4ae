//! Writing a JSON object whose values are JSON already, or strings.

use super::scanner::plain;

/// A field is begun by [`ObjectWriter::field`], and what is pushed then is its value.
pub(super) struct ObjectWriter(Vec<u8>);

/// The room that most requests need.
const USUAL: usize = 256;

impl Default for ObjectWriter {
    fn default() -> ObjectWriter {
        let mut json = Vec::with_capacity(USUAL);
        json.push(b'{');
        ObjectWriter(json)
    }
}

impl ObjectWriter {
    pub fn field(&mut self, name: &str) -> &mut ObjectWriter {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.push_string(name).push_raw(":")
    }

    /// Adds JSON as it is.
    pub fn push_raw(&mut self, json: &str) -> &mut ObjectWriter {
        self.0.extend_from_slice(json.as_bytes());
        self
    }

    /// Adds a JSON string. Most hold nothing that must be escaped, which is found out many bytes at a time.
    pub fn push_string(&mut self, text: &str) -> &mut ObjectWriter {
        if plain(text.as_bytes()) < text.len() {
            let written = serde_json::to_writer(&mut self.0, text);
            debug_assert!(written.is_ok(), "strings always serialize");
        } else {
            self.0.reserve(text.len() + 2);
            self.0.push(b'"');
            self.0.extend_from_slice(text.as_bytes());
            self.0.push(b'"');
        }
        self
    }

    pub fn push_list<T>(
        &mut self,
        values: &[T],
        push: impl for<'a> Fn(&'a mut ObjectWriter, &T) -> &'a mut ObjectWriter,
    ) {
        for (number, value) in values.iter().enumerate() {
            self.0.push(if number == 0 { b'[' } else { b',' });
            push(self, value);
        }
        self.push_raw(if values.is_empty() { "[]" } else { "]" });
    }

    /// The object.
    pub fn end(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_those_of_serde_json() {
        for text in ["", "plain é \u{1F600}", "a \"quoted\" \\", "\0\n\t\u{7f}\u{1f}", "/"] {
            let mut json = ObjectWriter::default();
            json.field(text).push_string(text);
            let expected = serde_json::to_string(text).unwrap();
            assert_eq!(String::from_utf8(json.end()).unwrap(), format!("{{{expected}:{expected}}}"));
        }
    }

    #[test]
    fn fields_and_lists_are_separated() {
        let mut json = ObjectWriter::default();
        json.field("a").push_list(&["1", "2"], |json, value| json.push_raw(value));
        json.field("b").push_list(&[""; 0], |json, value| json.push_raw(value));
        assert_eq!(json.end(), br#"{"a":[1,2],"b":[]}"#);
        assert_eq!(ObjectWriter::default().end(), b"{}");
    }
}
