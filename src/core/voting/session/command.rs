//! What may be asked of a session, and how it answers.

use std::time::Duration;

use super::beside::Beside;
use super::delegation::Delegate;
use super::event::{Credential, Elector, Exclusion, Outcome, Refusal, Terms};
use super::threshold::{Basis, Threshold};
use super::truth::Judge;
use super::vote::{VOTE_VERSION, Vote};
use crate::kernel::ids::{EntityId, VoterId};
use crate::kernel::keyed::KeyedRequest;
use crate::kernel::time::Timestamp;
use crate::voting::extension::Extend;
use crate::voting::mandate::{Begin, Redeem, Refusal as Unspendable, Spend, Use};
use crate::voting::signature::{Digest, PublicKey, Signature};
use crate::voting::voter::{Report, Standing};

/// A request to a session.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Put the question.
    Open(Box<Open>),
    /// Vote.
    Vote(Box<Cast>),
    /// Promise a vote.
    Commit(Box<Commit>),
    /// End the round, or the time for promises, before its time.
    EndRound {
        /// Which round, so that a repeat does not end the next one.
        round: Option<u32>,
    },
    /// Take votes longer.
    Extend(Extend),
    /// Give a place to another voter.
    Delegate(Box<Delegate>),
    /// Tell outstanding voters again.
    Remind {
        /// Only this one.
        voter: Option<VoterId>,
        /// Who asks for it.
        by: Option<String>,
    },
    /// End the session without a decision.
    Cancel {
        /// Who.
        by: Option<String>,
        /// Why.
        reason: Option<String>,
    },
    /// This voter contributes nothing from now on.
    Exclude {
        /// Who.
        voter_id: VoterId,
        /// Why.
        reason: Exclusion,
    },
    /// The voters were told up to this number.
    RecordTold {
        /// Which.
        upto: u64,
    },
    /// Use the decision for the operation it allows.
    Spend(Box<Spend>),
    /// Begin a job under a use; `true` when the caller named the job.
    Redeem(Box<Redeem>, bool),
    /// Be told what had been right.
    Judge(Box<Judge>),
    /// This became of a remedy.
    EndRemedy {
        /// Which.
        key: String,
        /// What.
        outcome: String,
    },
    /// Time has passed.
    Tick,
}

/// Everything a session needs to open. Who may vote, and with which power, was looked up by the caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// Its name.
    pub session_id: EntityId,
    /// What is asked and by which rule.
    pub terms: Terms,
    /// Who may vote; a name twice is one voter.
    pub electors: Vec<Elector>,
    /// What is counted.
    pub basis: Basis,
    /// How much is needed.
    pub threshold: Threshold,
    /// How many voters may be bad.
    pub declared_faults: Option<u32>,
    /// The most voters that are taken.
    pub max_voters: u32,
    /// What the context of the decision was, as JSON text.
    pub context: Option<String>,
    /// How long votes are taken.
    pub timeout: Duration,
    /// How long a round lasts at most.
    pub round_timeout: Option<Duration>,
    /// How long promises are taken.
    pub commit_timeout: Option<Duration>,
    /// What was asked for, when the request bears an idempotency key.
    pub keyed: Option<KeyedRequest>,
    /// How often those whose votes are outstanding are told again, from a minute on.
    pub remind_every: Option<Duration>,
    /// What else is frozen with it.
    pub beside: Beside,
}

/// What comes with a vote besides the vote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proof {
    /// The signature.
    pub signature: Option<Signature>,
    /// The hash of the handle that was presented.
    pub handle_hash: Option<Digest>,
    /// The integrity hash as the sender has it.
    pub hash: Option<Digest>,
    /// The key that the voter signs with now, as far as that is known: one that it took the place of counts no more.
    pub present_key: Option<PublicKey>,
}

impl Proof {
    /// Is there a handle, and is it this one?
    pub(super) fn has_handle_of(&self, credential: &Credential) -> bool {
        self.handle_hash.is_some() && self.handle_hash == credential.handle_hash
    }
}

/// One vote.
#[derive(Clone, Debug, PartialEq)]
pub struct Cast {
    /// The layout it was made by.
    pub version: u8,
    /// The vote. A number of 0 stands for the next one.
    pub vote: Vote,
    /// What the voter says about it.
    pub reasoning: Option<String>,
    /// What shows whose it is.
    pub proof: Proof,
    /// What the promise was made with.
    pub salt: Option<Vec<u8>>,
    /// How far the voter is trusted now; none when it is not registered.
    pub standing: Option<Standing>,
    /// How old a vote may be to be held against the voter.
    pub evidence_max_age: Duration,
}

impl Cast {
    /// A vote of the present layout with what shows whose it is, and nothing else.
    pub fn new(vote: Vote, proof: Proof) -> Self {
        let (version, evidence_max_age) = (VOTE_VERSION, EVIDENCE_MAX_AGE);
        Cast { version, vote, reasoning: None, proof, salt: None, standing: None, evidence_max_age }
    }
}

/// How old a vote may be to be held against its voter, unless something else is configured.
pub const EVIDENCE_MAX_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A promise of a vote.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// Who.
    pub voter_id: VoterId,
    /// The promise.
    pub commit: Digest,
    /// What shows whose it is: a signature is made over the promise as [`Domain::Commit`] says.
    ///
    /// [`Domain::Commit`]: crate::voting::signature::Domain::Commit
    pub proof: Proof,
    /// How far the voter is trusted now; none when it is not registered.
    pub standing: Option<Standing>,
}

/// The answer to an accepted command.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The question is put.
    Opened,
    /// The vote is in, or was before.
    Voted(Box<Receipt>),
    /// The promise is in, or was before.
    Promised {
        /// It was before.
        duplicate: bool,
    },
    /// The decision is used, or was before.
    Spent(Box<Use>),
    /// The job begins, or did before.
    Redeemed(Box<Begin>),
    /// Votes are taken until then.
    Extended {
        /// So they were before; nothing changed.
        duplicate: bool,
    },
    /// The place is another voter's.
    Delegated {
        /// It was before; nothing changed.
        duplicate: bool,
        /// It was for another reason, which stands.
        other_reason: bool,
    },
    /// These are told again.
    Reminded(Vec<VoterId>),
    /// The session is cancelled.
    Cancelled {
        /// It was before.
        duplicate: bool,
    },
    /// It knows what had been right.
    Judged {
        /// It was told the same before.
        duplicate: bool,
    },
    /// Nothing to say.
    Done,
}

/// What a voter is told about its vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The integrity hash.
    pub hash: Digest,
    /// Its place in the session's log.
    pub seq: u64,
    /// In which round.
    pub round: u32,
    /// The number of the vote.
    pub vote_seq: u64,
    /// When it was received.
    pub received_at: Timestamp,
    /// It was in before; nothing changed.
    pub duplicate: bool,
    /// It took the place of an earlier one.
    pub supersedes: bool,
    /// How well it was verified, in millionths.
    pub verification_score: u32,
}

/// Something a session owes to the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell the voters what was seen of them.
    Tell(Vec<Report>),
    /// Open the same question anew, see [`reopened`](super::reopened).
    Reopen {
        /// The remedy that asks for it.
        key: String,
    },
}

/// How a session says no. Each variant carries both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// No session of this id was ever opened.
    NotFound,
    /// A session of this id was opened before.
    AlreadyExists,
    /// Fewer may vote than are needed.
    InsufficientParticipants {
        /// How many are needed.
        need: u32,
        /// How many may vote.
        have: u32,
    },
    /// The session has ended.
    Ended {
        /// How.
        outcome: Outcome,
    },
    /// Another round is open.
    OtherRound {
        /// Which is open.
        held: u32,
        /// Which was meant.
        given: u32,
    },
    /// The vote is refused.
    Vote {
        /// Why.
        reason: Refusal,
        /// In words.
        detail: String,
        /// The attempt is on record.
        recorded: bool,
    },
    /// It has not ended, so nobody knows what was right in it.
    StillOpen,
    /// Something else was told before.
    ToldOtherwise {
        /// What was right by that.
        held: String,
    },
    /// A voter of the session does not tell it what was right.
    OwnCause {
        /// Which.
        voter: VoterId,
    },
    /// The place is not handed on.
    Delegation {
        /// Why.
        reason: Refusal,
        /// In words.
        detail: String,
    },
    /// The place was handed on before.
    Delegated {
        /// Who has it now.
        to: VoterId,
    },
    /// All of them were reminded within the last minute.
    RemindedBefore {
        /// When one of them may be again.
        retry_after_ms: u64,
    },
    /// The decision is not used.
    Unspendable(Box<Unspendable>),
    /// A field is out of range.
    Invalid {
        /// Which field.
        field: &'static str,
        /// What was given.
        given: String,
        /// What is allowed.
        expected: String,
    },
}
