//! Who leads a job, and who was refused because he did not.

use serde::{Deserialize, Serialize};

use crate::jobs::protocol::message::Leader;
use crate::jobs::protocol::token::{FenceToken, TokenDomain};
use crate::kernel::time::Timestamp;

/// A change of leadership.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderChanged {
    /// Who leads now.
    pub to: Leader,
    /// Where it listens.
    pub addr: String,
    /// Who led before.
    pub from: Leader,
    /// The new token.
    pub token: FenceToken,
    /// How it came.
    pub manner: Manner,
    /// How long nobody led, in microseconds; it does not count as idle.
    pub vacant_us: u64,
    /// When.
    pub at: Timestamp,
}

/// How leadership changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// The leader before named its successor.
    Graceful,
    /// The leader before is gone.
    Takeover,
    /// Somebody with authority said so, whatever the lease says.
    Forced,
}

impl Manner {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Manner::Graceful => "graceful",
            Manner::Takeover => "takeover",
            Manner::Forced => "forced",
        }
    }
}

/// An attempt under a leadership that is not the one on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceRejected {
    /// What was tried.
    pub what: String,
    /// Of which kind the token is.
    pub domain: TokenDomain,
    /// The token on record.
    pub held: u64,
    /// The token shown.
    pub given: u64,
    /// When.
    pub at: Timestamp,
}
