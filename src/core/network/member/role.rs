//! What a node is, and how carefully one is confirmed that was only heard of.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a node does. It has one role, from its start on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeRole {
    /// Takes jobs in; may span datacenters.
    Gate,
    /// Leads jobs inside one datacenter.
    Manager,
    /// Carries work out.
    #[default]
    Worker,
    /// Only asks. Treated as a worker.
    Client,
}

impl NodeRole {
    /// Every role.
    pub const ALL: [NodeRole; 4] = [NodeRole::Gate, NodeRole::Manager, NodeRole::Worker, NodeRole::Client];

    /// The name in JSON and metrics.
    pub fn name(self) -> &'static str {
        match self {
            NodeRole::Gate => "gate",
            NodeRole::Manager => "manager",
            NodeRole::Worker => "worker",
            NodeRole::Client => "client",
        }
    }

    /// The number on the wire; 0 stands for a role that is not known.
    pub(super) fn code(role: Option<NodeRole>) -> u8 {
        match role {
            None => 0,
            Some(NodeRole::Gate) => 1,
            Some(NodeRole::Manager) => 2,
            Some(NodeRole::Worker) => 3,
            Some(NodeRole::Client) => 4,
        }
    }

    pub(super) fn from_code(code: u8) -> Option<NodeRole> {
        NodeRole::ALL.into_iter().find(|role| NodeRole::code(Some(*role)) == code)
    }

    /// Does it coordinate? Such a node is probed and relays; others are never probed to confirm them.
    pub fn coordinates(self) -> bool {
        match self {
            NodeRole::Gate | NodeRole::Manager => true,
            NodeRole::Worker | NodeRole::Client => false,
        }
    }
}

/// How a peer is confirmed that was only heard of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConfirmationStrategy {
    /// After so long without a word from it, it is removed …
    pub passive: Duration,
    /// … but not before so many probes went unanswered. 0 never probes.
    pub attempts: u32,
    /// Between two of them.
    pub interval: Duration,
    /// Does the time to wait grow with the distance of the peer?
    pub is_latency_aware: bool,
    /// Most that local health multiplies the time by.
    pub load_cap: f64,
}

impl ConfirmationStrategy {
    /// The strategy of a role. Of an unknown one the most careful: it never probes.
    pub fn of(role: Option<NodeRole>) -> Self {
        let seconds = Duration::from_secs;
        let (passive, attempts, is_latency_aware, load_cap) = match role {
            Some(NodeRole::Gate) => (seconds(120), 5, true, 3.0),
            Some(NodeRole::Manager) => (seconds(90), 3, true, 5.0),
            Some(NodeRole::Worker | NodeRole::Client) | None => (seconds(180), 0, false, 10.0),
        };
        ConfirmationStrategy { passive, attempts, interval: seconds(5), is_latency_aware, load_cap }
    }
}
