//! Suggests existing routes in errors about missing ones.

use std::time::{Duration, Instant};

use super::context::CallContext;
use super::error::{Error, shortened};
use super::report::{self, ErrorContext};
use super::route_list;
use crate::dialect::{Dialect, ErrorKind, ErrorResponse};
use crate::http::{Method, Reply};

/// The time that an error may take to look up the existing routes.
const MAX_TIME: Duration = Duration::from_secs(2);

/// The number of names in a message.
const MAX_SHOWN: usize = 20;

/// The number of names that are compared: an error must not take long.
const MAX_COMPARED: usize = 1000;

/// The number of characters by which names are compared.
const MAX_LENGTH: usize = 64;

/// The error for an error response. If the route may be missing, it names the existing ones.
pub(super) fn error_response(
    context: &CallContext,
    error_context: &ErrorContext,
    reply: Reply,
    response: ErrorResponse,
    route: &str,
    dialect: &'static dyn Dialect,
) -> Error {
    let may_be_missing = match response.kind {
        ErrorKind::NoSuchRoute => true,
        ErrorKind::Forbidden => dialect.forbids_unknown_routes(),
        _ => false,
    };
    let hint = if may_be_missing { existing_routes(context, route, &[dialect]) } else { None };
    let error = report::error_response(error_context, reply, response, route);
    match hint {
        Some(hint) => error.with_hint(&hint),
        None => error,
    }
}

/// Looks up the existing routes and returns a hint, as the end of a sentence; `None` if the route exists, or if the
/// lookup fails or takes too long.
pub(super) fn existing_routes(context: &CallContext, name: &str, dialects: &[&'static dyn Dialect]) -> Option<String> {
    let deadline = context.deadline.min(Instant::now() + MAX_TIME);
    let (_, routes) = route_list::list(context, dialects, deadline, 1).ok()?;
    let names: Vec<_> = routes.iter().map(|route| route.name.as_str()).collect();
    // A route may have the name of a secret.
    let mask = |hint: &str| context.error_context(Method::Get, "").secrets.mask(hint);
    (!names.contains(&name)).then(|| mask(&hint(name, &names)))
}

fn hint(name: &str, names: &[&str]) -> String {
    let missing = format!("the gateway lists no route \"{}\"", shortened(name));
    if names.is_empty() {
        return format!("{missing}; its list is empty");
    }
    let mut close: Vec<(usize, &str)> =
        names.iter().take(MAX_COMPARED).filter_map(|other| Some((distance(name, other)?, *other))).collect();
    close.sort_unstable();
    let close: Vec<_> = close.iter().map(|(_, name)| format!("\"{}\"", shortened(name))).take(3).collect();
    let suggestion = if close.is_empty() { ";".to_owned() } else { format!("; did you mean {}?", close.join(" or ")) };
    let mut listed: Vec<_> = names.iter().take(MAX_SHOWN).map(|name| shortened(name)).collect();
    listed.sort_unstable();
    let more = match names.len().saturating_sub(MAX_SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{missing}{suggestion} it has: {}{more}", listed.join(", "))
}

/// The number of typing mistakes between two names; `None` if they are too different for a mistake.
fn distance(one: &str, other: &str) -> Option<usize> {
    let letters = |name: &str| name.to_ascii_lowercase().chars().take(MAX_LENGTH).collect::<Vec<_>>();
    let (one, other) = (letters(one), letters(other));
    let max = (one.len().max(other.len()) / 3).max(1);
    if one.len().abs_diff(other.len()) > max {
        return None;
    }
    // Damerau-Levenshtein distance: two swapped letters count as one mistake.
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
    row.last().copied().filter(|distance| *distance <= max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hint_suggests_similar_names_and_lists_existing_ones() {
        assert_eq!(
            hint("compltions", &["e5", "chat", "completions"]),
            "the gateway lists no route \"compltions\"; did you mean \"completions\"? it has: chat, completions, e5"
        );
        assert_eq!(hint("x", &["chat"]), "the gateway lists no route \"x\"; it has: chat");
        assert_eq!(hint("x", &[]), "the gateway lists no route \"x\"; its list is empty");
        let many: Vec<String> = (0..25).map(|number| format!("route-{number:02}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(hint("x", &many).ends_with("route-18, route-19 and 5 more"));
        let long = "é".repeat(1000);
        assert!(hint(&long, &[&long[2..]]).len() < 600);
    }

    #[test]
    fn distance_counts_typing_mistakes() {
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
