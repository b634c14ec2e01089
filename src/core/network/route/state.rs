//! What is kept for a job, so that it does not flap and a failure is not forgotten.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config::RoutingConfig;
use crate::kernel::ids::DatacenterId;
use crate::kernel::time::Timestamp;

/// The routing state of one job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobRoutingState {
    /// Where it goes.
    pub primary: Option<DatacenterId>,
    /// Since when.
    pub selected_at: Timestamp,
    /// The score it had then; `None` while scores could not be compared.
    pub selection_score: Option<f64>,
    /// Since when the score has been bad.
    pub degraded_since: Option<Timestamp>,
    /// Changes between two datacenters.
    pub switch_count: u64,
    /// When each datacenter last failed it.
    pub cooldowns: BTreeMap<DatacenterId, Timestamp>,
    /// When it was last asked about.
    pub last_used_at: Timestamp,
    /// The job's fencing token by which it was last written.
    #[serde(rename = "fence_token")]
    pub fence: u64,
}

impl JobRoutingState {
    /// Is a failure of this datacenter recent? At exactly the end it is not.
    pub fn is_cooling(&self, datacenter: &DatacenterId, config: &RoutingConfig, now: Timestamp) -> bool {
        self.cooldowns.get(datacenter).is_some_and(|failed| now.since(*failed) < config.cooldown())
    }

    /// The state as it counts after a restart or a step of the clock: no instant lies in the future, so no waiting time is
    /// longer than it ever was.
    pub fn clamped(mut self, now: Timestamp) -> Self {
        self.selected_at = self.selected_at.min(now);
        self.last_used_at = self.last_used_at.min(now);
        self.degraded_since = self.degraded_since.map(|since| since.min(now));
        self.cooldowns.values_mut().for_each(|failed| *failed = (*failed).min(now));
        self
    }

    /// A datacenter of the fallback took the job: it is its primary from now on.
    pub(super) fn accept(&mut self, datacenter: DatacenterId, is_switch: bool, now: Timestamp) {
        self.switch_count += u64::from(is_switch);
        self.primary = Some(datacenter);
        self.selected_at = now;
        self.selection_score = None;
        self.degraded_since = None;
    }

    pub(super) fn forget_old(&mut self, config: &RoutingConfig, now: Timestamp) {
        self.cooldowns.retain(|_, failed| now.since(*failed) < config.cooldown());
    }

    pub(super) fn is_idle(&self, config: &RoutingConfig, now: Timestamp) -> bool {
        now.since(self.last_used_at) > config.idle()
    }
}
