//! What a node tells of the nodes it knows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::VivaldiCoordinate;
use crate::core::kernel::time::Timestamp;

/// Who is there, as one node sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MemberList {
    /// The node that is asked.
    pub node_id: String,
    /// It and all it knows, in order of their names.
    pub members: Vec<MemberView>,
    /// Names that two nodes use, as far as was heard within a minute: one of the two has to end, or to have another one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub name_conflicts: Vec<NameConflict>,
}

/// A name that two nodes use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NameConflict {
    /// Which name.
    pub node_id: String,
    /// Where the node is that counts.
    pub address: String,
    /// Where the other one says that it is. What it says is not taken.
    pub other_address: String,
    /// When the other one was last heard from.
    pub heard_at: Timestamp,
}

/// A node as another one sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MemberView {
    /// Which.
    pub node_id: String,
    /// `gate`, `manager`, `worker` or `client`; null while it is not known.
    pub role: Option<String>,
    /// Where it stands; null while it is not known.
    pub datacenter: Option<String>,
    /// `UNCONFIRMED`, `OK`, `SUSPECT` or `DEAD`.
    pub state: String,
    /// The highest incarnation that is known of it.
    pub incarnation: u64,
    /// How far away it is, by its coordinate: a round trip; null where nothing is known, and for the node itself.
    pub rtt_ms: Option<f64>,
    /// What a round trip most likely stays below.
    pub rtt_upper_ms: Option<f64>,
    /// How far its coordinate can be relied on, 0 to 1.
    pub quality: f64,
    /// Where it is reached.
    pub address: String,
    /// Since when it has been in its state.
    pub since: Timestamp,
    /// When it was last heard from itself; null when never.
    pub seen_at: Option<Timestamp>,
    /// Is it the node that is asked?
    pub is_self: bool,
    /// Where it stands in the space of round trips; null where that is not known.
    pub coordinate: Option<VivaldiCoordinate>,
}

/// How membership is doing on one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MemberMetrics {
    /// The node that is asked.
    pub node_id: String,
    /// Its incarnation; 0 before it may speak.
    pub incarnation: u64,
    /// How far it doubts itself, 0 to 8.
    pub local_health: u32,
    /// How far its process is behind: `normal` to `critical`.
    pub degradation: String,
    /// Its place.
    pub coordinate: VivaldiCoordinate,
    /// Has the place settled?
    pub is_converged: bool,
    /// Peers whose place is known.
    pub peer_count: u64,
    /// The knobs of the coordinate: `dimensions`, `ce`, `error_decay`, `convergence_error_threshold`,
    /// `convergence_min_samples`.
    pub config: BTreeMap<String, f64>,
    /// Peers by their state.
    pub states: BTreeMap<String, u64>,
    /// Peers that were never heard from, by their role.
    pub unconfirmed: BTreeMap<String, u64>,
    /// Probes to confirm peers, by role. Workers are never probed for that.
    pub confirmation_attempts: BTreeMap<String, u64>,
    /// Peers no longer known, by role.
    pub removed: BTreeMap<String, u64>,
    /// Changes of state, by `FROM->TO`.
    pub transitions: BTreeMap<String, u64>,
    /// What else happened, by name.
    pub counts: BTreeMap<String, u64>,
    /// Datagrams that were dropped, by the reason. None of them changed anything.
    pub dropped: BTreeMap<String, u64>,
    /// The names of the keys that open, the first of which seals.
    pub keys: Vec<String>,
}

/// Whether what a node keeps hangs together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberValidation {
    /// Every number of the coordinate is in its range.
    pub coordinate_valid: bool,
    /// The coordinate has settled. It is no fault if not.
    pub coordinate_converged: bool,
    /// The node has a role.
    pub role_set: bool,
    /// Every unconfirmed peer waits to be confirmed, and nobody else does.
    pub confirmation_consistent: bool,
    /// What is wrong, with field and value.
    pub errors: Vec<String>,
    /// Is all well?
    pub overall_valid: bool,
}
