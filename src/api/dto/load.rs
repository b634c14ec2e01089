//! Requests and replies about load shedding and the statistics of running work.

use schemars::JsonSchema;
use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer, Serialize};

use crate::core::kernel::time::Timestamp;
use crate::core::load::shed::{Cause, Class, Load, Observed, Priority};
use crate::core::load::stats::Level;

fn class_in_any_case<'de, D: Deserializer<'de>>(given: D) -> Result<Option<Class>, D::Error> {
    let Some(name) = Option::<String>::deserialize(given)? else { return Ok(None) };
    let name = name.to_ascii_lowercase();
    Class::deserialize(name.as_str().into_deserializer()).map(Some)
}

/// Asks whether a message would be let in now, and takes it in as one of the requests counted.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckShed {
    /// What it is: a kind of message such as `progress`, or an operation such as `quorum.vote`. An unknown name is
    /// data. One of `handler` and `class` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handler: Option<String>,
    /// Its class, in upper or lower case.
    #[serde(default, deserialize_with = "class_in_any_case", skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// It may be delayed but not dropped; where left out, what its kind says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical: Option<bool>,
    /// Milliseconds from now until which its answer is of use, -86400000 to 86400000; negative when that has passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<i64>,
    /// Hold its place among those in flight until `shed.release`, or for so long at most: 1 to 3600000. Without it the
    /// place is given back at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_ms: Option<i64>,
}

/// Why what is refused is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainView {
    /// The state.
    pub state: Load,
    /// What led to it.
    pub cause: Cause,
    /// What was measured, in the unit of the cause.
    pub measured: f64,
    /// What it was compared with.
    pub threshold: f64,
    /// Since when the state is what it is.
    pub since: Timestamp,
    /// The state before.
    pub before: Load,
    /// Classes that are refused now.
    pub refuses: Vec<Class>,
}

/// A cap that was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CapView {
    /// How many are in flight there.
    pub in_flight: u64,
    /// How many may be.
    pub cap: u64,
}

/// The answer to one message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShedChecked {
    /// It is let in.
    pub admitted: bool,
    /// It is not.
    pub shed: bool,
    /// Its class.
    pub class: Class,
    /// Its priority.
    pub priority: Priority,
    /// It may be delayed but not dropped.
    pub critical: bool,
    /// The state.
    pub state: Load,
    /// Why not: `shed` for the state, `limited` by the adaptive limit, `full_global`, `full_priority` or `full_reserve`
    /// for a cap, `expired`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The cap that was met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full: Option<CapView>,
    /// When to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The sender has to keep it and try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<bool>,
    /// The permit that is held, for `shed.release`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permit: Option<u64>,
    /// State, cause, thresholds, since when.
    pub explain: ExplainView,
}

/// Gives a held place back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleasePermit {
    /// The permit.
    pub permit: u64,
    /// How long the work took, as a sample of latency: up to 3600000, with at most three places; negative counts as 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
}

/// What became of a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PermitReleased {
    /// The permit.
    pub permit: u64,
    /// It was held; false when it was given back before, or its time was over.
    pub released: bool,
}

/// Feeds the detector behind `shed.check`; at least one reading is given. A latency makes no state before there are
/// three of the last ten seconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordLoad {
    /// How long a request took, up to 3600000, with at most three places: whole microseconds are kept. Negative counts as 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// What became of that request; only `served`, the default, is a sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Observed>,
    /// Processor, in percent, with at most six places; above 100 is fine, up to 1000000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    /// Memory, in percent, with at most six places, up to 1000000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_percent: Option<f64>,
    /// How long a message waited before work on it began, 0 to 3600000, with at most three places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_delay_ms: Option<f64>,
    /// The class of the message that waited, in upper or lower case; `data` when left out.
    #[serde(default, deserialize_with = "class_in_any_case", skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// Requests taken and not finished, 0 to 10000000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<i64>,
}

/// What the detector makes of its readings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadRecorded {
    /// The state after the evaluation.
    pub state: Load,
    /// What the readings say now, without patience.
    pub raw_state: Load,
    /// State, cause, thresholds, since when.
    pub explain: ExplainView,
}

/// A count for each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ByClass {
    /// Liveness, votes, cancellation, leadership.
    pub control: u64,
    /// Work that is handed out.
    pub dispatch: u64,
    /// Progress and reports.
    pub data: u64,
    /// What nobody misses for a while.
    pub telemetry: u64,
}

/// A count for each priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ByPriority {
    /// Control: 0 for ever.
    pub critical: u64,
    /// Dispatch.
    pub high: u64,
    /// Data.
    pub normal: u64,
    /// Telemetry.
    pub low: u64,
}

/// One class at this instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClassView {
    /// The class.
    pub class: Class,
    /// Its priority.
    pub priority: Priority,
    /// Permits held by callers.
    pub in_flight: u64,
    /// How many may be; 0 is no cap of its own.
    pub cap: u64,
    /// Permits given in this process.
    pub acquired_total: u64,
    /// Permits refused for a cap in this process.
    pub shed_total: u64,
    /// Messages whose deadline had passed in this process.
    pub expired_total: u64,
    /// Operations of this class under way.
    pub operations_in_flight: u64,
    /// Operations carried out in this process.
    pub operations_admitted: u64,
    /// Operations refused for the load in this process.
    pub operations_shed: u64,
}

/// What the signals of the detector say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TiersView {
    /// What all readings together say now, without patience.
    pub raw_state: Load,
    /// What led to it.
    pub raw_cause: Cause,
    /// Evaluations in a row that were better than the state.
    pub quieter_evaluations: u32,
    /// Latency against its own past.
    pub delta_state: Load,
    /// Latency in milliseconds.
    pub absolute_state: Load,
    /// Mean of the newest samples; missing when there are none.
    pub average_ms: Option<f64>,
    /// The fast moving average.
    pub baseline_ms: f64,
    /// The slow moving average.
    pub slow_baseline_ms: f64,
    /// The average against the fast baseline.
    pub delta: f64,
    /// The fast baseline against the slow one.
    pub drift: f64,
    /// Change from sample to sample, for people only.
    pub trend_ms: f64,
    /// Samples taken.
    pub samples: u64,
    /// The delta is not judged yet.
    pub warming_up: bool,
}

/// What was refused over all processes, with the minute that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedTotals {
    /// For the state or the adaptive limit.
    pub shed: ByClass,
    /// For a cap.
    pub full: ByClass,
    /// For a deadline that had passed.
    pub expired: ByClass,
    /// Changes of state.
    pub transitions: u64,
}

/// How load and shedding stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShedStatus {
    /// The state that `shed.check` judges by: the worse of what callers report and what the runtime measures.
    pub state: Load,
    /// The state that operations are refused by: what the runtime measures itself, and requests under way.
    pub operations_state: Load,
    /// State, cause, thresholds, since when.
    pub explain: ExplainView,
    /// The signals.
    pub detector: TiersView,
    /// Requests told to be pending.
    pub pending: u64,
    /// Permits held by callers.
    pub in_flight: u64,
    /// How many may be.
    pub in_flight_cap: u64,
    /// Each class.
    pub classes: Vec<ClassView>,
    /// Messages judged in this process, each once.
    pub total_requests: u64,
    /// Of them refused for the state.
    pub shed_requests: u64,
    /// Refused of all, 0 to 1.
    pub shed_rate: f64,
    /// Refused for the state, by priority.
    pub shed_by_priority: ByPriority,
    /// Changes of state in this process.
    pub transitions: u64,
    /// Messages of names nobody knows.
    pub unknown_names: u64,
    /// Over all processes.
    pub all_time: RefusedTotals,
}

/// Records statistics of running work: one of `value`, `values` and `batch` is given.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordStats {
    /// One value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Up to 1000 values, each in its own place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<f64>>,
    /// Many values that were put together by their sender, in one place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchOfStats>,
    /// When they were measured; now when left out, and never later than now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// Take them also at reject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical: Option<bool>,
}

/// Many values as one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchOfStats {
    /// How many, 1 to 10^12.
    pub count: u64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// All of them added.
    pub sum: f64,
}

/// What a level asks of senders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LevelView {
    /// The level.
    pub level: Level,
    /// The level as a number, 0 to 3.
    pub backpressure_level: u8,
    /// How long to wait between messages.
    pub backpressure_delay_ms: u64,
    /// Send one message per job.
    pub backpressure_batch_only: bool,
    /// Send only what is critical.
    pub backpressure_drop_non_critical: bool,
}

/// What became of samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatsRecorded {
    /// All of them were taken.
    pub accepted: bool,
    /// Samples taken.
    pub recorded: u64,
    /// Samples refused, since the buffer rejects and they are not critical.
    pub refused: u64,
    /// When it is worth trying again, if any were refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The level after, and what it asks.
    #[serde(flatten)]
    pub level: LevelView,
}

/// What senders are told at a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignalView {
    /// The level as a number, 0 to 3.
    pub level: u8,
    /// How long to wait between messages.
    pub suggested_delay_ms: u64,
    /// Send one message per job.
    pub batch_only: bool,
    /// Send only what is critical.
    pub drop_non_critical: bool,
}

/// The level, and how full the buffer of statistics is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatsLevel {
    /// The level, and what it asks.
    #[serde(flatten)]
    pub level: LevelView,
    /// The same as the signal that goes out to senders.
    pub signal: SignalView,
    /// Single samples held, younger than 60 s.
    pub hot_count: u64,
    /// Most of them.
    pub hot_max: u64,
    /// One of the other, 0 to 1.
    pub fill: f64,
}

/// Asks for a summary of all statistics.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskSummary {
    /// The recent average is over so long, 1 to 86400000; 60000 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<i64>,
}

/// All statistics in one, and the tiers they stand in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatsSummary {
    /// Samples ever taken.
    pub count: u64,
    /// Their mean; this and the next three are missing before the first.
    pub average: Option<f64>,
    /// The smallest.
    pub min: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
    /// All of them added.
    pub sum: Option<f64>,
    /// The mean of what is younger than the window; missing when nothing is.
    pub recent_average: Option<f64>,
    /// Single samples held.
    pub hot_count: u64,
    /// Buckets of 10 s held.
    pub warm_count: u64,
    /// Buckets of 60 s held.
    pub cold_count: u64,
    /// Samples older than that, in one.
    pub archived: u64,
    /// Samples taken.
    pub total_recorded: u64,
    /// Samples refused.
    pub total_dropped: u64,
    /// The level.
    pub level: Level,
}
