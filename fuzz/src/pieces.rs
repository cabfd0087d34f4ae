//! Splits bytes into pieces of any size, as a connection may.

/// Splits bytes into pieces. The pattern selects the sizes: 0 is a single piece, 1 is byte by byte.
pub fn pieces(whole: &[u8], pattern: u8) -> impl Iterator<Item = &[u8]> {
    let max_size = 1u64 << (pattern % 8);
    let mut state = u64::from(pattern);
    let mut rest = whole;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        // Knuth's linear congruential generator; its high bits are more random.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let size = match pattern {
            0 => rest.len() as u64,
            1 => 1,
            _ => 1 + (state >> 33) % max_size,
        };
        let (piece, remaining) = rest.split_at(rest.len().min(size as usize));
        rest = remaining;
        Some(piece)
    })
}
