//! The files in which Python's programs keep credentials: `[sections]` of `name = value`.
//!
//! It reads in place, so that the secrets in a file stay in the one block of memory that is wiped.

/// A value by its section and name; names compare without regard to case. The last one counts.
pub(super) fn value<'a>(file: &'a str, section: &str, name: &str) -> Option<&'a str> {
    let entries = lines_of(file, section)?.filter_map(|line| line.split_once(['=', ':']));
    let found = entries.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name)).last()?;
    Some(found.1.trim()).filter(|value| !value.is_empty())
}

pub(super) fn has_section(file: &str, section: &str) -> bool {
    lines_of(file, section).is_some()
}

/// Those of all parts of the file that have this heading, without comments.
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
    fn finds_values() {
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
