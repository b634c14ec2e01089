//! Requests and replies about coordinates, datacenters and routes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::kernel::ids::{DatacenterId, EntityId, NodeId, known};
use crate::core::kernel::time::Timestamp;

/// Where a node stands in the space of round trips: seconds, except for `error`, which has no unit, and `error_ms`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VivaldiCoordinate {
    /// The point, 1 to 32 components within 10 s either way; as many as all nodes have, which is 8 unless configured.
    pub vec: Vec<f64>,
    /// The way from the node to the net, 0 to 10 s.
    pub height: f64,
    /// A correction of every estimate, within 1 s either way; 0 when left out.
    #[serde(default)]
    pub adjustment: f64,
    /// How wrong estimates are, relative to the measured round trip, 0 to 10.
    pub error: f64,
    /// How wrong they are, in ms, 0 to 10,000.
    pub error_ms: f64,
    /// Round trips it rests on.
    pub sample_count: u64,
}

/// Moves a node's coordinate by a round trip it measured to another one. With `vivaldi_coord` alone the node says where it
/// stands.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateCoordinate {
    /// Who measured. Only its coordinate moves.
    pub from: NodeId,
    /// To whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<NodeId>,
    /// The round trip in ms, 0.001 to 10,000; kept to the microsecond.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f64>,
    /// Where `to` stands, as its answer told; what is on record of it when left out. Without `to`: where `from` stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vivaldi_coord: Option<VivaldiCoordinate>,
}

impl UpdateCoordinate {
    /// A round trip that `from` measured to `to`.
    pub fn measured(from: NodeId, to: NodeId, rtt_ms: f64) -> Self {
        UpdateCoordinate { from, to: Some(to), rtt_ms: Some(rtt_ms), vivaldi_coord: None }
    }
}

/// Where a node stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CoordinateView {
    /// Which node.
    pub node_id: NodeId,
    /// Where it stands.
    pub vivaldi_coord: VivaldiCoordinate,
    /// Has it settled?
    pub converged: bool,
    /// How far it can be relied on, 0 to 1.
    pub coordinate_quality: f64,
    /// Since when it stands there.
    pub updated_at: Timestamp,
}

/// Asks how far two nodes are apart.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EstimateCoordinate {
    /// From which node.
    pub from: NodeId,
    /// To which.
    pub to: NodeId,
}

/// How far two nodes are apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CoordinateEstimate {
    /// From which node.
    pub from: NodeId,
    /// To which.
    pub to: NodeId,
    /// The estimated round trip in ms, to the microsecond; none where the place of one is not known.
    pub rtt_ms: Option<f64>,
    /// An upper bound of it in ms, to the microsecond; 200 where nothing is known.
    pub rtt_ucb_ms: f64,
    /// How far the coordinate of `to` can be relied on, 0 to 1.
    pub coordinate_quality: f64,
    /// Have both settled?
    pub converged: bool,
    /// What `from` measured to `to`; none where it never did.
    pub measured: Option<MeasuredLink>,
}

/// What one node measured to another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MeasuredLink {
    /// Smoothed round trip in ms, to the microsecond.
    pub srtt_ms: f64,
    /// Its smoothed deviation in ms, to the microsecond.
    pub rttvar_ms: f64,
    /// Round trips so far.
    pub samples: u64,
    /// When the last one was taken.
    pub at: Timestamp,
    /// Does it bound the estimate: at least five samples, the last of them fresh?
    pub is_trusted: bool,
}

/// Says how a datacenter is: its heartbeat. What is left out stays as it was.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateDatacenter {
    /// Which datacenter.
    pub datacenter_id: DatacenterId,
    /// `HEALTHY` (at first), `BUSY`, `DEGRADED` or `UNHEALTHY`. A full one that works is `BUSY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_bucket: Option<String>,
    /// Cores that are free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_cores: Option<u64>,
    /// Cores that there are; at first as many as are free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_cores: Option<u64>,
    /// Jobs that wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_depth: Option<u64>,
    /// Its leader's local health, 1 to 9. It has no weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lhm_multiplier: Option<f64>,
    /// The part of its managers that do not answer calls, 0 to 1; the part that is not healthy where it is never said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_breaker_pressure: Option<f64>,
    /// Managers that are registered; 1 at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_managers: Option<u64>,
    /// Managers that are alive and answer; all of them at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_managers: Option<u64>,
    /// The node that leads it: its coordinate says how far away the datacenter is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_id: Option<NodeId>,
    /// Where the leader stands; what is on record of it when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vivaldi_coord: Option<VivaldiCoordinate>,
    /// Upper bound of the round trip to it in ms, 0.001 to 10,000, for whoever knows it without coordinates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ucb_ms: Option<f64>,
    /// How far `rtt_ucb_ms` can be relied on, 0 to 1; 1 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coordinate_quality: Option<f64>,
}

impl UpdateDatacenter {
    /// A sign of life of a datacenter, to which the other fields are added.
    pub fn of(datacenter_id: DatacenterId) -> Self {
        UpdateDatacenter {
            datacenter_id,
            health_bucket: None,
            available_cores: None,
            total_cores: None,
            queue_depth: None,
            lhm_multiplier: None,
            circuit_breaker_pressure: None,
            total_managers: None,
            healthy_managers: None,
            leader_id: None,
            vivaldi_coord: None,
            rtt_ucb_ms: None,
            coordinate_quality: None,
        }
    }
}

/// A datacenter as it looks from a gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DatacenterView {
    /// Which datacenter.
    pub datacenter_id: DatacenterId,
    /// How well it says it is.
    pub health_bucket: String,
    /// Cores that are free.
    pub available_cores: u64,
    /// Cores that there are.
    pub total_cores: u64,
    /// Jobs that wait.
    pub queue_depth: u64,
    /// Its leader's local health.
    pub lhm_multiplier: f64,
    /// The part of its managers that do not answer calls.
    pub circuit_breaker_pressure: f64,
    /// Managers that are registered.
    pub total_managers: u64,
    /// Managers that are alive and answer.
    pub healthy_managers: u64,
    /// The node that leads it.
    pub leader_id: Option<NodeId>,
    /// Is its distance known to the gate?
    pub has_coordinate: bool,
    /// Upper bound of the round trip in ms, to the microsecond; 200 where nothing is known.
    pub rtt_ucb_ms: f64,
    /// How far that can be relied on, 0 to 1.
    pub coordinate_quality: f64,
    /// When its health was last heard. After 30 s it counts as `DEGRADED`.
    pub last_health_at: Timestamp,
}

/// Names a datacenter.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatacenterRef {
    /// Which datacenter.
    pub datacenter_id: DatacenterId,
}

/// A datacenter that is no more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DatacenterRemoved {
    /// Which datacenter.
    pub datacenter_id: DatacenterId,
}

/// Lists the datacenters as a gate sees them.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListDatacenters {
    /// The node that looks; this one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<NodeId>,
}

/// The datacenters, at most 1,024.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DatacenterList {
    /// By their names.
    pub datacenters: Vec<DatacenterView>,
    /// The node that looks.
    pub from: NodeId,
    /// Has its coordinate settled?
    pub converged: bool,
    /// Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// Asks where a job goes, and keeps that for the next time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteJob {
    /// Which job.
    pub job_id: EntityId,
    /// The fencing token of whoever leads it; a lower one than was shown before is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence_token: Option<u64>,
    /// How many datacenters get it at once, 1 to 100; 2 when left out, unless configured otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter_count: Option<u64>,
    /// Datacenters that count as nearer by a tenth.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preferred_datacenters: Vec<DatacenterId>,
    /// The node from which distances count; this one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<NodeId>,
}

impl RouteJob {
    /// Where this job goes, seen from here.
    pub fn of(job_id: EntityId) -> Self {
        RouteJob {
            job_id,
            fence_token: None,
            datacenter_count: None,
            preferred_datacenters: Vec::new(),
            from: None,
        }
    }
}

/// Says that a datacenter did not take a job that was sent there.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteFailure {
    /// Which job.
    pub job_id: EntityId,
    /// Which datacenter.
    pub datacenter_id: DatacenterId,
    /// `refused` (when left out), `busy`, `no_answer` or `unreachable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The fencing token of whoever leads the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence_token: Option<u64>,
}

/// A failure as it counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RouteFailed {
    /// Which job.
    pub job_id: EntityId,
    /// Which datacenter.
    pub datacenter_id: DatacenterId,
    /// Why.
    pub reason: String,
    /// Until when its score counts double for this job.
    pub cooldown_until: Timestamp,
}

/// Says which datacenter took a job.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptRoute {
    /// Which job.
    pub job_id: EntityId,
    /// Which datacenter.
    pub datacenter_id: DatacenterId,
}

/// Names the route of a job.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteRef {
    /// Which job.
    #[serde(deserialize_with = "known")]
    pub job_id: EntityId,
}

/// What changed about a route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RouteChanged {
    /// Which job.
    pub job_id: EntityId,
    /// Did anything change?
    pub changed: bool,
}

/// Where a job was sent, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoutedView {
    /// Where it goes, the selected one first.
    pub primary_datacenters: Vec<DatacenterId>,
    /// Where it may go otherwise, in order.
    pub fallback_datacenters: Vec<DatacenterId>,
    /// The bucket of the primaries: `HEALTHY`, `BUSY` or `DEGRADED`; none where there is none.
    pub primary_bucket: Option<String>,
    /// Why: `INITIAL_SELECTION`, `EXCLUSION_FORCED`, `BUCKET_DROP_FORCED`, `COOLDOWN_PENALTY`, `DEGRADATION_FORCED`,
    /// `IMPROVEMENT_THRESHOLD_MET`, `HOLD_DOWN_RETAINED` or `NOTHING_ELIGIBLE`.
    pub reason: String,
    /// Was it decided without distances?
    pub in_bootstrap_mode: bool,
    /// When.
    pub decided_at: Timestamp,
}

/// How the route of a job stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RouteState {
    /// Which job.
    pub job_id: EntityId,
    /// Is anything kept for its next decision? Not after it ended, or when nobody asked for an hour.
    pub is_live: bool,
    /// Where it goes.
    pub primary: Option<DatacenterId>,
    /// Since when.
    pub selected_at: Option<Timestamp>,
    /// Until when only force moves it.
    pub hold_down_until: Option<Timestamp>,
    /// The score it had when it was selected; none while scores cannot be compared.
    pub selection_score: Option<f64>,
    /// Since when its score has been half as bad again.
    pub degraded_since: Option<Timestamp>,
    /// Changes between two datacenters.
    pub switch_count: u64,
    /// The newest failures, oldest first.
    pub failures: Vec<RouteFailureView>,
    /// When somebody last asked.
    pub last_used_at: Option<Timestamp>,
    /// When it is forgotten if nobody asks.
    pub forget_at: Option<Timestamp>,
    /// Decisions so far.
    pub decisions: u64,
    /// The last decision.
    pub routed: Option<RoutedView>,
}

/// A failure of a datacenter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RouteFailureView {
    /// Which datacenter.
    pub datacenter_id: DatacenterId,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Until when its score counts double for this job.
    pub cooldown_until: Timestamp,
    /// Does it still?
    pub is_cooling: bool,
}
