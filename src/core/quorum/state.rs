//! What a quorum knows: the fold of its events.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::command::Effect;
use super::event::{Closed, Counting, Event, Opened, QuorumState, Refusal, VoteCast};
use super::tally::{Outcome, Standing, Tally};
use crate::core::ids::VoterId;
use crate::core::time::Timestamp;

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
}

impl Standee {
    /// How the vote bears on the tally; `None` for an outsider.
    pub fn standing(&self) -> Option<Standing> {
        match self.counting {
            Counting::Outsider => None,
            Counting::LowConfidence => Some(Standing::Unconfident),
            Counting::Counted if self.vote => Some(Standing::Approval),
            Counting::Counted => Some(Standing::Rejection),
        }
    }
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
    /// The count.
    pub tally: Tally,
    /// When the last counted vote came in, and whose it was.
    pub last_counted: Option<(Timestamp, VoterId)>,
    /// How it ended.
    pub closed: Option<Closed>,
    /// Refused attempts on record.
    pub refused: BTreeSet<(VoterId, bool, Refusal)>,
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
        match &self.opened {
            Some(opened) => self.tally.outcome(opened.required_votes, opened.electorate.size()),
            None => Outcome::Pending,
        }
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
            Event::Opened(opened) => self.opened = Some(opened.clone()),
            Event::VoteCast(cast) => self.record(cast),
            Event::VoteRefused(refused) => {
                if refused.refusal == Refusal::Late {
                    self.late_votes += 1;
                }
                if self.refused.len() < MAX_REMEMBERED_REFUSALS {
                    self.refused.insert((refused.voter_id.clone(), refused.vote, refused.refusal));
                }
            }
            Event::Closed(closed) => {
                let owes = closed.state == QuorumState::TimedOut
                    && self.opened.as_ref().is_some_and(|o| o.fallback.is_some());
                if owes {
                    self.fallback = Fallback::Owed;
                }
                self.closed = Some(closed.clone());
            }
            Event::FallbackOpened { .. } => self.fallback = Fallback::Opened,
            Event::FallbackFailed { reason, .. } => self.fallback = Fallback::Failed(reason.clone()),
        }
    }

    fn record(&mut self, cast: &VoteCast) {
        let previous = self.votes.get(&cast.voter_id);
        let order = previous.map_or(self.votes.len() as u32, |p| p.order);
        if let Some(standing) = previous.and_then(Standee::standing) {
            self.tally.remove(standing);
        }
        let first = previous.is_none();
        let vote = Standee {
            vote: cast.vote,
            confidence: cast.confidence,
            cast_at: cast.cast_at,
            counting: cast.counting,
            order,
        };
        match vote.standing() {
            Some(standing) => {
                self.tally.add(standing);
                self.last_counted = Some((cast.cast_at, cast.voter_id.clone()));
            }
            None if first => self.outsiders += 1,
            None => {}
        }
        self.votes.insert(cast.voter_id.clone(), vote);
    }
}
