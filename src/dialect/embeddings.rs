//! Embeddings responses: the numbers go from the JSON directly to one array of floats.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::excerpt::excerpt;
use super::json::{Count, Lenient, Truthy};
use super::number_lists::NumberLists;
use super::objects::{FieldName, Fields, LenientObject, Object, read_once};
use super::reader;
use super::response::{self, DecodeError};
use super::strings::Text;
use super::usage::{Metadata, Usage, UsageFields};

/// Embeddings of one dimension, contiguous in `data`.
#[derive(Debug, Default, PartialEq)]
pub struct EmbeddingArray {
    pub data: Vec<f32>,
    pub dimension: usize,
    pub count: usize,
}

/// What a response contains besides its embeddings.
#[derive(Debug, Default)]
pub struct EmbeddingsResponse {
    pub model: Option<String>,
    pub usage: Usage,
}

/// The names of the response's fields.
pub(super) struct EmbeddingFields {
    /// The list of embeddings, or of objects with an `embedding` each.
    pub list: &'static str,
    /// The object with the model and the token counts; `None` if they are in OpenAI's fields.
    pub metadata: Option<&'static str>,
}

/// Appends the embeddings of a response to `to`, in the order of their `index`. `expected` is their probable number.
/// Appends none if it fails.
pub(super) fn decode(
    body: &[u8],
    expected: usize,
    to: &mut EmbeddingArray,
    names: &EmbeddingFields,
) -> Result<EmbeddingsResponse, DecodeError> {
    let (count, len) = (to.count, to.data.len());
    let response = append(body, expected, to, names);
    if response.is_err() {
        to.count = count;
        to.data.truncate(len);
    }
    response
}

fn append(
    body: &[u8],
    expected: usize,
    to: &mut EmbeddingArray,
    names: &EmbeddingFields,
) -> Result<EmbeddingsResponse, DecodeError> {
    // Each number takes at least two bytes, whatever the length of the first embedding promises.
    let mut lists = NumberLists::new(&mut to.data, expected, body.len() / 2);
    let mut rows = Vec::new();
    let parsed = parse(body, &mut lists, &mut rows, names);
    let count = rows.len();
    let wrong = |why: String| DecodeError::WrongShape(why, excerpt(body));
    let parsed = parsed.and_then(|parsed| {
        response::check_error(&parsed.error, body)?;
        if !parsed.has_list {
            return Err(response::missing_field(body, &format!("missing field `{}`", names.list)));
        }
        Ok((parsed.response, sort_rows(&mut lists, rows, names).map_err(wrong)?))
    });
    if lists.is_out_of_memory {
        return Err(DecodeError::NoMemoryForEmbeddings(lists.get(0).map_or(0, <[f32]>::len)));
    }
    let (response, dimension) = parsed?;
    if to.count > 0 && dimension != to.dimension {
        return Err(wrong("embeddings of another dimension than those before".to_owned()));
    }
    to.dimension = dimension;
    to.count += count;
    Ok(response)
}

fn parse(
    body: &[u8],
    lists: &mut NumberLists,
    rows: &mut Vec<Row>,
    names: &EmbeddingFields,
) -> Result<ParsedResponse, DecodeError> {
    let rest = lists.extract(body);
    if lists.is_out_of_memory {
        // The caller checks this first.
        return Ok(ParsedResponse::default());
    }
    // Errors are those of the original body.
    let text = response::parse_utf8(&rest).map_err(|error| response::parse_utf8(body).err().unwrap_or(error))?;
    response::check_memory(&rest)?;
    let parsed = reader::read(text, ResponseSeed { lists, rows, names });
    parsed.map_err(|error| match response::parse_utf8(body).map(serde_json::from_str::<IgnoredAny>) {
        Ok(Err(error)) => response::parse_error(&error, body),
        _ => response::parse_error_without_place(&error, body),
    })
}

/// A response apart from the lists of numbers.
#[derive(Default)]
struct ParsedResponse {
    response: EmbeddingsResponse,
    has_list: bool,
    error: Truthy,
}

/// One embedding: its `index` in the response, and the number of its list in [`NumberLists`].
struct Row {
    index: Option<u64>,
    list: usize,
    shape: Shape,
}

/// Where the numbers of an embedding are.
#[derive(Clone, Copy)]
enum Shape {
    Object,
    List,
    /// In the list of embeddings itself.
    Flat,
}

impl Shape {
    /// Returns the place of a number, or of the whole embedding, for an error message.
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

/// Sorts the embeddings by their indexes, and removes lists that are not embeddings. Keeps the order if there are no
/// indexes, or all are the same. Returns the dimension.
fn sort_rows(lists: &mut NumberLists, rows: Vec<Row>, names: &EmbeddingFields) -> Result<usize, String> {
    let first = rows.first().ok_or("no embeddings")?;
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
        let numbers = numbers
            .ok_or_else(|| format!("{}: embeddings of different dimensions, or without numbers", place(None)))?;
        if let Some(number) = numbers.iter().position(|number| !number.is_finite()) {
            return Err(format!("{} is not a finite 32-bit float", place(Some(number))));
        }
        let index = row.index.filter(|_| has_indexes).unwrap_or(at as u64);
        match places.get_mut(usize::try_from(index).unwrap_or(usize::MAX)) {
            Some(free @ None) => *free = Some(row.list),
            _ => return Err(format!("{}: duplicate or too large index", place(None))),
        }
    }
    let is_in_order = places.len() == lists.count() && places.iter().enumerate().all(|(at, list)| *list == Some(at));
    if !is_in_order {
        lists.arrange(places.into_iter().flatten());
    }
    Ok(dimension)
}

/// Reads a response whose lists of numbers are extracted.
struct ResponseSeed<'r, 'v, 'n> {
    lists: &'r mut NumberLists<'v>,
    rows: &'r mut Vec<Row>,
    names: &'n EmbeddingFields,
}

impl<'de> DeserializeSeed<'de> for ResponseSeed<'_, '_, '_> {
    type Value = ParsedResponse;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ResponseSeed<'_, '_, '_> {
    type Value = ParsedResponse;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with embeddings")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let ParsedResponse { mut response, mut has_list, mut error } = ParsedResponse::default();
        while let Some(FieldName(field)) = map.next_key()? {
            let field = field.as_ref();
            if field == self.names.list {
                if has_list {
                    return Err(Error::custom(format_args!("duplicate field `{field}`")));
                }
                has_list =
                    map.next_value_seed(EmbeddingList { lists: self.lists, rows: self.rows, names: self.names })?;
            } else if self.names.metadata == Some(field) {
                if let Some(metadata) = map.next_value::<LenientObject<Metadata>>()?.0 {
                    let (model, usage) = metadata.into_parts();
                    response = EmbeddingsResponse { model: model.map(|model| model.0.into_owned()), usage };
                }
            } else if self.names.metadata.is_none() && field == "usage" {
                response.usage = map.next_value::<LenientObject<UsageFields>>()?.0.map(Usage::from).unwrap_or_default();
            } else if self.names.metadata.is_none() && field == "model" {
                response.model = map.next_value::<Lenient>()?.name().map(|model| model.0.into_owned());
            } else if field == "error" {
                error = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(ParsedResponse { response, has_list, error })
    }
}

/// Reads the list of embeddings. Older gateways respond to a single text with the embedding itself, in place of which
/// there is the number of its list. Returns false for null.
struct EmbeddingList<'r, 'v, 'n> {
    lists: &'r mut NumberLists<'v>,
    rows: &'r mut Vec<Row>,
    names: &'n EmbeddingFields,
}

impl<'de> DeserializeSeed<'de> for EmbeddingList<'_, '_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for EmbeddingList<'_, '_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of embeddings")
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
                Element::Object(EmbeddingObject { embedding, index }) => {
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
            // A list that was not extracted has other elements than numbers.
            if list >= self.lists.count() || is_flat && !self.rows.is_empty() {
                return Err(wrong("an embedding may contain only numbers"));
            }
            self.rows.try_reserve(1).map_err(|_| Error::custom("no memory"))?;
            self.rows.push(Row { index, list, shape });
        }
        Ok(true)
    }
}

/// Stands for a list that was not extracted.
const NO_LIST: usize = usize::MAX;

/// An element of the list of embeddings.
enum Element<'a> {
    /// OpenAI's format.
    Object(EmbeddingObject<'a>),
    /// The format of older gateways.
    Numbers(usize),
    /// The list is itself an embedding.
    Flat(usize),
}

#[derive(Default)]
struct EmbeddingObject<'a> {
    embedding: Option<Numbers<'a>>,
    index: Count,
}

impl<'de> Fields<'de> for EmbeddingObject<'de> {
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
        match name {
            "embedding" => read_once(&mut self.embedding, "embedding", map)?,
            "index" => self.index = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The number of an extracted list, or base64 that is still to be decoded.
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
                f.write_str("an embedding")
            }

            fn visit_u64<E: Error>(self, list: u64) -> Result<Self::Value, E> {
                Ok(Element::Flat(list as usize))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, list: S) -> Result<Self::Value, S::Error> {
                extracted_list(list).map(Element::Numbers)
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
                Object::deserialize(MapAccessDeserializer::new(map)).map(|Object(object)| Element::Object(object))
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
                extracted_list(list).map(Numbers::List)
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

/// Returns the number of the list that was extracted here, or [`NO_LIST`] if none was: then there is anything but a
/// single number.
fn extracted_list<'de, S: SeqAccess<'de>>(mut list: S) -> Result<usize, S::Error> {
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

    fn decoded(names: &EmbeddingFields, body: &str) -> Result<EmbeddingArray, DecodeError> {
        let mut embeddings = EmbeddingArray::default();
        decode(body.as_bytes(), 2, &mut embeddings, names).map(|_| embeddings)
    }

    fn embeddings(data: &[f32], dimension: usize) -> Result<EmbeddingArray, DecodeError> {
        Ok(EmbeddingArray { data: data.to_owned(), dimension, count: data.len() / dimension })
    }

    #[test]
    fn each_format_is_read() {
        let body = r#"{"object":"list","data":[{"object":"embedding","embedding":[1,-2.5e-3],"index":0},
            {"embedding":[0.1,3],"index":1,"x":[{}]}],"model":"m","usage":{"prompt_tokens":4,"total_tokens":4}}"#;
        assert_eq!(decoded(&OPENAI, body), embeddings(&[1.0, -0.0025, 0.1, 3.0], 2));
        let mut unused = EmbeddingArray::default();
        let response = decode(body.as_bytes(), 2, &mut unused, &OPENAI).unwrap();
        assert_eq!((response.model.as_deref(), response.usage.input), (Some("m"), Some(4)));

        let body = r#"{"embeddings":[[1,2],[3,4]],"metadata":{"input_tokens":5,"model":"m","route_type":"x"}}"#;
        assert_eq!(decoded(&GATEWAY, body), embeddings(&[1.0, 2.0, 3.0, 4.0], 2));
        let response = decode(body.as_bytes(), 2, &mut unused, &GATEWAY).unwrap();
        assert_eq!((response.model.as_deref(), response.usage.input), (Some("m"), Some(5)));
        assert_eq!(decoded(&GATEWAY, r#"{"metadata":null,"embeddings":[1,2.5,-3]}"#), embeddings(&[1.0, 2.5, -3.0], 3));
    }

    #[test]
    fn base64_is_read() {
        // 1.0, -2.0 and 0.5, as Python's struct and base64 write them.
        let body = r#"{"data":[{"index":0,"embedding":"AACAPwAAAMAAAAA/"}]}"#;
        assert_eq!(decoded(&OPENAI, body), embeddings(&[1.0, -2.0, 0.5], 3));
        let long: Vec<f32> = (0..10_000).map(|number| number as f32 / 7.0).collect();
        let bytes: Vec<u8> = long.iter().flat_map(|number| number.to_le_bytes()).collect();
        let body =
            format!(r#"{{"data":[{{"embedding":"{}"}}]}}"#, base64::engine::general_purpose::STANDARD.encode(bytes));
        assert_eq!(decoded(&OPENAI, &body), embeddings(&long, 10_000));
        for wrong in ["AACAPwA=", "AACA", "AACAP", "!!!!", ""] {
            let body = format!(r#"{{"data":[{{"embedding":"{wrong}"}}]}}"#);
            assert!(matches!(decoded(&OPENAI, &body), Err(DecodeError::WrongShape(..))), "{wrong}");
        }
    }

    #[test]
    fn error_names_the_place_of_a_wrong_number() {
        let why = |names: &EmbeddingFields, body: &str| match decoded(names, body) {
            Err(DecodeError::WrongShape(why, _) | DecodeError::NotJson(why, _)) => why,
            other => panic!("{body}: {other:?}"),
        };
        let not_finite = |place: &str| format!("{place} is not a finite 32-bit float");
        // 1.0 and NaN, 1.0 and infinity.
        for base64 in ["AACAPwAAwH8=", "AACAPwAAgH8="] {
            let body = format!(r#"{{"data":[{{"embedding":[1,2]}},{{"embedding":"{base64}"}}]}}"#);
            assert_eq!(why(&OPENAI, &body), not_finite("data[1].embedding[1]"));
        }
        assert_eq!(why(&GATEWAY, r#"{"embeddings":[[1,-1e39]]}"#), not_finite("embeddings[0][1]"));
        assert_eq!(why(&GATEWAY, r#"{"embeddings":[1,2,1e39]}"#), not_finite("embeddings[2]"));
        assert_eq!(
            why(&GATEWAY, r#"{"embeddings":[[1],[null]]}"#),
            "embeddings[1]: an embedding may contain only numbers"
        );
        assert_eq!(why(&OPENAI, r#"{"data":[{"embedding":[1,NaN]}]}"#), "expected value at line 1 column 26");
        assert_eq!(why(&OPENAI, r#"{"data":7}#"#), "trailing characters at line 1 column 11");
    }

    #[test]
    fn embeddings_are_sorted_by_index() {
        let body =
            r#"{"data":[{"index":2,"embedding":[5,6]},{"index":0,"embedding":[1,2]},{"index":1,"embedding":[3,4]}]}"#;
        assert_eq!(decoded(&OPENAI, body), embeddings(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2));
        let mut to = EmbeddingArray { data: vec![9.0, 9.0], dimension: 2, count: 1 };
        decode(body.as_bytes(), 3, &mut to, &OPENAI).unwrap();
        assert_eq!((to.data, to.count), (vec![9.0, 9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 4));
    }

    #[test]
    fn equal_indexes_keep_the_order() {
        let body = r#"{"data":[{"index":0,"embedding":[1,2]},{"index":0,"embedding":[3,4]}],"x":[5],"usage":[7]}"#;
        assert_eq!(decoded(&OPENAI, body), embeddings(&[1.0, 2.0, 3.0, 4.0], 2));
        let response = decode(body.as_bytes(), 2, &mut EmbeddingArray::default(), &OPENAI).unwrap();
        assert_eq!(response.usage, Usage::default());
    }

    #[test]
    fn other_lists_and_strings_are_not_embeddings() {
        let body = r#"{"x":[7,8,9],"[1,2]":"a \"[3]\" \\","data":[{"y":[[4],{"z":[5]}],"embedding":[1,2]},{"embedding":[3,4],"w":[6]}],
            "v":["[", [10], "\\\""]}"#;
        assert_eq!(decoded(&OPENAI, body), embeddings(&[1.0, 2.0, 3.0, 4.0], 2));
        let body = r#"{"data":[{"embedding":"AACAPwAAAMA="},{"embedding":[3,4]},{"embedding":"AACAPwAAAMA="}]}"#;
        assert_eq!(decoded(&OPENAI, body), embeddings(&[1.0, -2.0, 3.0, 4.0, 1.0, -2.0], 2));
    }

    #[test]
    fn failed_decode_appends_nothing() {
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
            let error = decode(body.as_bytes(), 2, &mut to, &OPENAI).unwrap_err();
            assert!(matches!(error, DecodeError::WrongShape(..)), "{body}: {error:?}");
            assert_eq!((to.data.as_slice(), to.count), (&[9.0, 9.0][..], 1), "{body}");
        }
        for body in [
            r#"{"data":[{"embedding":[1,2]}"#,
            r#"{"data":[{"embedding":[1,2"#,
            "",
            r#"{"data":[{"embedding":[1,2]}]} x"#,
        ] {
            let error = decode(body.as_bytes(), 2, &mut to, &OPENAI).unwrap_err();
            assert!(matches!(error, DecodeError::NotJson(..)), "{body}: {error:?}");
        }
        assert_eq!(decoded(&OPENAI, "<html>"), Err(DecodeError::Html));
    }
}
