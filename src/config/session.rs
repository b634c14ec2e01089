//! Limits of sessions.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ms;

/// Limits of sessions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionConfig {
    /// Sessions open at the same time, 1 to 1,000,000, default 1,000. The next one is refused with `limit_exceeded`.
    pub max_open: usize,
    /// Voters of one session, 3 to 10,000, default 1,024. Every vote counts all of them again.
    pub max_voters: u32,
    /// Bytes of what is asked, and of its context, 1 to 1 MiB, default 16 KiB.
    pub max_proposal_bytes: usize,
    /// Longest time for the votes of a session, default 366 days.
    #[serde(rename = "max_timeout_ms", with = "ms")]
    pub max_timeout: Duration,
    /// How old a vote may be for a contradiction to it to be held against its voter, default 7 days. Evidence that is older
    /// is kept all the same.
    #[serde(rename = "evidence_max_age_ms", with = "ms")]
    pub evidence_max_age: Duration,
}
