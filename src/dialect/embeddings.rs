//! Vectors: from the text of an answer straight into one block of numbers, without a tree between.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::json::{Count, Lenient, Truth};
use super::number_lists::NumberLists;
use super::objects::{Fields, LenientObject, Name, Object, once};
use super::reader;
use super::response::{self, DecodeError};
use super::strings::Text;
use super::usage::{Metadata, Usage, UsageFields};

/// Vectors of one dimension, one behind the other.
#[derive(Debug, Default, PartialEq)]
pub struct EmbeddingArray {
    pub data: Vec<f32>,
    pub dimension: usize,
    pub count: usize,
}

/// What an answer says besides its vectors.
#[derive(Debug, Default)]
pub struct EmbeddingsResponse {
    pub model: Option<String>,
    pub usage: Usage,
}

/// How the dialects call the fields.
pub(super) struct EmbeddingFields {
    /// The list of vectors, or of objects with an `embedding` each.
    pub list: &'static str,
    /// The model and the counts of tokens: in an object of this name, or for `None` as OpenAI has them.
    pub metadata: Option<&'static str>,
}

/// Adds an answer's vectors, about `expected` of them, to `to`, in the order of their `index`. A failure adds none.
pub(super) fn decode(
    body: &[u8],
    expected: usize,
    to: &mut EmbeddingArray,
    names: &EmbeddingFields,
) -> Result<EmbeddingsResponse, DecodeError> {
    let (count, len) = (to.count, to.data.len());
    let answer = append(body, expected, to, names);
    if answer.is_err() {
        to.count = count;
        to.data.truncate(len);
    }
    answer
}

fn append(
    body: &[u8],
    expected: usize,
    to: &mut EmbeddingArray,
    names: &EmbeddingFields,
) -> Result<EmbeddingsResponse, DecodeError> {
    // There cannot be more numbers than half of the bytes, whatever the first vector promises.
    let mut lists = NumberLists::new(&mut to.data, expected, body.len() / 2);
    let mut rows = Vec::new();
    let read = read(body, &mut lists, &mut rows, names);
    let count = rows.len();
    let wrong = |why: String| DecodeError::WrongShape(why, response::beginning(body));
    let read = read.and_then(|whole| {
        response::check_error(&whole.error, body)?;
        if !whole.has_list {
            return Err(response::instead(body, &format!("there is no list \"{}\"", names.list)));
        }
        Ok((whole.answer, order(&mut lists, rows, names).map_err(wrong)?))
    });
    if lists.is_out_of_memory {
        return Err(DecodeError::OutOfMemory(lists.get(0).map_or(0, <[f32]>::len)));
    }
    let (answer, dimension) = read?;
    if to.count > 0 && dimension != to.dimension {
        return Err(wrong("vectors of another dimension than before".to_owned()));
    }
    to.dimension = dimension;
    to.count += count;
    Ok(answer)
}

fn read(
    body: &[u8],
    lists: &mut NumberLists,
    rows: &mut Vec<Row>,
    names: &EmbeddingFields,
) -> Result<Whole, DecodeError> {
    let rest = lists.take_out(body);
    if lists.is_out_of_memory {
        // What there is of it says nothing; who asked looks at the lists first.
        return Ok(Whole::default());
    }
    // What is wrong is told of the body as it came.
    let text = response::utf8(&rest).map_err(|error| response::utf8(body).err().unwrap_or(error))?;
    response::check_memory(&rest)?;
    let read = reader::read(text, WholeAnswer { lists, rows, names });
    read.map_err(|error| match response::utf8(body).map(serde_json::from_str::<IgnoredAny>) {
        Ok(Err(error)) => response::malformed(&error, body),
        _ => response::malformed_elsewhere(&error, body),
    })
}

/// What there is in a response beside the lists of numbers.
#[derive(Default)]
struct Whole {
    answer: EmbeddingsResponse,
    has_list: bool,
    error: Truth,
}

/// A vector in an answer: what it says of its place among the others, and which list of numbers it is.
struct Row {
    index: Option<u64>,
    list: usize,
    shape: Shape,
}

/// Where the numbers of a vector stand.
#[derive(Clone, Copy)]
enum Shape {
    Object,
    List,
    /// In the list of vectors itself.
    Flat,
}

impl Shape {
    /// The place of a number, or of the whole vector, for a person.
    fn place(self, names: &EmbeddingFields, row: usize, number: Option<usize>) -> String {
        let list = names.list;
        let number = number.map(|number| format!("[{number}]")).unwrap_or_default();
        match self {
            Shape::Object => format!("{list}[{row}].embedding{number}"),
            Shape::List => format!("{list}[{row}]{number}"),
            Shape::Flat => format!("{list}{number}"),
        }
    }
}

/// Puts the vectors in the order of their indexes, or where none is given, or the same to all, in that of the answer, and
/// drops lists that are no vectors. Returns their dimension.
fn order(lists: &mut NumberLists, rows: Vec<Row>, names: &EmbeddingFields) -> Result<usize, String> {
    let first = rows.first().ok_or("there are no vectors in it")?;
    let dimension = lists.get(first.list).map_or(0, <[f32]>::len);
    let has_indexes = rows.iter().any(|row| row.index != first.index);
    let mut places = Vec::new();
    if places.try_reserve_exact(rows.len()).is_err() {
        lists.is_out_of_memory = true;
        return Ok(dimension);
    }
    places.resize(rows.len(), None);
    for (at, row) in rows.iter().enumerate() {
        let place = |number| row.shape.place(names, at, number);
        let numbers = lists.get(row.list).filter(|numbers| numbers.len() == dimension && dimension > 0);
        let numbers =
            numbers.ok_or_else(|| format!("{}: vectors of different dimensions, or without numbers", place(None)))?;
        if let Some(number) = numbers.iter().position(|number| !number.is_finite()) {
            return Err(format!("{} is not a finite number of 32 bits", place(Some(number))));
        }
        let index = row.index.filter(|_| has_indexes).unwrap_or(at as u64);
        match places.get_mut(usize::try_from(index).unwrap_or(usize::MAX)) {
            Some(free @ None) => *free = Some(row.list),
            _ => return Err(format!("{}: an index that is given twice, or is too large", place(None))),
        }
    }
    let is_in_order = places.len() == lists.count() && places.iter().enumerate().all(|(at, list)| *list == Some(at));
    if !is_in_order {
        lists.arrange(places.into_iter().flatten());
    }
    Ok(dimension)
}

/// What an answer is once its lists of numbers are taken out.
struct WholeAnswer<'r, 'v, 'n> {
    lists: &'r mut NumberLists<'v>,
    rows: &'r mut Vec<Row>,
    names: &'n EmbeddingFields,
}

impl<'de> DeserializeSeed<'de> for WholeAnswer<'_, '_, '_> {
    type Value = Whole;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for WholeAnswer<'_, '_, '_> {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with vectors")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let Whole { mut answer, mut has_list, mut error } = Whole::default();
        while let Some(Name(field)) = map.next_key()? {
            let field = field.as_ref();
            if field == self.names.list {
                if has_list {
                    return Err(Error::custom(format_args!("the list \"{field}\" is there twice")));
                }
                has_list = map.next_value_seed(VectorList { lists: self.lists, rows: self.rows, names: self.names })?;
            } else if self.names.metadata == Some(field) {
                if let Some(metadata) = map.next_value::<LenientObject<Metadata>>()?.0 {
                    let (model, usage) = metadata.understood();
                    answer = EmbeddingsResponse { model: model.map(|model| model.0.into_owned()), usage };
                }
            } else if self.names.metadata.is_none() && field == "usage" {
                answer.usage = map.next_value::<LenientObject<UsageFields>>()?.0.map(Usage::from).unwrap_or_default();
            } else if self.names.metadata.is_none() && field == "model" {
                answer.model = map.next_value::<Lenient>()?.name().map(|model| model.0.into_owned());
            } else if field == "error" {
                error = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Whole { answer, has_list, error })
    }
}

/// The list of vectors; or, as older gateways answer to a single text, one vector itself, of which a number is left.
/// Says whether it is there: null is none.
struct VectorList<'r, 'v, 'n> {
    lists: &'r mut NumberLists<'v>,
    rows: &'r mut Vec<Row>,
    names: &'n EmbeddingFields,
}

impl<'de> DeserializeSeed<'de> for VectorList<'_, '_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for VectorList<'_, '_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of vectors")
    }

    fn visit_none<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<bool, S::Error> {
        let mut is_flat = false;
        while let Some(element) = list.next_element::<Element>()? {
            let (shape, index, numbers) = match element {
                Element::Vector(Vector { embedding, index }) => {
                    (Shape::Object, index.0, embedding.ok_or_else(|| Error::missing_field("embedding"))?)
                }
                Element::Numbers(list) => (Shape::List, None, Numbers::List(list)),
                Element::Flat(list) => {
                    is_flat = true;
                    (Shape::Flat, None, Numbers::List(list))
                }
            };
            let wrong = |why: &str| {
                let place = shape.place(self.names, self.rows.len(), None);
                S::Error::custom(format_args!("{place}: {why}"))
            };
            let list = match numbers {
                Numbers::List(list) => list,
                Numbers::Base64(text) => self.lists.read_base64(&text.0).map_err(|why| wrong(&why))?,
            };
            // A number beside other things is one that was not taken out.
            if list >= self.lists.count() || is_flat && !self.rows.is_empty() {
                return Err(wrong("something else than numbers in a vector"));
            }
            self.rows.try_reserve(1).map_err(|_| Error::custom("there is no memory"))?;
            self.rows.push(Row { index, list, shape });
        }
        Ok(true)
    }
}

/// In the place of the number of a list that was not taken out.
const NO_LIST: usize = usize::MAX;

/// An element of the list of vectors.
enum Element<'a> {
    /// As OpenAI has them.
    Vector(Vector<'a>),
    /// As the older gateways have them.
    Numbers(usize),
    /// The list itself was one of numbers.
    Flat(usize),
}

#[derive(Default)]
struct Vector<'a> {
    embedding: Option<Numbers<'a>>,
    index: Count,
}

impl<'de> Fields<'de> for Vector<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "embedding" => once(&mut self.embedding, "embedding", map)?,
            "index" => self.index = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// A list that was taken out, by its number, or one that is still to be read.
enum Numbers<'a> {
    List(usize),
    Base64(Text<'a>),
}

impl<'de> Deserialize<'de> for Element<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ElementVisitor;
        impl<'de> Visitor<'de> for ElementVisitor {
            type Value = Element<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a vector")
            }

            fn visit_u64<E: Error>(self, list: u64) -> Result<Self::Value, E> {
                Ok(Element::Flat(list as usize))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, list: S) -> Result<Self::Value, S::Error> {
                taken_out(list).map(Element::Numbers)
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
                Object::deserialize(MapAccessDeserializer::new(map)).map(|Object(vector)| Element::Vector(vector))
            }
        }
        deserializer.deserialize_any(ElementVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Numbers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumbersVisitor;
        impl<'de> Visitor<'de> for NumbersVisitor {
            type Value = Numbers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list of numbers, or base64")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, list: S) -> Result<Self::Value, S::Error> {
                taken_out(list).map(Numbers::List)
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Numbers::Base64(Text(text.into())))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Numbers::Base64(Text(text.to_owned().into())))
            }
        }
        deserializer.deserialize_any(NumbersVisitor)
    }
}

/// Which list stood here; [`NO_LIST`] if it holds anything else than a single number, and so was not taken out.
fn taken_out<'de, S: SeqAccess<'de>>(mut list: S) -> Result<usize, S::Error> {
    let number = list.next_element::<Lenient>()?.and_then(|number| number.count());
    let mut is_alone = true;
    while list.next_element::<IgnoredAny>()?.is_some() {
        is_alone = false;
    }
    Ok(number.filter(|_| is_alone).map_or(NO_LIST, |number| number as usize))
}

#[cfg(test)]
mod tests {
    use base64::Engine;

    use super::*;

    const OPENAI: EmbeddingFields = EmbeddingFields { list: "data", metadata: None };
    const GATEWAY: EmbeddingFields = EmbeddingFields { list: "embeddings", metadata: Some("metadata") };

    fn of(names: &EmbeddingFields, body: &str) -> Result<EmbeddingArray, DecodeError> {
        let mut vectors = EmbeddingArray::default();
        decode(body.as_bytes(), 2, &mut vectors, names).map(|_| vectors)
    }

    fn vectors(data: &[f32], dimension: usize) -> Result<EmbeddingArray, DecodeError> {
        Ok(EmbeddingArray { data: data.to_owned(), dimension, count: data.len() / dimension })
    }

    #[test]
    fn reads_each_shape() {
        let body = r#"{"object":"list","data":[{"object":"embedding","embedding":[1,-2.5e-3],"index":0},
            {"embedding":[0.1,3],"index":1,"x":[{}]}],"model":"m","usage":{"prompt_tokens":4,"total_tokens":4}}"#;
        assert_eq!(of(&OPENAI, body), vectors(&[1.0, -0.0025, 0.1, 3.0], 2));
        let mut unused = EmbeddingArray::default();
        let answer = decode(body.as_bytes(), 2, &mut unused, &OPENAI).unwrap();
        assert_eq!((answer.model.as_deref(), answer.usage.input), (Some("m"), Some(4)));

        let body = r#"{"embeddings":[[1,2],[3,4]],"metadata":{"input_tokens":5,"model":"m","route_type":"x"}}"#;
        assert_eq!(of(&GATEWAY, body), vectors(&[1.0, 2.0, 3.0, 4.0], 2));
        let answer = decode(body.as_bytes(), 2, &mut unused, &GATEWAY).unwrap();
        assert_eq!((answer.model.as_deref(), answer.usage.input), (Some("m"), Some(5)));
        assert_eq!(of(&GATEWAY, r#"{"metadata":null,"embeddings":[1,2.5,-3]}"#), vectors(&[1.0, 2.5, -3.0], 3));
    }

    #[test]
    fn reads_base64() {
        // 1.0, -2.0 and 0.5, as Python's struct and base64 write them.
        let body = r#"{"data":[{"index":0,"embedding":"AACAPwAAAMAAAAA/"}]}"#;
        assert_eq!(of(&OPENAI, body), vectors(&[1.0, -2.0, 0.5], 3));
        let long: Vec<f32> = (0..10_000).map(|number| number as f32 / 7.0).collect();
        let bytes: Vec<u8> = long.iter().flat_map(|number| number.to_le_bytes()).collect();
        let body =
            format!(r#"{{"data":[{{"embedding":"{}"}}]}}"#, base64::engine::general_purpose::STANDARD.encode(bytes));
        assert_eq!(of(&OPENAI, &body), vectors(&long, 10_000));
        for wrong in ["AACAPwA=", "AACA", "AACAP", "!!!!", ""] {
            let body = format!(r#"{{"data":[{{"embedding":"{wrong}"}}]}}"#);
            assert!(matches!(of(&OPENAI, &body), Err(DecodeError::WrongShape(..))), "{wrong}");
        }
    }

    #[test]
    fn number_that_is_none_is_told_with_its_place() {
        let why = |names: &EmbeddingFields, body: &str| match of(names, body) {
            Err(DecodeError::WrongShape(why, _) | DecodeError::NotJson(why, _)) => why,
            other => panic!("{body}: {other:?}"),
        };
        let not_finite = |place: &str| format!("{place} is not a finite number of 32 bits");
        // 1.0 and NaN, 1.0 and infinity.
        for base64 in ["AACAPwAAwH8=", "AACAPwAAgH8="] {
            let body = format!(r#"{{"data":[{{"embedding":[1,2]}},{{"embedding":"{base64}"}}]}}"#);
            assert_eq!(why(&OPENAI, &body), not_finite("data[1].embedding[1]"));
        }
        assert_eq!(why(&GATEWAY, r#"{"embeddings":[[1,-1e39]]}"#), not_finite("embeddings[0][1]"));
        assert_eq!(why(&GATEWAY, r#"{"embeddings":[1,2,1e39]}"#), not_finite("embeddings[2]"));
        assert_eq!(
            why(&GATEWAY, r#"{"embeddings":[[1],[null]]}"#),
            "embeddings[1]: something else than numbers in a vector"
        );
        assert_eq!(why(&OPENAI, r#"{"data":[{"embedding":[1,NaN]}]}"#), "expected value at line 1 column 26");
        assert_eq!(why(&OPENAI, r#"{"data":7}#"#), "trailing characters at line 1 column 11");
    }

    #[test]
    fn sorts_by_index() {
        let body =
            r#"{"data":[{"index":2,"embedding":[5,6]},{"index":0,"embedding":[1,2]},{"index":1,"embedding":[3,4]}]}"#;
        assert_eq!(of(&OPENAI, body), vectors(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2));
        let mut to = EmbeddingArray { data: vec![9.0, 9.0], dimension: 2, count: 1 };
        decode(body.as_bytes(), 3, &mut to, &OPENAI).unwrap();
        assert_eq!((to.data, to.count), (vec![9.0, 9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 4));
    }

    #[test]
    fn the_same_index_for_all_says_nothing() {
        let body = r#"{"data":[{"index":0,"embedding":[1,2]},{"index":0,"embedding":[3,4]}],"x":[5],"usage":[7]}"#;
        assert_eq!(of(&OPENAI, body), vectors(&[1.0, 2.0, 3.0, 4.0], 2));
        let answer = decode(body.as_bytes(), 2, &mut EmbeddingArray::default(), &OPENAI).unwrap();
        assert_eq!(answer.usage, Usage::default());
    }

    #[test]
    fn other_lists_and_strings_are_no_vectors() {
        let body = r#"{"x":[7,8,9],"[1,2]":"a \"[3]\" \\","data":[{"y":[[4],{"z":[5]}],"embedding":[1,2]},{"embedding":[3,4],"w":[6]}],
            "v":["[", [10], "\\\""]}"#;
        assert_eq!(of(&OPENAI, body), vectors(&[1.0, 2.0, 3.0, 4.0], 2));
        let body = r#"{"data":[{"embedding":"AACAPwAAAMA="},{"embedding":[3,4]},{"embedding":"AACAPwAAAMA="}]}"#;
        assert_eq!(of(&OPENAI, body), vectors(&[1.0, -2.0, 3.0, 4.0, 1.0, -2.0], 2));
    }

    #[test]
    fn a_wrong_answer_adds_nothing() {
        let mut to = EmbeddingArray { data: vec![9.0, 9.0], dimension: 2, count: 1 };
        for body in [
            r#"{"data":[{"index":1,"embedding":[1,2]},{"index":1,"embedding":[3,4]},{"index":0,"embedding":[3,4]}]}"#,
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
            r#"{"data":[[0,1],0,{"embedding":[2,3]}]}"#,
            r#"{"data":[{"embedding":0},[1,2]]}"#,
            r#"{"data":[{"embedding":[[0]]},[1,2]]}"#,
            r#"{"data":[{"embedding":[0,null]},[1,2]]}"#,
            r#"{"x":[1,2],"data":["AACAPwAAAMA="]}"#,
            r#"{"data":[[1,2]],"data":[[3,4]]}"#,
            r#"{"data":{}}"#,
            r#"{"data":[]}"#,
            r#"{"data":null}"#,
            r#"{"embeddings":[[1,2]]}"#,
            "[]",
        ] {
            let failure = decode(body.as_bytes(), 2, &mut to, &OPENAI).unwrap_err();
            assert!(matches!(failure, DecodeError::WrongShape(..)), "{body}: {failure:?}");
            assert_eq!((to.data.as_slice(), to.count), (&[9.0, 9.0][..], 1), "{body}");
        }
        for body in [
            r#"{"data":[{"embedding":[1,2]}"#,
            r#"{"data":[{"embedding":[1,2"#,
            "",
            r#"{"data":[{"embedding":[1,2]}]} x"#,
        ] {
            let failure = decode(body.as_bytes(), 2, &mut to, &OPENAI).unwrap_err();
            assert!(matches!(failure, DecodeError::NotJson(..)), "{body}: {failure:?}");
        }
        assert_eq!(of(&OPENAI, "<html>"), Err(DecodeError::Html));
    }
}
