//! Lists and objects as they have to be: serde would take a list for an object's fields, and any number of elements.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// More candidates, or calls of tools, than any model gives.
pub(super) const MOST: usize = 1024;

/// An object.
#[derive(Debug)]
pub(super) struct Object<T>(pub T);

/// An object; or anything else, which is as good as none.
#[derive(Debug)]
pub(super) struct LenientObject<T>(pub Option<T>);

/// A list of at most [`MOST`] objects: few bytes of JSON can become many times as many here.
#[derive(Debug)]
pub(super) struct Few<T>(pub Vec<T>);

impl<T> Default for LenientObject<T> {
    fn default() -> Self {
        LenientObject(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for LenientObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?.get();
        if !json.starts_with('{') {
            return Ok(LenientObject(None));
        }
        serde_json::from_str(json).map(|object| LenientObject(Some(object))).map_err(Error::custom)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FewVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for FewVisitor<T> {
            type Value = Few<T>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Self::Value, S::Error> {
                let mut few = Vec::new();
                while let Some(Object(element)) = list.next_element()? {
                    if few.len() == MOST {
                        return Err(Error::custom(format!("a list of more than {MOST}")));
                    }
                    few.push(element);
                }
                Ok(Few(few))
            }
        }
        deserializer.deserialize_seq(FewVisitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Point {
        x: u8,
    }

    #[test]
    fn a_list_is_no_object() {
        assert_eq!(serde_json::from_str::<Object<Point>>(r#"{"x":1}"#).unwrap().0.x, 1);
        for json in ["[1]", "1", "null", "\"x\""] {
            assert!(serde_json::from_str::<Object<Point>>(json).is_err(), "{json}");
        }
        assert_eq!(serde_json::from_str::<LenientObject<Point>>(r#"{"x":1}"#).unwrap().0.unwrap().x, 1);
        for json in ["[1]", "1", "-1", "1.5", "null", "true", "\"x\"", "\"\\n\""] {
            assert!(serde_json::from_str::<LenientObject<Point>>(json).unwrap().0.is_none(), "{json}");
        }
    }

    #[test]
    fn there_is_an_end_to_lists() {
        let list = |count| format!("[{}]", vec![r#"{"x":1}"#; count].join(","));
        assert_eq!(serde_json::from_str::<Few<Point>>(&list(MOST)).unwrap().0.len(), MOST);
        assert!(serde_json::from_str::<Few<Point>>(&list(MOST + 1)).is_err());
        assert!(serde_json::from_str::<Few<Point>>("[[1]]").is_err());
    }
}
