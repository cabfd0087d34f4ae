//! Strict JSON objects and bounded lists. serde's derived code would accept a list as an object, and lists of any
//! length.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::reader::OBJECT_IF_ANY;

/// The maximum number of elements in a list. No model sends as many candidates or tool calls.
pub(super) const MAX_ELEMENTS: usize = 1024;

/// The fields of an object, read in their order. If a field is repeated, the last value counts, as in most parsers,
/// unless [`read_once`] refuses it: the text of a response must not occur twice.
pub(super) trait Fields<'de>: Default {
    /// Reads a field's value. Returns false for an unknown field, whose value the caller skips.
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error>;
}

/// Reads a field that must not be repeated.
pub(super) fn read_once<'de, T: Deserialize<'de>, M: MapAccess<'de>>(
    field: &mut Option<T>,
    name: &'static str,
    map: &mut M,
) -> Result<(), M::Error> {
    let value = map.next_value()?;
    if field.replace(value).is_some() { Err(M::Error::duplicate_field(name)) } else { Ok(()) }
}

/// An object.
#[derive(Debug, Default)]
pub(super) struct Object<T>(pub T);

/// An object. Any other value counts as missing.
#[derive(Debug)]
pub(super) struct LenientObject<T>(pub Option<T>);

/// A list of at most [`MAX_ELEMENTS`] objects. Short JSON can take many times its memory when parsed.
#[derive(Debug)]
pub(super) struct BoundedList<T>(pub Vec<T>);

impl<T> Default for LenientObject<T> {
    fn default() -> Self {
        LenientObject(None)
    }
}

/// A field's name.
pub(super) struct FieldName<'de>(pub Cow<'de, str>);

impl<'de> Deserialize<'de> for FieldName<'de> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldNameVisitor;
        impl<'de> Visitor<'de> for FieldNameVisitor {
            type Value = FieldName<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a field's name")
            }

            #[inline]
            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(FieldName(Cow::Borrowed(name)))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(FieldName(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(FieldNameVisitor)
    }
}

impl<'de, T: Fields<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);
        impl<'de, T: Fields<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut fields = T::default();
                while let Some(FieldName(name)) = map.next_key()? {
                    if !fields.read(&name, &mut map)? {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

impl<'de, T: Fields<'de>> Deserialize<'de> for LenientObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);
        impl<'de, T: Fields<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = LenientObject<T>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
                Ok(LenientObject(None))
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                Object::deserialize(deserializer).map(|Object(object)| LenientObject(Some(object)))
            }
        }
        deserializer.deserialize_newtype_struct(OBJECT_IF_ANY, ObjectVisitor(PhantomData))
    }
}

impl<'de, T: Fields<'de>> Deserialize<'de> for BoundedList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BoundedListVisitor<T>(PhantomData<T>);
        impl<'de, T: Fields<'de>> Visitor<'de> for BoundedListVisitor<T> {
            type Value = BoundedList<T>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut elements: S) -> Result<Self::Value, S::Error> {
                // Most lists have one candidate.
                let mut list = Vec::with_capacity(1);
                while let Some(Object(element)) = elements.next_element()? {
                    if list.len() == MAX_ELEMENTS {
                        return Err(Error::custom(format_args!("a list of more than {MAX_ELEMENTS} elements")));
                    }
                    list.push(element);
                }
                Ok(BoundedList(list))
            }
        }
        deserializer.deserialize_seq(BoundedListVisitor(PhantomData))
    }
}

/// Returns all fields of an object, in their order.
pub(super) fn parse_fields(json: &str) -> serde_json::Result<Vec<(String, &RawValue)>> {
    struct FieldsVisitor;
    impl<'de> Visitor<'de> for FieldsVisitor {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
            let mut fields = Vec::new();
            while let Some(field) = map.next_entry()? {
                fields.push(field);
            }
            Ok(fields)
        }
    }
    let mut parser = serde_json::Deserializer::from_str(json);
    let fields = parser.deserialize_map(FieldsVisitor)?;
    parser.end()?;
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::super::reader;
    use super::*;

    #[derive(Debug, Default)]
    struct Point {
        x: Option<u8>,
        y: u8,
    }

    impl<'de> Fields<'de> for Point {
        fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error> {
            match name {
                "x" => read_once(&mut self.x, "x", map)?,
                "y" => self.y = map.next_value()?,
                _ => return Ok(false),
            }
            Ok(true)
        }
    }

    #[test]
    fn list_is_not_accepted_as_an_object() {
        assert_eq!(reader::from_str::<Object<Point>>(r#"{"x":1}"#).unwrap().0.x, Some(1));
        for json in ["[1]", "1", "null", "\"x\""] {
            assert!(reader::from_str::<Object<Point>>(json).is_err(), "{json}");
        }
        assert_eq!(reader::from_str::<LenientObject<Point>>(r#"{"x":1}"#).unwrap().0.unwrap().x, Some(1));
        for json in ["[1]", "1", "-1", "1.5", "null", "true", "\"x\"", "\"\\n\""] {
            assert!(reader::from_str::<LenientObject<Point>>(json).unwrap().0.is_none(), "{json}");
        }
    }

    #[test]
    fn last_of_repeated_fields_counts_unless_read_once() {
        let of = |json: &str| reader::from_str::<Object<Point>>(json);
        let Object(point) = of(r#"{"y":1,"z":[{}],"x":2,"\u0079":3}"#).unwrap();
        assert_eq!((point.x, point.y), (Some(2), 3));
        let error = of(r#"{"x":1,"\u0078":1}"#).unwrap_err().to_string();
        assert!(error.starts_with("duplicate field `x`"), "{error}");
    }

    #[test]
    fn list_with_too_many_elements_is_refused() {
        let list = |count| format!("[{}]", vec![r#"{"x":1}"#; count].join(","));
        assert_eq!(reader::from_str::<BoundedList<Point>>(&list(MAX_ELEMENTS)).unwrap().0.len(), MAX_ELEMENTS);
        assert!(reader::from_str::<BoundedList<Point>>(&list(MAX_ELEMENTS + 1)).is_err());
        assert!(reader::from_str::<BoundedList<Point>>("[[1]]").is_err());
    }
}
