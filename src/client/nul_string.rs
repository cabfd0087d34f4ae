//! NUL-terminated strings of a response, which C reads in place.

use super::error::Error;
use crate::dialect::Text;

/// A string with a NUL terminator. It may contain NUL bytes itself.
#[derive(Debug, Clone)]
pub struct NulString(String);

impl NulString {
    /// Copies a string. The server determines its length, so the allocation may fail.
    pub(super) fn new(text: &str) -> Result<NulString, Error> {
        let mut copy = NulString(String::new());
        copy.push(text)?;
        Ok(copy)
    }

    /// Copies a name, which C reads without a length: NUL bytes are replaced by U+2400.
    pub(super) fn from_name(name: &str) -> Result<NulString, Error> {
        if name.contains('\0') { NulString::new(&name.replace('\0', "\u{2400}")) } else { NulString::new(name) }
    }

    pub(super) fn push(&mut self, more: &str) -> Result<(), Error> {
        self.0.try_reserve(more.len() + 1).map_err(|_| Error::out_of_memory(self.0.len() + more.len()))?;
        self.0.pop();
        self.0.push_str(more);
        self.0.push('\0');
        Ok(())
    }

    /// Returns the string without its terminator.
    pub fn as_str(&self) -> &str {
        &self.0[..self.0.len() - 1]
    }

    /// Returns the string with its terminator.
    pub(crate) fn with_nul(&self) -> &str {
        &self.0
    }
}

/// Copies an optional name: see [`NulString::from_name`].
pub(super) fn copy_name(text: Option<&Text>) -> Result<Option<NulString>, Error> {
    text.map(|text| NulString::from_name(&text.0)).transpose()
}

/// Copies an optional string.
pub(super) fn copy_text(text: Option<&Text>) -> Result<Option<NulString>, Error> {
    text.map(|text| NulString::new(&text.0)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_keeps_one_terminator_as_it_grows() {
        let mut string = NulString::new("").unwrap();
        assert_eq!((string.as_str(), string.with_nul()), ("", "\0"));
        string.push("a\0é").unwrap();
        string.push("").unwrap();
        string.push("!").unwrap();
        assert_eq!((string.as_str(), string.with_nul()), ("a\0é!", "a\0é!\0"));
    }
}
