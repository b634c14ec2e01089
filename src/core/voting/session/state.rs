//! What a session knows: the fold of its events.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::beside::{GateEvaluated, Gated, RemedyTriggered, Weighed};
use super::command::Effect;
use super::delegation::Delegated;
use super::event::{
    Closed, Elector, Event, Evidence, Exclusion, Opened, Outcome, Promised, Received, Refusal, Rejected,
};
use super::tally::{After, Tally};
use super::truth::TruthTold;
use super::vote::Binding;
use crate::kernel::ids::VoterId;
use crate::kernel::time::{Timestamp, micros};
use crate::voting::extension::Extended;
use crate::voting::gates::Remedy;
use crate::voting::mandate::{Decided, Mandate, Uses};
use crate::voting::voter::state::OFFLINE_AFTER;
use crate::voting::voter::{Mark, Report};

/// A vote that stands, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Its place in the session's log.
    pub seq: u64,
    /// It.
    pub received: Received,
}

impl std::ops::Deref for Standing {
    type Target = Received;
    fn deref(&self) -> &Received {
        &self.received
    }
}

/// Attempts refused within one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Burst {
    /// Which second.
    pub second: i64,
    /// How many are on record.
    pub count: u32,
}

/// State of one session. Empty before it is opened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// As it was opened.
    pub opened: Option<Box<Opened>>,
    /// Events so far.
    pub seq: u64,
    /// The round that is open, from 1.
    pub round: u32,
    /// Since when.
    pub round_since: Timestamp,
    /// Promises are taken, and no votes.
    pub sealed: bool,
    /// Promises by voter.
    pub commits: BTreeMap<VoterId, Promised>,
    /// The votes that stand, by round and voter.
    pub votes: BTreeMap<u32, BTreeMap<VoterId, Standing>>,
    /// The votes that stood and do so no more, by voter and the voter's own number.
    pub superseded: BTreeMap<VoterId, BTreeMap<u64, Standing>>,
    /// Voters that contribute nothing.
    pub excluded: BTreeMap<VoterId, Exclusion>,
    /// Proven faults, at most one of a voter and round.
    pub evidence: Vec<Evidence>,
    /// Refused attempts on record by voter (none for those not in the electorate) and reason.
    pub refused: BTreeMap<(Option<VoterId>, Refusal), Burst>,
    /// Refused attempts on record.
    pub rejections: u64,
    /// What the voters are still to be told.
    pub outbox: BTreeMap<u64, Report>,
    /// Reports so far.
    pub reported: u64,
    /// There is something among them that cannot wait until the end.
    pub urgent: bool,
    /// Silent voters were looked for.
    pub silence_noted: bool,
    /// How it ended.
    pub closed: Option<Box<Closed>>,
    /// The place of that in the log.
    pub closed_seq: Option<u64>,
    /// The decision does not stand without these.
    pub tainted: Option<Vec<VoterId>>,
    /// The operation that the decision allows.
    pub mandate: Option<Box<Mandate>>,
    /// What was used of it.
    pub uses: Uses,
    /// Where the powers come from, when they were learned.
    pub weighed: Option<Box<Weighed>>,
    /// The versions of the keys that took the place of others.
    pub key_versions: BTreeMap<VoterId, u32>,
    /// What had been right.
    pub truth: Option<Box<TruthTold>>,
    /// Which gates look at the decision.
    pub gated: Option<Box<Gated>>,
    /// Until when votes are taken, where that was extended.
    pub extended: Option<Timestamp>,
    /// What the gates found.
    pub gate: Option<Box<GateEvaluated>>,
    /// What was done about it, by key, and what became of it.
    pub remedies: BTreeMap<String, Option<String>>,
    /// The session is to be opened anew under this key.
    pub to_reopen: Option<String>,
    /// The last time that somebody asked for more time.
    pub extension: Option<Box<Extended>>,
    /// Places that were handed on, by who gave them away.
    pub delegated: BTreeMap<VoterId, Delegated>,
    /// Whose place it is, by who has it now instead.
    pub substitutes: BTreeMap<VoterId, VoterId>,
    /// How often those whose votes are outstanding are told again, in milliseconds.
    pub remind_every_ms: Option<u64>,
    /// How often voters were told again, and when last; a place that was handed on begins with none.
    pub reminded: BTreeMap<VoterId, (u32, Timestamp)>,
}

impl Session {
    /// How it ended, or `None` while it is open or before it is opened.
    pub fn outcome(&self) -> Option<Outcome> {
        self.closed.as_ref().map(|closed| closed.outcome)
    }

    /// How far it is decided, as its mandate sees it.
    pub fn decided(&self) -> Decided {
        match (self.outcome(), &self.tainted) {
            (None, _) => Decided::No,
            (Some(Outcome::Decided), None) => Decided::For,
            (Some(Outcome::Decided), Some(_)) => Decided::Tainted,
            (Some(outcome), _) => Decided::Otherwise(outcome.name()),
        }
    }

    /// A voter that has a place, and how much it counts in it.
    pub fn elector(&self, voter: &VoterId) -> Option<&Elector> {
        if self.delegated.contains_key(voter) {
            return None;
        }
        if let Some(place) = self.substitutes.get(voter) {
            return self.handed(place).last().map(|one| &one.to);
        }
        self.frozen(voter)
    }

    /// A voter of the electorate as it was frozen.
    pub fn frozen(&self, voter: &VoterId) -> Option<&Elector> {
        let electors = &self.opened.as_ref()?.electors;
        let at = electors.binary_search_by(|elector| elector.voter_id.cmp(voter)).ok()?;
        electors.get(at)
    }

    /// How this place went from one voter to the next.
    pub fn handed(&self, place: &VoterId) -> impl Iterator<Item = &Delegated> {
        let first = self.delegated.get(place);
        std::iter::successors(first, |before| self.delegated.get(&before.to.voter_id))
    }

    /// Whose place a voter votes in: its own, if nobody handed one to it.
    pub fn place_of<'a>(&'a self, voter: &'a VoterId) -> &'a VoterId {
        self.substitutes.get(voter).unwrap_or(voter)
    }

    /// Who has the place now that this voter had.
    pub fn holder_of<'a>(&'a self, voter: &'a VoterId) -> &'a VoterId {
        self.handed(voter).last().map_or(voter, |one| &one.to.voter_id)
    }

    /// Every place of the electorate, with who votes in it.
    pub fn places<'a>(&'a self, opened: &'a Opened) -> impl Iterator<Item = (&'a VoterId, &'a Elector)> {
        opened.electors.iter().map(move |elector| {
            let holder = self.handed(&elector.voter_id).last().map(|one| &one.to);
            (&elector.voter_id, holder.unwrap_or(elector))
        })
    }

    /// Does this voter contribute nothing? Nor does one to whom a voter handed its place that does not: its choice of who votes
    /// would count else.
    pub fn is_excluded(&self, voter: &VoterId) -> bool {
        self.excluded.contains_key(voter)
            || self
                .substitutes
                .get(voter)
                .is_some_and(|place| self.handed(place).any(|one| self.excluded.contains_key(&one.from)))
    }

    /// Did this voter vote, or promise a vote, in any round?
    pub(super) fn has_spoken(&self, voter: &VoterId) -> bool {
        self.commits.contains_key(voter) || self.votes.values().any(|votes| votes.contains_key(voter))
    }

    /// The last instant at which a vote is on time.
    pub fn deadline(&self, opened: &Opened) -> Timestamp {
        self.extended.unwrap_or(opened.deadline)
    }

    /// When this outstanding voter is told again by the session's own timer.
    pub(super) fn reminder_of(&self, opened: &Opened, voter: &VoterId) -> Option<Timestamp> {
        let every = Duration::from_millis(self.remind_every_ms?);
        let last = self.reminded.get(voter).map_or(opened.opened_at, |(_, last)| *last);
        Some(last.plus(every))
    }

    /// When the first of the outstanding voters is.
    pub(super) fn next_reminder(&self, opened: &Opened) -> Option<Timestamp> {
        self.remind_every_ms?;
        self.outstanding().iter().filter_map(|voter| self.reminder_of(opened, voter)).min()
    }

    /// What votes are bound to.
    pub fn binding(&self) -> Option<Binding> {
        self.opened.as_ref().map(|opened| opened.binding())
    }

    /// The vote of a voter that stands in a round.
    pub fn vote_of(&self, round: u32, voter: &VoterId) -> Option<&Standing> {
        self.votes.get(&round)?.get(voter)
    }

    /// The vote of a voter that bears this number of its own, whether it still stands or not.
    pub fn numbered(&self, voter: &VoterId, seq: u64) -> Option<&Standing> {
        let standing = self.votes.values().filter_map(|votes| votes.get(voter));
        let before = self.superseded.get(voter).and_then(|votes| votes.get(&seq));
        standing.into_iter().find(|vote| vote.vote.seq == seq).or(before)
    }

    /// The number after all that a voter used.
    pub fn next_number(&self, voter: &VoterId) -> u64 {
        let standing = self.votes.values().filter_map(|votes| votes.get(voter)).map(|vote| vote.vote.seq);
        standing.max().unwrap_or(0).saturating_add(1)
    }

    /// Can this voter still vote, or did it promise nothing while promises were taken?
    pub(super) fn may_reveal(&self, opened: &Opened, voter: &VoterId) -> bool {
        !opened.terms.commit_reveal || self.sealed || self.commits.contains_key(voter)
    }

    /// Voters whose fault was proven in this session.
    pub fn malicious(&self) -> Vec<VoterId> {
        let mut voters: Vec<VoterId> =
            self.evidence.iter().map(|evidence| evidence.first.vote.voter_id.clone()).collect();
        voters.sort();
        voters.dedup();
        voters
    }

    /// Does this voter owe a vote?
    pub fn awaits(&self, voter: &VoterId) -> bool {
        self.closed.is_none()
            && self.elector(voter).is_some()
            && !self.is_excluded(voter)
            && match self.sealed {
                true => !self.commits.contains_key(voter),
                false => {
                    self.vote_of(self.round, voter).is_none()
                        && self.opened.as_ref().is_some_and(|opened| self.may_reveal(opened, voter))
                }
            }
    }

    /// The voters that do.
    pub fn outstanding(&self) -> Vec<VoterId> {
        let holders = self.opened.iter().flat_map(|opened| self.places(opened)).map(|(_, holder)| holder);
        let awaited = holders.map(|holder| &holder.voter_id).filter(|voter| self.awaits(voter));
        let mut outstanding: Vec<VoterId> = awaited.cloned().collect();
        if !self.substitutes.is_empty() {
            outstanding.sort();
        }
        outstanding
    }

    /// When the round ends by itself; never for the last one, which ends with the session.
    pub(super) fn round_ends(&self, opened: &Opened) -> Option<Timestamp> {
        let round = opened.round_us.filter(|_| self.round < opened.terms.rounds)?;
        Some(self.round_since.plus(Duration::from_micros(round)))
    }

    pub(super) fn due(&self) -> Option<Timestamp> {
        let opened = self.opened.as_deref().filter(|_| self.closed.is_none())?;
        // A log may end between the deciding vote and its close.
        if super::decide::standing_end(self, opened, &Tally::count(self, opened, After::Now)).is_some() {
            return Some(self.round_since);
        }
        let silence = opened.opened_at.plus(OFFLINE_AFTER);
        let deadline = self.deadline(opened);
        let instants = [
            (deadline < Timestamp::MAX).then(|| deadline.next()),
            self.next_reminder(opened).filter(|due| *due <= deadline),
            opened.commits_until.filter(|_| self.sealed).map(Timestamp::next),
            self.round_ends(opened).map(Timestamp::next),
            Some(silence).filter(|_| !self.silence_noted),
        ];
        instants.into_iter().flatten().min()
    }

    fn owes_word(&self) -> bool {
        !self.outbox.is_empty() && (self.urgent || self.closed.is_some())
    }

    pub(super) fn owes(&self) -> bool {
        self.owes_word() || self.to_reopen.is_some()
    }

    pub(super) fn owed(&self) -> Vec<Effect> {
        let word = self.owes_word().then(|| Effect::Tell(self.outbox.values().cloned().collect()));
        let anew = self.to_reopen.clone().map(|key| Effect::Reopen { key });
        word.into_iter().chain(anew).collect()
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        self.seq += 1;
        for (voter_id, mark, at) in marks(event) {
            self.reported += 1;
            self.urgent |= is_urgent(&mark);
            let report = Report { number: self.reported, voter_id, mark, at };
            self.outbox.insert(self.reported, report);
        }
        match event {
            Event::Opened(opened) => {
                (self.round, self.round_since) = (1, opened.opened_at);
                self.sealed = opened.terms.commit_reveal;
                self.opened = Some(opened.clone());
            }
            Event::VoteReceived(received) => self.receive(received),
            Event::CommitReceived(promised) => {
                self.commits.insert(promised.voter_id.clone(), promised.as_ref().clone());
            }
            Event::VoteRejected(rejected) => self.refuse(rejected),
            Event::EvidenceRecorded(evidence) => self.evidence.push(evidence.as_ref().clone()),
            Event::VoterExcluded { voter_id, reason, at: _ } => {
                self.excluded.insert(voter_id.clone(), *reason);
            }
            Event::CommitsClosed { commits: _, at } => (self.sealed, self.round_since) = (false, *at),
            Event::RoundClosed { round, votes: _, at } => {
                (self.round, self.round_since) = (round + 1, *at);
            }
            Event::Closed(closed) => {
                self.closed = Some(closed.clone());
                self.closed_seq = Some(self.seq);
            }
            Event::DecisionTainted { voters, at: _ } => self.tainted = Some(voters.clone()),
            Event::SilenceNoted { .. } => self.silence_noted = true,
            Event::Told { upto, at: _ } => {
                self.outbox = self.outbox.split_off(&(upto + 1));
                self.urgent = self.outbox.values().any(|report| is_urgent(&report.mark));
            }
            // Looked up in the journal when the key comes again; no decision needs it.
            Event::Keyed(_) => {}
            Event::Mandated(mandate) => self.mandate = Some(mandate.clone()),
            Event::Spent(spent) => self.uses.spend(spent),
            Event::Redeemed(redeemed) => self.uses.redeem(redeemed),
            Event::OldEvidenceRecorded(evidence) => self.evidence.push(evidence.as_ref().clone()),
            Event::Weighed(weighed) => self.weighed = Some(weighed.clone()),
            Event::KeysNamed(keys) => self.key_versions = keys.clone(),
            Event::TruthTold(told) => self.truth = Some(told.clone()),
            Event::GatesSet(gated) => self.gated = Some(gated.clone()),
            Event::DeadlineExtended { deadline, at: _ } => self.extended = Some(*deadline),
            Event::GateEvaluated(evaluated) => self.gate = Some(evaluated.clone()),
            Event::RemedyTriggered(triggered) => self.remedy(triggered),
            Event::RemedyEnded(ended) => {
                self.remedies.insert(ended.key.clone(), Some(ended.outcome.clone()));
                self.to_reopen = self.to_reopen.take().filter(|key| *key != ended.key);
            }
            Event::Extended(extended) => {
                self.extended = Some(extended.deadline);
                self.extension = Some(extended.clone());
            }
            Event::Delegated(delegated) => self.hand_on(delegated),
            Event::RemindersAsked { every_ms } => self.remind_every_ms = Some(*every_ms),
            Event::Reminded(reminded) => {
                for voter in &reminded.voter_ids {
                    let (count, last) = self.reminded.entry(voter.clone()).or_insert((0, reminded.at));
                    (*count, *last) = (count.saturating_add(1), reminded.at);
                }
            }
        }
    }

    fn hand_on(&mut self, delegated: &Delegated) {
        let (from, to) = (&delegated.from, &delegated.to.voter_id);
        self.substitutes.remove(from);
        self.substitutes.insert(to.clone(), delegated.place.clone());
        self.reminded.remove(from);
        self.reminded.insert(to.clone(), (0, delegated.at));
        self.delegated.insert(from.clone(), delegated.clone());
    }

    fn receive(&mut self, received: &Received) {
        let (voter, round) = (&received.vote.voter_id, received.vote.round);
        let standing = Standing { seq: self.seq, received: received.clone() };
        let before = self.votes.entry(round).or_default().insert(voter.clone(), standing);
        if let Some(before) = before {
            self.superseded.entry(voter.clone()).or_default().insert(before.vote.seq, before);
        }
    }

    /// Of the remedies only one has to be waited for; the others are done with being on record.
    fn remedy(&mut self, triggered: &RemedyTriggered) {
        let RemedyTriggered { remedy, key, at: _ } = triggered;
        let outcome = match remedy {
            Remedy::ReopenSession => {
                self.to_reopen = Some(key.clone());
                None
            }
            Remedy::ExtendDeadline => Some("extended"),
            Remedy::QuarantineNode => Some("told_to_voters"),
            Remedy::ReassignVoters
            | Remedy::RebuildIndex
            | Remedy::RecomputeWeights
            | Remedy::NotifyOperator => Some("told_to_operator"),
        };
        self.remedies.insert(key.clone(), outcome.map(str::to_owned));
    }

    fn refuse(&mut self, rejected: &Rejected) {
        self.rejections += 1;
        let key = self.burst_key(&rejected.voter_id, rejected.reason);
        let burst = Burst { second: second(rejected.received_at), count: rejected.nth };
        self.refused.insert(key, burst);
    }

    /// Names that are not in the electorate stand for one: whoever makes them up must not make the log grow.
    pub(super) fn burst_key(&self, voter: &VoterId, reason: Refusal) -> (Option<VoterId>, Refusal) {
        (self.elector(voter).map(|elector| elector.voter_id.clone()), reason)
    }
}

pub(super) fn second(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1_000_000)
}

impl Opened {
    /// What votes are bound to.
    pub fn binding(&self) -> Binding {
        Binding {
            session_id: self.session_id.clone(),
            electorate_hash: self.electorate_hash,
            terms_hash: self.terms_hash,
        }
    }

    /// How long votes are taken, in milliseconds.
    pub fn timeout_ms(&self) -> u64 {
        micros(self.deadline.since(self.opened_at)) / 1_000
    }
}

/// What an event says of voters.
pub(super) fn marks(event: &Event) -> Vec<(VoterId, Mark, Timestamp)> {
    match event {
        Event::VoteReceived(received) if received.authenticity.is_shown() => {
            let mark = if received.flags.is_empty() { Mark::Clean } else { Mark::Flagged };
            vec![(received.vote.voter_id.clone(), mark, received.received_at)]
        }
        Event::VoteRejected(rejected) if rejected.authenticity.is_shown() => {
            let violation = rejected.reason.against().map(Mark::Violation);
            violation
                .map(|mark| (rejected.voter_id.clone(), mark, rejected.received_at))
                .into_iter()
                .collect()
        }
        Event::EvidenceRecorded(evidence) => {
            let Evidence { fault, level, evidence_id, .. } = evidence.as_ref();
            let mark = Mark::Proven { fault: *fault, level: *level, evidence: *evidence_id };
            vec![(evidence.first.vote.voter_id.clone(), mark, evidence.at)]
        }
        Event::SilenceNoted { voters, at } => {
            voters.iter().map(|voter| (voter.clone(), Mark::Silent, *at)).collect()
        }
        Event::TruthTold(told) => {
            let mark = |(voter, judgement): &(VoterId, _)| (voter.clone(), Mark::Judged(*judgement), told.at);
            told.judged.iter().map(mark).collect()
        }
        Event::Closed(closed) => {
            let mark = Mark::Violation(crate::voting::voter::FaultKind::ProtocolViolation);
            closed.unrevealed.iter().map(|voter| (voter.clone(), mark, closed.closed_at)).collect()
        }
        Event::Opened(_)
        | Event::VoteReceived(_)
        | Event::CommitReceived(_)
        | Event::VoteRejected(_)
        | Event::VoterExcluded { .. }
        | Event::CommitsClosed { .. }
        | Event::RoundClosed { .. }
        | Event::DecisionTainted { .. }
        | Event::Told { .. }
        | Event::Keyed(_)
        | Event::Mandated(_)
        | Event::Spent(_)
        | Event::Redeemed(_)
        | Event::Weighed(_)
        | Event::KeysNamed(_)
        | Event::GatesSet(_)
        | Event::DeadlineExtended { .. }
        | Event::GateEvaluated(_)
        | Event::RemedyTriggered(_)
        | Event::RemedyEnded(_)
        | Event::OldEvidenceRecorded(_)
        | Event::Extended(_)
        | Event::Delegated(_)
        | Event::RemindersAsked { .. }
        | Event::Reminded(_) => Vec::new(),
    }
}

/// Is it something a voter must be told before the session ends?
fn is_urgent(mark: &Mark) -> bool {
    !matches!(mark, Mark::Clean | Mark::Flagged)
}
