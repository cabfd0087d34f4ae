//! Percent-encoding (RFC 3986, 2.1).

use zeroize::Zeroizing;

/// The bytes that a part of a URL stands for, which may be a secret, and whether each `%` in it has its two hexadecimal
/// digits. One that has not stands for itself.
pub(super) fn decoded(part: &str) -> (Zeroizing<Vec<u8>>, bool) {
    let mut bytes = Zeroizing::new(Vec::with_capacity(part.len()));
    let (mut rest, mut is_whole) = (part.as_bytes(), true);
    while let Some((byte, behind)) = rest.split_first() {
        let hex = |at: usize| behind.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (byte, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &behind[2..];
            }
            _ => {
                is_whole &= *byte != b'%';
                bytes.push(*byte);
                rest = behind;
            }
        }
    }
    (bytes, is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_stand_for_bytes() {
        for (part, bytes, is_whole) in [
            ("", &b""[..], true),
            ("a%2fB%2F%00%fF", b"a/B/\0\xff", true),
            ("%25zz", b"%zz", true),
            ("p%zz%4", b"p%zz%4", false),
            ("%", b"%", false),
            ("%%41", b"%A", false),
        ] {
            let (decoded, whole) = decoded(part);
            assert_eq!((&decoded[..], whole), (bytes, is_whole), "{part}");
        }
    }
}
