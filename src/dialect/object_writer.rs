//! Writes a JSON object from strings and encoded JSON values.

use super::scanner::plain_length;

/// [`ObjectWriter::field`] starts a field; what is pushed next is its value.
pub(super) struct ObjectWriter(Vec<u8>);

/// The size of most requests.
const INITIAL_CAPACITY: usize = 256;

impl Default for ObjectWriter {
    fn default() -> ObjectWriter {
        let mut json = Vec::with_capacity(INITIAL_CAPACITY);
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

    /// Appends encoded JSON.
    pub fn push_raw(&mut self, json: &str) -> &mut ObjectWriter {
        self.0.extend_from_slice(json.as_bytes());
        self
    }

    /// Appends a text as a JSON string. Most need no escapes, which takes eight bytes at a time to find out.
    pub fn push_string(&mut self, text: &str) -> &mut ObjectWriter {
        if plain_length(text.as_bytes()) < text.len() {
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

    /// Closes the object and returns its JSON.
    pub fn finish(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_encoded_as_by_serde_json() {
        for text in ["", "plain é \u{1F600}", "a \"quote\" \\", "\0\n\t\u{7f}\u{1f}", "/"] {
            let mut json = ObjectWriter::default();
            json.field(text).push_string(text);
            let expected = serde_json::to_string(text).unwrap();
            assert_eq!(String::from_utf8(json.finish()).unwrap(), format!("{{{expected}:{expected}}}"));
        }
    }

    #[test]
    fn fields_and_lists_are_separated() {
        let mut json = ObjectWriter::default();
        json.field("a").push_list(&["1", "2"], |json, value| json.push_raw(value));
        json.field("b").push_list(&[""; 0], |json, value| json.push_raw(value));
        assert_eq!(json.finish(), br#"{"a":[1,2],"b":[]}"#);
        assert_eq!(ObjectWriter::default().finish(), b"{}");
    }
}
