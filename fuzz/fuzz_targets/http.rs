//! Response heads and bodies: the result does not depend on how the input is split, and chunked data is read back
//! unchanged.
//!
//! Input: a byte for the split (see `pieces`), a byte for the kind (`h` a head and a body, `c` a chunked body, `u` a
//! body until the connection is closed, `d` data to encode as chunks and read back, any other the content length), and
//! the bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mlflow_ai_gateway::fuzz::http::{self, End, Framing, header_fields};
use mlflow_ai_gateway_fuzz::pieces::pieces;

fuzz_target!(|input: &[u8]| {
    let [pattern, kind, wire @ ..] = input else { return };
    match kind {
        b'h' => head(wire, *pattern),
        b'c' => body(Framing::CHUNKED, wire, *pattern),
        b'u' => body(Framing::UNTIL_CLOSE, wire, *pattern),
        b'd' => chunks(wire, *pattern),
        length => body(Framing::length(u64::from(*length)), wire, *pattern),
    }
});

fn head(wire: &[u8], pattern: u8) {
    let whole = http::head(wire);
    let mut cut = 0;
    for piece in pieces(wire, pattern).take(64) {
        let before = http::head(&wire[..cut]);
        match &whole {
            Ok(Some(head)) if cut < head.length => assert_eq!(before, Ok(None), "at {cut}"),
            Ok(Some(_)) => assert_eq!(before, whole, "at {cut}"),
            Ok(None) => assert_eq!(before, Ok(None), "at {cut}"),
            Err(_) => assert!(!matches!(before, Ok(Some(_))), "at {cut}"),
        }
        cut += piece.len();
    }
    let Ok(Some(head)) = whole else { return };
    assert!(!(100..200).contains(&head.status) && head.length <= wire.len());
    // Unchanged, except that folded lines are joined by spaces.
    let sent = &wire[head.length - head.raw.len()..head.length];
    let is_kept = |(kept, sent): (&u8, &u8)| kept == sent || *kept == b' ' && matches!(sent, b'\r' | b'\n');
    assert!(head.raw.iter().zip(sent).all(is_kept));
    for (name, value) in header_fields(&head.raw) {
        assert!(!name.contains('\n') && !value.contains(&b'\n'));
    }
    assert!(!head.location.is_some_and(|location| location.contains(['\r', '\n', '\0'])));
    body(head.framing, &wire[head.length..], pattern);
}

fn body(framing: Framing, wire: &[u8], pattern: u8) {
    let whole = http::body(framing, std::iter::once(wire));
    for pattern in [1, pattern] {
        assert_eq!(http::body(framing, pieces(wire, pattern)), whole, "in another split");
    }
    match whole.1 {
        End::Complete(used) => {
            assert!(used <= wire.len());
            if framing == Framing::CHUNKED {
                assert_eq!(decode_chunks(&wire[..used]).as_ref(), Some(&whole.0), "not the data of the chunks");
            }
            assert_eq!(http::body(framing, std::iter::once(&wire[..used])), whole, "without what follows");
            let cut = http::body(framing, std::iter::once(&wire[..used.saturating_sub(1)]));
            assert!(used == 0 || cut.1 == End::Partial, "without its last byte: {cut:?}");
        }
        End::Open => assert_eq!(whole.0, wire),
        End::Partial | End::Invalid(_) => assert!(whole.0.len() <= wire.len()),
    }
}

/// Decodes a complete chunked body (RFC 9112, 7.1); `None` if it is not one.
fn decode_chunks(wire: &[u8]) -> Option<Vec<u8>> {
    let (mut rest, mut data) = (wire, Vec::new());
    loop {
        let (line, after) = rest.split_at(rest.windows(2).position(|pair| pair == b"\r\n")? + 2);
        if line[..line.len() - 2].contains(&b'\n') {
            return None;
        }
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let size = usize::from_str_radix(std::str::from_utf8(&line[..digits]).ok()?, 16).ok()?;
        if size == 0 {
            // Trailer lines; only the last one is empty.
            let mut lines = after.split_inclusive(|byte| *byte == b'\n').rev();
            let is_end = lines.next()?.trim_ascii().is_empty() && lines.all(|line| !line.trim_ascii_end().is_empty());
            return (is_end && after.ends_with(b"\n")).then_some(data);
        }
        data.extend_from_slice(after.get(..size)?);
        rest = after.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

fn chunks(data: &[u8], pattern: u8) {
    let mut wire = Vec::new();
    for piece in pieces(data, pattern) {
        wire.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        wire.extend_from_slice(piece);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    let read = http::body(Framing::CHUNKED, pieces(&wire, pattern.rotate_left(3)));
    assert_eq!(read, (data.to_owned(), End::Complete(wire.len())));
}
