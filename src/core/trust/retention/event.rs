//! What happened to what is kept. Stored: variants and fields are only ever appended, at the end.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Nothing in a scope is pruned from here on.
    Held(Box<Held>),
    /// It may be pruned again.
    Released(Box<Released>),
    /// Records were pruned.
    Pruned(Box<Pruned>),
}

impl Event {
    /// The name under which it is shown.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Held(_) => "held",
            Event::Released(_) => "released",
            Event::Pruned(_) => "pruned",
        }
    }
}

/// What a hold keeps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everything.
    All,
    /// Every entity of a kind, by the name of the kind.
    Kind(String),
    /// The entities of this name, of every kind.
    Entity(EntityId),
}

impl Scope {
    /// Is this entity in it?
    pub fn covers(&self, kind: &str, id: &EntityId) -> bool {
        match self {
            Scope::All => true,
            Scope::Kind(name) => name == kind,
            Scope::Entity(name) => name == id,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::All => f.write_str("all"),
            Scope::Kind(kind) => write!(f, "kind:{kind}"),
            Scope::Entity(id) => write!(f, "entity:{id}"),
        }
    }
}

/// Something is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// What.
    pub scope: Scope,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Something is held no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// What.
    pub scope: Scope,
    /// Who asked for it.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// By which rule something was pruned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What had ended so long ago.
    pub older_than_ms: Option<u64>,
    /// Of these kinds alone; of every kind that ends, when empty.
    pub kinds: Vec<String>,
    /// Except those of each kind that ended last, so many.
    pub keep_last: Option<u64>,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ended")?;
        if let Some(ms) = self.older_than_ms {
            match ms % 1_000 {
                0 => write!(f, " at least {} s before", ms / 1_000)?,
                _ => write!(f, " at least {ms} ms before")?,
            }
        }
        if !self.kinds.is_empty() {
            write!(f, ", kind {}", self.kinds.join(" or "))?;
        }
        if let Some(count) = self.keep_last {
            write!(f, ", but for the last {count} of each kind")?;
        }
        Ok(())
    }
}

/// Records were pruned: all those of some entities that had ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// Which pruning of this journal it is, from 1.
    pub number: u64,
    /// By which rule.
    pub rule: Rule,
    /// Entities that went, by kind.
    pub entities: BTreeMap<String, u64>,
    /// Records that went.
    pub records: u64,
    /// The position of the first of them.
    pub first_position: u64,
    /// The position of the last of them.
    pub last_position: u64,
    /// The position of the last record of the journal that was pruned.
    pub upto: u64,
    /// The root of the log over all records up to there, in hexadecimal.
    pub root: String,
    /// The hash of its last group, in hexadecimal: groups are chained anew.
    pub tip_hash: String,
    /// Who did it.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
    /// What had been counted up to there.
    pub counted: Counted,
}

/// What the runtime counts over all entities, as it keeps it beside a journal.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// In which form it is.
    pub form: String,
    /// The bytes.
    pub bytes: Kept,
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counted({}, {} bytes)", self.form, self.bytes.0.len())
    }
}

/// Bytes that are shown to people by their number alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept(pub Vec<u8>);

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() {
            to.collect_str(&format_args!("{} bytes", self.0.len()))
        } else {
            self.0.serialize(to)
        }
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Vec::deserialize(from).map(Kept)
    }
}
