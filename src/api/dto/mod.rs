//! Requests and replies: the same shapes in Rust, JSON, HTTP and on the command line.
//!
//! Requests refuse unknown fields. Instants are RFC 3339 strings; durations say their unit in their name.

mod agent;
mod algorithm;
mod asker;
mod audit;
mod candidate;
mod capacity;
mod cell;
mod consensus;
mod consensus_people;
mod emergence;
mod export;
mod flow;
mod history;
mod hook;
mod identity;
mod job;
mod job_lead;
mod job_list;
mod job_place;
mod job_stats;
mod journal;
mod load;
mod member;
mod network;
mod overview;
mod pressure;
mod quorum;
mod quorum_extend;
mod quota;
mod retention;
mod session;
mod session_part;
mod session_people;
mod spend;
mod stop;
mod subject;
mod trust;
mod voter;
mod worker;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::config::HealthPolicy;
use crate::core::kernel::ids::IdError;
use crate::core::kernel::time::Timestamp;
use crate::core::voting::quorum::QuorumType;
use crate::error::Error;

pub use self::agent::*;
pub use self::algorithm::*;
pub use self::asker::*;
pub use self::audit::*;
pub use self::candidate::*;
pub use self::capacity::*;
pub use self::cell::*;
pub use self::consensus::*;
pub use self::consensus_people::*;
pub use self::emergence::*;
pub use self::export::*;
pub use self::flow::*;
pub use self::history::*;
pub use self::hook::*;
pub use self::identity::*;
pub use self::job::*;
pub use self::job_lead::*;
pub use self::job_list::*;
pub use self::job_place::*;
pub use self::job_stats::*;
pub use self::journal::*;
pub use self::load::*;
pub use self::member::*;
pub use self::network::*;
pub use self::overview::*;
pub use self::pressure::*;
pub use self::quorum::*;
pub use self::quorum_extend::*;
pub use self::quota::*;
pub use self::retention::*;
pub use self::session::*;
pub use self::session_part::*;
pub use self::session_people::*;
pub use self::spend::*;
pub use self::stop::*;
pub use self::subject::*;
pub use self::trust::*;
pub use self::voter::*;
pub use self::worker::*;

fn schema_of_names(names: &[&str]) -> Schema {
    json_schema!({ "type": "string", "enum": names })
}

impl JsonSchema for HealthPolicy {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "HealthPolicy".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema_of_names(&["ignore", "exclude_failed"])
    }
}

/// A kind of quorum as asked for: upper or lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedType(pub QuorumType);

impl<'de> Deserialize<'de> for AskedType {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let name = String::deserialize(d)?;
        QuorumType::from_name(&name)
            .map(AskedType)
            .ok_or_else(|| D::Error::custom("expected one of local, global, ring, radial"))
    }
}

impl Serialize for AskedType {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(s)
    }
}

impl JsonSchema for AskedType {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "AskedType".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema_of_names(&["local", "global", "ring", "radial"])
    }
}

/// Makes an id of a text, or the error that names the field.
///
/// # Errors
/// `invalid_argument` when the text is blank, longer than 256 bytes, not composed (NFC), or holds a character that cannot
/// be seen.
pub fn id<T: std::str::FromStr<Err = IdError>>(field: &str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|error: IdError| Error::invalid(field, text, &error.expected()))
}

/// No fields.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// How a runtime is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// `ok`; `failed` when the store refuses work or the runtime is closed; `clock_off` when all is served and the
    /// journal's time is more than two seconds off the wall clock.
    pub status: String,
    /// Why it refuses.
    pub failure: Option<String>,
    /// The journal's time.
    pub now: Timestamp,
    /// By how many ms the journal's time is ahead of the wall clock; behind it when negative. It is not moved by a wall
    /// clock that is set, and draws near to it by one part in 2,000.
    pub clock_offset_ms: i64,
    /// How often the wall clock was set by more than two seconds, since the process began.
    pub clock_steps: u64,
    /// How often the process did not run for more than two seconds, since it began.
    pub process_gaps: u64,
    /// Entities with an open deadline.
    pub tracked_deadlines: u64,
    /// Entity actors in memory.
    pub awake_entities: u64,
    /// The most that were in memory at the same time, counted for each kind by itself.
    pub most_awake_entities: u64,
    /// Entities that used up their restart budget.
    pub parked_entities: u64,
    /// Requests admitted and not yet answered.
    pub in_flight: u64,
    /// Damaged ends of the journal dropped at open; never acknowledged.
    pub dropped_at_open: Vec<String>,
}

#[cfg(test)]
#[path = "words_test.rs"]
mod tests;
