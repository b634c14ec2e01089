//! What is told of shards and processes.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::super::super::url::DatabaseUrl;
use crate::Epoch;

/// Which part of a sharded journal a journal is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number; the first one is 0.
    pub number: u16,
    /// The map it belongs to.
    pub map: String,
    /// Its schema, where it is in the first database and not in the schema that the address names.
    pub schema: Option<String>,
}

/// How a journal is divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What tells this map from every other one.
    pub map: String,
    /// Its epoch.
    pub epoch: Epoch,
    /// The shard of each slot.
    pub slots: Vec<u16>,
    /// Where each shard is.
    pub places: Vec<Place>,
}

/// Where a shard is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the schema that the address of the first database names.
    First,
    /// In another schema of the first database.
    Schema(String),
    /// In another database.
    Database(DatabaseUrl),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::First => f.write_str("first"),
            Place::Schema(schema) => write!(f, "schema {schema}"),
            Place::Database(url) => write!(f, "{url}"),
        }
    }
}

impl Place {
    /// The place that a text names: an address, or a schema.
    pub fn of(text: &str) -> Self {
        match (DatabaseUrl::of(text), text) {
            (Some(url), _) => Place::Database(url),
            (None, "") => Place::First,
            (None, schema) => Place::Schema(schema.to_owned()),
        }
    }

    /// As the first database keeps it.
    pub(super) fn kept(&self) -> String {
        match self {
            Place::First => String::new(),
            Place::Schema(schema) => schema.clone(),
            Place::Database(url) => url.whole().to_owned(),
        }
    }

    /// The address under which it is opened, and its schema.
    pub fn within(&self, first: &DatabaseUrl) -> (DatabaseUrl, Option<String>) {
        match self {
            Place::First => (first.clone(), None),
            Place::Schema(schema) => (first.clone(), Some(schema.clone())),
            Place::Database(url) => (url.clone(), None),
        }
    }
}

/// A living process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its name in the table.
    pub process: String,
    /// Where it answers.
    pub door: String,
    /// For how long it has been there.
    pub age: Duration,
}

/// What the map says of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which one.
    pub number: u16,
    /// The process that has it, unless the lease of that process has run out.
    pub process: Option<String>,
    /// Where that answers.
    pub door: Option<String>,
    /// How long the lease of that process still runs.
    pub left: Duration,
}

/// What one look at the map shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Was the lease of the process in force until now, and is it renewed?
    pub renewed: bool,
    /// The shards in order.
    pub shards: Vec<Shard>,
    /// Processes that live.
    pub processes: Vec<Process>,
}

/// A shard as its own journal tells it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShardState {
    /// Which one.
    pub shard: u16,
    /// Where it is.
    pub place: String,
    /// Who owns it, or owned it last.
    pub owner: Option<String>,
    /// Where the owner answers.
    pub door: Option<String>,
    /// How often it was owned.
    pub epoch: Epoch,
    /// How long the lease of the owner still runs, in milliseconds; 0 when nobody owns it.
    pub lease_left_ms: u64,
    /// The last commit group.
    pub tip_group: u64,
    /// The last record.
    pub tip_position: u64,
    /// Why it could not be asked.
    pub failure: Option<String>,
}
