//! Texts that a response lends to C.

use super::error::{Error, Status};
use crate::dialect::Text;

/// A text that ends in a NUL byte, as C wants it, and that may hold NUL bytes itself.
#[derive(Debug, Clone)]
pub struct NulString(String);

impl NulString {
    /// The server decides how long the text is, so there may be no memory for it.
    pub(super) fn of(text: &str) -> Result<NulString, Error> {
        let mut copy = NulString(String::new());
        copy.push(text)?;
        Ok(copy)
    }

    /// Of a name, whose length nobody is told: a NUL byte in it becomes a sign for one.
    pub(super) fn of_name(name: &str) -> Result<NulString, Error> {
        if name.contains('\0') { NulString::of(&name.replace('\0', "\u{2400}")) } else { NulString::of(name) }
    }

    /// Adds to its end.
    pub(super) fn push(&mut self, more: &str) -> Result<(), Error> {
        self.0.try_reserve(more.len() + 1).map_err(|_| no_memory(self.0.len() + more.len()))?;
        self.0.pop();
        self.0.push_str(more);
        self.0.push('\0');
        Ok(())
    }

    /// Without the NUL byte at its end.
    pub fn as_str(&self) -> &str {
        &self.0[..self.0.len() - 1]
    }

    /// With the NUL byte at its end.
    pub(crate) fn with_nul(&self) -> &str {
        &self.0
    }
}

/// A copy of a name, if there is one.
pub(super) fn name(text: Option<&Text>) -> Result<Option<NulString>, Error> {
    text.map(|text| NulString::of_name(&text.0)).transpose()
}

/// A copy of a text, if there is one.
pub(super) fn copy(text: Option<&Text>) -> Result<Option<NulString>, Error> {
    text.map(|text| NulString::of(&text.0)).transpose()
}

/// A value without the whitespace and the quotes that files of settings leave around it.
pub(super) fn trimmed(value: &str) -> &str {
    value.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'')
}

/// As much of a name as a message repeats.
pub(super) fn shown(name: &str) -> String {
    const SHOWN: usize = 64;
    let mut shown: String = name.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    shown
}

pub(super) fn no_memory(len: usize) -> Error {
    Error::new(Status::OutOfMemory, format!("there is no memory for a text of {len} bytes"))
}

/// A copy for the caller to keep.
pub(super) fn owned(text: &str) -> Result<String, Error> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len()).map_err(|_| no_memory(text.len()))?;
    copy.push_str(text);
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_in_one_nul_however_it_grows() {
        let mut text = NulString::of("").unwrap();
        assert_eq!((text.as_str(), text.with_nul()), ("", "\0"));
        text.push("a\0é").unwrap();
        text.push("").unwrap();
        text.push("!").unwrap();
        assert_eq!((text.as_str(), text.with_nul()), ("a\0é!", "a\0é!\0"));
    }
}
