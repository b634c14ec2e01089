//! JSON Schemas of the types that requests and replies carry as they are.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::jobs::gate::status::GateStatus;
use crate::jobs::worker::WorkerStatus;
use crate::kernel::ids::{
    BudgetId, CandidateId, CellId, DatacenterId, EntityId, IdempotencyKey, MAX_ID_BYTES, NeedId, NodeId,
    OfferId, Resource, TokenId, VoterId,
};
use crate::kernel::time::Timestamp;
use crate::load::flow::{FlowAdvice, FlowConfig, FlowReason, FlowState, Health as FlowHealth};
use crate::load::shed::{Cause, Class, Load, Observed, Priority};
use crate::load::stats::Level;
use crate::network::route::RoutingDecision;
use crate::voting::agent::Grade;
use crate::voting::proposal::{Verdict, VoteOutcome};
use crate::voting::quorum::event::{Outsiders, VoteChange};
use crate::voting::quorum::{QuorumState, QuorumType};
use crate::voting::rules::{Choice, Param, RuleSpec};
use crate::voting::session::certificate::Certificate;
use crate::voting::session::{
    Authentication, Basis, ClosePolicy, Outcome, Revision, SwitchPolicy, Threshold,
};
use crate::voting::signature::{Digest, PublicKey, Signature};

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
schema_of_id!(EntityId, VoterId, CellId, CandidateId, IdempotencyKey);
schema_of_id!(BudgetId, NeedId, OfferId, Resource, TokenId, NodeId, DatacenterId);

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
schema_of_names!(Verdict: "approved", "rejected", "timeout", "aborted", "cancelled");
schema_of_names!(VoteOutcome: "recorded", "duplicate");
schema_of_names!(Grade: "healthy", "degraded", "critical", "failed");
schema_of_names!(VoteChange: "replace", "reject");
schema_of_names!(Outsiders: "record", "refuse");
schema_of_names!(QuorumType: "local", "global", "ring", "radial");

schema_of_names!(Outcome: "decided", "rejected", "no_quorum", "timeout", "fault_budget_exceeded", "cancelled");
schema_of_names!(Basis: "heads", "power", "both");
schema_of_names!(Threshold: "strict", "at_least");
schema_of_names!(SwitchPolicy: "exclude", "flag", "allow");
schema_of_names!(ClosePolicy: "on_quorum", "all_or_deadline");
schema_of_names!(Revision: "final", "revisable");
schema_of_names!(Authentication: "required", "optional");

macro_rules! schema_of_hex {
    ($($name:ident: $digits:literal),*) => { $(
        impl JsonSchema for $name {
            fn inline_schema() -> bool { true }
            fn schema_name() -> Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "minLength": $digits, "maxLength": $digits })
            }
        }
    )* };
}
schema_of_hex!(Digest: 64, PublicKey: 64, Signature: 128);

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

impl JsonSchema for FlowConfig {
    fn schema_name() -> Cow<'static, str> {
        "FlowConfig".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let ratio = |about: &str| json_schema!({ "type": ["number", "string"], "description": about });
        let ms = |least: u64, about: &str| json_schema!({ "type": "integer", "minimum": least, "maximum": 86_400_000, "description": about });
        json_schema!({
            "type": "object",
            "additionalProperties": false,
            "description": "The knobs of a flow-controlled stream; what is left out keeps its default.",
            "properties": {
                "max_buffer_size": { "type": "integer", "minimum": 1, "description": "Messages that fit; default 1000." },
                "max_buffer_bytes": { "type": ["integer", "null"], "minimum": 1,
                    "description": "Bytes of JSON that fit; by default as many as the process allows one stream. The fill is the larger of the two." },
                "backpressure_threshold": ratio("From this fill on senders are slowed down; default 0.7."),
                "pause_threshold": ratio("From this fill on senders pause; default 0.9."),
                "resume_threshold": { "type": ["number", "string", "null"],
                    "description": "Below this fill waiting senders go on; default backpressure_threshold." },
                "drop_policy": { "type": "string", "enum": ["drop_oldest", "drop_newest", "block", "drop_all"],
                    "description": "What happens when there is no room; default drop_oldest." },
                "carries": { "type": "string", "enum": ["anything", "votes", "tokens", "job_state", "audit"],
                    "description": "What the stream carries; all but anything refuse policies that lose." },
                "pause_duration_ms": ms(1, "After so long a paused sender looks again; default 50."),
                "adaptive_throttling": { "type": "boolean", "description": "Delays grow with the fill; default true." },
                "min_batch_delay_ms": ms(0, "The delay at and below the lower threshold; default 0."),
                "max_batch_delay_ms": ms(0, "The delay that is approached below the upper threshold; default 500."),
                "block_timeout_ms": { "type": ["integer", "null"], "minimum": 1, "maximum": 86_400_000,
                    "description": "How long a blocked sender waits at most; default 5000, null is for ever." },
                "max_age_ms": { "type": ["integer", "null"], "minimum": 1, "maximum": 86_400_000,
                    "description": "Messages older than this are dropped; none by default." },
                "health_window_ms": ms(1_000, "Health looks at the last so long; default 60000."),
                "health_offers": { "type": "integer", "minimum": 1, "maximum": 1_000_000,
                    "description": "Or at the last so many offers, whichever are more; default 1000." }
            }
        })
    }
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
schema_of_object!(GateStatus, WorkerStatus, Certificate, RoutingDecision);
