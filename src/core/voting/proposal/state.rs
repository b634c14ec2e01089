//! What a proposal knows: the fold of its events.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answer::AnswerSchema;
use super::command::{Call, Effect};
use super::event::{
    Algorithm, Closed, Decision, Delegated, Delivered, Event, Extended, Opened, Refusal, VoteCast,
    VoteRefused,
};
use crate::kernel::ids::VoterId;
use crate::kernel::time::{Timestamp, millis};
use crate::voting::mandate::{Decided, Mandate, Uses};
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
    /// The answer it brought, as JSON text.
    pub value: Option<String>,
    /// Who cast it, when the participant had handed its place on.
    pub by: Option<VoterId>,
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
    /// Standing votes by the participant in whose place they were cast.
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
    /// The latest extension of the time for votes.
    pub extended: Option<Box<Extended>>,
    /// How often it was extended.
    pub extensions: u32,
    /// The operation that the decision allows.
    pub mandate: Option<Box<Mandate>>,
    /// What was used of it.
    pub uses: Uses,
    /// What a vote for it must bring.
    pub answer: Option<Box<AnswerSchema>>,
    /// Who handed a place on.
    pub delegated: BTreeMap<VoterId, Delegated>,
    /// Who has the place of somebody else, and whose.
    pub places: BTreeMap<VoterId, VoterId>,
    /// How often those whose votes are outstanding are told again, in milliseconds.
    pub remind_every_ms: Option<u64>,
    /// How often voters were told again, and when last; of whoever took a place, since when it has it.
    pub told: BTreeMap<VoterId, (u32, Timestamp)>,
    /// Who is still to be told again, or of the place it has.
    pub to_tell: BTreeSet<VoterId>,
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

    /// How far it is decided, as its mandate sees it.
    pub fn decided(&self) -> Decided {
        match self.decision() {
            None => Decided::No,
            Some(Decision::Approved) => Decided::For,
            Some(decision) => Decided::Otherwise(decision.name()),
        }
    }

    /// The last instant at which a vote is on time, after all extensions.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.extended.as_ref().map(|extended| extended.deadline).or(self.opened.as_ref().map(|o| o.deadline))
    }

    /// The participant in whose place this agent votes: itself, or whoever handed its place on to it; none when it has
    /// none.
    pub fn place_of<'a>(&'a self, agent: &VoterId) -> Option<&'a VoterId> {
        if self.delegated.contains_key(agent) {
            return None;
        }
        let participants = &self.opened.as_ref()?.participants;
        let own = || participants.binary_search(agent).ok().and_then(|index| participants.get(index));
        self.places.get(agent).or_else(own)
    }

    /// Who votes in the place of this participant.
    pub fn holder_of<'a>(&'a self, place: &'a VoterId) -> &'a VoterId {
        let mut holder = place;
        // Nobody hands on twice, so there are no more steps than that.
        for _ in 0..self.delegated.len() {
            match self.delegated.get(holder) {
                Some(delegated) => holder = &delegated.to,
                None => break,
            }
        }
        holder
    }

    /// The vote of this agent that stands.
    pub fn vote_of(&self, agent: &VoterId) -> Option<&Standee> {
        self.votes.get(self.place_of(agent)?)
    }

    /// The agents that voted, in the order of their first votes.
    pub fn voters_in_order(&self) -> Vec<&VoterId> {
        let head = |place| self.votes.get(place).and_then(|vote| vote.by.as_ref()).unwrap_or(place);
        self.places_in_order().into_iter().map(head).collect()
    }

    fn places_in_order(&self) -> Vec<&VoterId> {
        let mut places: Vec<_> = self.votes.iter().collect();
        places.sort_by_key(|(_, vote)| vote.order);
        places.into_iter().map(|(id, _)| id).collect()
    }

    /// Heads for, against, abstaining.
    pub fn heads(&self) -> [u32; 3] {
        Choice::ALL.map(|choice| self.count.heads(choice))
    }

    /// Where the question stands by its rule; pending for a custom one.
    pub fn outcome(&self) -> Outcome {
        self.outcome_of(&self.count, None, &BTreeSet::new())
    }

    /// The same for a count in which there is a vote in this place too, when these outstanding agents will stay silent.
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
        let is_silent = |i: &usize| silent.contains(self.holder_of(&agents[*i]));
        if silent.is_empty() {
            return formula.outcome(count, || (0..agents.len()).filter(is_open).collect());
        }
        let mut count = count.clone();
        for index in (0..agents.len()).filter(|i| is_open(i) && is_silent(i)) {
            count.silence(formula, index);
        }
        formula.outcome(&count, || (0..agents.len()).filter(|i| is_open(i) && !is_silent(i)).collect())
    }

    /// The count after one more vote in the place of this participant, perhaps instead of an earlier one.
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

    /// The votes by participant in the order in which they came, this one among them: what a custom rule is asked about. A
    /// changed vote keeps the position of the first.
    pub(super) fn ballots(&self, with: Option<(&VoterId, Choice)>) -> Vec<(VoterId, Choice)> {
        let mut ballots: Vec<_> =
            self.places_in_order().into_iter().map(|id| (id.clone(), self.votes[id].vote)).collect();
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
        self.closed.is_none() && self.place_of(agent).is_some_and(|place| !self.votes.contains_key(place))
    }

    /// The agents whose votes are, by name.
    pub fn outstanding(&self) -> Vec<&VoterId> {
        let asked = self.opened.iter().flat_map(|opened| &opened.participants);
        let open = asked.filter(|place| self.closed.is_none() && !self.votes.contains_key(*place));
        let mut outstanding: Vec<&VoterId> = open.map(|place| self.holder_of(place)).collect();
        if !self.delegated.is_empty() {
            outstanding.sort();
        }
        outstanding
    }

    /// When this outstanding voter is told again by the question's own timer.
    pub(super) fn reminder_of(&self, voter: &VoterId) -> Option<Timestamp> {
        let every = Duration::from_millis(self.remind_every_ms?);
        let last =
            self.told.get(voter).map(|(_, last)| *last).or(self.opened.as_ref().map(|o| o.opened_at))?;
        Some(last.plus(every))
    }

    /// When the first of the outstanding voters is told again by the question's own timer.
    pub(super) fn next_reminder(&self) -> Option<Timestamp> {
        self.remind_every_ms?;
        self.outstanding().into_iter().filter_map(|voter| self.reminder_of(voter)).min()
    }

    /// Telling those who are still to be told again, or of the place they have.
    pub(super) fn tell(&self) -> Option<Effect> {
        let participants: Vec<VoterId> =
            self.to_tell.iter().filter(|voter| self.awaits(voter)).cloned().collect();
        if participants.is_empty() {
            return None;
        }
        Some(Effect::Tell(Box::new(Call { participants, ..self.call()? })))
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
        let opened = self.opened.as_ref()?;
        let call = call(opened, self.deadline().unwrap_or(opened.deadline), self.answer.clone());
        let participants = opened.participants.iter().map(|place| self.holder_of(place).clone()).collect();
        let reminded = self.told.iter().filter(|(_, (count, _))| *count > 0);
        let reminded = reminded.map(|(voter, (count, _))| (voter.clone(), *count)).collect();
        Some(Call { participants, reminded, ..call })
    }

    pub(super) fn due(&self) -> Option<Timestamp> {
        let deadline = self.deadline().filter(|_| self.closed.is_none())?;
        match (self.outcome(), &self.last_vote) {
            (Outcome::Won | Outcome::Lost, Some((at, _))) => Some(*at),
            // No instant is later than the last one, so a deadline that lies there never passes.
            (Outcome::Pending, _) | (_, None) => {
                let end = (deadline < Timestamp::MAX).then(|| deadline.next());
                let reminder = self.next_reminder().filter(|due| *due <= deadline);
                reminder.or(end)
            }
        }
    }

    pub(super) fn owed(&self) -> Vec<Effect> {
        let call = self.awaits_broadcast().then(|| self.call()).flatten();
        call.map(|call| Effect::Broadcast(Box::new(call))).into_iter().chain(self.tell()).collect()
    }

    /// Is anything owed to those who are asked?
    pub(super) fn owes(&self) -> bool {
        self.awaits_broadcast() || (self.closed.is_none() && !self.to_tell.is_empty())
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
            Event::VoteCast(cast) => self.record(cast, None, None),
            Event::VoteCastWithReason(reasoned) => {
                self.record(&reasoned.cast, Some(reasoned.reason.clone()), None);
            }
            Event::VoteCastWithValue(valued) => {
                self.record(&valued.cast, valued.reason.clone(), Some(valued.value.clone()));
            }
            Event::VoteRefused(refused) => self.refuse(refused, &[]),
            Event::VoteRefusedWithReason(reasoned) => {
                self.refuse(&reasoned.refused, &[&reasoned.metadata, &reasoned.reason]);
            }
            Event::VoteRefusedWithValue(valued) => {
                let value = Some(valued.value.clone());
                self.refuse(&valued.refused, &with_value(&valued.metadata, &valued.reason, &value));
            }
            Event::AbsenceChanged { voter_id, absent: true, .. } => {
                self.absent.insert(voter_id.clone());
            }
            Event::AbsenceChanged { voter_id, absent: false, .. } => {
                self.absent.remove(voter_id);
            }
            Event::Closed(closed) => self.closed = Some(closed.clone().upcast()),
            Event::Extended(extended) => {
                self.extensions = self.extensions.saturating_add(1);
                self.extended = Some(extended.clone());
            }
            // Looked up in the journal when the key comes again; no decision needs it.
            Event::Keyed(_) => {}
            Event::Mandated(mandate) => self.mandate = Some(mandate.clone()),
            Event::Spent(spent) => self.uses.spend(spent),
            Event::Redeemed(redeemed) => self.uses.redeem(redeemed),
            Event::AnswerAsked(answer) => self.answer = Some(answer.clone()),
            Event::RemindersAsked { every_ms } => self.remind_every_ms = Some(*every_ms),
            Event::Delegated(delegated) => self.hand_on(delegated),
            Event::Reminded(reminded) => {
                for voter in &reminded.voter_ids {
                    let (count, last) = self.told.entry(voter.clone()).or_insert((0, reminded.at));
                    (*count, *last) = (count.saturating_add(1), reminded.at);
                    self.to_tell.insert(voter.clone());
                }
            }
            Event::Told(told) => {
                self.to_tell.retain(|voter| !told.voter_ids.contains(voter));
                self.handed.extend(told.taken.iter().cloned());
            }
        }
    }

    fn hand_on(&mut self, delegated: &Delegated) {
        let Delegated { from, to, place, absent, reason: _, at } = delegated;
        self.delegated.insert(from.clone(), delegated.clone());
        self.places.remove(from);
        self.places.insert(to.clone(), place.clone());
        self.absent.remove(from);
        if *absent {
            self.absent.insert(to.clone());
        }
        self.told.insert(to.clone(), (0, *at));
        self.to_tell.remove(from);
        self.to_tell.insert(to.clone());
    }

    fn refuse(&mut self, refused: &VoteRefused, with: &[&Option<String>]) {
        if self.refused.len() < MAX_REMEMBERED_REFUSALS {
            let (voter, digest) = (refused.voter_id.clone(), digest_of(with));
            self.refused.insert((voter, refused.vote, refused.refusal, digest));
        }
    }

    fn record(&mut self, cast: &VoteCast, reason: Option<String>, value: Option<String>) {
        let place = self.place_of(&cast.voter_id).unwrap_or(&cast.voter_id).clone();
        self.count = self.count_with(&place, cast.vote);
        let previous = self.votes.get(&place);
        let order = previous.map_or(self.votes.len() as u32, |p| p.order);
        let vote = Standee {
            vote: cast.vote,
            weight: cast.weight,
            metadata: cast.metadata.clone(),
            reason,
            cast_at: cast.cast_at,
            order,
            value,
            by: (place != cast.voter_id).then(|| cast.voter_id.clone()),
        };
        self.votes.insert(place, vote);
        self.absent.remove(&cast.voter_id);
        self.to_tell.remove(&cast.voter_id);
        self.last_vote = Some((cast.cast_at, cast.voter_id.clone()));
    }
}

/// Telling the participants.
pub(super) fn broadcast(opened: &Opened, answer: Option<Box<AnswerSchema>>) -> Effect {
    Effect::Broadcast(Box::new(call(opened, opened.deadline, answer)))
}

/// What came with a vote, by which an attempt is known; one without an answer as before there were any.
pub(super) fn with_value<'a>(
    metadata: &'a Option<String>,
    reason: &'a Option<String>,
    value: &'a Option<String>,
) -> Vec<&'a Option<String>> {
    let value = Some(value).filter(|value| value.is_some());
    [metadata, reason].into_iter().chain(value).collect()
}

fn call(opened: &Opened, deadline: Timestamp, answer: Option<Box<AnswerSchema>>) -> Call {
    Call {
        proposal: opened.proposal.clone(),
        algorithm: opened.algorithm.clone(),
        timeout_ms: millis(deadline.since(opened.opened_at)),
        participants: opened.participants.clone(),
        answer,
        reminded: BTreeMap::new(),
    }
}
