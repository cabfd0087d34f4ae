//! Which of the names that exist was meant.

use super::error::shortened;

/// As many names are shown.
const SHOWN: usize = 20;

/// As many are compared: an error message must not take long.
const COMPARED: usize = 1000;

/// Names are compared by so many characters.
const LENGTH: usize = 64;

/// What exists instead of `name`, as the end of a sentence.
pub(super) fn instead_of(name: &str, names: &[&str]) -> String {
    let missing = format!("the gateway lists no route \"{}\"", shortened(name));
    if names.is_empty() {
        return format!("{missing}, nor any other");
    }
    let mut close: Vec<(usize, &str)> =
        names.iter().take(COMPARED).filter_map(|other| Some((distance(name, other)?, *other))).collect();
    close.sort_unstable();
    let close: Vec<_> = close.iter().map(|(_, name)| format!("\"{}\"", shortened(name))).take(3).collect();
    let meant = if close.is_empty() { ";".to_owned() } else { format!("; did you mean {}?", close.join(" or ")) };
    let mut some: Vec<_> = names.iter().take(SHOWN).map(|name| shortened(name)).collect();
    some.sort_unstable();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{missing}{meant} it has: {}{more}", some.join(", "))
}

/// How many letters lie between two names; `None` if nobody would take one for the other.
fn distance(one: &str, other: &str) -> Option<usize> {
    let letters = |name: &str| name.to_ascii_lowercase().chars().take(LENGTH).collect::<Vec<_>>();
    let (one, other) = (letters(one), letters(other));
    let most = (one.len().max(other.len()) / 3).max(1);
    if one.len().abs_diff(other.len()) > most {
        return None;
    }
    // Two letters in the wrong order are one mistake.
    let (mut above, mut row): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=other.len()).collect());
    for i in 0..one.len() {
        let mut next = vec![i + 1];
        for j in 0..other.len() {
            let mut cost = (row[j] + usize::from(one[i] != other[j])).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && one[i] == other[j - 1] && one[i - 1] == other[j] {
                cost = cost.min(above[j - 1] + 1);
            }
            next.push(cost);
        }
        above = std::mem::replace(&mut row, next);
    }
    row.last().copied().filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_close_and_what_exists() {
        assert_eq!(
            instead_of("compltions", &["e5", "chat", "completions"]),
            "the gateway lists no route \"compltions\"; did you mean \"completions\"? it has: chat, completions, e5"
        );
        assert_eq!(instead_of("x", &["chat"]), "the gateway lists no route \"x\"; it has: chat");
        assert_eq!(instead_of("x", &[]), "the gateway lists no route \"x\", nor any other");
        let many: Vec<String> = (0..25).map(|number| format!("route-{number:02}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(instead_of("x", &many).ends_with("route-18, route-19 and 5 more"));
        let long = "é".repeat(1000);
        assert!(instead_of(&long, &[&long[2..]]).len() < 600);
    }

    #[test]
    fn counts_letters() {
        for (one, other, expected) in [
            ("chat", "Chat", Some(0)),
            ("chat", "caht", Some(1)),
            ("my-chat", "my-chatt", Some(1)),
            ("ca", "abc", None),
            ("gpt-4o", "gpt-4", Some(1)),
            ("", "a", Some(1)),
            ("chat", "embeddings", None),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }
}
