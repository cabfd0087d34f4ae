//! Lists of numbers, taken out of JSON before the parser sees it: they are nearly all of an answer with vectors, and a
//! parser that looks at each number as at any value takes several times as long.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::floats;

/// As many characters of base64 are decoded at once. They hold whole numbers, since 16 characters hold 3 of them.
const PIECE: usize = 4096;

/// Lists of numbers at the end of a block, one behind the other.
pub(super) struct NumberLists<'b> {
    block: &'b mut Vec<f32>,
    /// As many lists are expected.
    expected: usize,
    /// As many numbers can come at most.
    most: usize,
    /// Where each list is in the block.
    all: Vec<Range<usize>>,
    pub is_out_of_memory: bool,
}

impl NumberLists<'_> {
    pub fn new(block: &mut Vec<f32>, expected: usize, most: usize) -> NumberLists<'_> {
        NumberLists { block, expected, most, all: Vec::new(), is_out_of_memory: false }
    }

    pub fn count(&self) -> usize {
        self.all.len()
    }

    pub fn get(&self, list: usize) -> Option<&[f32]> {
        self.block.get(self.all.get(list)?.clone())
    }

    /// Takes all lists of numbers out of JSON, and leaves in the place of each a list of one number: which list it was.
    /// What is left is short, and understood by the parser. Lists of numbers and of other things stay as they are.
    pub fn take_out(&mut self, body: &[u8]) -> Vec<u8> {
        let (mut rest, mut copied, mut at) = (Vec::new(), 0, 0);
        while let Some(next) = memchr::memchr2(b'"', b'[', &body[at..]) {
            if self.is_out_of_memory {
                return rest;
            }
            at += next + 1;
            if body[at - 1] == b'"' {
                at = end_of_string(body, at);
            } else if let Some(length) = self.read_list(&body[at..]) {
                self.copy(&body[copied..at], &mut rest);
                self.copy((self.all.len().saturating_sub(1)).to_string().as_bytes(), &mut rest);
                at += length;
                copied = at - 1;
            }
        }
        self.copy(&body[copied..], &mut rest);
        rest
    }

    fn copy(&mut self, from: &[u8], to: &mut Vec<u8>) {
        match to.try_reserve(from.len()) {
            Ok(()) => to.extend_from_slice(from),
            Err(_) => self.is_out_of_memory = true,
        }
    }

    fn read_list(&mut self, text: &[u8]) -> Option<usize> {
        let start = self.block.len();
        let length = floats::parse_list(text, |number| self.push(number));
        match length {
            Some(_) => self.end(start),
            None => self.block.truncate(start),
        }
        length
    }

    /// Adds a list that is base64 of the numbers' bytes (32-bit, little-endian), and says which one it is.
    pub fn read_base64(&mut self, text: &str) -> Result<usize, String> {
        let start = self.block.len();
        // In pieces, so that there is no copy of the whole: a piece's end is the end of a number.
        let mut bytes = [0; PIECE / 4 * 3];
        for piece in text.as_bytes().chunks(PIECE) {
            let decoded = STANDARD.decode_slice(piece, &mut bytes).map_err(|error| format!("base64: {error}"))?;
            let numbers = bytes[..decoded].chunks_exact(4);
            if !numbers.remainder().is_empty() {
                return Err("base64 that does not hold whole numbers".to_owned());
            }
            for number in numbers {
                if !self.push(f32::from_le_bytes([number[0], number[1], number[2], number[3]])) {
                    return Err("there is no memory".to_owned());
                }
            }
        }
        self.end(start);
        Ok(self.all.len().saturating_sub(1))
    }

    #[inline(always)]
    fn push(&mut self, number: f32) -> bool {
        let block = &mut self.block;
        if block.len() == block.capacity() && block.try_reserve(1).is_err() {
            self.is_out_of_memory = true;
            return false;
        }
        block.push(number);
        true
    }

    fn end(&mut self, start: usize) {
        let end = self.block.len();
        if self.all.is_empty() {
            let more = self.expected.saturating_sub(1).saturating_mul(end - start).min(self.most);
            self.is_out_of_memory |= self.block.try_reserve(more).is_err();
        }
        if self.all.try_reserve(1).is_err() {
            self.is_out_of_memory = true;
        } else {
            self.all.push(start..end);
        }
    }

    /// Leaves these lists, in this order.
    pub fn arrange(&mut self, lists: impl Iterator<Item = usize>) {
        let start = self.all[0].start;
        let mut unsorted = Vec::new();
        if unsorted.try_reserve_exact(self.block.len() - start).is_err() {
            self.is_out_of_memory = true;
            return;
        }
        unsorted.extend_from_slice(&self.block[start..]);
        self.block.truncate(start);
        for list in lists {
            let list = &self.all[list];
            self.block.extend_from_slice(&unsorted[list.start - start..list.end - start]);
        }
    }
}

/// Where the string ends that begins before `at`: behind its quote, or at the end of a body that is cut.
fn end_of_string(body: &[u8], mut at: usize) -> usize {
    while let Some(next) = memchr::memchr2(b'"', b'\\', &body[at..]) {
        at += next + 1;
        if body[at - 1] == b'"' {
            return at;
        }
        at = body.len().min(at + 1);
    }
    body.len()
}
