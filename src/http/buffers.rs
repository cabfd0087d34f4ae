//! The buffers of a connection: small while it is idle or carries small messages, larger while bytes pour in.

use ureq::unversioned::transport::Buffers;

/// For what is sent by ureq's trait. A [`Layer`](super::layer::Layer) sends from where the bytes are.
const OUTPUT: usize = 2 * 1024;

/// What a small response takes.
const MIN_INPUT: usize = 4 * 1024;

/// What may have come and not be understood yet. The head of a response has to fit in. Many small events, or large
/// embeddings, come with fewer system calls.
pub(super) const MAX_INPUT: usize = 64 * 1024;

/// Bytes that are to be sent, and bytes that came. Those may be credentials, so they are wiped.
#[derive(Default)]
pub(super) struct ConnectionBuffers {
    output: Vec<u8>,
    input: Vec<u8>,
    /// Of the input, what came and was not yet consumed.
    start: usize,
    end: usize,
    /// Up to here the input may hold what came.
    used: usize,
    /// Whether a read filled the input to its end, so that there is more to come than fits.
    was_filled: bool,
    has_progressed: bool,
}

/// None of it is shown.
impl std::fmt::Debug for ConnectionBuffers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConnectionBuffers")
    }
}

impl ConnectionBuffers {
    /// Wipes what came, and gives the memory back that an idle connection does not need; false if there is input still.
    pub fn go_idle(&mut self) -> bool {
        let is_empty = self.input().is_empty();
        self.wipe();
        if self.input.len() > MIN_INPUT {
            self.input = Vec::new();
        }
        is_empty
    }

    fn wipe(&mut self) {
        self.input[..self.used].fill(0);
        // Lest it is left out, since nothing reads it.
        std::hint::black_box(&mut self.input);
        (self.start, self.end, self.used, self.was_filled) = (0, 0, 0, false);
    }

    /// Makes room behind what came: by moving it to the front, or else by more memory.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.input.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if (self.was_filled || self.end == self.input.len()) && self.input.len() < MAX_INPUT {
            let mut larger = vec![0; (4 * self.input.len()).clamp(MIN_INPUT, MAX_INPUT)];
            larger[..self.end].copy_from_slice(&self.input[..self.end]);
            let end = self.end;
            self.wipe();
            self.input = larger;
            (self.end, self.used) = (end, end);
        }
        self.was_filled = false;
    }
}

impl Drop for ConnectionBuffers {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl Buffers for ConnectionBuffers {
    fn output(&mut self) -> &mut [u8] {
        if self.output.is_empty() {
            self.output = vec![0; OUTPUT];
        }
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        &self.input[self.start..self.end]
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        if self.was_filled || self.end == self.input.len() {
            self.make_room();
        }
        &mut self.input[self.end..]
    }

    fn input_appended(&mut self, amount: usize) {
        self.end += amount;
        self.used = self.used.max(self.end);
        self.was_filled = self.end == self.input.len();
    }

    fn input_consume(&mut self, amount: usize) {
        self.has_progressed = amount > 0;
        self.start += amount;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.output();
        self.input_append_buf();
        (&mut self.input[self.end..], &mut self.output)
    }

    fn can_use_input(&self) -> bool {
        self.has_progressed && self.start < self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(buffers: &mut ConnectionBuffers, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let free = buffers.input_append_buf();
            let amount = free.len().min(rest.len());
            free[..amount].copy_from_slice(&rest[..amount]);
            buffers.input_appended(amount);
            rest = &rest[amount..];
        }
    }

    #[test]
    fn input_grows_with_what_comes_and_shrinks_when_idle() {
        let mut buffers = ConnectionBuffers::default();
        append(&mut buffers, b"small");
        assert_eq!((buffers.input(), buffers.input.len()), (&b"small"[..], MIN_INPUT));
        buffers.input_consume(5);
        assert!(buffers.input().is_empty());
        let large: Vec<u8> = (0..MAX_INPUT).map(|number| (number % 251) as u8).collect();
        append(&mut buffers, &large);
        assert_eq!(buffers.input(), large);
        assert!(buffers.input_append_buf().is_empty());
        buffers.input_consume(100);
        assert_eq!(buffers.input_append_buf().len(), 100);
        append(&mut buffers, &large[..100]);
        assert!(buffers.input()[..MAX_INPUT - 100] == large[100..] && buffers.input().ends_with(&large[..100]));
        assert!(!buffers.go_idle());
        assert!(buffers.input().is_empty() && buffers.input.capacity() == 0);
        assert!(buffers.go_idle());
    }

    #[test]
    fn what_came_is_wiped() {
        let mut buffers = ConnectionBuffers::default();
        append(&mut buffers, b"a token");
        buffers.input_consume(2);
        buffers.go_idle();
        assert!(buffers.input.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn input_grows_while_all_that_comes_is_consumed_at_once() {
        let mut buffers = ConnectionBuffers::default();
        let mut sizes = Vec::new();
        for _ in 0..4 {
            let room = buffers.input_append_buf().len();
            sizes.push(room);
            buffers.input_appended(room);
            buffers.input_consume(room);
        }
        assert_eq!(sizes, [MIN_INPUT, 4 * MIN_INPUT, MAX_INPUT, MAX_INPUT]);
        // What comes in small pieces needs no more.
        buffers.go_idle();
        for _ in 0..4 {
            buffers.input_append_buf();
            buffers.input_appended(100);
            buffers.input_consume(100);
        }
        assert_eq!(buffers.input.len(), MIN_INPUT);
    }
}
