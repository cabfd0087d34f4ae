//! Characters that a stream brings in two events: half of a surrogate pair at the end of one, the other half at the
//! beginning of the next.

use super::chunk::{Chunk, Piece};
use super::objects::MOST;
use super::reasoning::{Reasoning, ReasoningForm};
use super::strings::{Fragment, SurrogateHalves};
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
    string: Which,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Text,
    Reasoning(ReasoningForm),
    Refusal,
    /// The arguments of the tool call of this index.
    Arguments(Option<u64>),
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
            self.join_fragment(Place { candidate, string: Which::Text }, &mut piece.text);
            if let Some(reasoning) = &mut piece.reasoning {
                let place = Place { candidate, string: Which::Reasoning(reasoning.form) };
                let mut text = Some(std::mem::take(&mut reasoning.text));
                self.join_fragment(place, &mut text);
                reasoning.text = text.unwrap_or_default();
            }
            self.join_fragment(Place { candidate, string: Which::Refusal }, &mut piece.refusal);
            for call in &mut piece.tool_calls {
                let place = Place { candidate, string: Which::Arguments(call.index) };
                let halves = call.halves;
                let mut arguments = call.arguments.take().map(|text| Fragment { text, halves });
                self.join_fragment(place, &mut arguments);
                call.arguments = arguments.map(|arguments| arguments.text);
            }
            if piece.finish_reason.is_some() {
                while let Some(at) = self.0.iter().position(|held| held.place.candidate == candidate) {
                    self.0.remove(at).give_up(piece);
                }
            }
        }
    }

    fn join_fragment(&mut self, place: Place, fragment: &mut Option<Fragment>) {
        let Some(next) = fragment.take_if(|fragment| !fragment.text.0.is_empty()) else { return };
        let held = self.0.iter().position(|held| held.place == place).map(|at| self.0.swap_remove(at).high);
        let joined = held.map_or(Fragment::default(), Fragment::of_high).join(next);
        if self.0.len() == MOST {
            *fragment = Some(joined);
            return;
        }
        let (text, high) = joined.without_high();
        self.0.extend(high.map(|high| Held { place, high }));
        *fragment = Some(Fragment { text, halves: SurrogateHalves::default() });
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
        let half = Fragment::of_high(self.high);
        let strings = match self.place.string {
            Which::Text => &mut piece.text,
            Which::Refusal => &mut piece.refusal,
            Which::Reasoning(form) => {
                let reasoning = piece.reasoning.get_or_insert_with(|| Reasoning { form, ..Reasoning::default() });
                reasoning.text.text.0.to_mut().push_str(&half.text.0);
                return;
            }
            Which::Arguments(index) => {
                let arguments = Some(half.text);
                piece.tool_calls.push(ToolCall { index, arguments, ..ToolCall::default() });
                return;
            }
        };
        strings.get_or_insert_default().text.0.to_mut().push_str(&half.text.0);
    }
}

fn ends_in_half(piece: &Piece) -> bool {
    let strings = [&piece.text, &piece.refusal].into_iter().flatten();
    strings.chain(piece.reasoning.iter().map(|reasoning| &reasoning.text)).any(|string| string.halves.high.is_some())
        || piece.tool_calls.iter().any(|call| call.halves.high.is_some())
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
                let reasoning = piece.reasoning.iter().map(|reasoning| &reasoning.text);
                let fragments = piece.text.iter().chain(reasoning).chain(&piece.refusal).map(|fragment| &fragment.text);
                let found = fragments.chain(of_calls).filter(|text| !text.0.is_empty());
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
    fn reasoning_and_refusals_are_joined_as_texts_are() {
        for field in ["reasoning_content", "refusal"] {
            let of = |text: &str| format!(r#"{{"choices":[{{"delta":{{"{field}":"{text}","content":"{text}"}}}}]}}"#);
            let expected = ["a", "a", "\u{1F600}", "\u{1F600}"].map(|text| (0, text.to_owned()));
            assert_eq!(texts(&[&of(r"a\ud83d"), &of(r"\ude00")]), expected, "{field}");
            assert_eq!(texts(&[&of(r"\ud83d")]), [(0, "\u{fffd}".to_owned()), (0, "\u{fffd}".to_owned())], "{field}");
        }
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
