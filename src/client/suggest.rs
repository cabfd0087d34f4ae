//! Which of the names that exist was meant.

/// As many names are shown.
const SHOWN: usize = 20;

/// As many are compared: an error message must not take long.
const COMPARED: usize = 1000;

/// Names are compared by so many characters.
const LENGTH: usize = 64;

/// What exists instead of `name`, as the end of a sentence.
pub(super) fn instead_of(name: &str, names: &[&str]) -> String {
    if names.is_empty() {
        return format!("the gateway lists no route \"{name}\", nor any other");
    }
    let mut close: Vec<(usize, &str)> =
        names.iter().take(COMPARED).filter_map(|other| Some((distance(name, other)?, *other))).collect();
    close.sort_unstable();
    let meant = match close.iter().map(|(_, name)| format!("\"{name}\"")).take(3).collect::<Vec<_>>() {
        close if close.is_empty() => String::new(),
        close => format!("; did you mean {}?", close.join(" or ")),
    };
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let mut shown = names[..names.len().min(SHOWN)].to_vec();
    shown.sort_unstable();
    let stop = if meant.is_empty() { ";" } else { "" };
    format!("the gateway lists no route \"{name}\"{meant}{stop} it has: {}{more}", shown.join(", "))
}

/// How many letters lie between two names; `None` if nobody would take one for the other.
fn distance(one: &str, other: &str) -> Option<usize> {
    let letters = |name: &str| name.to_ascii_lowercase().chars().take(LENGTH).collect::<Vec<_>>();
    let (one, other) = (letters(one), letters(other));
    let most = (one.len().max(other.len()) / 3).max(1);
    if one.len().abs_diff(other.len()) > most {
        return None;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let cost = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
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
    }

    #[test]
    fn counts_letters() {
        for (one, other, expected) in [
            ("chat", "Chat", Some(0)),
            ("chat", "caht", None),
            ("my-chat", "my-caht", Some(2)),
            ("gpt-4o", "gpt-4", Some(1)),
            ("", "a", Some(1)),
            ("chat", "embeddings", None),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }
}
