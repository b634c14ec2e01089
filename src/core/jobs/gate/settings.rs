//! How a gate watches a job.

use serde::{Deserialize, Serialize};

use super::rejection::Rejection;

/// Longest setting: 30 days.
const LONGEST_MS: u64 = 30 * 24 * 3_600_000;

/// How many datacenters whose time is over end the job everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeoutPolicy {
    /// More than half of them.
    #[default]
    Majority,
    /// One.
    Any,
    /// One that was never granted an extension.
    AnyWithoutExtensions,
    /// All that still run.
    All,
}

impl TimeoutPolicy {
    /// Every policy.
    pub const ALL: [TimeoutPolicy; 4] = [
        TimeoutPolicy::Majority,
        TimeoutPolicy::Any,
        TimeoutPolicy::AnyWithoutExtensions,
        TimeoutPolicy::All,
    ];

    /// The name used in JSON and logs.
    pub fn name(self) -> &'static str {
        match self {
            TimeoutPolicy::Majority => "majority",
            TimeoutPolicy::Any => "any",
            TimeoutPolicy::AnyWithoutExtensions => "any_without_extensions",
            TimeoutPolicy::All => "all",
        }
    }

    /// The policy of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }
}

/// How a gate watches a job. Recorded with the job, so a change of the defaults does not touch what is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Milliseconds without progress from which a datacenter is stuck, 1 to 30 days. Too small ends jobs whose single
    /// steps are long; too large leaves dead ones to the budget.
    pub stuck_ms: u64,
    /// Milliseconds from a decision after which a datacenter that has not ended is given up, 1 to 30 days. Too small
    /// gives up datacenters that are only cut off for a while; too large keeps the job tracked for that long.
    pub abandon_ms: u64,
    /// How many datacenters whose time is over end the job.
    pub dc_timeout_policy: TimeoutPolicy,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { stuck_ms: 180_000, abandon_ms: 3_600_000, dc_timeout_policy: TimeoutPolicy::Majority }
    }
}

impl Settings {
    /// Checks every number.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] for the first one out of bounds.
    pub fn check(&self) -> Result<(), Rejection> {
        within("stuck_ms", self.stuck_ms, LONGEST_MS)?;
        within("abandon_ms", self.abandon_ms, LONGEST_MS)
    }
}

/// A duration of 1 ms to `longest` ms.
pub(super) fn within(field: &'static str, given: u64, longest: u64) -> Result<(), Rejection> {
    if (1..=longest).contains(&given) {
        return Ok(());
    }
    Err(Rejection::Invalid { field, given: given.to_string(), expected: format!("1 to {longest} ms") })
}
