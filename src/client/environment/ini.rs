//! Configuration files as Python's programs write them: `[sections]` of `name = value`.
//!
//! Values are slices of the file's content: its secrets stay in one buffer, which is wiped.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::client::error::{Error, Status};

/// More than any configuration file has.
const MAX_BYTES: u64 = 1024 * 1024;

/// Reads a file. Returns `None` if it does not exist or may not be read.
pub fn read(path: &PathBuf) -> Result<Option<Zeroizing<String>>, Error> {
    let unusable = |problem: String| {
        Error::new(Status::InvalidOptionValue, format!("the file {} cannot be used: {problem}", path.display()))
    };
    let file = match File::open(path) {
        Ok(file) => file,
        // A service often may not read its home directory.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(unusable(error.to_string())),
    };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    if length > MAX_BYTES {
        return Err(unusable(format!("it is longer than {MAX_BYTES} bytes")));
    }
    // The buffer must not grow: reallocation would leave copies of secrets in freed memory.
    let mut content = Zeroizing::new(String::with_capacity(length as usize + 1));
    file.take(MAX_BYTES).read_to_string(&mut content).map_err(|error| unusable(error.to_string()))?;
    Ok(Some(content))
}

/// Returns a value by its section and name. Names are case-insensitive, and the last of duplicates counts.
pub fn value<'a>(file: &'a str, section: &str, name: &str) -> Option<&'a str> {
    let entries = lines_of(file, section)?.filter_map(|line| line.split_once(['=', ':']));
    let found = entries.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name)).last()?;
    Some(found.1.trim()).filter(|value| !value.is_empty())
}

pub fn has_section(file: &str, section: &str) -> bool {
    lines_of(file, section).is_some()
}

/// Returns the lines of all sections of this name, without comments. `None` if there is no such section.
fn lines_of<'a>(file: &'a str, section: &str) -> Option<impl Iterator<Item = &'a str>> {
    let heading = |line: &'a str| line.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name);
    let lines = || file.trim_start_matches('\u{feff}').lines().map(str::trim);
    lines().find(|line| heading(line) == Some(section))?;
    let section = section.to_owned();
    let mut is_inside = false;
    Some(lines().filter(move |line| match heading(line) {
        Some(name) => {
            is_inside = name == section;
            false
        }
        None => is_inside && !line.starts_with(['#', ';']),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_found_by_section_and_name() {
        let file = "\u{feff}# x\n[a]\nuser = me \n; c\npassword: p=q:r#s\r\nempty=\n[b]\nUSER=you\nuser = them\n[a]\nmore=1\n[c";
        assert_eq!(value(file, "a", "user"), Some("me"));
        assert_eq!(value(file, "a", "PASSWORD"), Some("p=q:r#s"));
        assert_eq!(value(file, "b", "user"), Some("them"));
        assert_eq!(value(file, "a", "more"), Some("1"));
        for (section, name) in [("a", "empty"), ("a", "nothing"), ("c", "user"), ("", "user"), ("b", "password")] {
            assert_eq!(value(file, section, name), None, "{section} {name}");
        }
        assert!(has_section(file, "b") && !has_section(file, "B") && !has_section("", "b"));
    }
}
