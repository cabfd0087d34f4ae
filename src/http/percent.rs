//! Percent-encoding (RFC 3986, 2.1).

use zeroize::Zeroizing;

/// Decodes a part of a URL, which may be a secret. Returns false if a `%` lacks its two hexadecimal digits; it is then
/// kept as it is.
pub(super) fn decoded(part: &str) -> (Zeroizing<Vec<u8>>, bool) {
    let mut bytes = Zeroizing::new(Vec::with_capacity(part.len()));
    let (mut rest, mut is_valid) = (part.as_bytes(), true);
    while let Some((byte, after)) = rest.split_first() {
        let hex = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (byte, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => {
                is_valid &= *byte != b'%';
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    (bytes, is_valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_to_bytes() {
        for (part, bytes, is_valid) in [
            ("", &b""[..], true),
            ("a%2fB%2F%00%fF", b"a/B/\0\xff", true),
            ("%25zz", b"%zz", true),
            ("p%zz%4", b"p%zz%4", false),
            ("%", b"%", false),
            ("%%41", b"%A", false),
        ] {
            let (decoded, valid) = decoded(part);
            assert_eq!((&decoded[..], valid), (bytes, is_valid), "{part}");
        }
    }
}
