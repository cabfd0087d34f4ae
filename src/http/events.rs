//! Server-sent events (WHATWG HTML, 9.2.6): from the bytes of a body to the data of its events, for any split of them.
//! Names, ids and retry times of events are passed over: no gateway gives them a meaning.

use std::ops::Range;

use super::failure::Failure;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why there is no next event.
#[derive(Debug, PartialEq, Eq)]
pub enum EventProblem {
    /// It is longer than this many bytes.
    TooLarge(usize),
    /// There is no memory for so many bytes of it.
    OutOfMemory(usize),
}

/// Takes the body in with [`Events::feed`] and gives the events out with [`Events::next`].
#[derive(Debug)]
pub struct Events {
    /// What came and is not yet understood; where the first `read` bytes are done with.
    buffer: Vec<u8>,
    read: usize,
    /// Up to here no line ends.
    scanned: usize,
    data: Data,
    /// The data of the event that was given out last, where it stood on several lines.
    joined: Vec<u8>,
    is_at_start: bool,
    /// The last line ended in CR: an LF that follows belongs to it.
    is_after_cr: bool,
    limit: usize,
}

/// The data of the event that is under way. That of nearly every one stands on a single line, and stays where it is.
#[derive(Debug)]
enum Data {
    None,
    Line(Range<usize>),
    Lines(Vec<u8>),
}

impl Events {
    /// `limit` is the most bytes that an event may have.
    pub fn new(limit: usize) -> Events {
        Events {
            buffer: Vec::new(),
            read: 0,
            scanned: 0,
            data: Data::None,
            joined: Vec::new(),
            is_at_start: true,
            is_after_cr: false,
            limit,
        }
    }

    /// Adds the next bytes of the body.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), Failure> {
        let done = match &self.data {
            Data::Line(range) => range.start,
            _ => self.read,
        };
        self.buffer.drain(..done);
        self.read -= done;
        self.scanned = self.scanned.saturating_sub(done);
        if let Data::Line(range) = &mut self.data {
            *range = range.start - done..range.end - done;
        }
        let whole = self.buffer.len() + piece.len();
        self.buffer.try_reserve(piece.len()).map_err(|_| Failure::OutOfMemory(whole))?;
        self.buffer.extend_from_slice(piece);
        Ok(())
    }

    /// The data of the next event that is complete; `None` if more has to be fed before.
    pub fn next(&mut self) -> Result<Option<&[u8]>, EventProblem> {
        while let Some(line) = self.line()? {
            if !line.is_empty() {
                self.field(line)?;
                continue;
            }
            match std::mem::replace(&mut self.data, Data::None) {
                Data::Line(range) if !range.is_empty() => return Ok(Some(&self.buffer[range])),
                Data::Lines(lines) => {
                    self.joined = lines;
                    return Ok(Some(&self.joined));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Where the next line is, without its end.
    fn line(&mut self) -> Result<Option<Range<usize>>, EventProblem> {
        if self.is_at_start {
            let start = &self.buffer[..self.buffer.len().min(BYTE_ORDER_MARK.len())];
            if start == BYTE_ORDER_MARK {
                self.read = start.len();
            } else if BYTE_ORDER_MARK.starts_with(start) {
                return Ok(None);
            }
            self.is_at_start = false;
        }
        if self.is_after_cr {
            match self.buffer.get(self.read) {
                None => return Ok(None),
                Some(byte) => self.read += usize::from(*byte == b'\n'),
            }
            self.is_after_cr = false;
        }
        let from = self.scanned.max(self.read);
        let end = memchr::memchr2(b'\n', b'\r', &self.buffer[from..]).map(|at| from + at);
        let line = self.read..end.unwrap_or(self.buffer.len());
        // What follows a line of data stays in the buffer with it.
        let kept = match &self.data {
            Data::None => line.len(),
            Data::Line(range) => line.end - range.start,
            Data::Lines(lines) => lines.len() + line.len(),
        };
        if kept > self.limit {
            return Err(EventProblem::TooLarge(self.limit));
        }
        self.scanned = line.end;
        let Some(end) = end else { return Ok(None) };
        self.read = end + 1;
        // An event that ends in CR is given out at once, not when the byte after it comes.
        self.is_after_cr = self.buffer[end] == b'\r';
        Ok(Some(line))
    }

    fn field(&mut self, line: Range<usize>) -> Result<(), EventProblem> {
        let Some(value) = self.buffer[line.clone()].strip_prefix(b"data") else { return Ok(()) };
        let value = match value {
            [] => line.end..line.end,
            [b':', b' ', ..] => line.start + 6..line.end,
            [b':', ..] => line.start + 5..line.end,
            _ => return Ok(()),
        };
        let mut lines = match std::mem::replace(&mut self.data, Data::None) {
            Data::None => {
                self.data = Data::Line(value);
                return Ok(());
            }
            Data::Line(first) => {
                let mut lines = Vec::new();
                extend(&mut lines, &self.buffer[first])?;
                lines
            }
            Data::Lines(lines) => lines,
        };
        extend(&mut lines, b"\n")?;
        extend(&mut lines, &self.buffer[value])?;
        self.data = Data::Lines(lines);
        Ok(())
    }
}

fn extend(lines: &mut Vec<u8>, more: &[u8]) -> Result<(), EventProblem> {
    lines.try_reserve(more.len()).map_err(|_| EventProblem::OutOfMemory(lines.len() + more.len()))?;
    lines.extend_from_slice(more);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<String> {
        let (mut events, mut found) = (Events::new(1000), Vec::new());
        for piece in pieces {
            events.feed(piece).unwrap();
            while let Some(data) = events.next().unwrap() {
                found.push(String::from_utf8(data.to_owned()).unwrap());
            }
        }
        found
    }

    /// Whole, byte by byte, and cut in two at every place.
    fn in_all_splits(stream: &str) -> Vec<String> {
        let bytes = stream.as_bytes();
        let whole = events(&[bytes]);
        assert_eq!(events(&bytes.chunks(1).collect::<Vec<_>>()), whole, "{stream:?}");
        for cut in 0..=bytes.len() {
            assert_eq!(events(&[&bytes[..cut], &bytes[cut..]]), whole, "{stream:?} at {cut}");
        }
        whole
    }

    #[test]
    fn reads_what_the_standard_says() {
        let rows: &[(&str, &[&str])] = &[
            ("data: a\n\ndata: b\n\n", &["a", "b"]),
            ("data: YHOO\ndata: +2\ndata: 10\n\n", &["YHOO\n+2\n10"]),
            (
                ": a comment\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
                &["first event", "second event", " third event"],
            ),
            // Fields without data, or with empty data only, say nothing to us.
            ("data\n\nevent: ping\n\ndata:\n\n", &[]),
            ("data\ndata\n\ndata:", &["\n"]),
            ("data: a\n\ndata: not complete\n", &["a"]),
            ("\u{feff}data: a\n\n\u{feff}data: b\n\n", &["a"]),
            ("datax: a\ndat: b\nDATA: c\n data: d\nretry: 5\n\n", &[]),
            ("event: e\ndata: a: b\n: x\n\n\n\n", &["a: b"]),
            ("data: é\u{1F600}\n\n", &["é\u{1F600}"]),
        ];
        for (stream, expected) in rows {
            for line_end in ["\n", "\r", "\r\n"] {
                let found = in_all_splits(&stream.replace('\n', line_end));
                assert_eq!(found, *expected, "{stream:?} with {line_end:?}");
            }
        }
        assert_eq!(in_all_splits("data: a\r\ndata: b\rdata: c\n\n"), ["a\nb\nc"]);
    }

    #[test]
    fn an_event_is_given_out_with_its_last_byte() {
        for end in ["\n\n", "\r\r", "\r\n\r"] {
            let mut events = Events::new(100);
            events.feed(format!("data: a{end}").as_bytes()).unwrap();
            assert_eq!(events.next(), Ok(Some(&b"a"[..])), "{end:?}");
        }
    }

    #[test]
    fn there_is_an_end_to_events() {
        let too_large = |pieces: &[&[u8]]| {
            let mut events = Events::new(100);
            pieces.iter().find_map(|piece| {
                events.feed(piece).unwrap();
                loop {
                    match events.next() {
                        Ok(Some(_)) => {}
                        Ok(None) => return None,
                        Err(error) => return Some(error),
                    }
                }
            })
        };
        let long = [b'x'; 101];
        assert_eq!(too_large(&[&long]), Some(EventProblem::TooLarge(100)));
        assert_eq!(too_large(&[b"data: ", &long[..50], &long[..51]]), Some(EventProblem::TooLarge(100)));
        assert_eq!(too_large(&[b"data: ", &long[..60], b"\ndata: ", &long[..50]]), Some(EventProblem::TooLarge(100)));
        // One after the other they may be as many as they like, and so may comments.
        assert_eq!(too_large(&[b"data: ", &long[..90], b"\n\n"].repeat(50)), None);
        assert_eq!(too_large(&[b": ", &long[..90], b"\n"].repeat(50)), None);
        // But not all between the lines of one event.
        let endless = [&b"data: x\n"[..]].into_iter().chain([b": ", &long[..90], b"\n"].repeat(50));
        assert_eq!(too_large(&endless.collect::<Vec<_>>()), Some(EventProblem::TooLarge(100)));
    }

    #[test]
    fn what_is_done_with_is_forgotten() {
        let mut events = Events::new(100);
        for _ in 0..10_000 {
            events.feed(b": ping\n\ndata: some words\n\nid: 1\n").unwrap();
            assert_eq!(events.next(), Ok(Some(&b"some words"[..])));
            assert_eq!(events.next(), Ok(None));
        }
        assert!(events.buffer.capacity() < 1000);
    }
}
