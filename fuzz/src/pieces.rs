//! Bytes as a connection may bring them: in pieces of any size.

/// Cuts bytes into pieces, in a way that the pattern decides: 0 is one piece, 1 is byte by byte.
pub fn pieces(whole: &[u8], pattern: u8) -> impl Iterator<Item = &[u8]> {
    let most = 1u64 << (pattern % 8);
    let mut state = u64::from(pattern);
    let mut rest = whole;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        // Knuth's generator; its upper bits are the better ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let size = match pattern {
            0 => rest.len() as u64,
            1 => 1,
            _ => 1 + (state >> 33) % most,
        };
        let (piece, behind) = rest.split_at(rest.len().min(size as usize));
        rest = behind;
        Some(piece)
    })
}
