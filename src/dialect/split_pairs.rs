//! Joins surrogate pairs that a stream splits between two events.

use super::chunk::{Chunk, Delta};
use super::objects::MAX_ELEMENTS;
use super::reasoning::{Reasoning, ReasoningForm};
use super::strings::{Fragment, SurrogateHalves};
use super::tools::ToolCall;

/// High surrogates at the end of an event's strings, held back until the next event.
#[derive(Debug, Default)]
pub(super) struct SplitPairs(Vec<Held>);

#[derive(Debug)]
struct Held {
    place: Place,
    high: u16,
}

/// One of the strings that a stream sends in fragments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    candidate: u64,
    string: StringField,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StringField {
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

    /// Prepends the held surrogates to the strings of a chunk, and holds back those at the ends of the strings.
    pub fn join(&mut self, chunk: &mut Chunk) {
        if self.0.is_empty() && !chunk.deltas.iter().any(ends_in_half) {
            return;
        }
        for delta in &mut chunk.deltas {
            let candidate = delta.candidate;
            self.join_fragment(Place { candidate, string: StringField::Text }, &mut delta.text);
            if let Some(reasoning) = &mut delta.reasoning {
                let place = Place { candidate, string: StringField::Reasoning(reasoning.form) };
                let mut text = Some(std::mem::take(&mut reasoning.text));
                self.join_fragment(place, &mut text);
                reasoning.text = text.unwrap_or_default();
            }
            self.join_fragment(Place { candidate, string: StringField::Refusal }, &mut delta.refusal);
            for call in &mut delta.tool_calls {
                let place = Place { candidate, string: StringField::Arguments(call.index) };
                let halves = call.halves;
                let mut arguments = call.arguments.take().map(|text| Fragment { text, halves });
                self.join_fragment(place, &mut arguments);
                call.arguments = arguments.map(|arguments| arguments.text);
            }
            if delta.finish_reason.is_some() {
                while let Some(at) = self.0.iter().position(|held| held.place.candidate == candidate) {
                    self.0.remove(at).flush_into(delta);
                }
            }
        }
    }

    fn join_fragment(&mut self, place: Place, fragment: &mut Option<Fragment>) {
        let Some(next) = fragment.take_if(|fragment| !fragment.text.0.is_empty()) else { return };
        let held = self.0.iter().position(|held| held.place == place).map(|at| self.0.swap_remove(at).high);
        let joined = held.map_or(Fragment::default(), Fragment::from_high).join(next);
        if self.0.len() == MAX_ELEMENTS {
            *fragment = Some(joined);
            return;
        }
        let (text, high) = joined.split_high();
        self.0.extend(high.map(|high| Held { place, high }));
        *fragment = Some(Fragment { text, halves: SurrogateHalves::default() });
    }

    /// Returns what is still held back, as replacement characters.
    pub fn flush(&mut self) -> Chunk<'static> {
        let deltas = self.0.drain(..).map(|held| {
            let mut delta = Delta { candidate: held.place.candidate, ..Delta::default() };
            held.flush_into(&mut delta);
            delta
        });
        Chunk { deltas: deltas.collect(), ..Chunk::default() }
    }
}

impl Held {
    /// Appends a replacement character for the surrogate.
    fn flush_into(self, delta: &mut Delta) {
        let half = Fragment::from_high(self.high);
        let strings = match self.place.string {
            StringField::Text => &mut delta.text,
            StringField::Refusal => &mut delta.refusal,
            StringField::Reasoning(form) => {
                let reasoning = delta.reasoning.get_or_insert_with(|| Reasoning { form, ..Reasoning::default() });
                reasoning.text.text.0.to_mut().push_str(&half.text.0);
                return;
            }
            StringField::Arguments(index) => {
                let arguments = Some(half.text);
                delta.tool_calls.push(ToolCall { index, arguments, ..ToolCall::default() });
                return;
            }
        };
        strings.get_or_insert_default().text.0.to_mut().push_str(&half.text.0);
    }
}

fn ends_in_half(delta: &Delta) -> bool {
    let strings = [&delta.text, &delta.refusal].into_iter().flatten();
    strings.chain(delta.reasoning.iter().map(|reasoning| &reasoning.text)).any(|string| string.halves.high.is_some())
        || delta.tool_calls.iter().any(|call| call.halves.high.is_some())
}

#[cfg(test)]
mod tests {
    use super::super::chunk::Event;
    use super::super::openai::decode_event;
    use super::*;

    /// Returns the strings of these events, and those at the end of the stream.
    fn texts_of(events: &[&str]) -> Vec<(u64, String)> {
        let (mut split, mut texts) = (SplitPairs::default(), Vec::new());
        let mut take = |chunk: &Chunk| {
            for delta in &chunk.deltas {
                let of_calls = delta.tool_calls.iter().filter_map(|call| call.arguments.as_ref());
                let reasoning = delta.reasoning.iter().map(|reasoning| &reasoning.text);
                let fragments = delta.text.iter().chain(reasoning).chain(&delta.refusal).map(|fragment| &fragment.text);
                let found = fragments.chain(of_calls).filter(|text| !text.0.is_empty());
                texts.extend(found.map(|text| (delta.candidate, text.0.to_string())));
            }
        };
        for data in events {
            let Ok(Event::Chunk(mut chunk)) = decode_event(data.as_bytes()) else { panic!("{data}") };
            split.join(&mut chunk);
            take(&chunk);
        }
        take(&split.flush());
        assert!(split.is_empty());
        texts
    }

    fn delta_event(index: u64, content: &str) -> String {
        format!(r#"{{"choices":[{{"index":{index},"delta":{{"content":"{content}"}}}}]}}"#)
    }

    #[test]
    fn pair_split_between_events_is_joined() {
        let (high, low) = (delta_event(0, r"a\ud83d"), delta_event(0, r"\ude00b"));
        let joined = [(0, "a".to_owned()), (0, "\u{1F600}b".to_owned())];
        assert_eq!(texts_of(&[&high, &low]), joined);
        assert_eq!(texts_of(&[&high, &delta_event(0, ""), &low]), joined);
        let other = texts_of(&[&high, &delta_event(1, "x"), &low]);
        assert_eq!(other, [(0, "a".to_owned()), (1, "x".to_owned()), (0, "\u{1F600}b".to_owned())]);
    }

    #[test]
    fn lone_surrogate_is_replaced() {
        let high = delta_event(0, r"\ud83d");
        assert_eq!(texts_of(&[&high, &delta_event(0, "x")]), [(0, "\u{fffd}x".to_owned())]);
        assert_eq!(texts_of(&[&high]), [(0, "\u{fffd}".to_owned())]);
        assert_eq!(texts_of(&[&delta_event(0, r"\ude00")]), [(0, "\u{fffd}".to_owned())]);
        let finish = r#"{"choices":[{"index":0,"delta":{"content":null},"finish_reason":"length"}]}"#;
        assert_eq!(texts_of(&[&high, finish]), [(0, "\u{fffd}".to_owned())]);
    }

    #[test]
    fn pairs_in_reasoning_and_refusals_are_joined() {
        for field in ["reasoning_content", "refusal"] {
            let of = |text: &str| format!(r#"{{"choices":[{{"delta":{{"{field}":"{text}","content":"{text}"}}}}]}}"#);
            let expected = ["a", "a", "\u{1F600}", "\u{1F600}"].map(|text| (0, text.to_owned()));
            assert_eq!(texts_of(&[&of(r"a\ud83d"), &of(r"\ude00")]), expected, "{field}");
            assert_eq!(
                texts_of(&[&of(r"\ud83d")]),
                [(0, "\u{fffd}".to_owned()), (0, "\u{fffd}".to_owned())],
                "{field}"
            );
        }
    }

    #[test]
    fn pairs_in_arguments_are_joined() {
        let call = |index: u64, arguments: &str| {
            format!(
                r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":{index},"function":{{"arguments":"{arguments}"}}}}]}}}}]}}"#
            )
        };
        let events = [call(0, r"a\ud83d"), call(1, r"b\ud83d"), call(0, r"\ude00"), call(1, "c")];
        let expected = ["a", "b", "\u{1F600}", "\u{fffd}c"].map(|text| (0, text.to_owned()));
        assert_eq!(texts_of(&events.each_ref().map(String::as_str)), expected);
    }
}
