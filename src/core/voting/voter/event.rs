//! What happened to a voter. Stored: variants and fields are only ever appended, at the end.

use serde::{Deserialize, Serialize};

use super::profile::{Considered, Profiled};
use super::suspicion::Suspicion;
use crate::kernel::ids::{EntityId, VoterId};
use crate::kernel::time::Timestamp;
use crate::voting::judgement::Judgement;
use crate::voting::signature::{Digest, PublicKey, Signature};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The voter was registered.
    Registered(Box<Registered>),
    /// Sessions told how it votes.
    Noted(Box<Noted>),
    /// It is trusted otherwise than before.
    StandingChanged(Box<StandingChanged>),
    /// It owes a vote and gave no sign of life for so long.
    WentOffline {
        /// Its last sign of life; none since it was registered.
        last_seen: Option<Timestamp>,
        /// When that was noticed.
        at: Timestamp,
    },
    /// It gave a sign of life again.
    Returned {
        /// When.
        at: Timestamp,
    },
    /// It would be quarantined by its score, but as many are as may be: a person is asked.
    Escalated {
        /// Its score, in millionths.
        score: u32,
        /// When.
        at: Timestamp,
    },
    /// The open sessions know that it is excluded.
    Spread {
        /// Which change of standing they know of.
        number: u64,
        /// When.
        at: Timestamp,
    },
    /// It was told what had been right.
    Judged(Box<Judged>),
    /// It signs with another key.
    KeyRotated(Box<KeyRotated>),
    /// It may be chosen among others by what is declared of it.
    Profiled(Box<Profiled>),
    /// It stood in a choice.
    Considered(Box<Considered>),
}

impl Event {
    /// The name under which it is shown.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Registered(_) => "registered",
            Event::Noted(_) => "noted",
            Event::StandingChanged(_) => "standing_changed",
            Event::WentOffline { .. } => "went_offline",
            Event::Returned { .. } => "returned",
            Event::Escalated { .. } => "escalated",
            Event::Spread { .. } => "spread",
            Event::Judged(_) => "judged",
            Event::KeyRotated(_) => "key_rotated",
            Event::Profiled(_) => "profiled",
            Event::Considered(_) => "considered",
        }
    }
}

/// A voter as it was registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Who.
    pub voter_id: VoterId,
    /// The key of its signatures.
    pub public_key: Option<PublicKey>,
    /// The hash of its handle. The handle itself is nowhere on record.
    pub handle_hash: Option<Digest>,
    /// How much it weighs, in millionths.
    pub weight: u64,
    /// When.
    pub at: Timestamp,
}

/// How far a voter is trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing speaks against it.
    #[default]
    Honest,
    /// Its score is above 0.30, or was and is not yet below 0.20.
    Suspicious {
        /// Since when.
        since: Timestamp,
    },
    /// It votes in no session until then.
    Quarantined {
        /// Why.
        reason: String,
        /// Since when.
        since: Timestamp,
        /// Until when.
        until: Timestamp,
        /// The how manieth time; each lasts twice as long as the one before.
        offence: u32,
    },
    /// A fault of it was proven.
    Byzantine {
        /// Which.
        fault: FaultKind,
        /// When it was proven.
        at: Timestamp,
        /// How well.
        level: ProofLevel,
    },
    /// It votes with half its weight until it has shown itself.
    Probation {
        /// Since when.
        since: Timestamp,
        /// Votes without a flag that are still needed.
        clean_needed: u32,
    },
}

impl Standing {
    /// The names of all, without that of being offline.
    pub const NAMES: [&'static str; 5] = ["honest", "suspicious", "quarantined", "byzantine", "probation"];

    /// The name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Standing::Honest => "honest",
            Standing::Suspicious { .. } => "suspicious",
            Standing::Quarantined { .. } => "quarantined",
            Standing::Byzantine { .. } => "byzantine",
            Standing::Probation { .. } => "probation",
        }
    }

    /// May it vote?
    pub fn is_excluded(&self) -> bool {
        matches!(self, Standing::Quarantined { .. } | Standing::Byzantine { .. })
    }
}

/// What a voter did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Two votes in one round that contradict each other.
    Equivocation,
    /// A message that the protocol does not allow.
    ProtocolViolation,
    /// Votes by agreement.
    Collusion,
    /// An attempt to count for more than it does.
    VoteManipulation,
    /// More messages than are allowed.
    SpamAttack,
    /// What it said was wrong on purpose.
    Misinformation,
    /// Anything else.
    MaliciousBehavior,
}

impl FaultKind {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::Equivocation => "equivocation",
            FaultKind::ProtocolViolation => "protocol_violation",
            FaultKind::Collusion => "collusion",
            FaultKind::VoteManipulation => "vote_manipulation",
            FaultKind::SpamAttack => "spam_attack",
            FaultKind::Misinformation => "misinformation",
            FaultKind::MaliciousBehavior => "malicious_behavior",
        }
    }
}

/// How well a fault is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofLevel {
    /// By a test that may be wrong.
    Statistical,
    /// This process saw it on a channel that only the voter has.
    Observed,
    /// By signatures that everybody can check.
    Transferable,
}

impl ProofLevel {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            ProofLevel::Statistical => "statistical",
            ProofLevel::Observed => "observed",
            ProofLevel::Transferable => "transferable",
        }
    }
}

/// What a session tells of one attempt of a voter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// A vote of its own, and nothing was wrong with it.
    Clean,
    /// One with a flag.
    Flagged,
    /// A violation.
    Violation(FaultKind),
    /// A proven fault.
    Proven {
        /// Which.
        fault: FaultKind,
        /// How well it is known.
        level: ProofLevel,
        /// The hash of the evidence.
        evidence: Digest,
    },
    /// It owes a vote, and has been silent since the session opened.
    Silent,
    /// It was told what had been right.
    Judged(Judgement),
}

/// What came to light of the voter, and what it weighs by that. Stored: fields are only ever appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The session, or the gold question.
    pub question: EntityId,
    /// What came to light.
    pub judgement: Judgement,
    /// The eight measures after it, in millionths, with their usual settings.
    pub factors: [u64; 8],
    /// Their mean by importance, in millionths.
    pub base: u64,
    /// The weight that follows, in millionths.
    pub weight: u64,
    /// The sum of ratings so far, in millionths.
    pub bias: i64,
    /// Who told, of a gold question; who told of a session stands in its log.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// It signs with another key. Stored: fields are only ever appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRotated {
    /// The version of the new key; the one it was registered with is 1.
    pub version: u32,
    /// The key that ends.
    pub from: PublicKey,
    /// The key that takes its place.
    pub to: PublicKey,
    /// The signature of the old key over this, where the voter asked for it itself; else an operator did.
    pub signature: Option<Signature>,
    /// Who asked for it.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What became of marks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// Which session told; none when the door did.
    pub session_id: Option<EntityId>,
    /// All its marks up to this number are in.
    pub upto: u64,
    /// How many of them.
    pub marks: u32,
    /// The suspicion after them.
    pub suspicion: Suspicion,
    /// The score, in millionths.
    pub score: u32,
    /// The last sign of life.
    pub last_seen: Option<Timestamp>,
    /// The last violation that counted.
    pub last_violation: Option<Timestamp>,
    /// In probation: votes without a flag that are still needed.
    pub clean_needed: Option<u32>,
    /// When.
    pub at: Timestamp,
}

/// Why a voter is trusted otherwise than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its score.
    Score {
        /// In millionths.
        score: u32,
    },
    /// A violation in probation.
    Violation {
        /// Which.
        fault: FaultKind,
        /// In which session.
        session_id: Option<EntityId>,
    },
    /// A proven fault.
    Evidence {
        /// The hash of the evidence.
        evidence: Digest,
        /// In which session.
        session_id: Option<EntityId>,
    },
    /// Its time had come.
    TimeServed,
    /// It showed itself.
    CleanVotes,
    /// An operator said so.
    Operator {
        /// Why.
        reason: String,
    },
}

/// A change of standing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingChanged {
    /// The how manieth of this voter.
    pub number: u64,
    /// From.
    pub from: Standing,
    /// To.
    pub to: Standing,
    /// Why.
    pub cause: Cause,
    /// The suspicion from then on, where the change sets it anew.
    pub suspicion: Option<Suspicion>,
    /// When.
    pub at: Timestamp,
}
