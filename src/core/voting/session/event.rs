//! What happened to a session. Stored: variants and fields are only ever appended, at the end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ballot::BallotType;
use super::beside::{GateEvaluated, Gated, RemedyEnded, RemedyTriggered, Weighed};
use super::delegation::Delegated;
use super::threshold::Quorum;
use super::truth::TruthTold;
use super::vote::{Authenticity, Vote};
use crate::kernel::ids::{CandidateId, EntityId, VoterId};
use crate::kernel::keyed::KeyedRequest;
use crate::kernel::time::Timestamp;
use crate::voting::extension::Extended;
use crate::voting::mandate::{Mandate, Redeemed, Spent};
use crate::voting::people::Reminded;
use crate::voting::signature::{Canon, Digest, Domain, PublicKey, Signature};
use crate::voting::voter::{FaultKind, ProofLevel};

pub use super::outcome::{Closed, Outcome, Selection};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The question was put, and the electorate frozen.
    Opened(Box<Opened>),
    /// A vote counts.
    VoteReceived(Box<Received>),
    /// A promise of a vote was taken.
    CommitReceived(Box<Promised>),
    /// A vote was refused and the attempt kept.
    VoteRejected(Box<Rejected>),
    /// A fault was proven.
    EvidenceRecorded(Box<Evidence>),
    /// A voter contributes nothing from now on; it stays in the electorate.
    VoterExcluded {
        /// Who.
        voter_id: VoterId,
        /// Why.
        reason: Exclusion,
        /// When.
        at: Timestamp,
    },
    /// Promises are taken no more; votes are.
    CommitsClosed {
        /// How many were made.
        commits: u32,
        /// When.
        at: Timestamp,
    },
    /// A round ended and the next one began.
    RoundClosed {
        /// Which ended.
        round: u32,
        /// Votes in it.
        votes: u32,
        /// When.
        at: Timestamp,
    },
    /// The session ended; exactly one of each.
    Closed(Box<Closed>),
    /// The decision does not stand without the voters whose fault was proven since. It stays decided.
    DecisionTainted {
        /// Whose.
        voters: Vec<VoterId>,
        /// When.
        at: Timestamp,
    },
    /// Voters that owe a vote were silent since the session opened.
    SilenceNoted {
        /// Which.
        voters: Vec<VoterId>,
        /// When.
        at: Timestamp,
    },
    /// The voters were told what was seen of them.
    Told {
        /// Up to this number.
        upto: u64,
        /// When.
        at: Timestamp,
    },
    /// The request that opened it bore an idempotency key; what it asked for.
    Keyed(KeyedRequest),
    /// The decision allows this operation.
    Mandated(Box<Mandate>),
    /// The decision was used.
    Spent(Box<Spent>),
    /// A job begins under a use.
    Redeemed(Box<Redeemed>),
    /// The powers were learned; where from.
    Weighed(Box<Weighed>),
    /// Keys of the electorate that took the place of others, with their versions.
    KeysNamed(BTreeMap<VoterId, u32>),
    /// It was told what had been right.
    TruthTold(Box<TruthTold>),
    /// Gates look at the decision.
    GatesSet(Box<Gated>),
    /// Votes are taken longer, since a gate asked for it.
    DeadlineExtended {
        /// The last instant at which a vote is on time.
        deadline: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// The gates have looked.
    GateEvaluated(Box<GateEvaluated>),
    /// Something is done about what they found.
    RemedyTriggered(Box<RemedyTriggered>),
    /// What became of that.
    RemedyEnded(Box<RemedyEnded>),
    /// A fault was proven by votes that are too old for anybody to be held to them: it is kept, and nobody is told.
    OldEvidenceRecorded(Box<Evidence>),
    /// Votes are taken longer than was said.
    Extended(Box<Extended>),
    /// A place went from one voter to another.
    Delegated(Box<Delegated>),
    /// Those whose votes are outstanding are told again every so often.
    RemindersAsked {
        /// How often, in milliseconds.
        every_ms: u64,
    },
    /// Outstanding voters are told again: whoever listens hears it, and inboxes count it.
    Reminded(Box<Reminded>),
}

impl Event {
    /// The name under which it is shown.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Opened(_) => "opened",
            Event::VoteReceived(_) => "vote_received",
            Event::CommitReceived(_) => "commit_received",
            Event::VoteRejected(_) => "vote_rejected",
            Event::EvidenceRecorded(_) => "evidence_recorded",
            Event::VoterExcluded { .. } => "voter_excluded",
            Event::CommitsClosed { .. } => "commits_closed",
            Event::RoundClosed { .. } => "round_closed",
            Event::Closed(_) => "closed",
            Event::DecisionTainted { .. } => "decision_tainted",
            Event::SilenceNoted { .. } => "silence_noted",
            Event::Told { .. } => "told",
            Event::Keyed(_) => "keyed",
            Event::Mandated(_) => "mandated",
            Event::Spent(_) => "spent",
            Event::Redeemed(_) => "redeemed",
            Event::Weighed(_) => "weighed",
            Event::KeysNamed(_) => "keys_named",
            Event::TruthTold(_) => "truth_told",
            Event::GatesSet(_) => "gates_set",
            Event::DeadlineExtended { .. } => "deadline_extended",
            Event::GateEvaluated(_) => "gate_evaluated",
            Event::RemedyTriggered(_) => "remedy_triggered",
            Event::RemedyEnded(_) => "remedy_ended",
            Event::OldEvidenceRecorded(_) => "old_evidence_recorded",
            Event::Extended(_) => "extended",
            Event::Delegated(_) => "delegated",
            Event::RemindersAsked { .. } => "reminders_asked",
            Event::Reminded(_) => "reminded",
        }
    }
}

/// What may be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// Its name.
    pub candidate_id: CandidateId,
    /// What sort of thing it is, in the user's words.
    pub kind: String,
}

/// What becomes of a voter whose votes differ from round to round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwitchPolicy {
    /// It contributes nothing. Not a proof of malice.
    Exclude,
    /// It counts, with a flag.
    Flag,
    /// It counts: rounds are for changing one's mind.
    #[default]
    Allow,
}

/// When a session ends that has a quorum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosePolicy {
    /// At once.
    #[default]
    OnQuorum,
    /// When all have voted, or at the deadline.
    AllOrDeadline,
}

/// May a vote change within a round?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revision {
    /// The first one stands.
    #[default]
    Final,
    /// One with a higher number takes its place.
    Revisable,
}

/// Must a vote show whose it is?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authentication {
    /// By handle or signature.
    #[default]
    Required,
    /// A voter without a key may do without: then the first vote in its name stands.
    Optional,
}

/// How a voter shows that a vote is its own, as of the opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The key of its signatures.
    pub public_key: Option<PublicKey>,
    /// The hash of its handle.
    pub handle_hash: Option<Digest>,
}

/// One voter of the electorate as it was frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elector {
    /// Who.
    pub voter_id: VoterId,
    /// How it shows that a vote is its own.
    pub credential: Credential,
    /// How much it counts, in millionths.
    pub power: u64,
    /// How much it would count without the cap.
    pub uncapped: u64,
}

/// What is asked and by which rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// What is asked, as JSON text.
    pub proposal: String,
    /// How is voted.
    pub ballot_type: BallotType,
    /// What may be chosen, by id; empty where for and against is voted.
    pub candidates: Vec<Candidate>,
    /// How many rounds there are; the last one counts.
    pub rounds: u32,
    /// See there.
    pub switch_policy: SwitchPolicy,
    /// See there.
    pub close_policy: ClosePolicy,
    /// See there.
    pub revision: Revision,
    /// See there.
    pub authentication: Authentication,
    /// Votes are promised first and told later.
    pub commit_reveal: bool,
    /// No power reaches a third.
    pub power_cap: bool,
}

/// The hash of an electorate: who, under which key, with how much power.
pub fn electorate_hash<'a>(
    electors: impl ExactSizeIterator<Item = (&'a VoterId, Option<&'a PublicKey>, u64)>,
) -> Digest {
    let canon = Canon::new(1).each(electors, |canon, (voter, key, power)| {
        canon.text(voter.as_str()).maybe(key, |canon, key| canon.fixed(key.as_bytes())).u64(power)
    });
    Domain::Electorate.hash(&canon.done())
}

/// The session as it was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Its own name: votes are bound to it.
    pub session_id: EntityId,
    /// What is asked and by which rule.
    pub terms: Terms,
    /// Who may vote, by id.
    pub electors: Vec<Elector>,
    /// What decides.
    pub quorum: Quorum,
    /// How many faults are advertised.
    pub most_faults: u32,
    /// The cap was asked for, and so few hold any power that it cannot be kept.
    pub cap_failed: bool,
    /// See [`electorate_hash`].
    pub electorate_hash: Digest,
    /// See [`Terms::hash`](Terms::hash).
    pub terms_hash: Digest,
    /// What the context of the decision was, as JSON text.
    pub context: Option<String>,
    /// How long a round lasts at most, in microseconds.
    pub round_us: Option<u64>,
    /// Until when promises are taken.
    pub commits_until: Option<Timestamp>,
    /// When.
    pub opened_at: Timestamp,
    /// The last instant at which a vote is on time.
    pub deadline: Timestamp,
}

/// A vote that counts, or may count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// The vote.
    pub vote: Vote,
    /// Its integrity hash.
    pub hash: Digest,
    /// How it was shown to be the voter's own.
    pub authenticity: Authenticity,
    /// The signature, if that was how.
    pub signature: Option<Signature>,
    /// What the voter says about it.
    pub reasoning: Option<String>,
    /// It takes the place of an earlier one.
    pub supersedes: bool,
    /// What is odd about it.
    pub flags: Vec<Flag>,
    /// How well it was verified, in millionths.
    pub verification_score: u32,
    /// When, by the coordinator's clock.
    pub received_at: Timestamp,
}

/// What is odd about a vote that counts all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// The voter claims another weight than it has.
    WeightClaim,
    /// The voter is suspicious.
    Suspicious,
    /// The voter is on probation.
    Probation,
    /// It voted otherwise in an earlier round.
    Switched,
}

/// A promise of a vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promised {
    /// Who.
    pub voter_id: VoterId,
    /// The promise.
    pub commit: Digest,
    /// How it was shown to be the voter's own.
    pub authenticity: Authenticity,
    /// When.
    pub received_at: Timestamp,
}

/// Why a vote was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// A field is not as it must be.
    Malformed,
    /// The session has ended.
    SessionClosed,
    /// Another round is open.
    WrongRound,
    /// Nobody listed that candidate.
    UnknownCandidate,
    /// The voter is not in the electorate.
    NotEligible,
    /// The voter is quarantined.
    Quarantined,
    /// A fault of the voter was proven.
    Byzantine,
    /// The voter was excluded from this session.
    Excluded,
    /// Neither handle nor signature, and the session asks for one.
    Unauthenticated,
    /// The signature, or the handle, is not that of the voter.
    BadSignature,
    /// The hash that came with the vote is another one.
    HashMismatch,
    /// The voter's clock is more than 60 s off.
    Skew,
    /// The number of the vote was used before, for another vote.
    Replay,
    /// A later vote of the voter stands.
    Superseded,
    /// Another vote of the voter stands in this round, and contradicts this one.
    Equivocation,
    /// The vote stands with other numbers.
    Changed,
    /// A vote in this voter's name stands, and nobody showed whose it is.
    AlreadyVoted,
    /// Promises are taken, not votes.
    Sealed,
    /// Votes are taken, not promises.
    NotSealed,
    /// No promise of this voter, or not of this vote.
    NotAsPromised,
    /// The key it is signed with has ended: another took its place.
    KeyEnded,
    /// The voter handed its place on.
    Delegated,
}

impl Refusal {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::Malformed => "malformed",
            Refusal::SessionClosed => "session_closed",
            Refusal::WrongRound => "wrong_round",
            Refusal::UnknownCandidate => "unknown_candidate",
            Refusal::NotEligible => "not_eligible",
            Refusal::Quarantined => "quarantined",
            Refusal::Byzantine => "byzantine",
            Refusal::Excluded => "excluded",
            Refusal::Unauthenticated => "unauthenticated",
            Refusal::BadSignature => "bad_signature",
            Refusal::HashMismatch => "hash_mismatch",
            Refusal::Skew => "skew",
            Refusal::Replay => "replay",
            Refusal::Superseded => "superseded",
            Refusal::Equivocation => "equivocation",
            Refusal::Changed => "changed",
            Refusal::AlreadyVoted => "already_voted",
            Refusal::Sealed => "sealed",
            Refusal::NotSealed => "not_sealed",
            Refusal::NotAsPromised => "not_as_promised",
            Refusal::KeyEnded => "key_ended",
            Refusal::Delegated => "delegated",
        }
    }

    /// The layer of verification that refuses so, see [`super`].
    pub fn layer(self) -> u8 {
        match self {
            Refusal::Malformed => 1,
            Refusal::SessionClosed
            | Refusal::WrongRound
            | Refusal::UnknownCandidate
            | Refusal::Sealed
            | Refusal::NotSealed => 2,
            Refusal::NotEligible
            | Refusal::Quarantined
            | Refusal::Byzantine
            | Refusal::Excluded
            | Refusal::Delegated => 3,
            Refusal::Unauthenticated | Refusal::BadSignature | Refusal::HashMismatch | Refusal::KeyEnded => 4,
            Refusal::Skew | Refusal::Replay | Refusal::Superseded => 5,
            Refusal::Equivocation | Refusal::Changed | Refusal::AlreadyVoted | Refusal::NotAsPromised => 6,
        }
    }

    /// What it says against a voter that was shown to have sent it; nothing for what can happen to the honest.
    pub fn against(self) -> Option<FaultKind> {
        match self {
            Refusal::Skew
            | Refusal::Replay
            | Refusal::Changed
            | Refusal::NotAsPromised
            | Refusal::Excluded => Some(FaultKind::ProtocolViolation),
            // Its evidence says more.
            Refusal::Equivocation => None,
            Refusal::Malformed
            | Refusal::SessionClosed
            | Refusal::WrongRound
            | Refusal::UnknownCandidate
            | Refusal::NotEligible
            | Refusal::Quarantined
            | Refusal::Byzantine
            | Refusal::Unauthenticated
            | Refusal::BadSignature
            | Refusal::HashMismatch
            | Refusal::KeyEnded
            | Refusal::Superseded
            | Refusal::AlreadyVoted
            | Refusal::Sealed
            | Refusal::NotSealed
            | Refusal::Delegated => None,
        }
    }
}

/// A refused attempt to vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Whose vote it claims to be.
    pub voter_id: VoterId,
    /// In which round.
    pub round: u32,
    /// Why.
    pub reason: Refusal,
    /// Was it the voter's own?
    pub authenticity: Authenticity,
    /// What it would have been, when it is as a vote must be.
    pub vote: Option<Vote>,
    /// The how manieth refused so within one second; after three no more are kept.
    pub nth: u32,
    /// When.
    pub received_at: Timestamp,
}

/// Why a voter contributes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exclusion {
    /// It cast two votes in one round.
    Equivocation,
    /// It voted otherwise in an earlier round.
    InconsistentAcrossRounds,
    /// It is quarantined.
    Quarantined,
    /// A fault of it was proven elsewhere.
    Byzantine,
}

impl Exclusion {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Exclusion::Equivocation => "equivocation",
            Exclusion::InconsistentAcrossRounds => "inconsistent_across_rounds",
            Exclusion::Quarantined => "quarantined",
            Exclusion::Byzantine => "byzantine",
        }
    }
}

/// One of two votes that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exhibit {
    /// The vote.
    pub vote: Vote,
    /// Its hash.
    pub hash: Digest,
    /// How it was shown to be the voter's own.
    pub authenticity: Authenticity,
    /// The signature, if that was how.
    pub signature: Option<Signature>,
    /// When it came.
    pub received_at: Timestamp,
}

/// A proven fault. It can be checked without anything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The hash of both votes, in the order of their hashes.
    pub evidence_id: Digest,
    /// Which fault.
    pub fault: FaultKind,
    /// How well it is known.
    pub level: ProofLevel,
    /// In which session.
    pub session_id: EntityId,
    /// Of which electorate.
    pub electorate_hash: Digest,
    /// By which terms.
    pub terms_hash: Digest,
    /// Under which key.
    pub credential: Credential,
    /// The vote that came first.
    pub first: Exhibit,
    /// The one that contradicts it.
    pub second: Exhibit,
    /// It came after the session had ended.
    pub late: bool,
    /// The version of the rules it was judged by.
    pub verifier_version: u8,
    /// When.
    pub at: Timestamp,
}
