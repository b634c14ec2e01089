//! A decision certificate: what anybody needs to see that a decision follows from votes that were really signed.
//!
//! It holds the electorate with keys and powers, the rule, the terms, and the signed votes behind the decision; nothing of
//! the store is needed to check it, and nothing of it need be believed. The layout is drawn in
//! `docs/certificate_format.md`, from which a second verifier was written in another language.
//!
//! It shows that enough voters signed this. It cannot show that no other vote was left out, and the place in the history
//! that it names can be checked only against that history.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::ballot::{Ballot, BallotType, Pick, WHOLE};
use super::beside::{Beside, Weighed};
use super::delegation::Delegation;
use super::event::{Opened, Outcome, Terms, electorate_hash};
use super::state::Session;
use super::threshold::{FEWEST_VOTERS, Quorum, heads};
use super::vote::{Authenticity, Binding, Vote};
use crate::kernel::ids::{EntityId, VoterId};
use crate::kernel::time::Timestamp;
use crate::voting::mandate::Mandate;
use crate::voting::signature::{BadKey, Digest, PublicKey, Signature};

/// The name of the format.
pub const FORMAT: &str = "quorate decision certificate";
/// Its version.
pub const VERSION: u32 = 1;

/// A decision with what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// `quorate decision certificate`.
    pub format: String,
    /// 1.
    pub version: u32,
    /// Which session.
    pub session_id: EntityId,
    /// `decided` or `rejected`.
    pub outcome: Outcome,
    /// Which option.
    pub pick: Pick,
    /// In which round.
    pub round: u32,
    /// The rule, and its numbers for this electorate.
    pub rule: Quorum,
    /// What was asked.
    pub terms: Terms,
    /// The operation that the decision allows, if it allows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<CertifiedOperation>,
    /// Where the powers come from, when they were learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weighed>,
    /// Who could vote, by id.
    pub electorate: Vec<CertifiedElector>,
    /// The hash of the electorate.
    pub electorate_hash: Digest,
    /// The hash of terms, rule, operation, weights and versions of keys.
    pub terms_hash: Digest,
    /// The places that went to other voters before those voted, each by its signature: by place, in the order in which it
    /// went from one to the next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delegations: Vec<CertifiedDelegation>,
    /// The votes behind the decision, by voter.
    pub ballots: Vec<CertifiedBallot>,
    /// Where the decision stands in the history.
    pub position: Place,
}

/// The operation that the decision allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertifiedOperation {
    /// Its name.
    pub tool: String,
    /// The hash of its name and arguments.
    pub operation_hash: Digest,
    /// The last instant at which it may be used: microseconds since 1970.
    pub expires_at_us: Option<i64>,
    /// How often it may be used.
    pub uses: u32,
    /// The lowest fencing token under which it may be used.
    pub fence: Option<u64>,
}

impl CertifiedOperation {
    fn mandate(&self) -> Mandate {
        Mandate {
            tool: self.tool.clone(),
            operation_hash: self.operation_hash,
            expires_at: self.expires_at_us.map(Timestamp::from_micros),
            uses: self.uses,
            fence: self.fence,
        }
    }
}

/// One voter of the electorate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertifiedElector {
    /// Who.
    pub voter_id: VoterId,
    /// The key of its signatures; none for one that votes by its handle, and whose votes are in no certificate.
    pub public_key: Option<PublicKey>,
    /// How much it counts, in millionths.
    pub power: u64,
    /// The version of the key, of one that took the place of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_version: Option<u32>,
}

/// One place that went to another voter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertifiedDelegation {
    /// Who had it.
    pub from: VoterId,
    /// Who has it from then on.
    pub to: VoterId,
    /// The key of that one's signatures.
    pub public_key: PublicKey,
    /// When, by the clock of who had it: microseconds since 1970.
    pub issued_at_us: i64,
    /// Of who had it, over all of this and the session.
    pub signature: Signature,
}

/// One signed vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertifiedBallot {
    /// Who.
    pub voter_id: VoterId,
    /// The voter's own number of it.
    pub seq: u64,
    /// When, by the voter's clock: microseconds since 1970.
    pub issued_at_us: i64,
    /// What.
    pub ballot: Ballot,
    /// In millionths.
    pub score: u32,
    /// In millionths.
    pub confidence: u32,
    /// The weight it claims, in millionths.
    pub claimed_weight: Option<u64>,
    /// The hash of what it says about its vote.
    pub reasoning_hash: Option<Digest>,
    /// Over all of this and the session.
    pub signature: Signature,
}

/// A place in the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Number of the record in the session's log.
    pub seq: u64,
    /// Its number in the journal.
    pub position: u64,
    /// The hash of the log up to and with it.
    pub record_hash: String,
}

/// What a certificate that holds says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Voters that signed.
    pub heads: u32,
    /// Their power, in millionths.
    pub power: u64,
    /// In whose place of the electorate those voted who have none of their own in it.
    pub in_place_of: BTreeMap<VoterId, VoterId>,
}

/// Why a certificate does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is something else, or of another version.
    #[error("not a certificate of a version that is known. format={0:?}, version={1}")]
    Format(String, u32),
    /// The voters are not in order, or one stands there twice.
    #[error("the electorate is not in order, each voter once. voter_id={0}")]
    Order(VoterId),
    /// Two voters have one key.
    #[error("two voters have one key. voter_id={0}")]
    SharedKey(VoterId),
    /// A key under which signatures prove nothing.
    #[error("the key is {1}. voter_id={0}")]
    Key(VoterId, BadKey),
    /// The numbers of the rule are not those of this electorate.
    #[error("the rule is not one of this electorate. field={0}")]
    Rule(&'static str),
    /// A hash is not that of what it stands beside.
    #[error("a hash is not that of what it stands beside. field={0}")]
    Hash(&'static str),
    /// Nobody could choose this.
    #[error("the outcome is none of this session")]
    Outcome,
    /// The votes are not in order, or a voter has two.
    #[error("the ballots are not in order, one of each voter. voter_id={0}")]
    Signer(VoterId),
    /// Who voted is not in the electorate, or has no key.
    #[error("the voter is not in the electorate, or has no key. voter_id={0}")]
    Stranger(VoterId),
    /// The vote is for something else.
    #[error("the vote does not support the decision. voter_id={0}")]
    Dissent(VoterId),
    /// The signature is not one over this vote.
    #[error("the signature is not one of the voter over this vote. voter_id={0}")]
    Signature(VoterId),
    /// Nobody who has a place and a key gave it away so, or to one who may not take it.
    #[error(
        "the place is not that of a voter with a key, or goes to one who has or had one. from={0}, to={1}"
    )]
    Handover(VoterId, VoterId),
    /// The place was not given away so.
    #[error("the signature is not one of the voter over giving its place away. from={0}")]
    HandoverSignature(VoterId),
    /// The votes do not reach the quorum.
    #[error(
        "the votes do not reach the quorum. heads={heads} of {needed}, power={power} of {whole} millionths"
    )]
    Quorum {
        /// Voters that signed.
        heads: u32,
        /// Heads that are needed.
        needed: u32,
        /// Their power.
        power: u64,
        /// All the power there is.
        whole: u64,
    },
}

impl CertifiedBallot {
    /// The vote that was signed.
    fn vote(&self, round: u32) -> Vote {
        Vote {
            round,
            voter_id: self.voter_id.clone(),
            seq: self.seq,
            issued_at: Timestamp::from_micros(self.issued_at_us),
            ballot: self.ballot.clone(),
            score: self.score,
            confidence: self.confidence,
            claimed_weight: self.claimed_weight,
            reasoning_hash: self.reasoning_hash,
        }
    }
}

impl Certificate {
    /// Does it hold?
    ///
    /// # Errors
    /// The first [`Flaw`].
    pub fn check(&self) -> Result<Checked, Flaw> {
        if self.format != FORMAT || self.version != VERSION {
            return Err(Flaw::Format(self.format.clone(), self.version));
        }
        self.check_electorate()?;
        self.check_rule()?;
        let fits = match (&self.pick, self.outcome, self.terms.ballot_type) {
            (Pick::For, Outcome::Decided, BallotType::Approve)
            | (Pick::Against, Outcome::Rejected, BallotType::Approve) => true,
            (
                Pick::Candidate(picked),
                Outcome::Decided,
                BallotType::Choice | BallotType::Approval { .. } | BallotType::Scores,
            ) => self.terms.candidates.iter().any(|candidate| candidate.candidate_id == *picked),
            (_, _, _) => false,
        };
        if !fits || self.round != self.terms.rounds {
            return Err(Flaw::Outcome);
        }
        self.check_ballots()
    }

    fn check_electorate(&self) -> Result<(), Flaw> {
        let mut keys = BTreeSet::new();
        for (at, elector) in self.electorate.iter().enumerate() {
            let name = || elector.voter_id.clone();
            if at > 0 && self.electorate[at - 1].voter_id >= elector.voter_id {
                return Err(Flaw::Order(name()));
            }
            if let Some(key) = &elector.public_key {
                key.check().map_err(|bad| Flaw::Key(name(), bad))?;
                if !keys.insert(key) {
                    return Err(Flaw::SharedKey(name()));
                }
            }
        }
        Ok(())
    }

    fn check_rule(&self) -> Result<(), Flaw> {
        let rule = &self.rule;
        let n = u32::try_from(self.electorate.len()).unwrap_or(u32::MAX);
        let power: u128 = self.electorate.iter().map(|elector| u128::from(elector.power)).sum();
        let checks = [
            ("n", rule.n == n && n >= FEWEST_VOTERS),
            ("power", u128::from(rule.power) == power && power > 0),
            ("heads", rule.heads == heads(rule.threshold, rule.declared_faults, n)),
            ("declared_faults", rule.declared_faults.is_none_or(|f| u64::from(n) > 3 * u64::from(f))),
        ];
        if let Some((field, _)) = checks.into_iter().find(|(_, holds)| !holds) {
            return Err(Flaw::Rule(field));
        }
        let electors = self.electorate.iter();
        let electors = electors.map(|e| (&e.voter_id, e.public_key.as_ref(), e.power));
        if electorate_hash(electors) != self.electorate_hash {
            return Err(Flaw::Hash("electorate_hash"));
        }
        let versions = self.electorate.iter().filter_map(|e| Some((e.voter_id.clone(), e.key_version?)));
        let beside = Beside {
            mandate: self.operation.as_ref().map(CertifiedOperation::mandate),
            weighed: self.weights.clone(),
            keys: versions.collect(),
            gated: None,
        };
        if self.terms.hash(rule, &beside) != self.terms_hash {
            return Err(Flaw::Hash("terms_hash"));
        }
        Ok(())
    }

    /// Who may vote, in whose place, under which key, and how much each counts, after all places went where they went.
    fn holders(&self, binding: &Binding) -> Result<Holders<'_>, Flaw> {
        let frozen = self.electorate.iter().map(|one| {
            let holder = Holder { place: &one.voter_id, key: one.public_key.as_ref(), power: one.power };
            (&one.voter_id, holder)
        });
        let mut holders: Holders<'_> = frozen.collect();
        // Whoever ever had a place takes none, and no key stands for two.
        let mut names: BTreeSet<&VoterId> = holders.keys().copied().collect();
        let mut keys: BTreeSet<&PublicKey> = holders.values().filter_map(|holder| holder.key).collect();
        for one in &self.delegations {
            let CertifiedDelegation { from, to, public_key, issued_at_us, signature } = one;
            let astray = || Flaw::Handover(from.clone(), to.clone());
            let held = holders.remove(from).ok_or_else(astray)?;
            let key = held.key.ok_or_else(astray)?;
            if !names.insert(to) {
                return Err(astray());
            }
            public_key.check().map_err(|bad| Flaw::Key(to.clone(), bad))?;
            if !keys.insert(public_key) {
                return Err(Flaw::SharedKey(to.clone()));
            }
            let given = Delegation {
                from: from.clone(),
                to: to.clone(),
                public_key: Some(*public_key),
                issued_at: Timestamp::from_micros(*issued_at_us),
            };
            if !key.verifies(&given.message(binding), signature) {
                return Err(Flaw::HandoverSignature(from.clone()));
            }
            holders.insert(to, Holder { key: Some(public_key), ..held });
        }
        Ok(holders)
    }

    fn check_ballots(&self) -> Result<Checked, Flaw> {
        let binding = Binding {
            session_id: self.session_id.clone(),
            electorate_hash: self.electorate_hash,
            terms_hash: self.terms_hash,
        };
        let holders = self.holders(&binding)?;
        let mut sum = Checked { heads: 0, power: 0, in_place_of: BTreeMap::new() };
        for (at, ballot) in self.ballots.iter().enumerate() {
            let name = || ballot.voter_id.clone();
            if at > 0 && self.ballots[at - 1].voter_id >= ballot.voter_id {
                return Err(Flaw::Signer(name()));
            }
            let holder = holders.get(&ballot.voter_id);
            let Some((holder, key)) = holder.and_then(|holder| Some((holder, holder.key?))) else {
                return Err(Flaw::Stranger(name()));
            };
            if !ballot.ballot.picks(&self.pick) || ballot.score > WHOLE || ballot.confidence > WHOLE {
                return Err(Flaw::Dissent(name()));
            }
            if !ballot.vote(self.round).is_signed(&binding, key, &ballot.signature) {
                return Err(Flaw::Signature(name()));
            }
            sum.heads += 1;
            // All power there is fits, so a part of it does.
            sum.power += holder.power;
            if *holder.place != ballot.voter_id {
                sum.in_place_of.insert(name(), holder.place.clone());
            }
        }
        if !self.rule.is_reached(sum.heads, sum.power) {
            let (needed, whole) = (self.rule.heads, self.rule.power);
            return Err(Flaw::Quorum { heads: sum.heads, needed, power: sum.power, whole });
        }
        Ok(sum)
    }
}

/// Who votes in a place.
struct Holder<'a> {
    place: &'a VoterId,
    key: Option<&'a PublicKey>,
    power: u64,
}

type Holders<'a> = BTreeMap<&'a VoterId, Holder<'a>>;

/// Why there is no certificate of a session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Uncertifiable {
    /// It is not decided.
    #[error("the session has decided nothing. outcome={0}")]
    Undecided(&'static str),
    /// Without the voters that were proven to lie, there is no quorum.
    #[error(
        "the decision does not stand without voters that were proven to lie. proven={}, signed_without_them={signed}, \
         heads_needed={needed}", listed(.proven)
    )]
    Proven {
        /// The voters that are proven to lie.
        proven: Vec<VoterId>,
        /// Signed votes of others.
        signed: u32,
        /// Heads that are needed.
        needed: u32,
    },
    /// Without the votes that only this process saw, there is no quorum.
    #[error("too few of the votes behind the decision are signed. signed={signed}, heads_needed={needed}")]
    Unsigned {
        /// Signed ones.
        signed: u32,
        /// Heads that are needed.
        needed: u32,
    },
}

fn listed(voters: &[VoterId]) -> String {
    voters.iter().map(VoterId::as_str).collect::<Vec<_>>().join(", ")
}

/// The certificate of a session that has decided.
///
/// # Errors
/// [`Uncertifiable`].
pub fn certify(state: &Session, position: Place) -> Result<Certificate, Uncertifiable> {
    let undecided = || Uncertifiable::Undecided(state.outcome().map_or("open", Outcome::name));
    let opened: &Opened = state.opened.as_deref().ok_or_else(undecided)?;
    let closed = state.closed.as_deref().ok_or_else(undecided)?;
    let pick = closed.pick.clone().ok_or_else(undecided)?;
    let malicious = state.malicious();
    let mut ballots = Vec::new();
    let mut delegations = BTreeMap::new();
    let (mut heads, mut power) = (0, 0);
    // What was signed by voters proven to lie, as heads and power.
    let (mut proven, mut lies) = (Vec::new(), (0, 0));
    for (voter, standing) in state.votes.get(&closed.round).into_iter().flatten() {
        let supports = standing.vote.ballot.picks(&pick);
        let is_liar = supports && malicious.contains(voter);
        if is_liar {
            proven.push(voter.clone());
        }
        let counts =
            supports && standing.authenticity == Authenticity::Signature && !state.is_excluded(voter);
        let Some(signature) = standing.signature.filter(|_| counts) else { continue };
        // A place that went to this voter without a signature proves nothing to others, whatever was signed in it.
        let Some(handed) = handed(state, voter) else { continue };
        let Some(elector) = state.elector(voter) else { continue };
        if is_liar {
            lies = (lies.0 + 1, lies.1 + elector.power);
            continue;
        }
        (heads, power) = (heads + 1, power + elector.power);
        delegations.insert(state.place_of(voter), handed);
        let vote = &standing.vote;
        ballots.push(CertifiedBallot {
            voter_id: voter.clone(),
            seq: vote.seq,
            issued_at_us: vote.issued_at.as_micros(),
            ballot: vote.ballot.clone(),
            score: vote.score,
            confidence: vote.confidence,
            claimed_weight: vote.claimed_weight,
            reasoning_hash: vote.reasoning_hash,
            signature,
        });
    }
    if !opened.quorum.is_reached(heads, power) {
        let (signed, needed) = (heads, opened.quorum.heads);
        // Where it is the liars that are missing, more signatures would not help.
        return Err(
            match state.tainted.is_some() || opened.quorum.is_reached(heads + lies.0, power + lies.1) {
                true => Uncertifiable::Proven { proven, signed, needed },
                false => Uncertifiable::Unsigned { signed, needed },
            },
        );
    }
    let elector = |elector: &super::event::Elector| CertifiedElector {
        voter_id: elector.voter_id.clone(),
        public_key: elector.credential.public_key,
        power: elector.power,
        key_version: state.key_versions.get(&elector.voter_id).copied(),
    };
    Ok(Certificate {
        format: FORMAT.to_owned(),
        version: VERSION,
        session_id: opened.session_id.clone(),
        outcome: closed.outcome,
        pick,
        round: closed.round,
        rule: opened.quorum,
        terms: opened.terms.clone(),
        operation: state.mandate.as_deref().map(|mandate| CertifiedOperation {
            tool: mandate.tool.clone(),
            operation_hash: mandate.operation_hash,
            expires_at_us: mandate.expires_at.map(Timestamp::as_micros),
            uses: mandate.uses,
            fence: mandate.fence,
        }),
        weights: state.weighed.as_deref().cloned(),
        electorate: opened.electors.iter().map(elector).collect(),
        electorate_hash: opened.electorate_hash,
        terms_hash: opened.terms_hash,
        delegations: delegations.into_values().flatten().collect(),
        ballots,
        position,
    })
}

/// How a voter came to its place, if others can see that: none in its own, and no answer where a signature is missing.
fn handed(state: &Session, voter: &VoterId) -> Option<Vec<CertifiedDelegation>> {
    let certified = |one: &super::delegation::Delegated| {
        Some(CertifiedDelegation {
            from: one.from.clone(),
            to: one.to.voter_id.clone(),
            public_key: one.to.credential.public_key?,
            issued_at_us: one.issued_at.as_micros(),
            signature: one.signature?,
        })
    };
    state.handed(state.place_of(voter)).map(certified).collect()
}
