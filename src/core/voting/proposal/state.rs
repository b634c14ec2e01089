//! What a proposal knows: the fold of its events.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::command::{Call, Effect};
use super::event::{Algorithm, Closed, Decision, Delivered, Event, Opened, Refusal, VoteCast, VoteRefused};
use crate::kernel::ids::VoterId;
use crate::kernel::time::{Timestamp, millis};
use crate::voting::quorum::state::digest_of;
use crate::voting::rules::{Choice, Count, Formula, Outcome};

/// Refused attempts remembered so that an identical one is not recorded twice.
const MAX_REMEMBERED_REFUSALS: usize = 1024;

/// The vote of one agent that stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standee {
    /// How it voted.
    pub vote: Choice,
    /// The weight it claimed.
    pub weight: Option<f64>,
    /// What it added, as JSON text.
    pub metadata: Option<String>,
    /// Why it voted so, in its own words.
    pub reason: Option<String>,
    /// When the vote was received.
    pub cast_at: Timestamp,
    /// Order of the agent's first vote among all.
    pub order: u32,
}

/// State of one proposal. Empty before it is opened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The question as it was put.
    pub opened: Option<Box<Opened>>,
    /// What came of telling the agents; none while they are still to be told.
    pub broadcast: Option<Delivered>,
    /// Participants that took the question from an inbox.
    pub handed: BTreeSet<VoterId>,
    /// Standing votes by agent.
    pub votes: BTreeMap<VoterId, Standee>,
    /// The votes as the formula counts them; heads alone for a custom rule.
    pub count: Count,
    /// When the last vote came in, and whose it was.
    pub last_vote: Option<(Timestamp, VoterId)>,
    /// Participants that failed and may not come back.
    pub absent: BTreeSet<VoterId>,
    /// Refused attempts on record, with the digest of what came with them.
    pub refused: BTreeSet<(VoterId, Choice, Refusal, u64)>,
    /// How it ended.
    pub closed: Option<Closed>,
}

/// Counts heads and decides nothing: what the votes of a custom rule are counted with.
fn heads_only() -> Formula {
    Formula::required(0)
}

impl Proposal {
    /// How the question ended, or `None` while it is open or before it is put.
    pub fn decision(&self) -> Option<Decision> {
        self.closed.as_ref().map(|closed| closed.decision)
    }

    /// The agents that voted, in the order of their first votes.
    pub fn voters_in_order(&self) -> Vec<&VoterId> {
        let mut voters: Vec<_> = self.votes.iter().collect();
        voters.sort_by_key(|(_, vote)| vote.order);
        voters.into_iter().map(|(id, _)| id).collect()
    }

    /// Heads for, against, abstaining.
    pub fn heads(&self) -> [u32; 3] {
        Choice::ALL.map(|choice| self.count.heads(choice))
    }

    /// Where the question stands by its rule; pending for a custom one.
    pub fn outcome(&self) -> Outcome {
        self.outcome_of(&self.count, None, &BTreeSet::new())
    }

    /// The same for a count in which this agent has voted too, when these outstanding agents will stay silent.
    pub(super) fn outcome_of(
        &self,
        count: &Count,
        voted: Option<&VoterId>,
        silent: &BTreeSet<VoterId>,
    ) -> Outcome {
        let Some(opened) = &self.opened else { return Outcome::Pending };
        let Algorithm::Rule { formula, .. } = &opened.decider else { return Outcome::Pending };
        let agents = &opened.participants;
        let is_open = |i: &usize| !self.votes.contains_key(&agents[*i]) && Some(&agents[*i]) != voted;
        let is_silent = |i: &usize| silent.contains(&agents[*i]);
        if silent.is_empty() {
            return formula.outcome(count, || (0..agents.len()).filter(is_open).collect());
        }
        let mut count = count.clone();
        for index in (0..agents.len()).filter(|i| is_open(i) && is_silent(i)) {
            count.silence(formula, index);
        }
        formula.outcome(&count, || (0..agents.len()).filter(|i| is_open(i) && !is_silent(i)).collect())
    }

    /// The count after one more vote, which may take the place of an earlier one.
    pub(super) fn count_with(&self, voter: &VoterId, vote: Choice) -> Count {
        let mut count = self.count.clone();
        let Some(opened) = &self.opened else { return count };
        let Ok(index) = opened.participants.binary_search(voter) else { return count };
        let heads;
        let formula = match &opened.decider {
            Algorithm::Rule { formula, .. } => formula,
            Algorithm::Custom => {
                heads = heads_only();
                &heads
            }
        };
        if let Some(previous) = self.votes.get(voter) {
            count.remove(formula, index, previous.vote);
        }
        count.add(formula, index, vote);
        count
    }

    /// The votes in the order in which they came, this one among them: what a custom rule is asked about. A changed
    /// vote keeps the place of the first.
    pub(super) fn ballots(&self, with: Option<(&VoterId, Choice)>) -> Vec<(VoterId, Choice)> {
        let mut ballots: Vec<_> =
            self.voters_in_order().into_iter().map(|id| (id.clone(), self.votes[id].vote)).collect();
        if let Some((voter, vote)) = with {
            match ballots.iter_mut().find(|(id, _)| id == voter) {
                Some(ballot) => ballot.1 = vote,
                None => ballots.push((voter.clone(), vote)),
            }
        }
        ballots
    }

    /// How much those who chose so weigh together, in millionths.
    pub fn weight(&self, choice: Choice) -> u128 {
        let Some(opened) = &self.opened else { return 0 };
        let cast = self.votes.iter().filter(|(_, vote)| vote.vote == choice);
        let weight =
            |agent| opened.participants.binary_search(agent).ok().and_then(|i| opened.weights.get(i));
        cast.filter_map(|(agent, _)| weight(agent)).map(|weight| u128::from(*weight)).sum()
    }

    /// Is the vote of this agent outstanding?
    pub fn awaits(&self, agent: &VoterId) -> bool {
        self.closed.is_none()
            && !self.votes.contains_key(agent)
            && self.opened.as_ref().is_some_and(|opened| opened.participants.binary_search(agent).is_ok())
    }

    /// How many participants the question reached: those that took it from an inbox, or as the coordinator says.
    pub fn reached(&self) -> u64 {
        let told = self.broadcast.as_ref().map_or(0, |told| u64::from(told.reached));
        told.max(self.handed.len() as u64)
    }

    /// Participants that were to be told and did not get the question so far.
    pub fn unreached(&self) -> Vec<VoterId> {
        let unreached = self.broadcast.iter().flat_map(|told| &told.unreached);
        unreached.filter(|agent| !self.handed.contains(*agent)).cloned().collect()
    }

    /// What an agent is told of the question.
    pub fn call(&self) -> Option<Call> {
        self.opened.as_ref().map(|opened| call(opened))
    }

    pub(super) fn due(&self) -> Option<Timestamp> {
        let opened = self.opened.as_ref().filter(|_| self.closed.is_none())?;
        match (self.outcome(), &self.last_vote) {
            (Outcome::Won | Outcome::Lost, Some((at, _))) => Some(*at),
            // No instant is later than the last one, so a deadline that lies there never passes.
            (Outcome::Pending, _) | (_, None) => {
                (opened.deadline < Timestamp::MAX).then(|| opened.deadline.next())
            }
        }
    }

    pub(super) fn owed(&self) -> Vec<Effect> {
        self.opened.iter().filter(|_| self.awaits_broadcast()).map(|opened| broadcast(opened)).collect()
    }

    /// Are the agents still to be told?
    pub(super) fn awaits_broadcast(&self) -> bool {
        self.opened.is_some() && self.closed.is_none() && self.broadcast.is_none()
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Opened(opened) => {
                let voters = u32::try_from(opened.participants.len()).ok();
                self.count = match &opened.decider {
                    Algorithm::Rule { formula, .. } => Count::new(formula, voters),
                    Algorithm::Custom => Count::new(&heads_only(), voters),
                };
                self.absent = opened.absent.iter().cloned().collect();
                self.opened = Some(opened.clone());
            }
            Event::Broadcast(delivered) => self.broadcast = Some(delivered.clone()),
            Event::Handed { voter_ids, at: _ } => self.handed.extend(voter_ids.iter().cloned()),
            Event::VoteCast(cast) => self.record(cast, None),
            Event::VoteCastWithReason(reasoned) => {
                self.record(&reasoned.cast, Some(reasoned.reason.clone()));
            }
            Event::VoteRefused(refused) => self.refuse(refused, &[]),
            Event::VoteRefusedWithReason(reasoned) => {
                self.refuse(&reasoned.refused, &[&reasoned.metadata, &reasoned.reason]);
            }
            Event::AbsenceChanged { voter_id, absent: true, .. } => {
                self.absent.insert(voter_id.clone());
            }
            Event::AbsenceChanged { voter_id, absent: false, .. } => {
                self.absent.remove(voter_id);
            }
            Event::Closed(closed) => self.closed = Some(closed.clone().upcast()),
            // Looked up in the journal when the key comes again; no decision needs it.
            Event::Keyed(_) => {}
        }
    }

    fn refuse(&mut self, refused: &VoteRefused, with: &[&Option<String>]) {
        if self.refused.len() < MAX_REMEMBERED_REFUSALS {
            let (voter, digest) = (refused.voter_id.clone(), digest_of(with));
            self.refused.insert((voter, refused.vote, refused.refusal, digest));
        }
    }

    fn record(&mut self, cast: &VoteCast, reason: Option<String>) {
        self.count = self.count_with(&cast.voter_id, cast.vote);
        let previous = self.votes.get(&cast.voter_id);
        let order = previous.map_or(self.votes.len() as u32, |p| p.order);
        let vote = Standee {
            vote: cast.vote,
            weight: cast.weight,
            metadata: cast.metadata.clone(),
            reason,
            cast_at: cast.cast_at,
            order,
        };
        self.votes.insert(cast.voter_id.clone(), vote);
        self.absent.remove(&cast.voter_id);
        self.last_vote = Some((cast.cast_at, cast.voter_id.clone()));
    }
}

/// Telling the participants.
pub(super) fn broadcast(opened: &Opened) -> Effect {
    Effect::Broadcast(Box::new(call(opened)))
}

fn call(opened: &Opened) -> Call {
    Call {
        proposal: opened.proposal.clone(),
        algorithm: opened.algorithm.clone(),
        timeout_ms: millis(opened.deadline.since(opened.opened_at)),
        participants: opened.participants.clone(),
    }
}
