//! Requests and replies: the same shapes in Rust, JSON, HTTP and on the command line.
//!
//! Requests refuse unknown fields. Instants are RFC 3339 strings; durations say their unit in their name.

mod agent;
mod capacity;
mod cell;
mod consensus;
mod flow;
mod history;
mod job;
mod job_lead;
mod load;
mod pressure;
mod quorum;
mod worker;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::config::HealthPolicy;
use crate::core::agent::Grade;
use crate::core::flow::{FlowAdvice, FlowReason, FlowState, Health as FlowHealth};
use crate::core::gate::status::GateStatus;
use crate::core::ids::{
    BudgetId, CellId, EntityId, IdError, IdempotencyKey, MAX_ID_BYTES, NeedId, OfferId, Resource, TokenId,
    VoterId,
};
use crate::core::proposal::{Verdict, VoteOutcome};
use crate::core::quorum::event::{Outsiders, VoteChange};
use crate::core::quorum::{QuorumState, QuorumType};
use crate::core::rules::{Choice, Param, RuleSpec};
use crate::core::shed::{Cause, Class, Load, Observed, Priority};
use crate::core::stats::Level;
use crate::core::time::Timestamp;
use crate::core::worker::WorkerStatus;
use crate::error::Error;

pub use self::agent::*;
pub use self::capacity::*;
pub use self::cell::*;
pub use self::consensus::*;
pub use self::flow::*;
pub use self::history::*;
pub use self::job::*;
pub use self::job_lead::*;
pub use self::load::*;
pub use self::pressure::*;
pub use self::quorum::*;
pub use self::worker::*;

macro_rules! schema_of_id {
    ($($name:ident),*) => { $(
        impl JsonSchema for $name {
            fn inline_schema() -> bool { true }
            fn schema_name() -> Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "minLength": 1, "maxLength": MAX_ID_BYTES })
            }
        }
    )* };
}
schema_of_id!(EntityId, VoterId, CellId, IdempotencyKey);
schema_of_id!(BudgetId, NeedId, OfferId, Resource, TokenId);

impl JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

macro_rules! schema_of_names {
    ($name:ident: $($label:literal),*) => {
        impl JsonSchema for $name {
            fn inline_schema() -> bool { true }
            fn schema_name() -> Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "enum": [$($label),*] })
            }
        }
    };
}
schema_of_names!(QuorumState: "open", "approved", "rejected", "timed_out", "cancelled");
schema_of_names!(Choice: "for", "against", "abstain");
schema_of_names!(Verdict: "approved", "rejected", "timeout", "aborted");
schema_of_names!(HealthPolicy: "ignore", "exclude_failed");
schema_of_names!(VoteOutcome: "recorded", "duplicate");
schema_of_names!(Grade: "healthy", "degraded", "critical", "failed");
schema_of_names!(VoteChange: "replace", "reject");
schema_of_names!(Outsiders: "record", "refuse");

schema_of_names!(FlowState: "normal", "throttled", "paused", "dropping");
schema_of_names!(FlowHealth: "healthy", "warning", "unhealthy");
schema_of_names!(FlowAdvice: "ok", "throttle", "pause", "warning", "disconnect");
schema_of_names!(FlowReason: "flowing", "backpressure_threshold", "pause_threshold", "drop_rate_high",
    "drop_rate_unhealthy");
schema_of_names!(Class: "control", "dispatch", "data", "telemetry");
schema_of_names!(Priority: "critical", "high", "normal", "low");
schema_of_names!(Load: "healthy", "busy", "stressed", "overloaded");
schema_of_names!(Cause: "none", "pending", "delta", "drift", "absolute", "cpu", "memory", "queue_delay");
schema_of_names!(Observed: "served", "shed", "local_reply", "probe");
schema_of_names!(Level: "none", "throttle", "batch", "reject");

impl JsonSchema for Param {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Param".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        true.into()
    }
}

impl JsonSchema for RuleSpec {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Rule".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "required": ["rule", "params"],
            "properties": { "rule": { "type": "string" }, "params": { "type": "object" } } })
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

schema_of_names!(AskedType: "local", "global", "ring", "radial");
schema_of_names!(QuorumType: "local", "global", "ring", "radial");

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

/// Shown as an object whose fields the type itself documents.
macro_rules! schema_of_object {
    ($($name:ident),*) => { $(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut SchemaGenerator) -> Schema { json_schema!({ "type": "object" }) }
        }
    )* };
}
schema_of_object!(GateStatus, WorkerStatus);
