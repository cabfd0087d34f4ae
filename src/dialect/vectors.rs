//! Vectors: from the text of an answer straight into one block of numbers, without a tree between.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::answer::{self, Malformed};
use super::json::{Lenient, Text};
use super::usage::{OpenAiUsage, Usage};

/// As many characters of base64 are decoded at once. They hold whole numbers, since 16 characters hold 3 of them.
const PIECE: usize = 4096;

/// Vectors of one dimension, one behind the other.
#[derive(Debug, Default, PartialEq)]
pub struct Vectors {
    pub data: Vec<f32>,
    pub dimension: usize,
    pub count: usize,
}

/// What an answer says besides its vectors.
#[derive(Debug, Default)]
pub struct VectorsAnswer<'a> {
    pub model: Option<Text<'a>>,
    pub usage: Usage,
}

/// How the dialects call the fields.
pub(super) struct VectorNames {
    /// The list of vectors, or of objects with an `embedding` each.
    pub list: &'static str,
    /// The model and the counts of tokens: in an object of this name, or for `None` as OpenAI has them.
    pub metadata: Option<&'static str>,
}

/// Adds an answer's vectors, about `expected` of them, to `to`, in the order of their `index`. A failure adds none.
pub(super) fn decode<'a>(
    body: &'a [u8],
    expected: usize,
    to: &mut Vectors,
    names: &VectorNames,
) -> Result<VectorsAnswer<'a>, Malformed> {
    let (count, len) = (to.count, to.data.len());
    let answer = append(body, expected, to, names);
    if answer.is_err() {
        to.count = count;
        to.data.truncate(len);
    }
    answer
}

fn append<'a>(
    body: &'a [u8],
    expected: usize,
    to: &mut Vectors,
    names: &VectorNames,
) -> Result<VectorsAnswer<'a>, Malformed> {
    let first = (to.count, to.data.len());
    // There cannot be more numbers than half of the bytes, whatever the first vector promises.
    let mut rows = Rows { to, indexes: Vec::new(), expected, most: body.len() / 2, is_out_of_memory: false };
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = WholeAnswer { rows: &mut rows, names }.deserialize(&mut json).and_then(|answer| {
        json.end()?;
        Ok(answer)
    });
    if rows.is_out_of_memory {
        return Err(Malformed::OutOfMemory(rows.to.count, rows.to.dimension));
    }
    let answer = read.map_err(|error| answer::malformed(&error, body))?;
    let wrong = |why: &str| Malformed::WrongShape(why.to_owned(), answer::beginning(body));
    let answer = answer.ok_or_else(|| wrong(&format!("there is no list \"{}\"", names.list)))?;
    if rows.to.count == first.0 {
        return Err(Malformed::NoCandidates);
    }
    rows.sort(first.1).map_err(wrong)?;
    Ok(answer)
}

/// The place that the vectors of one answer go to.
struct Rows<'v> {
    to: &'v mut Vectors,
    /// What each says of its place among those of this answer.
    indexes: Vec<Option<u64>>,
    expected: usize,
    /// As many numbers can come at most.
    most: usize,
    is_out_of_memory: bool,
}

impl Rows<'_> {
    fn push(&mut self, number: f32) -> Result<(), &'static str> {
        let data = &mut self.to.data;
        if data.len() == data.capacity() && data.try_reserve(1).is_err() {
            self.is_out_of_memory = true;
            return Err("there is no memory");
        }
        data.push(number);
        Ok(())
    }

    /// Ends the vector that began at `start`.
    fn end(&mut self, start: usize, index: Option<u64>) -> Result<(), &'static str> {
        let dimension = self.to.data.len() - start;
        if dimension == 0 {
            return Err("a vector without numbers");
        }
        if self.to.data[start..].iter().any(|number| number.is_infinite()) {
            return Err("a number that is too large for 32 bits");
        }
        if self.to.count == 0 {
            self.to.dimension = dimension;
        } else if dimension != self.to.dimension {
            return Err("vectors of different dimensions");
        }
        if self.indexes.is_empty() {
            let more = self.expected.saturating_sub(1).saturating_mul(dimension).min(self.most);
            if self.to.data.try_reserve(more).is_err() {
                self.is_out_of_memory = true;
                return Err("there is no memory");
            }
        }
        self.to.count += 1;
        self.indexes.push(index);
        Ok(())
    }

    /// Puts what began at `start` in the order of the indexes. Where none is given, the order is that of the answer.
    fn sort(self, start: usize) -> Result<(), &'static str> {
        let places: Vec<u64> = (0u64..).zip(&self.indexes).map(|(place, index)| index.unwrap_or(place)).collect();
        if (0u64..).zip(&places).all(|(place, index)| place == *index) {
            return Ok(());
        }
        let mut is_taken = vec![false; places.len()];
        let unsorted = self.to.data.split_off(start);
        self.to.data.resize(start + unsorted.len(), 0.0);
        for (vector, place) in unsorted.chunks_exact(self.to.dimension).zip(places) {
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            match is_taken.get_mut(place) {
                Some(taken) if !*taken => *taken = true,
                _ => return Err("an index that is given twice, or is too large"),
            }
            let at = start + place * self.to.dimension;
            self.to.data[at..at + self.to.dimension].copy_from_slice(vector);
        }
        Ok(())
    }
}

struct WholeAnswer<'r, 'v, 'n> {
    rows: &'r mut Rows<'v>,
    names: &'n VectorNames,
}

impl<'de> DeserializeSeed<'de> for WholeAnswer<'_, '_, '_> {
    type Value = Option<VectorsAnswer<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for WholeAnswer<'_, '_, '_> {
    type Value = Option<VectorsAnswer<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with vectors")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut answer = VectorsAnswer::default();
        let mut has_list = false;
        while let Some(field) = map.next_key::<Text>()? {
            let field = field.0.as_ref();
            if field == self.names.list {
                if std::mem::replace(&mut has_list, true) {
                    return Err(Error::custom(format!("the list \"{field}\" is there twice")));
                }
                map.next_value_seed(List { rows: self.rows })?;
            } else if self.names.metadata == Some(field) {
                if let Some(metadata) = map.next_value::<Option<super::gateway::Metadata>>()? {
                    (answer.model, answer.usage) = metadata.understood();
                }
            } else if self.names.metadata.is_none() && field == "usage" {
                answer.usage = map.next_value::<Option<OpenAiUsage>>()?.map(Usage::from).unwrap_or_default();
            } else if self.names.metadata.is_none() && field == "model" {
                answer.model = map.next_value::<Lenient>()?.text();
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(has_list.then_some(answer))
    }
}

/// The list of vectors; or, as older gateways answer to a single text, one vector itself.
struct List<'r, 'v> {
    rows: &'r mut Rows<'v>,
}

impl<'de> DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of vectors")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<(), S::Error> {
        let start = self.rows.to.data.len();
        let mut is_flat = false;
        while let Some(kind) = list.next_element_seed(Element { rows: self.rows })? {
            is_flat |= kind == Kind::Number;
            if is_flat && kind == Kind::Vector {
                return Err(Error::custom("vectors and numbers in one list"));
            }
        }
        if is_flat { self.rows.end(start, None).map_err(Error::custom) } else { Ok(()) }
    }
}

#[derive(PartialEq, Eq)]
enum Kind {
    Vector,
    Number,
}

/// A vector as a list, an object that holds one, or a number of the only vector.
struct Element<'r, 'v> {
    rows: &'r mut Rows<'v>,
}

impl<'de> DeserializeSeed<'de> for Element<'_, '_> {
    type Value = Kind;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_, '_> {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a vector")
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Kind, E> {
        self.rows.push(number as f32).map_err(E::custom)?;
        Ok(Kind::Number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Kind, E> {
        self.visit_f64(number as f64)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Kind, E> {
        self.visit_f64(number as f64)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, numbers: S) -> Result<Kind, S::Error> {
        let start = self.rows.to.data.len();
        Numbers { rows: self.rows }.visit_seq(numbers)?;
        self.rows.end(start, None).map_err(S::Error::custom)?;
        Ok(Kind::Vector)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Kind, M::Error> {
        let start = self.rows.to.data.len();
        let mut index = None;
        while let Some(field) = map.next_key::<Text>()? {
            match field.0.as_ref() {
                "embedding" if self.rows.to.data.len() > start => {
                    return Err(Error::custom("two vectors in one object"));
                }
                "embedding" => map.next_value_seed(Numbers { rows: self.rows })?,
                "index" => index = map.next_value::<Lenient>()?.count(),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        self.rows.end(start, index).map_err(Error::custom)?;
        Ok(Kind::Vector)
    }
}

/// The numbers of one vector: a list of them, or base64 of their bytes (32-bit, little-endian).
struct Numbers<'r, 'v> {
    rows: &'r mut Rows<'v>,
}

impl<'de> DeserializeSeed<'de> for Numbers<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Numbers<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of numbers, or base64")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut numbers: S) -> Result<(), S::Error> {
        while let Some(number) = numbers.next_element::<f64>()? {
            self.rows.push(number as f32).map_err(S::Error::custom)?;
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        // In pieces, so that there is no copy of the whole: a piece's end is the end of a number.
        let mut bytes = [0; PIECE / 4 * 3];
        for piece in text.as_bytes().chunks(PIECE) {
            let decoded = STANDARD.decode_slice(piece, &mut bytes);
            let decoded = decoded.map_err(|error| E::custom(format!("base64: {error}")))?;
            let numbers = bytes[..decoded].chunks_exact(4);
            if !numbers.remainder().is_empty() {
                return Err(E::custom("base64 that does not hold whole numbers"));
            }
            for number in numbers {
                let number = f32::from_le_bytes([number[0], number[1], number[2], number[3]]);
                self.rows.push(number).map_err(E::custom)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENAI: VectorNames = VectorNames { list: "data", metadata: None };
    const GATEWAY: VectorNames = VectorNames { list: "embeddings", metadata: Some("metadata") };

    fn of(names: &VectorNames, body: &str) -> Result<Vectors, Malformed> {
        let mut vectors = Vectors::default();
        decode(body.as_bytes(), 2, &mut vectors, names).map(|_| vectors)
    }

    fn vectors(data: &[f32], dimension: usize) -> Result<Vectors, Malformed> {
        Ok(Vectors { data: data.to_owned(), dimension, count: data.len() / dimension })
    }

    #[test]
    fn reads_each_shape() {
        let body = r#"{"object":"list","data":[{"object":"embedding","embedding":[1,-2.5e-3],"index":0},
            {"embedding":[0.1,3],"index":1,"x":[{}]}],"model":"m","usage":{"prompt_tokens":4,"total_tokens":4}}"#;
        assert_eq!(of(&OPENAI, body), vectors(&[1.0, -0.0025, 0.1, 3.0], 2));
        let mut unused = Vectors::default();
        let answer = decode(body.as_bytes(), 2, &mut unused, &OPENAI).unwrap();
        assert_eq!((answer.model, answer.usage.input_tokens), (Some(Text("m".into())), Some(4)));

        let body = r#"{"embeddings":[[1,2],[3,4]],"metadata":{"input_tokens":5,"model":"m","route_type":"x"}}"#;
        assert_eq!(of(&GATEWAY, body), vectors(&[1.0, 2.0, 3.0, 4.0], 2));
        let answer = decode(body.as_bytes(), 2, &mut unused, &GATEWAY).unwrap();
        assert_eq!((answer.model, answer.usage.input_tokens), (Some(Text("m".into())), Some(5)));
        assert_eq!(of(&GATEWAY, r#"{"metadata":null,"embeddings":[1,2.5,-3]}"#), vectors(&[1.0, 2.5, -3.0], 3));
    }

    #[test]
    fn reads_base64() {
        // 1.0, -2.0 and 0.5, as Python's struct and base64 write them.
        let body = r#"{"data":[{"index":0,"embedding":"AACAPwAAAMAAAAA/"}]}"#;
        assert_eq!(of(&OPENAI, body), vectors(&[1.0, -2.0, 0.5], 3));
        let long: Vec<f32> = (0..10_000).map(|number| number as f32 / 7.0).collect();
        let bytes: Vec<u8> = long.iter().flat_map(|number| number.to_le_bytes()).collect();
        let body = format!(r#"{{"data":[{{"embedding":"{}"}}]}}"#, STANDARD.encode(bytes));
        assert_eq!(of(&OPENAI, &body), vectors(&long, 10_000));
        for wrong in ["AACAPwA=", "AACA", "AACAP", "!!!!", ""] {
            let body = format!(r#"{{"data":[{{"embedding":"{wrong}"}}]}}"#);
            assert!(matches!(of(&OPENAI, &body), Err(Malformed::WrongShape(..))), "{wrong}");
        }
    }

    #[test]
    fn sorts_by_index() {
        let body =
            r#"{"data":[{"index":2,"embedding":[5,6]},{"index":0,"embedding":[1,2]},{"index":1,"embedding":[3,4]}]}"#;
        assert_eq!(of(&OPENAI, body), vectors(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2));
        let mut to = Vectors { data: vec![9.0, 9.0], dimension: 2, count: 1 };
        decode(body.as_bytes(), 3, &mut to, &OPENAI).unwrap();
        assert_eq!((to.data, to.count), (vec![9.0, 9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 4));
    }

    #[test]
    fn a_wrong_answer_adds_nothing() {
        let mut to = Vectors { data: vec![9.0, 9.0], dimension: 2, count: 1 };
        for body in [
            r#"{"data":[{"index":1,"embedding":[1,2]},{"index":1,"embedding":[3,4]}]}"#,
            r#"{"data":[{"index":7,"embedding":[1,2]},{"index":0,"embedding":[3,4]}]}"#,
            r#"{"data":[{"embedding":[1,2]},{"embedding":[3]}]}"#,
            r#"{"data":[{"embedding":[1,2,3]}]}"#,
            r#"{"data":[{"embedding":[1,null]}]}"#,
            r#"{"data":[{"embedding":[1,"2"]}]}"#,
            r#"{"data":[{"embedding":[1,1e39]}]}"#,
            r#"{"data":[{"embedding":[]}]}"#,
            r#"{"data":[{"embedding":[1,2],"embedding":[3,4]}]}"#,
            r#"{"data":[{"index":0}]}"#,
            r#"{"data":[1,2,[3,4]]}"#,
            r#"{"data":[[1,2]],"data":[[3,4]]}"#,
            r#"{"data":{}}"#,
            r#"{"data":null}"#,
            r#"{"embeddings":[[1,2]]}"#,
            "[]",
        ] {
            let failure = decode(body.as_bytes(), 2, &mut to, &OPENAI).unwrap_err();
            assert!(matches!(failure, Malformed::WrongShape(..)), "{body}: {failure:?}");
            assert_eq!((to.data.as_slice(), to.count), (&[9.0, 9.0][..], 1), "{body}");
        }
        let failure = decode(br#"{"data":[]}"#, 2, &mut to, &OPENAI).unwrap_err();
        assert_eq!(failure, Malformed::NoCandidates);
        for body in [r#"{"data":[{"embedding":[1,2]}"#, "", r#"{"data":[{"embedding":[1,2]}]} x"#] {
            let failure = decode(body.as_bytes(), 2, &mut to, &OPENAI).unwrap_err();
            assert!(matches!(failure, Malformed::NotJson(..)), "{body}: {failure:?}");
        }
        assert_eq!(of(&OPENAI, "<html>"), Err(Malformed::Html));
    }
}
