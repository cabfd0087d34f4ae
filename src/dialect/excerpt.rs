//! The excerpt of a body or a message that an error message quotes.

/// The maximum length of an excerpt, in characters.
const MAX_CHARS: usize = 120;

/// Returns the start of a body on one line. `…` marks what is left out.
pub fn excerpt(body: &[u8]) -> String {
    // Cut before decoding: a character takes at most four bytes, and the body may be huge.
    let cut = &body[..body.len().min(4 * MAX_CHARS + 4)];
    let text = String::from_utf8_lossy(cut);
    let mut excerpt: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_CHARS).collect();
    if body.len() > excerpt.len() {
        excerpt.push('…');
    }
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_body_is_cut_and_marked() {
        let excerpt = excerpt("é\n".repeat(500).as_bytes());
        assert_eq!(excerpt.chars().count(), MAX_CHARS + 1);
        assert!(excerpt.ends_with('…') && !excerpt.contains('\n'));
    }
}
