//! Requests and replies about sessions.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    AllowedOperation, AskedGate, ElectorView, EvidenceView, ExclusionView, GatesView, OperationView,
    SelectionView, SessionBallot, SessionDelegation, TruthView, WeightsView, id,
};
use crate::core::kernel::ids::{CandidateId, EntityId, IdempotencyKey, VoterId, known};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::rules::Choice;
use crate::core::voting::session::{
    Authentication, Basis, ClosePolicy, Outcome, Revision, SwitchPolicy, Threshold,
};
use crate::core::voting::signature::{Digest, Signature};
use crate::error::Error;

/// How votes are cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AskedBallot {
    /// For, against or abstain.
    Approve,
    /// One candidate.
    Choice,
    /// Up to `max_approvals` candidates.
    Approval,
    /// A score for each of some candidates.
    Scores,
}

/// Which defaults a session takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionAlgorithm {
    /// One round, no number of faults declared.
    Weighted,
    /// At least three rounds (three when left out), faults declared (one when left out), and who votes differently from
    /// round to round counts for nothing.
    Byzantine,
}

/// Opens a session: a question to registered voters of whom some may lie.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenSession {
    /// What is asked: any JSON value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Value>,
    /// What may be chosen; for and against the proposal are voted when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates: Option<Vec<CandidateId>>,
    /// What sort of thing each candidate is, in your words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<BTreeMap<CandidateId, String>>,
    /// Who may vote; every registered voter that is neither quarantined nor proven to lie when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voters: Option<Vec<VoterId>>,
    /// How much some of them count, in millionths; the registered weight where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub powers: Option<BTreeMap<VoterId, u64>>,
    /// How is voted: `approve` without candidates, else `choice`, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ballot_type: Option<AskedBallot>,
    /// With `approval`: how many candidates one voter may approve; all of them when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_approvals: Option<u32>,
    /// Defaults to take: `weighted` (default) or `byzantine`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<SessionAlgorithm>,
    /// What must reach the quorum: `heads`, `power` or `both` (default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// More than two thirds (`strict`, default) or two thirds (`at_least`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Threshold>,
    /// How many voters may lie; then at least three times as many and one more must vote.
    #[serde(default, alias = "f", skip_serializing_if = "Option::is_none")]
    pub fault_tolerance: Option<u32>,
    /// How many rounds, 1 to 100; the last one counts. 1 when left out.
    #[serde(default, alias = "num_rounds", skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u32>,
    /// What becomes of who votes differently from round to round: `exclude`, `flag` or `allow` (default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switch_policy: Option<SwitchPolicy>,
    /// End at the quorum (`on_quorum`, default), or when all have voted (`all_or_deadline`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_policy: Option<ClosePolicy>,
    /// May votes change within a round? `final` (default) or `revisable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision_policy: Option<Revision>,
    /// Must a vote show whose it is, by handle or signature? `required` (default), or `optional` for voters without a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// Promise votes first and tell them when all have promised; false when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_reveal: Option<bool>,
    /// Learn the powers from what is on record of the voters: a source of weights, as `factors` or
    /// `dawid_skene_online:revisits=2`. What it gives at the opening is frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Gates that look at the decision when the session ends; none when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates: Option<Vec<AskedGate>>,
    /// Cut powers so that nobody holds a third; false when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_cap: Option<bool>,
    /// The operation that the decision allows; a decision for is used with `session.spend`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<AllowedOperation>,
    /// What the context of the decision is; kept with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Map<String, Value>>,
    /// How long votes are taken, from 100 up to the configured `session.max_timeout` (366 days); 30000 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<i64>,
    /// How long a round but the last one lasts at most; until all have voted or it is ended when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_timeout_ms: Option<i64>,
    /// How long promises are taken at most; half the time for votes when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_timeout_ms: Option<i64>,
    /// How often those whose votes are outstanding are reminded, 60000 or more, of up to 1000 voters; never when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_every_ms: Option<i64>,
    /// Id of the session; a random one when left out. An id is never used twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<EntityId>,
    /// The caller's own name for this request: the same request again is answered with the session it opened first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<IdempotencyKey>,
    /// Whose personal data `proposal` holds: it is sealed with the key of this data subject, and readable until that is shredded. A name that
    /// stays on record, so a pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_subject: Option<EntityId>,
}

impl OpenSession {
    /// For or against, asked of all registered voters.
    pub fn new(proposal: Value) -> Self {
        OpenSession { proposal: Some(proposal), ..OpenSession::default() }
    }

    /// The same question to these voters.
    ///
    /// # Errors
    /// `invalid_argument` when a name is not an id.
    pub fn to<'n>(self, voters: impl IntoIterator<Item = &'n str>) -> Result<Self, Error> {
        let voters = voters.into_iter().map(|voter| id("voters", voter)).collect::<Result<_, _>>()?;
        Ok(OpenSession { voters: Some(voters), ..self })
    }
}

/// Votes in a session, or promises a vote.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionVote {
    /// Which session.
    pub session_id: EntityId,
    /// Who votes.
    pub voter_id: VoterId,
    /// `for`, `against` or `abstain`, where no candidates are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote: Option<Choice>,
    /// The candidate that is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate_id: Option<CandidateId>,
    /// The candidates that are approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Vec<CandidateId>>,
    /// A score from 0 to 1 for each of some candidates; one of 0.5 or more supports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<BTreeMap<CandidateId, f64>>,
    /// How good, 0 to 1, kept in millionths; 1 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// How sure, 0 to 1; 1 when left out. Kept, never counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// The weight the voter claims. Noted, never counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// In which round; the one that is open when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<u32>,
    /// The voter's own number of this vote, from 1; the next one when left out. A signed vote names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// When, by the voter's clock, at most 60 s off; now when left out. A signed vote names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    /// What the voter says about its vote, up to 4096 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// The handle the voter was given when it was registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// The voter's signature over the vote, 128 hexadecimal digits; what is signed stands in `certificate_format`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// The integrity hash as the voter has it; another one than the session computes is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Digest>,
    /// The layout the vote was made by; 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u8>,
    /// Instead of a vote: the promise of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Digest>,
    /// What the promise was made with, at least 16 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
}

impl SessionVote {
    /// A plain vote under a handle.
    ///
    /// # Errors
    /// `invalid_argument` when the voter's name is not an id.
    pub fn new(session_id: &EntityId, voter_id: &str, vote: Choice, handle: &str) -> Result<Self, Error> {
        Ok(SessionVote {
            session_id: session_id.clone(),
            voter_id: id("voter_id", voter_id)?,
            vote: Some(vote),
            candidate_id: None,
            approvals: None,
            scores: None,
            score: None,
            confidence: None,
            weight: None,
            round: None,
            seq: None,
            issued_at: None,
            reasoning: None,
            handle: Some(handle.to_owned()),
            signature: None,
            hash: None,
            version: None,
            commit: None,
            salt: None,
        })
    }
}

/// What became of a vote that was taken: the voter's receipt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionVoted {
    /// Which session.
    pub session_id: EntityId,
    /// Who voted.
    pub voter_id: VoterId,
    /// In which round.
    pub round: u32,
    /// It was in before; nothing changed.
    pub duplicate: bool,
    /// It took the place of an earlier one.
    pub supersedes: bool,
    /// It is a promise.
    pub promised: bool,
    /// The voter's own number of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Its place in the session's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_seq: Option<u64>,
    /// Its integrity hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vote_hash: Option<Digest>,
    /// The hash of the session's log up to and with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_hash: Option<String>,
    /// When it was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_at: Option<Timestamp>,
    /// How well it was verified: 1 signed, 0.9 under a handle, 0.5 otherwise, a quarter less for each flag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_score: Option<f64>,
    /// Where the session stands.
    pub status: String,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

/// Ends a round.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndRound {
    /// Which session.
    pub session_id: EntityId,
    /// Which round; the one that is open when left out. Named, a repeat does not end the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<u32>,
}

/// Asks how a session stands.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRef {
    /// Which session.
    #[serde(deserialize_with = "known")]
    pub session_id: EntityId,
    /// Wait so long for the end, 0 to 300000; 0 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<i64>,
}

impl From<EntityId> for SessionRef {
    /// How it stands now.
    fn from(session_id: EntityId) -> Self {
        SessionRef { session_id, wait_ms: None }
    }
}

/// Names a session.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertifySession {
    /// Which session.
    #[serde(deserialize_with = "known")]
    pub session_id: EntityId,
}

/// Ends a session without a decision.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelSession {
    /// Which session.
    pub session_id: EntityId,
    /// Who ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Which sessions are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListedSessions {
    /// Open ones, by id.
    #[default]
    Open,
    /// Ended ones, oldest first.
    Ended,
}

/// Lists sessions.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListSessions {
    /// `open` (default) or `ended`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ListedSessions>,
    /// Of the open ones: only those that await the vote of this voter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voter_id: Option<VoterId>,
    /// Newest first; false when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_first: Option<bool>,
    /// How many are looked at, 1 to 1000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// A `next_cursor` of an earlier page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionPage {
    /// The sessions.
    pub sessions: Vec<SessionLine>,
    /// How many are open.
    pub open: u64,
    /// How many may be.
    pub limit: u64,
    /// Ask with this for the next page.
    pub next_cursor: Option<String>,
    /// The end was not reached.
    pub more: bool,
    /// Filters whose names nobody here has, where nothing fits them: they may be misspelt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// A session in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionLine {
    /// Which session.
    pub session_id: EntityId,
    /// Where it stands.
    pub status: String,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// What was decided.
    pub decision: Option<String>,
    /// The round that is, or was, open.
    pub round: u32,
    /// Voters.
    pub n: u32,
    /// Votes in that round; none while votes are only promised.
    pub total_votes: u32,
    /// Voters proven to lie.
    pub byzantine_faults_detected: u32,
    /// The last instant at which a vote is on time.
    pub deadline: Timestamp,
    /// What is asked.
    pub proposal: Value,
}

/// How a session stands, or ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionResult {
    /// Which session.
    pub session_id: EntityId,
    /// `collecting_votes`, `completed`, `failed` or `timeout`.
    pub status: String,
    /// `decided`, `rejected`, `no_quorum`, `timeout`, `fault_budget_exceeded` or `cancelled`; none while it is open.
    pub outcome: Option<Outcome>,
    /// What was decided: a candidate, `for` or `against`.
    pub decision: Option<String>,
    /// The decision does not stand without voters that were proven to lie since.
    pub decision_tainted: bool,
    /// `vote`, or `commit` while votes are promised.
    pub phase: String,
    /// The round that is, or was, open.
    pub round: u32,
    /// How many rounds there are.
    pub num_rounds: u32,
    /// Voters in the electorate.
    pub total_participants: u32,
    /// Voters that voted in that round and are not proven to lie.
    pub honest_participants: u32,
    /// Voters proven to lie.
    pub malicious_detected: u32,
    /// Which.
    pub malicious_agents: Vec<VoterId>,
    /// Faults that are borne: the declared number, or the most that so many voters bear.
    pub fault_tolerance: u32,
    /// Voters that as many faults need: `3f + 1`.
    pub min_participants: u32,
    /// Do so many voters bear a fault at all?
    pub fault_tolerant: bool,
    /// Heads that decide.
    pub agreement_threshold: u32,
    /// A fault is borne, the quorum was reached and stands without the voters proven to lie since, and those are no more than
    /// are borne.
    pub byzantine_safe: bool,
    /// `heads`, `power` or `both`.
    pub basis: Basis,
    /// `strict` or `at_least`.
    pub threshold: Threshold,
    /// Power of the electorate.
    pub total_power: f64,
    /// The cap on power was asked for and cannot be kept: one voter's fault is borne by no power.
    pub cap_failed: bool,
    /// Votes in the round, those of excluded voters among them; none while votes are promised.
    pub total_votes: u32,
    /// Promises so far.
    pub commits: u32,
    /// The options, best first; empty before the end.
    pub selections: Vec<SelectionView>,
    /// The best one's share of all selection scores.
    pub confidence_score: Option<f64>,
    /// By how much the best one leads.
    pub margin: Option<f64>,
    /// Heads behind the best of all heads.
    pub support_share: Option<f64>,
    /// Power behind the best of all power.
    pub power_share: Option<f64>,
    /// Who supports something else than was decided.
    pub dissenters: Vec<VoterId>,
    /// Who promised a vote and never told it.
    pub unrevealed: Vec<VoterId>,
    /// Who contributes nothing, and why.
    pub exclusions: Vec<ExclusionView>,
    /// Voters whose votes are outstanding.
    pub outstanding: Vec<VoterId>,
    /// Proven faults.
    pub evidence: Vec<EvidenceView>,
    /// Refused attempts on record.
    pub rejections: u64,
    /// The votes that stand in the round.
    pub votes: BTreeMap<VoterId, SessionBallot>,
    /// Whose vote decided.
    pub decided_by: Option<VoterId>,
    /// Place of the end in the session's log.
    pub decided_at_seq: Option<u64>,
    /// Who ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled_by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was asked.
    pub proposal: Value,
    /// In which context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Value>,
    /// What votes are bound to: who may vote, under which key, with how much power.
    pub electorate_hash: Digest,
    /// What votes are bound to: what is asked and by which rule.
    pub terms_hash: Digest,
    /// Who may vote.
    pub electorate: Vec<ElectorView>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// The last instant at which a vote is on time, after all extensions.
    pub deadline: Timestamp,
    /// Who asked for the last extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended_by: Option<String>,
    /// Places that went to other voters, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delegations: Vec<SessionDelegation>,
    /// How often those whose votes are outstanding were reminded, if they were.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reminded: BTreeMap<VoterId, u32>,
    /// How often they are reminded by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_every_ms: Option<u64>,
    /// When it ended: the deciding vote or the deadline.
    pub closed_at: Option<Timestamp>,
    /// When the end was noticed; later than `closed_at` after downtime.
    pub noticed_at: Option<Timestamp>,
    /// The operation that the decision allows, and what was used of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationView>,
    /// Where the powers come from, when they were learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightsView>,
    /// What the gates found, where some look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates: Option<GatesView>,
    /// What had been right, once it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truth: Option<TruthView>,
    /// The request was answered before: under the same idempotency key, or an extension, a delegation or a cancellation changed
    /// nothing. Told by those alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<bool>,
    /// What of a repeated delegation is not as it was the first time, which stands: `reason`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
}
