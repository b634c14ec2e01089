//! What a quorum knows: the fold of its events.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::command::Effect;
use super::event::{
    Closed, Counting, Electorate, Event, Opened, QuorumState, Refusal, VoteCast, VoteRefused,
};
use super::tally::Tally;
use crate::kernel::ids::VoterId;
use crate::kernel::time::Timestamp;
use crate::voting::rules::{Choice, Count, Formula, Outcome, RuleSpec};

/// Refused attempts remembered so that an identical one is not recorded twice.
const MAX_REMEMBERED_REFUSALS: usize = 1024;

/// The vote of one voter that stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standee {
    /// True approves.
    pub vote: bool,
    /// How sure the voter was.
    pub confidence: f64,
    /// When it was received.
    pub cast_at: Timestamp,
    /// Whether it is part of the tally.
    pub counting: Counting,
    /// Order of the voter's first vote among all voters.
    pub order: u32,
    /// Why it was cast so, in the voter's words.
    pub reason: Option<String>,
}

impl Standee {
    /// How the vote is counted; `None` for an outsider.
    pub fn choice(&self) -> Option<Choice> {
        choice(self.counting, self.vote)
    }
}

/// How a vote is counted. One that is too unsure stands without counting, as an abstention does.
pub(super) fn choice(counting: Counting, vote: bool) -> Option<Choice> {
    match counting {
        Counting::Outsider => None,
        Counting::LowConfidence => Some(Choice::Abstain),
        Counting::Counted if vote => Some(Choice::For),
        Counting::Counted => Some(Choice::Against),
    }
}

/// A number that tells texts apart (FNV-1a of 64 bits), 0 when there are none. It only recognises an identical attempt
/// of one voter, so whoever makes two texts collide hides one of its own.
pub(crate) fn digest_of(texts: &[&Option<String>]) -> u64 {
    if texts.iter().all(|text| text.is_none()) {
        return 0;
    }
    // 0xff stands in no UTF-8, so it separates one text from the next.
    let bytes = texts.iter().flat_map(|text| text.iter().flat_map(|text| text.bytes()).chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Where an owed fallback stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fallback {
    /// None is owed.
    #[default]
    None,
    /// To be opened.
    Owed,
    /// Opened.
    Opened,
    /// Cannot be opened, for this reason.
    Failed(String),
}

/// State of one quorum. Empty before it is opened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quorum {
    /// The question as it was opened.
    pub opened: Option<Box<Opened>>,
    /// Standing votes by voter, outsiders among them.
    pub votes: BTreeMap<VoterId, Standee>,
    /// How many of `votes` are outsiders'.
    pub outsiders: u32,
    /// The rule, when one was asked for.
    pub rule: Option<RuleSpec>,
    /// What decides.
    pub formula: Option<Formula>,
    /// The votes as the formula counts them.
    pub count: Count,
    /// When the last counted vote came in, and whose it was.
    pub last_counted: Option<(Timestamp, VoterId)>,
    /// How it ended.
    pub closed: Option<Closed>,
    /// Refused attempts on record, with the digest of what came with them.
    pub refused: BTreeSet<(VoterId, bool, Refusal, u64)>,
    /// New or changed votes that came after the close.
    pub late_votes: u32,
    /// Where an owed fallback stands.
    pub fallback: Fallback,
}

impl Quorum {
    /// Where the quorum stands, or `None` before it is opened.
    pub fn state(&self) -> Option<QuorumState> {
        self.opened.as_ref()?;
        Some(self.closed.as_ref().map_or(QuorumState::Open, |closed| closed.state))
    }

    /// Where the tally stands against the bar; pending before opening.
    pub fn outcome(&self) -> Outcome {
        self.outcome_of(&self.count, None)
    }

    /// The same for another count, in which one more voter has voted.
    pub(super) fn outcome_of(&self, count: &Count, voted: Option<&VoterId>) -> Outcome {
        match &self.formula {
            Some(formula) => formula.outcome(count, || self.outstanding(voted)),
            None => Outcome::Pending,
        }
    }

    /// Does this voter owe a vote? Nobody does in an open electorate.
    pub fn awaits(&self, voter: &VoterId) -> bool {
        let asked = self.opened.as_ref().map(|opened| &opened.electorate);
        self.closed.is_none()
            && !self.votes.contains_key(voter)
            && matches!(asked, Some(electorate @ Electorate::Closed(_)) if electorate.admits(voter))
    }

    /// The voters that do, by name.
    pub fn awaited(&self) -> Vec<&VoterId> {
        match self.opened.as_ref().map(|opened| &opened.electorate) {
            Some(Electorate::Closed(voters)) => voters.iter().filter(|voter| self.awaits(voter)).collect(),
            Some(Electorate::Open) | None => Vec::new(),
        }
    }

    /// Who has not voted, by index in the electorate.
    fn outstanding(&self, voted: Option<&VoterId>) -> Vec<usize> {
        let voters = match self.opened.as_ref().map(|opened| &opened.electorate) {
            Some(Electorate::Closed(voters)) => voters.as_slice(),
            Some(Electorate::Open) | None => &[],
        };
        let silent = |voter: &VoterId| !self.votes.contains_key(voter) && Some(voter) != voted;
        (0..voters.len()).filter(|index| silent(&voters[*index])).collect()
    }

    /// The count in heads.
    pub fn tally(&self) -> Tally {
        Tally::of(&self.count)
    }

    /// The count after one more vote, which may take the place of an earlier one.
    pub(super) fn count_with(&self, voter: &VoterId, choice: Option<Choice>) -> Count {
        let mut count = self.count.clone();
        let (Some(opened), Some(formula)) = (&self.opened, &self.formula) else { return count };
        let index = opened.electorate.index(voter);
        if let Some(before) = self.votes.get(voter).and_then(Standee::choice) {
            count.remove(formula, index, before);
        }
        if let Some(choice) = choice {
            count.add(formula, index, choice);
        }
        count
    }

    /// The voters in the order of their first votes: those of the electorate (`false`) or outsiders (`true`).
    pub fn voters_in_order(&self, outsiders: bool) -> Vec<&VoterId> {
        let mut voters: Vec<_> =
            self.votes.iter().filter(|(_, v)| (v.counting == Counting::Outsider) == outsiders).collect();
        voters.sort_by_key(|(_, v)| v.order);
        voters.into_iter().map(|(id, _)| id).collect()
    }

    pub(super) fn due(&self) -> Option<Timestamp> {
        let opened = self.opened.as_ref().filter(|_| self.closed.is_none())?;
        match (self.outcome(), &self.last_counted) {
            // No instant is later than the last one, so a deadline that lies there never passes.
            (Outcome::Pending, _) | (_, None) => {
                (opened.deadline < Timestamp::MAX).then(|| opened.deadline.next())
            }
            (Outcome::Won | Outcome::Lost, Some((at, _))) => Some(*at),
        }
    }

    pub(super) fn owed(&self) -> Vec<Effect> {
        match (&self.fallback, self.opened.as_ref().and_then(|o| o.fallback.clone())) {
            (Fallback::Owed, Some(plan)) => vec![Effect::OpenFallback(plan)],
            _ => Vec::new(),
        }
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Opened(opened) => self.open(opened, None, Formula::required(opened.required_votes)),
            Event::OpenedByRule(by_rule) => {
                self.open(&by_rule.opened, Some(by_rule.rule.clone()), by_rule.formula.clone());
            }
            Event::VoteCast(cast) => self.record(cast, None),
            Event::VoteCastWithReason(with) => self.record(&with.cast, Some(&with.reason)),
            Event::VoteRefused(refused) => self.refuse(refused, None),
            Event::VoteRefusedWithReason(with) => self.refuse(&with.refused, Some(&with.reason)),
            Event::Closed(closed) => {
                let owes = closed.state == QuorumState::TimedOut
                    && self.opened.as_ref().is_some_and(|o| o.fallback.is_some());
                if owes {
                    self.fallback = Fallback::Owed;
                }
                self.closed = Some(closed.clone());
            }
            Event::Extended(extended) => {
                if let Some(opened) = &mut self.opened {
                    opened.deadline = extended.deadline;
                }
            }
            Event::FallbackOpened { .. } => self.fallback = Fallback::Opened,
            Event::FallbackFailed { reason, .. } => self.fallback = Fallback::Failed(reason.clone()),
            // Looked up in the journal when the key comes again; no decision needs it.
            Event::Keyed(_) => {}
        }
    }

    fn open(&mut self, opened: &Opened, rule: Option<RuleSpec>, formula: Formula) {
        self.count = Count::new(&formula, opened.electorate.size());
        self.opened = Some(Box::new(opened.clone()));
        (self.rule, self.formula) = (rule, Some(formula));
    }

    fn refuse(&mut self, refused: &VoteRefused, reason: Option<&String>) {
        if refused.refusal == Refusal::Late {
            self.late_votes += 1;
        }
        if self.refused.len() < MAX_REMEMBERED_REFUSALS {
            let digest = digest_of(&[&reason.cloned()]);
            self.refused.insert((refused.voter_id.clone(), refused.vote, refused.refusal, digest));
        }
    }

    fn record(&mut self, cast: &VoteCast, reason: Option<&String>) {
        self.count = self.count_with(&cast.voter_id, choice(cast.counting, cast.vote));
        let previous = self.votes.get(&cast.voter_id);
        let order = previous.map_or(self.votes.len() as u32, |p| p.order);
        let first = previous.is_none();
        let vote = Standee {
            vote: cast.vote,
            confidence: cast.confidence,
            cast_at: cast.cast_at,
            counting: cast.counting,
            order,
            reason: reason.cloned(),
        };
        match vote.choice() {
            Some(_) => self.last_counted = Some((cast.cast_at, cast.voter_id.clone())),
            None if first => self.outsiders += 1,
            None => {}
        }
        self.votes.insert(cast.voter_id.clone(), vote);
    }
}
