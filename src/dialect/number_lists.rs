//! Extracts lists of numbers from JSON before it is parsed. They are nearly all of an embeddings response, and a
//! general parser takes several times as long for them.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::floats;

/// The number of base64 characters decoded at a time. They encode complete floats: 16 characters encode 3.
const BASE64_CHUNK: usize = 4096;

/// Lists of numbers, appended to an array one after the other.
pub(super) struct NumberLists<'a> {
    array: &'a mut Vec<f32>,
    /// The probable number of lists.
    expected: usize,
    /// The maximum number of numbers in all lists.
    max_numbers: usize,
    /// The range of each list in the array.
    ranges: Vec<Range<usize>>,
    pub is_out_of_memory: bool,
}

impl NumberLists<'_> {
    pub fn new(array: &mut Vec<f32>, expected: usize, max_numbers: usize) -> NumberLists<'_> {
        NumberLists { array, expected, max_numbers, ranges: Vec::new(), is_out_of_memory: false }
    }

    pub fn count(&self) -> usize {
        self.ranges.len()
    }

    pub fn get(&self, list: usize) -> Option<&[f32]> {
        self.array.get(self.ranges.get(list)?.clone())
    }

    /// Extracts all lists of numbers from JSON. Returns the rest, in which each is replaced by a list of one number,
    /// its index here. Lists with other elements stay unchanged.
    pub fn extract(&mut self, body: &[u8]) -> Vec<u8> {
        let (mut rest, mut copied, mut at) = (Vec::new(), 0, 0);
        while let Some(next) = memchr::memchr2(b'"', b'[', &body[at..]) {
            if self.is_out_of_memory {
                return rest;
            }
            at += next + 1;
            if body[at - 1] == b'"' {
                at = find_string_end(body, at);
            } else if let Some(length) = self.read_list(&body[at..]) {
                self.copy(&body[copied..at], &mut rest);
                self.copy((self.ranges.len().saturating_sub(1)).to_string().as_bytes(), &mut rest);
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
        let start = self.array.len();
        let length = floats::parse_list(text, |number| self.push(number));
        match length {
            Some(_) => self.end_list(start),
            None => self.array.truncate(start),
        }
        length
    }

    /// Decodes a list from base64 of little-endian 32-bit floats, and returns its index.
    pub fn read_base64(&mut self, text: &str) -> Result<usize, String> {
        let start = self.array.len();
        // In chunks of complete floats, to need no copy of the whole.
        let mut bytes = [0; BASE64_CHUNK / 4 * 3];
        for chunk in text.as_bytes().chunks(BASE64_CHUNK) {
            let decoded = STANDARD.decode_slice(chunk, &mut bytes).map_err(|error| format!("base64: {error}"))?;
            let numbers = bytes[..decoded].chunks_exact(4);
            if !numbers.remainder().is_empty() {
                return Err("base64 of an incomplete 32-bit float".to_owned());
            }
            for number in numbers {
                if !self.push(f32::from_le_bytes([number[0], number[1], number[2], number[3]])) {
                    return Err("no memory".to_owned());
                }
            }
        }
        self.end_list(start);
        Ok(self.ranges.len().saturating_sub(1))
    }

    #[inline(always)]
    fn push(&mut self, number: f32) -> bool {
        let array = &mut self.array;
        if array.len() == array.capacity() && array.try_reserve(1).is_err() {
            self.is_out_of_memory = true;
            return false;
        }
        array.push(number);
        true
    }

    fn end_list(&mut self, start: usize) {
        let end = self.array.len();
        if self.ranges.is_empty() {
            let others = self.expected.saturating_sub(1).saturating_mul(end - start).min(self.max_numbers);
            self.is_out_of_memory |= self.array.try_reserve(others).is_err();
        }
        if self.ranges.try_reserve(1).is_err() {
            self.is_out_of_memory = true;
        } else {
            self.ranges.push(start..end);
        }
    }

    /// Keeps only these lists, in this order.
    pub fn arrange(&mut self, lists: impl Iterator<Item = usize>) {
        let start = self.ranges[0].start;
        let mut unsorted = Vec::new();
        if unsorted.try_reserve_exact(self.array.len() - start).is_err() {
            self.is_out_of_memory = true;
            return;
        }
        unsorted.extend_from_slice(&self.array[start..]);
        self.array.truncate(start);
        for list in lists {
            let list = &self.ranges[list];
            self.array.extend_from_slice(&unsorted[list.start - start..list.end - start]);
        }
    }
}

/// Returns the end of the string whose opening quote is before `at`: after its closing quote, or the end of a truncated
/// body.
fn find_string_end(body: &[u8], mut at: usize) -> usize {
    while let Some(next) = memchr::memchr2(b'"', b'\\', &body[at..]) {
        at += next + 1;
        if body[at - 1] == b'"' {
            return at;
        }
        at = body.len().min(at + 1);
    }
    body.len()
}
