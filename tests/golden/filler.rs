//! Values of any stored type, filled so that nothing in them is empty, and a line for each of their leaves. The type
//! itself is asked what it reads, so no field and no variant is left out because somebody forgot it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Visitor};
use serde::forward_to_deserialize_any;

/// How often a type may hold itself before what it holds is left empty.
const NESTED: usize = 2;
/// A nesting that no stored type has.
const DEEPEST: usize = 64;
/// Passes without a new line after which every variant was there.
const IDLE_PASSES: usize = 64;

/// The leaves of a type in the order in which they are read, and values of it that hold each variant.
pub fn fill<T: DeserializeOwned>() -> (Vec<String>, Vec<T>) {
    let mut filler = Filler::default();
    let (mut values, mut idle) = (Vec::new(), 0);
    while idle < IDLE_PASSES {
        let before = filler.lines.len();
        (filler.number, filler.path, filler.within) = (0, Vec::new(), Vec::new());
        values.extend(T::deserialize(&mut filler).ok());
        idle = if filler.lines.len() == before { idle + 1 } else { 0 };
    }
    (filler.lines, values)
}

#[derive(Default)]
struct Filler {
    lines: Vec<String>,
    known: BTreeSet<String>,
    path: Vec<String>,
    /// Names of the types around what is read.
    within: Vec<&'static str>,
    /// How often each enum was read, by name and number of variants.
    turns: BTreeMap<(&'static str, usize), usize>,
    number: u64,
}

/// What a type refused; its value is left out, its lines are not.
#[derive(Debug)]
struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(said: T) -> Self {
        Refused(said.to_string())
    }
}

impl Filler {
    fn leaf(&mut self, what: &str) -> u64 {
        let line = format!("{}: {what}", self.path.join("."));
        if self.known.insert(line.clone()) {
            self.lines.push(line);
        }
        self.number = self.number % 100 + 1;
        self.number
    }

    fn nested(&self) -> bool {
        let Some(last) = self.within.last() else { return false };
        self.within.iter().filter(|name| *name == last).count() > NESTED
    }

    fn at<R>(&mut self, part: impl Into<String>, read: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(part.into());
        let done = read(self);
        self.path.pop();
        done
    }

    fn inside<R>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self) -> Result<R, Refused>,
    ) -> Result<R, Refused> {
        if self.within.len() > DEEPEST {
            return Err(Refused(format!("{name} is nested too deeply")));
        }
        self.within.push(name);
        let done = read(self);
        self.within.pop();
        done
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $kind:ident),+ $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            let number = self.leaf(stringify!($kind));
            visitor.$visit(number as $kind)
        })+
    };
}

impl<'de> de::Deserializer<'de> for &mut Filler {
    type Error = Refused;

    numbers! {
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_u128 visit_u128 u128, deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
        deserialize_i128 visit_i128 i128,
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        Err(Refused("what is stored says what it is".into()))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.leaf("bool");
        visitor.visit_bool(true)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.leaf("f64");
        // A share as well as a number.
        visitor.visit_f64(0.5)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let number = self.leaf("text");
        visitor.visit_string(format!("t{number}"))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_string(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.leaf("nothing");
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        if self.nested() {
            return visitor.visit_none();
        }
        self.at("?", |filler| visitor.visit_some(filler))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.inside(name, |filler| visitor.visit_newtype_struct(filler))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let left = if self.nested() { 0 } else { 2 };
        self.at("[]", |filler| visitor.visit_seq(Items { filler, parts: None, left }))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        self.at("()", |filler| visitor.visit_seq(Items { filler, parts: None, left: len }))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.inside(name, |filler| filler.deserialize_tuple(len, visitor))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let left = if self.nested() { 0 } else { 2 };
        self.at("{}", |filler| visitor.visit_map(Items { filler, parts: None, left }))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.inside(name, |filler| {
            visitor.visit_seq(Items { filler, parts: Some(fields), left: fields.len() })
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let turn = self.turns.entry((name, variants.len())).or_default();
        let index = *turn % variants.len();
        *turn += 1;
        let part = format!("{index} {}", variants[index]);
        self.inside(name, |filler| {
            filler.at(part, |filler| visitor.visit_enum(Variant { filler, index: index as u32 }))
        })
    }

    forward_to_deserialize_any! { f32 char bytes byte_buf unit_struct identifier ignored_any }
}

/// Elements, entries or fields.
struct Items<'a> {
    filler: &'a mut Filler,
    parts: Option<&'static [&'static str]>,
    left: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        let part = self.parts.map(|parts| parts[parts.len() - self.left]);
        self.left = left;
        let Some(part) = part else { return seed.deserialize(&mut *self.filler).map(Some) };
        self.filler.at(part, |filler| seed.deserialize(filler)).map(Some)
    }
}

impl<'de> de::MapAccess<'de> for Items<'_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        self.filler.at("key", |filler| seed.deserialize(filler)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Refused> {
        self.filler.at("value", |filler| seed.deserialize(filler))
    }
}

struct Variant<'a> {
    filler: &'a mut Filler,
    index: u32,
}

impl<'de> de::EnumAccess<'de> for Variant<'_> {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Refused> {
        let index = de::value::U32Deserializer::new(self.index);
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        self.filler.leaf("variant");
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refused> {
        seed.deserialize(self.filler)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        de::Deserializer::deserialize_tuple(self.filler, len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_seq(Items { filler: self.filler, parts: Some(fields), left: fields.len() })
    }
}
