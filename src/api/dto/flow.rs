//! Requests and replies about flow-controlled streams.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::id;
use crate::core::kernel::ids::{EntityId, known};
use crate::core::kernel::time::Timestamp;
use crate::core::load::flow::{FlowAdvice, FlowConfig, FlowReason, FlowState, Health};
use crate::error::Error;

/// Opens a stream of messages with flow control.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenFlow {
    /// Which stream. Opening it again with the same configuration changes nothing.
    pub flow_id: EntityId,
    /// How; what is left out keeps its default.
    #[serde(default)]
    pub config: FlowConfig,
}

impl OpenFlow {
    /// A stream of this id.
    ///
    /// # Errors
    /// `invalid_argument` when the name is not an id.
    pub fn new(flow_id: &str, config: FlowConfig) -> Result<Self, Error> {
        Ok(OpenFlow { flow_id: id("flow_id", flow_id)?, config })
    }
}

/// Offers a message to a stream.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfferMessage {
    /// Which stream.
    pub flow_id: EntityId,
    /// The message: any JSON, up to 64 KiB of it.
    pub message: Value,
    /// Who sends it; handed to the reader with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<EntityId>,
    /// How long the offer may wait for its delay, for a pause to end or for room, 0 to 300000; 0 when left out: it is
    /// decided at once. Time that moves only when told to is not waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<i64>,
    /// Only the newest message of a key matters: an older one that is still buffered gives way to it. 1 to 256 bytes; not
    /// on streams that carry what may not be lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Milliseconds from now until which the message is of use, -86400000 to 86400000. After that it is not buffered, and
    /// not handed to the reader, who is told of the gap. Not on streams that carry what may not be lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<i64>,
    /// It does not give way to others, whatever the policy: where all that is buffered is critical, the new message comes
    /// back. Handed to the reader. False when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical: Option<bool>,
}

impl OfferMessage {
    /// A message that is not waited for.
    ///
    /// # Errors
    /// `invalid_argument` when the name is not an id.
    pub fn new(flow_id: &str, message: impl Into<Value>) -> Result<Self, Error> {
        let flow_id = id("flow_id", flow_id)?;
        Ok(OfferMessage {
            flow_id,
            message: message.into(),
            sender: None,
            wait_ms: None,
            key: None,
            deadline_ms: None,
            critical: None,
        })
    }
}

/// Takes messages out of a stream.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrainFlow {
    /// Which stream.
    #[serde(deserialize_with = "known")]
    pub flow_id: EntityId,
    /// At most so many messages, 0 to 1000; 100 when left out. `buffer_size` says whether to ask again.
    #[serde(default, alias = "n", skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
}

/// Changes the configuration of an open stream.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigureFlow {
    /// Which stream.
    pub flow_id: EntityId,
    /// The knobs to change; what is left out stays as it is.
    #[schemars(with = "FlowConfig")]
    pub config: Map<String, Value>,
}

/// Names a stream.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowRef {
    /// Which stream.
    #[serde(deserialize_with = "known")]
    pub flow_id: EntityId,
}

/// A stream as it is configured.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FlowOpened {
    /// Which stream.
    pub flow_id: EntityId,
    /// Something changed: it is newly open, configured otherwise, or closed.
    pub changed: bool,
    /// The configuration in force.
    pub config: FlowConfig,
    /// Which life it is in; each process that begins with an empty buffer adds one.
    pub life: u64,
    /// When it was first opened.
    pub opened_at: Timestamp,
    /// Nobody sends any more.
    pub closed: bool,
    /// The state.
    pub flow_state: FlowState,
    /// Messages buffered.
    pub buffer_size: u64,
}

/// Missing numbers: these messages were accepted and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GapView {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first_seq: u64,
    /// The last of them.
    pub last_seq: u64,
}

/// What became of an offer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MessageOffered {
    /// Which stream.
    pub flow_id: EntityId,
    /// It is buffered. Otherwise it came back: it is in `message`, and `reason` says why.
    pub accepted: bool,
    /// Its number in this life of the stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Why it came back: `rejected_newest`, `full`, `timeout`, `expired`, `closed`, `too_large`, or `memory_full`
    /// when the messages of all streams take as much memory as they may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The message that came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Value>,
    /// When it is worth trying again; missing where it never is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What gave way to it; the reader is told of the gap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evicted: Option<GapView>,
    /// The state after.
    pub flow_state: FlowState,
    /// May a sender go on, or should it pause?
    pub can_send: bool,
    /// How long to wait before the next message.
    pub delay_ms: u64,
    /// Messages buffered after.
    pub buffer_size: u64,
    /// The fill after, as a ratio: 0.5 is half full.
    pub fill_percentage: f64,
}

/// A message on its way to the reader.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MessageView {
    /// Its number in this life of the stream.
    pub seq: u64,
    /// The message.
    pub message: Value,
    /// Who sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// Its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The last instant at which it is of use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// It does not give way to others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub critical: bool,
}

/// What was taken out of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FlowDrained {
    /// Which stream.
    pub flow_id: EntityId,
    /// Which life the numbers belong to.
    pub life: u64,
    /// The messages, oldest first. They are delivered with this answer, and not kept.
    pub messages: Vec<MessageView>,
    /// The gaps before and between them, each told once.
    pub lagged: Vec<GapView>,
    /// Messages still buffered.
    pub buffer_size: u64,
    /// The fill after, as a ratio.
    pub fill_percentage: f64,
    /// The state after.
    pub flow_state: FlowState,
}

/// The figures of a stream, over all its lives where they are counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FlowFigures {
    /// Messages buffered.
    pub buffer_size: u64,
    /// Messages that fit.
    pub max_buffer_size: u64,
    /// Bytes of JSON buffered.
    pub buffer_bytes: u64,
    /// Bytes of JSON that fit: what the stream asked for, and never more than this process allows one stream.
    pub max_buffer_bytes: u64,
    /// The fill as a ratio, 0 to 1: 0.5 is half full.
    pub fill_percentage: f64,
    /// The state.
    pub flow_state: FlowState,
    /// Accepted into the buffer.
    pub messages_sent: u64,
    /// Taken out by the reader.
    pub messages_delivered: u64,
    /// Evicted or refused by policy, or lost with a process.
    pub messages_dropped: u64,
    /// Refused by policy, never accepted.
    pub messages_rejected: u64,
    /// Accepted and lost again.
    pub messages_evicted: u64,
    /// Handed back to the sender, refused ones included.
    pub messages_returned: u64,
    /// Everything offered: sent and returned, which is delivered, buffered, evicted and returned.
    pub messages_offered: u64,
    /// Dropped as the oldest.
    pub evicted_oldest: u64,
    /// Refused as the newest.
    pub rejected_newest: u64,
    /// Dropped with everything.
    pub cleared: u64,
    /// Dropped by their owner.
    pub shed: u64,
    /// Dropped for their age.
    pub expired: u64,
    /// Superseded by a newer message of their key: evicted, but not dropped.
    pub conflated: u64,
    /// Buffered when a process ended, by the totals that were last recorded.
    pub lost_in_restart: u64,
    /// Given back after waiting.
    pub timed_out: u64,
    /// Given back for want of room.
    pub refused_full: u64,
    /// Given back since the stream was closed.
    pub refused_closed: u64,
    /// Given back since they are larger than the whole buffer.
    pub refused_too_large: u64,
    /// Senders that gave up waiting.
    pub cancelled: u64,
    /// Time senders spent paused or blocked, ended waits only.
    pub total_pause_time_ms: u64,
    /// Time senders spent in delays.
    pub total_throttle_time_ms: u64,
    /// The delay of the latest offer; 0 when it was not throttled.
    pub current_throttle_delay_ms: u64,
    /// Offers in the throttled zone, those with delay 0 included.
    pub throttle_events: u64,
    /// Offers that met a pause or a full buffer.
    pub pause_events: u64,
    /// Lost among offered, over the sliding window of this life, 0 to 1.
    pub drop_rate: f64,
    /// The same over all lives.
    pub lifetime_drop_rate: f64,
    /// What the drop rate of the window means.
    pub health: Health,
}

/// How a stream stands.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FlowStatus {
    /// Which stream.
    pub flow_id: EntityId,
    /// The figures.
    #[serde(flatten)]
    pub figures: FlowFigures,
    /// May a sender go on, or should it pause?
    pub can_send: bool,
    /// How long to wait before the next message, or to pause before looking again.
    pub delay_ms: u64,
    /// The same as a pace: it never falls as the buffer fills.
    pub pacing_delay_ms: u64,
    /// Senders that wait.
    pub waiting: u64,
    /// Nobody sends any more.
    pub closed: bool,
    /// Which life it is in.
    pub life: u64,
    /// When it was first opened.
    pub opened_at: Timestamp,
    /// The configuration in force.
    pub config: FlowConfig,
}

/// What to do about a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FlowAdviceView {
    /// Which stream.
    pub flow_id: EntityId,
    /// What to do.
    pub action: FlowAdvice,
    /// Why.
    pub reason: FlowReason,
    /// The fill as a ratio.
    pub buffer_fill: f64,
    /// A step that would help: `continue`, `slow_down`, `wait_and_look_again`, `grow_or_slow_down`, `disconnect`.
    pub suggested_action: String,
    /// How long to wait with it, where that is part of it.
    pub suggested_delay_ms: Option<u64>,
    /// Lost among offered, over the sliding window, 0 to 1.
    pub drop_rate: f64,
    /// What the drop rate means.
    pub health: Health,
}

/// All streams of this process together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlowsOverview {
    /// Streams with a buffer.
    pub open: u64,
    /// Messages buffered.
    pub buffered: u64,
    /// Streams whose senders are to pause.
    pub pausing: u64,
    /// Messages accepted, over all lives of these streams.
    pub sent: u64,
    /// Messages read.
    pub delivered: u64,
    /// Messages dropped.
    pub dropped: u64,
    /// Messages handed back.
    pub returned: u64,
    /// The memory that the messages of all streams take, in bytes.
    pub memory_bytes: u64,
}
