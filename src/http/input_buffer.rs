//! The input buffer of a connection: small while the connection is idle or carries small messages, larger for long
//! ones.

/// Room for a small response.
const MIN_SIZE: usize = 4 * 1024;

/// The most input that is not consumed yet. The head of a response has to fit in. With a large buffer, many small
/// events or large embeddings take fewer system calls.
pub(super) const MAX_SIZE: usize = 64 * 1024;

/// Received bytes. They may be credentials, so they are wiped.
#[derive(Default)]
pub(super) struct InputBuffer {
    bytes: Vec<u8>,
    /// The unread bytes are `bytes[start..end]`.
    start: usize,
    end: usize,
    /// Bytes behind this index were never written.
    used: usize,
    /// Whether a read filled the buffer to its end, so that more is likely to follow than fits.
    was_filled: bool,
}

impl InputBuffer {
    /// Returns the bytes that were received and not consumed.
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Returns the room for more input. It is empty if the buffer holds [`MAX_SIZE`] unread bytes.
    pub fn free(&mut self) -> &mut [u8] {
        if self.was_filled || self.end == self.bytes.len() {
            self.make_room();
        }
        &mut self.bytes[self.end..]
    }

    /// Adds the first `amount` bytes of [`InputBuffer::free`] to the unread ones.
    pub fn add(&mut self, amount: usize) {
        self.end += amount;
        self.used = self.used.max(self.end);
        self.was_filled = self.end == self.bytes.len();
    }

    pub fn consume(&mut self, amount: usize) {
        self.start += amount;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Wipes the buffer, and frees the memory that an idle connection does not need. Returns false if there was unread
    /// input.
    pub fn reset(&mut self) -> bool {
        let is_empty = self.unread().is_empty();
        self.wipe();
        if self.bytes.len() > MIN_SIZE {
            self.bytes = Vec::new();
        }
        is_empty
    }

    fn wipe(&mut self) {
        self.bytes[..self.used].fill(0);
        // Keeps the compiler from removing the writes, which nothing reads.
        std::hint::black_box(&mut self.bytes);
        (self.start, self.end, self.used, self.was_filled) = (0, 0, 0, false);
    }

    /// Moves the unread bytes to the front, and enlarges the buffer if it is full.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if (self.was_filled || self.end == self.bytes.len()) && self.bytes.len() < MAX_SIZE {
            let mut larger = vec![0; (4 * self.bytes.len()).clamp(MIN_SIZE, MAX_SIZE)];
            larger[..self.end].copy_from_slice(&self.bytes[..self.end]);
            let end = self.end;
            self.wipe();
            self.bytes = larger;
            (self.end, self.used) = (end, end);
        }
        self.was_filled = false;
    }
}

impl Drop for InputBuffer {
    fn drop(&mut self) {
        self.wipe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(buffer: &mut InputBuffer, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let free = buffer.free();
            let amount = free.len().min(rest.len());
            free[..amount].copy_from_slice(&rest[..amount]);
            buffer.add(amount);
            rest = &rest[amount..];
        }
    }

    #[test]
    fn buffer_grows_with_unread_input_and_shrinks_when_idle() {
        let mut buffer = InputBuffer::default();
        append(&mut buffer, b"small");
        assert_eq!((buffer.unread(), buffer.bytes.len()), (&b"small"[..], MIN_SIZE));
        buffer.consume(5);
        assert!(buffer.unread().is_empty());
        let large: Vec<u8> = (0..MAX_SIZE).map(|number| (number % 251) as u8).collect();
        append(&mut buffer, &large);
        assert_eq!(buffer.unread(), large);
        assert!(buffer.free().is_empty());
        buffer.consume(100);
        assert_eq!(buffer.free().len(), 100);
        append(&mut buffer, &large[..100]);
        assert!(buffer.unread()[..MAX_SIZE - 100] == large[100..] && buffer.unread().ends_with(&large[..100]));
        assert!(!buffer.reset());
        assert!(buffer.unread().is_empty() && buffer.bytes.capacity() == 0);
        assert!(buffer.reset());
    }

    #[test]
    fn received_bytes_are_wiped() {
        let mut buffer = InputBuffer::default();
        append(&mut buffer, b"a token");
        buffer.consume(2);
        buffer.reset();
        assert!(buffer.bytes.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn buffer_grows_while_reads_fill_it() {
        let mut buffer = InputBuffer::default();
        let mut sizes = Vec::new();
        for _ in 0..4 {
            let room = buffer.free().len();
            sizes.push(room);
            buffer.add(room);
            buffer.consume(room);
        }
        assert_eq!(sizes, [MIN_SIZE, 4 * MIN_SIZE, MAX_SIZE, MAX_SIZE]);
        // Small pieces do not enlarge it.
        buffer.reset();
        for _ in 0..4 {
            buffer.free();
            buffer.add(100);
            buffer.consume(100);
        }
        assert_eq!(buffer.bytes.len(), MIN_SIZE);
    }
}
