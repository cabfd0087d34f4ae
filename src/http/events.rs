//! Parses server-sent events (WHATWG HTML, 9.2.6) from the bytes of a body, for any split of them. Ignores event IDs
//! and retry times, which no gateway uses.

use std::ops::Range;

use super::error::TransportError;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The name of an event that reports an error.
const ERROR: &[u8] = b"error";

/// An event. Its data is not empty, except that of an error event.
#[derive(Debug, PartialEq, Eq)]
pub struct Event<'a> {
    pub name: &'a [u8],
    pub data: &'a [u8],
}

/// An incremental parser: [`Events::feed`] adds bytes, [`Events::next`] returns events.
#[derive(Debug)]
pub struct Events {
    /// The bytes that are needed. The first `read` of them are parsed.
    buffer: Vec<u8>,
    read: usize,
    /// No line ends before this index.
    scanned: usize,
    data: Data,
    /// The name of the current event, if it has one, followed by a NUL byte.
    name: Vec<u8>,
    is_named: bool,
    /// The data of the last event returned, if it had several lines.
    joined: Vec<u8>,
    /// The name of the last event returned, if it had one.
    last_name: Vec<u8>,
    /// The last event returned: whether it had a name, and where its data is.
    last: (bool, LastData),
    is_at_start: bool,
    /// Whether the last line ended in CR. An LF that follows belongs to it.
    is_after_cr: bool,
    limit: usize,
}

/// The data of the current event. Nearly always it is a single line, which is not copied.
#[derive(Debug)]
enum Data {
    None,
    Line(Range<usize>),
    Lines(Vec<u8>),
}

/// Where the data of the last event returned is. A NUL byte follows it, in place of the line end.
#[derive(Debug)]
enum LastData {
    None,
    Buffer(Range<usize>),
    Joined,
}

impl Events {
    /// `limit` is the maximum number of bytes of an event.
    pub fn new(limit: usize) -> Events {
        Events {
            buffer: Vec::new(),
            read: 0,
            scanned: 0,
            data: Data::None,
            name: Vec::new(),
            is_named: false,
            joined: Vec::new(),
            last_name: Vec::new(),
            last: (false, LastData::None),
            is_at_start: true,
            is_after_cr: false,
            limit,
        }
    }

    /// Adds the next bytes of the body.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), TransportError> {
        self.last = (false, LastData::None);
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
        self.buffer.try_reserve(piece.len()).map_err(|_| TransportError::OutOfMemory(whole))?;
        self.buffer.extend_from_slice(piece);
        Ok(())
    }

    /// Returns the next complete event, or `None` if more bytes are needed.
    pub fn next(&mut self) -> Result<Option<Event<'_>>, TransportError> {
        while let Some(line) = self.next_line()? {
            if !line.is_empty() {
                match start_of_data(&self.buffer[line.clone()]) {
                    Some(start) => self.add_data(line.start + start..line.end)?,
                    None => {
                        if let Some(error) = self.other_field(line)? {
                            self.set_last(false, LastData::Buffer(error.clone()));
                            return Ok(Some(Event { name: ERROR, data: &self.buffer[error] }));
                        }
                    }
                }
                continue;
            }
            let is_named = self.end_name();
            match std::mem::replace(&mut self.data, Data::None) {
                Data::Line(range) if !range.is_empty() => {
                    self.set_last(is_named, LastData::Buffer(range.clone()));
                    return Ok(Some(Event { name: self.last_name(is_named), data: &self.buffer[range] }));
                }
                Data::Lines(mut lines) => {
                    extend(&mut lines, b"\0")?;
                    self.joined = lines;
                    self.set_last(is_named, LastData::Joined);
                    let data = &self.joined[..self.joined.len() - 1];
                    return Ok(Some(Event { name: self.last_name(is_named), data }));
                }
                _ if self.last_name(is_named) == ERROR => {
                    self.set_last(is_named, LastData::None);
                    return Ok(Some(Event { name: ERROR, data: b"" }));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Notes the event that is about to be returned, and terminates its data with a NUL byte.
    fn set_last(&mut self, is_named: bool, data: LastData) {
        if let LastData::Buffer(range) = &data {
            self.buffer[range.end] = 0;
        }
        self.last = (is_named, data);
    }

    /// Returns the name, if it had one, and the data of the last event returned, each followed by a NUL byte.
    pub fn last_with_nul(&self) -> (Option<&[u8]>, &[u8]) {
        let (is_named, data) = &self.last;
        let data = match data {
            LastData::None => b"\0",
            LastData::Buffer(range) => &self.buffer[range.start..=range.end],
            LastData::Joined => &self.joined[..],
        };
        (is_named.then_some(&self.last_name[..]), data)
    }

    /// Returns the data of the current event, which is incomplete, if it is a single line so far.
    pub fn partial_data(&self) -> Option<&[u8]> {
        match &self.data {
            Data::Line(range) => Some(&self.buffer[range.clone()]),
            _ => None,
        }
    }

    /// Ends the name of the current event. Returns whether it had one.
    fn end_name(&mut self) -> bool {
        let is_named = std::mem::take(&mut self.is_named);
        if is_named {
            std::mem::swap(&mut self.name, &mut self.last_name);
        }
        is_named
    }

    fn last_name(&self, is_named: bool) -> &[u8] {
        if is_named { self.last_name.strip_suffix(b"\0").unwrap_or_default() } else { b"" }
    }

    /// Returns the range of the next line, without its end.
    fn next_line(&mut self) -> Result<Option<Range<usize>>, TransportError> {
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
        // Every other line is empty, which is found without a search.
        let end = match self.buffer.get(from) {
            Some(b'\n' | b'\r') => Some(from),
            _ => memchr::memchr2(b'\n', b'\r', &self.buffer[from..]).map(|at| from + at),
        };
        let line = self.read..end.unwrap_or(self.buffer.len());
        // A line of data stays in the buffer, and so do the lines after it.
        let kept = match &self.data {
            Data::None => line.len(),
            Data::Line(range) => line.end - range.start,
            Data::Lines(lines) => lines.len() + line.len(),
        };
        if kept > self.limit {
            return Err(TransportError::EventTooLarge(self.limit));
        }
        self.scanned = line.end;
        let Some(end) = end else { return Ok(None) };
        self.read = end + 1;
        // An event that ends in CR is returned at once, not when the next byte arrives.
        self.is_after_cr = self.buffer[end] == b'\r';
        Ok(Some(line))
    }

    fn add_data(&mut self, value: Range<usize>) -> Result<(), TransportError> {
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

    /// Parses a line that is not data. Returns the value of the field `error`, which is an event by itself. No standard
    /// has this field, but llama.cpp sends it.
    #[inline(never)]
    fn other_field(&mut self, line: Range<usize>) -> Result<Option<Range<usize>>, TransportError> {
        let end = line.end;
        let text = &self.buffer[line];
        let colon = memchr::memchr(b':', text).unwrap_or(text.len());
        let value = text.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &text[..colon] {
            ERROR => return Ok(Some(end - value.len()..end)),
            b"event" => {
                self.is_named = true;
                self.name.clear();
                extend(&mut self.name, value)?;
                extend(&mut self.name, b"\0")?;
            }
            _ => {}
        }
        Ok(None)
    }
}

/// Returns where the value of a data line begins, or `None` for other lines.
fn start_of_data(line: &[u8]) -> Option<usize> {
    match line.strip_prefix(b"data")? {
        [b':', b' ', ..] => Some(6),
        [b':', ..] => Some(5),
        [] => Some(4),
        _ => None,
    }
}

fn extend(lines: &mut Vec<u8>, more: &[u8]) -> Result<(), TransportError> {
    lines.try_reserve(more.len()).map_err(|_| TransportError::OutOfMemory(lines.len() + more.len()))?;
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
            while let Some(Event { name, data }) = events.next().unwrap() {
                let (name, data) = (name.to_owned(), data.to_owned());
                let (last_name, last_data) = events.last_with_nul();
                assert_eq!(last_data, [&data[..], b"\0"].concat());
                // The field `error` is an event without a name.
                assert!(last_name.is_none_or(|last| last == [&name[..], b"\0"].concat()));
                let name = if name.is_empty() { String::new() } else { format!("{} = ", text(&name)) };
                found.push(name + &text(&data));
            }
        }
        found
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_owned()).unwrap()
    }

    fn unnamed(data: &[u8]) -> Result<Option<Event<'_>>, TransportError> {
        Ok(Some(Event { name: b"", data }))
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
    fn events_are_parsed_as_in_the_standard() {
        let rows: &[(&str, &[&str])] = &[
            ("data: a\n\ndata: b\n\n", &["a", "b"]),
            ("data: YHOO\ndata: +2\ndata: 10\n\n", &["YHOO\n+2\n10"]),
            (
                ": a comment\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
                &["first event", "second event", " third event"],
            ),
            // Events without data are dropped.
            ("data\n\nevent: ping\n\ndata:\n\n", &[]),
            ("data\ndata\n\ndata:", &["\n"]),
            ("data: a\n\ndata: not complete\n", &["a"]),
            ("\u{feff}data: a\n\n\u{feff}data: b\n\n", &["a"]),
            ("datax: a\ndat: b\nDATA: c\n data: d\nretry: 5\n\n", &[]),
            ("event: e\ndata: a: b\n: x\n\n\n\n", &["e = a: b"]),
            // A name belongs to one event, and the last one counts.
            ("event: a\n\ndata: 1\n\nevent: b\ndata: 2\nevent:c\n\ndata: 3\n\n", &["1", "c = 2", "3"]),
            ("event: b\nevent\ndata: 1\n\neventx: c\ndata: 2\n\n", &["1", "2"]),
            // An error event may have no data.
            ("event: error\n\nevent: error\ndata\n\nevent: error\ndata: x\n\n", &["error = ", "error = ", "error = x"]),
            ("event: Error\n\nevent: errors\n\nevent: error\nevent: e\n\n", &[]),
            // The field `error` is complete with its line.
            ("data: a\n\nerror: {\"code\":500}\n\ndata: b\n\n", &["a", "error = {\"code\":500}", "b"]),
            ("error:x\nerror\n: error: y\nerrors: z\ndata: error: z\n\n", &["error = x", "error = ", "error: z"]),
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
    fn event_is_returned_with_its_last_byte() {
        for end in ["\n\n", "\r\r", "\r\n\r"] {
            let mut events = Events::new(100);
            events.feed(format!("data: a{end}").as_bytes()).unwrap();
            assert_eq!(events.next(), unnamed(b"a"), "{end:?}");
        }
    }

    #[test]
    fn partial_data_is_returned_once_its_line_has_ended() {
        let mut events = Events::new(100);
        for (piece, begun) in [
            ("data: [DO", None),
            ("NE]", None),
            ("\n", Some("[DONE]")),
            ("data: x\n", None),
            ("\ndata: y\r", Some("y")),
        ] {
            events.feed(piece.as_bytes()).unwrap();
            while events.next().unwrap().is_some() {}
            assert_eq!(events.partial_data().map(text).as_deref(), begun, "{piece:?}");
        }
    }

    #[test]
    fn length_of_an_event_is_limited() {
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
        assert_eq!(too_large(&[&long]), Some(TransportError::EventTooLarge(100)));
        assert_eq!(too_large(&[b"data: ", &long[..50], &long[..51]]), Some(TransportError::EventTooLarge(100)));
        assert_eq!(
            too_large(&[b"data: ", &long[..60], b"\ndata: ", &long[..50]]),
            Some(TransportError::EventTooLarge(100))
        );
        // The limit is for each event, and not for comments between events.
        assert_eq!(too_large(&[b"data: ", &long[..90], b"\n\n"].repeat(50)), None);
        assert_eq!(too_large(&[b": ", &long[..90], b"\n"].repeat(50)), None);
        // Comments between the lines of one event count.
        let endless = [&b"data: x\n"[..]].into_iter().chain([b": ", &long[..90], b"\n"].repeat(50));
        assert_eq!(too_large(&endless.collect::<Vec<_>>()), Some(TransportError::EventTooLarge(100)));
    }

    #[test]
    fn parsed_bytes_are_removed_from_the_buffer() {
        let mut events = Events::new(100);
        for _ in 0..10_000 {
            events.feed(b": ping\n\ndata: some words\n\nid: 1\n").unwrap();
            assert_eq!(events.next(), unnamed(b"some words"));
            assert_eq!(events.next(), Ok(None));
        }
        assert!(events.buffer.capacity() < 1000);
    }
}
