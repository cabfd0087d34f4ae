//! Lists and objects as they have to be: serde would take a list for an object's fields, and any number of elements.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::reader::OBJECT_IF_ANY;

/// More candidates, or tool calls, than any model gives.
pub(super) const MOST: usize = 1024;

/// The fields of an object, read in the order in which they come. Of a field that comes twice the last value counts, as
/// in most parsers, except where [`once`] refuses it: no text is chosen between two.
pub(super) trait Fields<'de>: Default {
    /// Reads a field's value; false if the field does not matter, and its value is still to be passed over.
    fn read<M: MapAccess<'de>>(&mut self, name: &str, map: &mut M) -> Result<bool, M::Error>;
}

/// Reads a field of which there must be only one.
pub(super) fn once<'de, T: Deserialize<'de>, M: MapAccess<'de>>(
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

/// A field's name.
pub(super) struct Name<'de>(pub Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a field's name")
            }

            #[inline]
            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
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
                while let Some(Name(name)) = map.next_key()? {
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
                f.write_str("anything")
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

impl<'de, T: Fields<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FewVisitor<T>(PhantomData<T>);
        impl<'de, T: Fields<'de>> Visitor<'de> for FewVisitor<T> {
            type Value = Few<T>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Self::Value, S::Error> {
                // Most lists have one candidate.
                let mut few = Vec::with_capacity(1);
                while let Some(Object(element)) = list.next_element()? {
                    if few.len() == MOST {
                        return Err(Error::custom(format_args!("a list of more than {MOST}")));
                    }
                    few.push(element);
                }
                Ok(Few(few))
            }
        }
        deserializer.deserialize_seq(FewVisitor(PhantomData))
    }
}

/// All fields of an object, in their order.
pub(super) fn fields(json: &str) -> serde_json::Result<Vec<(String, &RawValue)>> {
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
                "x" => once(&mut self.x, "x", map)?,
                "y" => self.y = map.next_value()?,
                _ => return Ok(false),
            }
            Ok(true)
        }
    }

    #[test]
    fn a_list_is_no_object() {
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
    fn last_of_two_values_counts_unless_it_is_part_of_the_text() {
        let of = |json: &str| reader::from_str::<Object<Point>>(json);
        let Object(point) = of(r#"{"y":1,"z":[{}],"x":2,"\u0079":3}"#).unwrap();
        assert_eq!((point.x, point.y), (Some(2), 3));
        let error = of(r#"{"x":1,"\u0078":1}"#).unwrap_err().to_string();
        assert!(error.starts_with("duplicate field `x`"), "{error}");
    }

    #[test]
    fn there_is_an_end_to_lists() {
        let list = |count| format!("[{}]", vec![r#"{"x":1}"#; count].join(","));
        assert_eq!(reader::from_str::<Few<Point>>(&list(MOST)).unwrap().0.len(), MOST);
        assert!(reader::from_str::<Few<Point>>(&list(MOST + 1)).is_err());
        assert!(reader::from_str::<Few<Point>>("[[1]]").is_err());
    }
}
