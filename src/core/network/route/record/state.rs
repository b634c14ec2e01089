//! What is kept of a job's route: the fold of its events.

use serde::{Deserialize, Serialize};

use super::MAX_FAILURES;
use super::event::{Event, FailureReason};
use crate::kernel::ids::DatacenterId;
use crate::kernel::time::Timestamp;
use crate::network::route::{HealthBucket, JobRoutingState, Reason};

/// One job's route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// What decisions rest on; none before the first, and after it was forgotten.
    pub routing: Option<JobRoutingState>,
    /// When that is forgotten if nobody asks.
    pub forget_at: Option<Timestamp>,
    /// The highest fencing token under which it was ever decided.
    pub fence: u64,
    /// The last decision, in short.
    pub chosen: Option<Chosen>,
    /// Decisions so far.
    pub decisions: u64,
    /// The newest failures, oldest first.
    pub failures: Vec<Failure>,
}

/// A decision in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// Where the job goes, the selected one first.
    pub primary_datacenters: Vec<DatacenterId>,
    /// Where it may go otherwise, in order.
    pub fallback_datacenters: Vec<DatacenterId>,
    /// The bucket of the primaries.
    pub primary_bucket: Option<HealthBucket>,
    /// Why.
    pub reason: Reason,
    /// Was it decided without distances?
    pub in_bootstrap_mode: bool,
    /// When.
    pub at: Timestamp,
}

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which datacenter.
    pub datacenter_id: DatacenterId,
    /// Why.
    pub reason: FailureReason,
    /// Until when it counts as farther.
    pub until: Timestamp,
    /// When it failed.
    pub at: Timestamp,
}

impl Route {
    /// Was the job sent there, or might it have been, by the last decision?
    pub fn is_listed(&self, datacenter: &DatacenterId) -> bool {
        self.chosen.as_ref().is_some_and(|chosen| {
            chosen.primary_datacenters.contains(datacenter)
                || chosen.fallback_datacenters.contains(datacenter)
        })
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Decided(decided) => {
                let decision = &decided.decision;
                self.fence = self.fence.max(decided.state.fence);
                self.routing = Some(decided.state.clone());
                self.forget_at = Some(decided.forget_at);
                self.decisions = self.decisions.saturating_add(1);
                self.chosen = Some(Chosen {
                    primary_datacenters: decision.primary_datacenters.clone(),
                    fallback_datacenters: decision.fallback_datacenters.clone(),
                    primary_bucket: decision.primary_bucket,
                    reason: decision.reason,
                    in_bootstrap_mode: decision.in_bootstrap_mode,
                    at: decided.at,
                });
            }
            Event::CooldownStarted { datacenter_id, reason, until, at } => {
                if let Some(kept) = &mut self.routing {
                    kept.cooldowns.insert(datacenter_id.clone(), *at);
                }
                let (datacenter_id, reason) = (datacenter_id.clone(), *reason);
                self.failures.push(Failure { datacenter_id, reason, until: *until, at: *at });
                if self.failures.len() > MAX_FAILURES {
                    self.failures.remove(0);
                }
            }
            Event::Accepted { datacenter_id, from, at } => {
                if let Some(kept) = &mut self.routing {
                    kept.accept(datacenter_id.clone(), from.is_some(), *at);
                }
            }
            Event::Forgotten { .. } => {
                self.routing = None;
                self.forget_at = None;
            }
            // Both stand in the decision already.
            Event::Switched { .. } | Event::BootstrapEntered { .. } | Event::BootstrapLeft { .. } => {}
        }
    }
}
