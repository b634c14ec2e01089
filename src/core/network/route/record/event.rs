//! What happened to a job's route. Stored: variants and fields are only ever appended, at the end.

use serde::{Deserialize, Serialize};

use crate::kernel::ids::DatacenterId;
use crate::kernel::time::Timestamp;
use crate::network::route::{JobRoutingState, Reason, RoutingDecision};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It was decided where the job goes.
    Decided(Box<Decided>),
    /// The job goes somewhere else than before.
    Switched {
        /// Where it went.
        from: DatacenterId,
        /// Where it goes.
        to: DatacenterId,
        /// Why.
        reason: Reason,
        /// When.
        at: Timestamp,
    },
    /// Decisions look at free room, for distances say nothing.
    BootstrapEntered {
        /// When.
        at: Timestamp,
    },
    /// Decisions look at distances again.
    BootstrapLeft {
        /// When.
        at: Timestamp,
    },
    /// A datacenter failed the job and counts as farther for a while.
    CooldownStarted {
        /// Which.
        datacenter_id: DatacenterId,
        /// Why.
        reason: FailureReason,
        /// Until when.
        until: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// Another datacenter than the primary took the job, and is its primary from now on.
    Accepted {
        /// Which.
        datacenter_id: DatacenterId,
        /// Where it went before.
        from: Option<DatacenterId>,
        /// When.
        at: Timestamp,
    },
    /// Nothing is kept for the job any more.
    Forgotten {
        /// Why.
        why: Forgetting,
        /// When.
        at: Timestamp,
    },
}

/// A decision, and what is kept after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// Where the job goes and why, with the score of every datacenter.
    pub decision: RoutingDecision,
    /// What is kept.
    pub state: JobRoutingState,
    /// When it is forgotten if nobody asks again.
    pub forget_at: Timestamp,
    /// When.
    pub at: Timestamp,
}

/// Why a datacenter did not take a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// It said no.
    Refused,
    /// It was busy, and said to come later.
    Busy,
    /// It did not answer.
    NoAnswer,
    /// It could not be reached.
    Unreachable,
}

/// Why a route is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forgetting {
    /// The job has ended.
    Completed,
    /// Nobody asked for long.
    Idle,
}

impl FailureReason {
    /// Every reason.
    pub const ALL: [FailureReason; 4] =
        [FailureReason::Refused, FailureReason::Busy, FailureReason::NoAnswer, FailureReason::Unreachable];

    /// The name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            FailureReason::Refused => "refused",
            FailureReason::Busy => "busy",
            FailureReason::NoAnswer => "no_answer",
            FailureReason::Unreachable => "unreachable",
        }
    }

    /// The reason of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

impl Event {
    /// The name of the variant, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Decided(_) => "decided",
            Event::Switched { .. } => "switched",
            Event::BootstrapEntered { .. } => "bootstrap_entered",
            Event::BootstrapLeft { .. } => "bootstrap_left",
            Event::CooldownStarted { .. } => "cooldown_started",
            Event::Accepted { .. } => "accepted",
            Event::Forgotten { .. } => "forgotten",
        }
    }
}
