//! Decodes the body of a response: a state machine from received bytes to bytes of the body, for any split of them.

use std::ops::Range;

use super::head::Framing;

/// More bytes than the trailers of any response have.
const MAX_TRAILERS: usize = 64 * 1024;

/// What to do with the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// These bytes of the input belong to the body. The input is used up to their end.
    Data(Range<usize>),
    /// This many bytes of the input are framing.
    Skip(usize),
    /// More input is needed.
    More,
    /// The body is complete.
    End,
}

#[derive(Debug)]
pub(super) struct Body(State);

#[derive(Debug)]
enum State {
    /// This many bytes follow.
    Fixed(u64),
    UntilClose,
    ChunkSize,
    Chunk(u64),
    /// The line end after a chunk.
    ChunkEnd,
    /// The lines after the last chunk, and how many bytes of them were read.
    Trailers(usize),
}

impl Body {
    pub fn new(framing: Framing) -> Body {
        Body(match framing {
            Framing::Length(length) => State::Fixed(length),
            Framing::Chunked => State::ChunkSize,
            Framing::UntilClose => State::UntilClose,
        })
    }

    /// Returns the number of bytes that follow, if it is known.
    pub fn expected(&self) -> Option<u64> {
        match self.0 {
            State::Fixed(left) => Some(left),
            _ => None,
        }
    }

    /// Returns whether the end of the connection ends the body.
    pub fn may_end(&self) -> bool {
        matches!(self.0, State::UntilClose)
    }

    /// Decodes the beginning of the input. Call it again with the rest, until it needs more.
    pub fn step(&mut self, input: &[u8]) -> Result<Step, &'static str> {
        match &mut self.0 {
            State::Fixed(0) => Ok(Step::End),
            State::UntilClose | State::Fixed(_) | State::Chunk(_) if input.is_empty() => Ok(Step::More),
            State::UntilClose => Ok(Step::Data(0..input.len())),
            State::Fixed(left) => Ok(Step::Data(0..take(left, input))),
            State::Chunk(left) => {
                let taken = take(left, input);
                if *left == 0 {
                    self.0 = State::ChunkEnd;
                }
                Ok(Step::Data(0..taken))
            }
            // httparse accepts an empty line as size 0, which would end the body.
            State::ChunkSize if input.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) => {
                Err("a chunk without a size")
            }
            State::ChunkSize => match httparse::parse_chunk_size(input) {
                // Other parsers end the line at a line feed alone, and find other chunks.
                Ok(httparse::Status::Complete((used, _)))
                    if input[..used.saturating_sub(2)].iter().any(|byte| *byte < b' ' && *byte != b'\t') =>
                {
                    Err("a chunk without a size")
                }
                Ok(httparse::Status::Complete((used, size))) => {
                    self.0 = if size == 0 { State::Trailers(0) } else { State::Chunk(size) };
                    Ok(Step::Skip(used))
                }
                Ok(httparse::Status::Partial) => Ok(Step::More),
                Err(_) => Err("a chunk without a size"),
            },
            State::ChunkEnd => match input {
                [b'\r', b'\n', ..] => {
                    self.0 = State::ChunkSize;
                    Ok(Step::Skip(2))
                }
                [] | [b'\r'] => Ok(Step::More),
                _ => Err("a chunk that is longer than its size"),
            },
            State::Trailers(before) => match input.iter().position(|byte| *byte == b'\n') {
                None => Ok(Step::More),
                Some(end) => {
                    *before += end + 1;
                    if *before > MAX_TRAILERS {
                        return Err("too many trailers after the last chunk");
                    }
                    if input[..end].trim_ascii_end().is_empty() {
                        self.0 = State::Fixed(0);
                    }
                    Ok(Step::Skip(end + 1))
                }
            },
        }
    }
}

/// Returns how many bytes of the input belong to the rest.
fn take(left: &mut u64, input: &[u8]) -> usize {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left -= taken as u64;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the bytes in pieces of one size. Returns the body, and how much of the input is left after its end.
    fn decode(framing: Framing, wire: &[u8], piece: usize) -> Result<(Vec<u8>, Option<usize>), &'static str> {
        let (mut body, mut decoded, mut start, mut end) = (Body::new(framing), Vec::new(), 0, 0);
        loop {
            match body.step(&wire[start..end])? {
                Step::Data(range) => {
                    decoded.extend_from_slice(&wire[start..end][range.clone()]);
                    start += range.end;
                }
                Step::Skip(used) => start += used,
                Step::More if end == wire.len() => return Ok((decoded, None)),
                Step::More => end = (end + piece).min(wire.len()),
                Step::End => return Ok((decoded, Some(wire.len() - start))),
            }
        }
    }

    #[test]
    fn any_split_gives_the_same_body() {
        let chunked = b"5\r\nhello\r\n7;ext=\"x\"\r\n, world\r\n0\r\nTrailer: x\r\n\r\n";
        for piece in 1..=chunked.len() {
            assert_eq!(decode(Framing::Chunked, chunked, piece), Ok((b"hello, world".to_vec(), Some(0))), "{piece}");
            assert_eq!(decode(Framing::Length(5), b"hello", piece), Ok((b"hello".to_vec(), Some(0))));
            assert_eq!(decode(Framing::UntilClose, b"hello", piece), Ok((b"hello".to_vec(), None)));
        }
        assert_eq!(decode(Framing::Length(0), b"", 1), Ok((vec![], Some(0))));
    }

    #[test]
    fn body_cut_short_is_incomplete() {
        let chunked = b"5\r\nhello\r\n0\r\n\r\n";
        for cut in 0..chunked.len() {
            assert_eq!(decode(Framing::Chunked, &chunked[..cut], 99).unwrap().1, None, "{cut}");
        }
        assert_eq!(decode(Framing::Length(6), b"hello", 99), Ok((b"hello".to_vec(), None)));
    }

    #[test]
    fn bytes_after_the_body_are_left() {
        assert_eq!(decode(Framing::Length(4), b"helloHTTP", 99), Ok((b"hell".to_vec(), Some(5))));
        assert_eq!(decode(Framing::Chunked, b"0\r\n\r\nHTTP", 99), Ok((vec![], Some(4))));
    }

    #[test]
    fn invalid_chunks_are_rejected() {
        let trailers = format!("0\r\n{}\r\n", "X-Line: y\r\n".repeat(10_000));
        assert!(decode(Framing::Chunked, trailers.as_bytes(), 9999).is_err());
        for wire in ["4;x\n=y\r\ndata\r\n", "x\r\n", "-1\r\n", "ffffffffffffffffff\r\n", "2\r\nabc\r\n", "\r\n"] {
            assert!(decode(Framing::Chunked, wire.as_bytes(), 99).is_err(), "{wire}");
        }
    }
}
