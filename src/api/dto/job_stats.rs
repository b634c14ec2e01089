//! Counters over all jobs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Counters over all jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobStats {
    /// Jobs ever submitted, each datacenter for itself.
    pub submitted: u64,
    /// Jobs that have not ended.
    pub tracked_jobs: u64,
    /// Ended jobs by status.
    pub ended: BTreeMap<String, u64>,
    /// Times at which time was found to be over, by why.
    pub timeouts_detected: BTreeMap<String, u64>,
    /// Jobs that ended since time was over, by why; fallbacks from a silent gate among them.
    pub timed_out: BTreeMap<String, u64>,
    /// Extensions granted.
    pub extensions: u64,
    /// Extensions denied.
    pub extensions_denied: u64,
    /// Attempts under a leadership that was not the one on record.
    pub stale_rejections: u64,
    /// The same, by what was tried.
    pub stale_rejections_by: BTreeMap<String, u64>,
    /// What leaders that were replaced told a gate, without effect, by the message; once for each message and leadership.
    pub stale_reports: BTreeMap<String, u64>,
    /// Jobs that a gate here tracks and managers in other processes run, each datacenter for itself.
    pub tracked_elsewhere: u64,
    /// Changes of leadership.
    pub transfers: u64,
    /// Jobs whose latest progress is known in memory only.
    pub noted_in_memory: u64,
    /// Messages on their way.
    pub in_transit: u64,
    /// Messages sent since this process began, repeats among them.
    pub messages_sent: u64,
    /// Messages sent again since this process began, as no answer had come.
    pub messages_repeated: u64,
    /// Jobs, gates and workers with a deadline, by kind.
    pub armed: BTreeMap<String, u64>,
    /// Jobs, gates and workers with messages that were not answered yet, by kind.
    pub unanswered: BTreeMap<String, u64>,
}
