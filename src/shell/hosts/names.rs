//! The names of the variants of an enum, as it reads them: a new event is known here by itself.

use serde::de::{self, DeserializeOwned, Deserializer, Visitor};

/// The names of the variants of an enum, as it reads them.
pub(super) fn variants<E: DeserializeOwned>() -> &'static [&'static str] {
    E::deserialize(Names).err().map_or(&[], |Seen(names)| names)
}

/// Hands nothing to a type but asks it for its variants.
struct Names;

/// What the type asked for.
#[derive(Debug)]
struct Seen(&'static [&'static str]);

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl std::error::Error for Seen {}

impl de::Error for Seen {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Seen(&[])
    }
}

impl<'de> Deserializer<'de> for Names {
    type Error = Seen;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Seen> {
        Err(Seen(&[]))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Seen> {
        Err(Seen(variants))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
