//! Telling an ended session what had been right. Stored: fields are only ever appended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ballot::Pick;
use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;
use crate::voting::judgement::Judgement;

/// What had been right, as somebody tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judge {
    /// The name of the option: `for`, `against`, or a candidate.
    pub truth: String,
    /// How well the session turned out, in millionths; all or nothing by its decision when left out.
    pub score: Option<u32>,
    /// How useful the part of some voters was, in millionths.
    pub ratings: BTreeMap<VoterId, u32>,
    /// What surrounded the session, in millionths.
    pub context: Option<[u32; 5]>,
    /// Who tells.
    pub by: Option<String>,
    /// Voters in whose name whoever tells may act, besides.
    pub tellers: Vec<VoterId>,
}

/// What had been right, and what that says of each voter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruthTold {
    /// The right option.
    pub truth: Pick,
    /// How well the session turned out, in millionths.
    pub score: u32,
    /// What came to light of each voter that had a place when it ended, by id.
    pub judged: Vec<(VoterId, Judgement)>,
    /// Who told.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}
