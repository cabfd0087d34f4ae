//! Characters that a stream brings in two events: half of a surrogate pair at the end of one, the other half at the
//! beginning of the next.

use super::chunk::{Chunk, Piece};
use super::objects::MOST;
use super::strings::{Fragment, Halves, Text};
use super::tools::ToolCall;

/// First halves that were held back until their other halves come.
#[derive(Debug, Default)]
pub(super) struct SplitPairs(Vec<Held>);

#[derive(Debug)]
struct Held {
    place: Place,
    high: u16,
}

/// Which string of the stream is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    candidate: u64,
    /// The index that a tool call's arguments come under; `None` for the text.
    call: Option<Option<u64>>,
}

impl SplitPairs {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts what is held back before the strings of a chunk, and holds back what ends them.
    pub fn join(&mut self, chunk: &mut Chunk) {
        if self.0.is_empty() && !chunk.pieces.iter().any(ends_in_half) {
            return;
        }
        for piece in &mut chunk.pieces {
            let candidate = piece.candidate;
            self.join_text(Place { candidate, call: None }, &mut piece.text, piece.halves);
            for call in &mut piece.tool_calls {
                let place = Place { candidate, call: Some(call.index) };
                self.join_text(place, &mut call.arguments, call.halves);
            }
            if piece.finish_reason.is_some() {
                while let Some(at) = self.0.iter().position(|held| held.place.candidate == candidate) {
                    self.0.remove(at).give_up(piece);
                }
            }
        }
    }

    fn join_text(&mut self, place: Place, text: &mut Option<Text>, halves: Halves) {
        let Some(next) = text.take_if(|text| !text.0.is_empty()) else { return };
        let next = Fragment { text: next, halves };
        let held = self.0.iter().position(|held| held.place == place).map(|at| self.0.swap_remove(at).high);
        let joined = held.map_or(Fragment::default(), Fragment::of_high).join(next);
        if self.0.len() == MOST {
            *text = Some(joined.text);
            return;
        }
        let (whole, high) = joined.without_high();
        self.0.extend(high.map(|high| Held { place, high }));
        *text = Some(whole);
    }

    /// What is still held back.
    pub fn rest(&mut self) -> Chunk<'static> {
        let pieces = self.0.drain(..).map(|held| {
            let mut piece = Piece { candidate: held.place.candidate, ..Piece::default() };
            held.give_up(&mut piece);
            piece
        });
        Chunk { pieces: pieces.collect(), ..Chunk::default() }
    }
}

impl Held {
    /// Adds what stands for the half alone.
    fn give_up(self, piece: &mut Piece) {
        let half = Fragment::of_high(self.high).text;
        match self.place.call {
            Some(index) => piece.tool_calls.push(ToolCall { index, arguments: Some(half), ..ToolCall::default() }),
            None => match &mut piece.text {
                Some(text) => text.0.to_mut().push_str(&half.0),
                none => *none = Some(half),
            },
        }
    }
}

fn ends_in_half(piece: &Piece) -> bool {
    piece.halves.high.is_some() || piece.tool_calls.iter().any(|call| call.halves.high.is_some())
}

#[cfg(test)]
mod tests {
    use super::super::chunk::{Event, event};
    use super::*;

    /// The texts that come of these events, and of the end.
    fn texts(events: &[&str]) -> Vec<(u64, String)> {
        let (mut split, mut texts) = (SplitPairs::default(), Vec::new());
        let mut take = |chunk: &Chunk| {
            for piece in &chunk.pieces {
                let of_calls = piece.tool_calls.iter().filter_map(|call| call.arguments.as_ref());
                let found = piece.text.iter().chain(of_calls).filter(|text| !text.0.is_empty());
                texts.extend(found.map(|text| (piece.candidate, text.0.to_string())));
            }
        };
        for data in events {
            let Ok(Event::Chunk(mut chunk)) = event(data.as_bytes()) else { panic!("{data}") };
            split.join(&mut chunk);
            take(&chunk);
        }
        take(&split.rest());
        assert!(split.is_empty());
        texts
    }

    fn delta(index: u64, content: &str) -> String {
        format!(r#"{{"choices":[{{"index":{index},"delta":{{"content":"{content}"}}}}]}}"#)
    }

    #[test]
    fn pair_that_is_split_over_events_is_joined() {
        let (high, low) = (delta(0, r"a\ud83d"), delta(0, r"\ude00b"));
        let joined = [(0, "a".to_owned()), (0, "\u{1F600}b".to_owned())];
        assert_eq!(texts(&[&high, &low]), joined);
        assert_eq!(texts(&[&high, &delta(0, ""), &low]), joined);
        let other = texts(&[&high, &delta(1, "x"), &low]);
        assert_eq!(other, [(0, "a".to_owned()), (1, "x".to_owned()), (0, "\u{1F600}b".to_owned())]);
    }

    #[test]
    fn half_without_its_other_is_replaced() {
        let high = delta(0, r"\ud83d");
        assert_eq!(texts(&[&high, &delta(0, "x")]), [(0, "\u{fffd}x".to_owned())]);
        assert_eq!(texts(&[&high]), [(0, "\u{fffd}".to_owned())]);
        assert_eq!(texts(&[&delta(0, r"\ude00")]), [(0, "\u{fffd}".to_owned())]);
        let finish = r#"{"choices":[{"index":0,"delta":{"content":null},"finish_reason":"length"}]}"#;
        assert_eq!(texts(&[&high, finish]), [(0, "\u{fffd}".to_owned())]);
    }

    #[test]
    fn arguments_are_joined_as_texts_are() {
        let call = |index: u64, arguments: &str| {
            format!(
                r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":{index},"function":{{"arguments":"{arguments}"}}}}]}}}}]}}"#
            )
        };
        let events = [call(0, r"a\ud83d"), call(1, r"b\ud83d"), call(0, r"\ude00"), call(1, "c")];
        let expected = ["a", "b", "\u{1F600}", "\u{fffd}c"].map(|text| (0, text.to_owned()));
        assert_eq!(texts(&events.each_ref().map(String::as_str)), expected);
    }
}
