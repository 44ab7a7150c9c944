//! Reads numbers out of JSON without building a tree: whatever else is there is skipped, and costs no memory.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A number, or something that is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MaybeNumber(pub(super) Option<i64>);

impl<'de> Deserialize<'de> for MaybeNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = MaybeNumber;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_u64<E>(self, value: u64) -> Result<MaybeNumber, E> {
        Ok(MaybeNumber(Some(i64::try_from(value).unwrap_or(i64::MAX))))
    }

    fn visit_i64<E>(self, value: i64) -> Result<MaybeNumber, E> {
        Ok(MaybeNumber(Some(value)))
    }

    fn visit_f64<E>(self, _: f64) -> Result<MaybeNumber, E> {
        Ok(MaybeNumber(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<MaybeNumber, E> {
        Ok(MaybeNumber(None))
    }

    fn visit_str<E>(self, _: &str) -> Result<MaybeNumber, E> {
        Ok(MaybeNumber(None))
    }

    fn visit_unit<E>(self) -> Result<MaybeNumber, E> {
        Ok(MaybeNumber(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<MaybeNumber, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(MaybeNumber(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<MaybeNumber, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(MaybeNumber(None))
    }
}

/// Deserializes a map, keeping `(tag, number)` of the keys that `tag_of` knows.
pub(super) fn pick<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    tag_of: impl Fn(&str) -> Option<T>,
) -> Result<Vec<(T, i64)>, D::Error> {
    struct Picker<F>(F);

    impl<'de, T, F: Fn(&str) -> Option<T>> Visitor<'de> for Picker<F> {
        type Value = Vec<(T, i64)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut found = Vec::new();
            while let Some(key) = entries.next_key::<std::borrow::Cow<'de, str>>()? {
                let MaybeNumber(number) = entries.next_value()?;
                if let (Some(tag), Some(number)) = ((self.0)(&key), number) {
                    found.push((tag, number));
                }
            }
            Ok(found)
        }
    }

    deserializer.deserialize_map(Picker(tag_of))
}

/// Objects within objects are followed this far; what lies deeper is skipped.
const DEPTH_MAX: usize = 4;

/// Walks through a JSON object and hands every number to `sink`, with the keys that lead to it.
pub(super) fn numbers(text: &[u8], mut sink: impl FnMut(&[String], i64)) -> serde_json::Result<()> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    Walk { path: &mut Vec::new(), sink: &mut sink }.deserialize(&mut deserializer)?;
    deserializer.end()
}

struct Walk<'w, F> {
    path: &'w mut Vec<String>,
    sink: &'w mut F,
}

impl<'de, F: FnMut(&[String], i64)> DeserializeSeed<'de> for Walk<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // Numbers stand inside objects only, so the outermost value must be one.
        if self.path.is_empty() {
            deserializer.deserialize_map(self)
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'de, F: FnMut(&[String], i64)> Visitor<'de> for Walk<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        (self.sink)(self.path, i64::try_from(value).unwrap_or(i64::MAX));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        (self.sink)(self.path, value);
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        if self.path.len() == DEPTH_MAX {
            while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        while let Some(key) = entries.next_key::<String>()? {
            self.path.push(key);
            let value = entries.next_value_seed(Walk { path: &mut *self.path, sink: &mut *self.sink });
            self.path.pop();
            value?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(text: &str) -> Option<Vec<(String, i64)>> {
        let mut found = Vec::new();
        numbers(text.as_bytes(), |path, value| found.push((path.join("."), value))).ok()?;
        Some(found)
    }

    #[test]
    fn every_number_comes_with_its_path_and_nothing_else_does() {
        let text = r#"{"a":1,"b":{"c":-2,"d":[9,{"x":9}],"e":{"f":{"g":3,"h":{"i":9}}}},"s":"9","t":true,"n":null,"x":1.5}"#;
        let wanted = [("a".into(), 1), ("b.c".into(), -2), ("b.e.f.g".into(), 3)];
        assert_eq!(walked(text).unwrap(), wanted);
        assert_eq!(walked(r#"{"max":18446744073709551615}"#).unwrap(), [("max".into(), i64::MAX)]);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["1", "[1]", "", "{", "{\"a\":1} {", "{\"a\" 1}"] {
            assert_eq!(walked(text), None, "{text}");
        }
    }
}
