//! How long a suspicion lasts: long while one node alone accuses, short when others found the same.
//!
//! # Source
//! A. Dadgar, J. Phillips, J. Currey, *Lifeguard: Local Health Awareness for More Accurate Failure Detection*, DSN 2018.

use std::collections::BTreeSet;
use std::time::Duration;

use super::config::MemberConfig;
use crate::kernel::ids::NodeId;
use crate::kernel::time::Timestamp;

/// A suspicion of one peer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Suspicion {
    started: Timestamp,
    pub(super) deadline: Timestamp,
    shortest: Duration,
    longest: Duration,
    /// Accusers that bring the deadline all the way down.
    wanted: usize,
    accusers: BTreeSet<NodeId>,
}

impl Suspicion {
    /// A suspicion by one accuser, among `n` nodes.
    pub(super) fn new(accuser: NodeId, n: usize, config: &MemberConfig, now: Timestamp) -> Self {
        let nodes = (n.max(1) as f64).log10().max(1.0);
        let shortest = config.probe_period.mul_f64(config.suspicion_periods * nodes);
        let longest = shortest.mul_f64(config.suspicion_max_factor);
        let wanted = config.suspicion_confirmers.min(n.saturating_sub(2));
        let mut suspicion = Suspicion {
            started: now,
            deadline: now,
            shortest,
            longest,
            wanted,
            accusers: BTreeSet::from([accuser]),
        };
        suspicion.deadline = now.plus(suspicion.lasts());
        suspicion
    }

    /// One of the accusers.
    pub(super) fn accuser(&self) -> Option<&NodeId> {
        self.accusers.first()
    }

    /// Another accuser. Was it a new one that brings the deadline nearer?
    pub(super) fn confirm(&mut self, accuser: &NodeId) -> bool {
        if self.accusers.len() > self.wanted || !self.accusers.insert(accuser.clone()) {
            return false;
        }
        self.deadline = self.deadline.min(self.started.plus(self.lasts()));
        true
    }

    /// This node was not running for so long, and could not hear a refutation.
    pub(super) fn extend(&mut self, by: Duration) {
        self.started = self.started.plus(by);
        self.deadline = self.deadline.plus(by);
    }

    fn lasts(&self) -> Duration {
        let confirmers = self.accusers.len().saturating_sub(1);
        if self.wanted == 0 || confirmers >= self.wanted {
            return self.shortest;
        }
        let part = (confirmers as f64 + 1.0).ln() / (self.wanted as f64 + 1.0).ln();
        self.longest.saturating_sub((self.longest - self.shortest).mul_f64(part)).max(self.shortest)
    }
}
