//! What a node can tell about itself. Reading changes nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::address::Address;
use super::lifecycle::MemberState;
use super::node::Membership;
use super::role::NodeRole;
use super::table::Member;
use super::timeout::Degradation;
use crate::kernel::ids::{DatacenterId, NodeId};
use crate::kernel::time::Timestamp;
use crate::network::coordinate::{CoordinateTracker, VivaldiMetrics};

/// What happened so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberCounters {
    /// Datagrams sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Datagrams not sent because no incarnation was stored yet.
    pub unsent: u64,
    /// Datagrams received.
    pub received: u64,
    /// Datagrams that were none, by the class of their fault.
    pub malformed: BTreeMap<&'static str, u64>,
    /// Datagrams with this node's own id.
    pub own_id: u64,
    /// What was said under the name of a peer that is there at another address, by it or of it, and not taken.
    pub name_claims: u64,
    /// Pings that meant somebody else.
    pub misdirected: u64,
    /// Answers to no ping, or to one that was answered or forgotten.
    pub stray_acks: u64,
    /// Incarnations too high to be one.
    pub absurd_incarnations: u64,
    /// Numbers of roles and claims that are not known.
    pub unknown_numbers: u64,
    /// Coordinates that were not taken.
    pub coordinates_refused: u64,
    /// Rounds of probes.
    pub probes: u64,
    /// Rounds without an answer.
    pub probe_failures: u64,
    /// Others that were asked to probe.
    pub indirect_requests: u64,
    /// Requests of others that were carried out.
    pub relays: u64,
    /// Requests of others that were not, for a peer that is not known or too many at once.
    pub relays_refused: u64,
    /// Times this node said that somebody did not answer it.
    pub nacks_sent: u64,
    /// Times others said so.
    pub nacks_received: u64,
    /// Datagrams that only told news.
    pub gossips: u64,
    /// Times this node said that it is not what others said of it.
    pub refutations: u64,
    /// Times this node was not running.
    pub stalls: u64,
    /// Probes to confirm, by role.
    pub confirmation_attempts: BTreeMap<&'static str, u64>,
    /// Pings to workers that are not confirmed: there are none.
    pub worker_confirmations: u64,
    /// Peers heard from for the first time.
    pub confirmed: u64,
    /// Peers no longer known, by role.
    pub removed: BTreeMap<&'static str, u64>,
    /// Of those, who gave way to others.
    pub evicted: u64,
    /// Changes of state, by from and to.
    pub transitions: BTreeMap<(&'static str, &'static str), u64>,
}

/// Does what a node keeps hang together?
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StateReport {
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

impl Membership {
    /// This node's id.
    pub fn id(&self) -> &NodeId {
        &self.id
    }

    /// This node's role.
    pub fn role(&self) -> NodeRole {
        self.role
    }

    /// Where this node stands.
    pub fn datacenter(&self) -> &DatacenterId {
        &self.datacenter
    }

    /// Where others reach this node.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// When this node began.
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// This node's incarnation; 0 before the first one is stored.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Every peer, in order of its id.
    pub fn members(&self) -> impl Iterator<Item = (&NodeId, &Member)> {
        self.table.iter()
    }

    /// One peer.
    pub fn member(&self, id: &NodeId) -> Option<&Member> {
        self.table.get(id)
    }

    /// How many peers are in a state.
    pub fn count(&self, state: MemberState) -> usize {
        self.table.count(state)
    }

    /// The peers in a state, in order.
    pub fn get_nodes_by_state(&self, state: MemberState) -> Vec<&NodeId> {
        self.with_state(state).collect()
    }

    /// Was this peer ever heard from?
    pub fn is_confirmed(&self, id: &NodeId) -> bool {
        self.table.get(id).is_some_and(Member::is_confirmed)
    }

    /// May this peer be suspected now?
    pub fn can_suspect(&self, id: &NodeId) -> bool {
        self.table.get(id).is_some_and(Member::can_suspect)
    }

    /// Unconfirmed peers by role.
    pub fn unconfirmed_by_role(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for (_, member) in self.table.iter().filter(|(_, member)| !member.is_confirmed()) {
            *counts.entry(member.role.map_or("unknown", NodeRole::name)).or_default() += 1;
        }
        counts
    }

    /// The score of local health, 0 to 8, and how far the process is behind.
    pub fn local_health(&self) -> (u32, Degradation) {
        (self.health.score(), self.health.level())
    }

    /// The coordinates of this node and its peers.
    pub fn coordinates(&self) -> &CoordinateTracker {
        &self.coordinates
    }

    /// Everything about the own coordinate.
    pub fn vivaldi_metrics(&self) -> VivaldiMetrics {
        self.coordinates.metrics()
    }

    /// What happened so far.
    pub fn counters(&self) -> &MemberCounters {
        &self.counters
    }

    /// Checks that what is kept hangs together.
    pub fn validate_state(&self) -> StateReport {
        let mut errors = Vec::new();
        let coordinate = self.coordinates.get_coordinate();
        let config = &self.config.vivaldi;
        let error = coordinate.error();
        if !(config.min_error..=config.max_error).contains(&error) {
            errors.push(format!(
                "coordinate.error is out of range, expected min_error to max_error. given={error}"
            ));
        }
        let (given, expected) = (coordinate.dimensions(), config.dimensions);
        if given != expected {
            errors.push(format!(
                "coordinate.dimensions is not the configured one. expected={expected}, given={given}"
            ));
        }
        let coordinate_valid = errors.is_empty();
        for (id, member) in self.table.iter() {
            let is_waiting =
                self.timers.contains(&(member.next_check, super::node::Timer::Check(id.clone())));
            if !member.is_confirmed() && !is_waiting {
                errors.push(format!("member {id} is UNCONFIRMED and nothing will confirm or remove it"));
            }
            let is_suspect = member.state() == MemberState::Suspect;
            if is_suspect != member.suspicion.is_some() {
                errors
                    .push(format!("member {id} is {} and its suspicion does not fit", member.state().name()));
            }
        }
        StateReport {
            coordinate_valid,
            coordinate_converged: self.coordinates.is_converged(),
            role_set: true,
            confirmation_consistent: coordinate_valid == errors.is_empty(),
            overall_valid: errors.is_empty(),
            errors,
        }
    }
}
