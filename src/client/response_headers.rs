//! The headers of a response, which few programs read: they are parsed on first use.

use super::error::Error;
use super::nul_string::NulString;
use crate::http::header_fields;
use crate::sync::SetOnce;

#[derive(Debug, Default)]
pub(super) struct ResponseHeaders {
    /// As received.
    head: Vec<u8>,
    fields: SetOnce<Vec<(String, NulString)>>,
}

impl ResponseHeaders {
    pub fn new(received: &[u8]) -> Result<ResponseHeaders, Error> {
        let mut head = Vec::new();
        head.try_reserve_exact(received.len()).map_err(|_| Error::out_of_memory(received.len()))?;
        head.extend_from_slice(received);
        Ok(ResponseHeaders { head, fields: SetOnce::new() })
    }

    /// Returns the first header of that name (case-insensitive).
    pub fn get(&self, name: &str) -> Option<&NulString> {
        let found = self.fields().iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    fn fields(&self) -> &[(String, NulString)] {
        if let Some(fields) = self.fields.get() {
            return fields;
        }
        // A value that cannot be allocated is omitted.
        let copy = |value| NulString::new(&String::from_utf8_lossy(value)).ok();
        let fields = header_fields(&self.head).filter_map(|(name, value)| Some((name.to_owned(), copy(value)?)));
        self.fields.get_or_set(fields.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_header_of_a_name_is_found() {
        let headers = ResponseHeaders::new(b"HTTP/1.1 200 OK\r\nX-Id: 1\r\nx-id: 2\r\nbytes: \xff\r\n\r\n").unwrap();
        let found = |name| headers.get(name).map(NulString::as_str);
        assert_eq!((found("x-ID"), found("Bytes"), found("id")), (Some("1"), Some("\u{fffd}"), None));
        let twice = [headers.get("x-id"), headers.get("x-id")].map(|value| std::ptr::from_ref(value.unwrap()));
        assert_eq!(twice[0], twice[1]);
    }
}
