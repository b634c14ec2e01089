//! What happened to data subjects. Stored: variants and fields are only ever appended, at the end.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// What a key is known by: the first 16 bytes of a keyed hash, which says nothing of the key. People see it in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyId(pub [u8; 16]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.collect_str(self) } else { self.0.serialize(to) }
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if !from.is_human_readable() {
            return <[u8; 16]>::deserialize(from).map(KeyId);
        }
        let text = String::deserialize(from)?;
        let number = u128::from_str_radix(&text, 16).map_err(de::Error::custom)?;
        Ok(KeyId(number.to_be_bytes()))
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A data subject has a key from here on.
    Registered(Box<Registered>),
    /// Its key is to be destroyed.
    ShredAsked(Box<ShredAsked>),
    /// Its key is destroyed: what was sealed with it cannot be read any more.
    Shredded(Box<Shredded>),
}

impl Event {
    /// The name under which it is shown.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Registered(_) => "registered",
            Event::ShredAsked(_) => "shred_asked",
            Event::Shredded(_) => "shredded",
        }
    }
}

/// A data subject has a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Whose.
    pub data_subject: EntityId,
    /// What the key is known by.
    pub key_id: KeyId,
    /// Since when.
    pub at: Timestamp,
}

/// A key is to be destroyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShredAsked {
    /// Whose.
    pub data_subject: EntityId,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A key is destroyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shredded {
    /// Whose.
    pub data_subject: EntityId,
    /// When.
    pub at: Timestamp,
}
