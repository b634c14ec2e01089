//! Which sessions are open, and who votes in them: a fold over the events of all of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::event::{Event, Outcome};
use crate::kernel::ids::{EntityId, VoterId};
use crate::kernel::openings::Openings;
use crate::kernel::time::Timestamp;

/// The open sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// All of them.
    pub open: Openings,
    /// The open sessions of a voter.
    of_voter: BTreeMap<VoterId, BTreeSet<EntityId>>,
    /// Sessions that are about to open: they count, so that the bound holds whoever comes at the same time.
    reserved: BTreeSet<EntityId>,
    /// The last vote of a voter that was shown to be its own.
    seen: BTreeMap<VoterId, Timestamp>,
    /// How many ended how.
    ended: BTreeMap<String, u64>,
}

impl Watch {
    /// Adds one event of a session.
    pub fn apply(&mut self, id: &EntityId, event: &Event) {
        match event {
            Event::Opened(opened) => {
                self.reserved.remove(id);
                self.open.insert(id.clone(), opened.opened_at);
                for elector in &opened.electors {
                    self.of_voter.entry(elector.voter_id.clone()).or_default().insert(id.clone());
                }
            }
            Event::Closed(closed) => {
                self.open.remove(id);
                self.of_voter.retain(|_, sessions| {
                    sessions.remove(id);
                    !sessions.is_empty()
                });
                *self.ended.entry(closed.outcome.name().to_owned()).or_default() += 1;
            }
            Event::Delegated(delegated) => {
                // Who handed its place on is still heard of: what becomes of it concerns the place.
                self.of_voter.entry(delegated.to.voter_id.clone()).or_default().insert(id.clone());
            }
            Event::VoteReceived(received) if received.authenticity.is_shown() => {
                let seen = self.seen.entry(received.vote.voter_id.clone()).or_insert(received.received_at);
                *seen = received.received_at.max(*seen);
            }
            Event::VoteReceived(_)
            | Event::CommitReceived(_)
            | Event::VoteRejected(_)
            | Event::EvidenceRecorded(_)
            | Event::VoterExcluded { .. }
            | Event::CommitsClosed { .. }
            | Event::RoundClosed { .. }
            | Event::DecisionTainted { .. }
            | Event::SilenceNoted { .. }
            | Event::Told { .. }
            | Event::Keyed(_)
            | Event::Mandated(_)
            | Event::Spent(_)
            | Event::Redeemed(_)
            | Event::Weighed(_)
            | Event::KeysNamed(_)
            | Event::TruthTold(_)
            | Event::GatesSet(_)
            | Event::DeadlineExtended { .. }
            | Event::GateEvaluated(_)
            | Event::RemedyTriggered(_)
            | Event::RemedyEnded(_)
            | Event::OldEvidenceRecorded(_)
            | Event::Extended(_)
            | Event::RemindersAsked { .. }
            | Event::Reminded(_) => {}
        }
    }

    /// Keeps a place for a session that is about to open, unless so many are open or about to.
    pub fn reserve(&mut self, id: &EntityId, most: usize) -> bool {
        if self.open.contains(id) || self.reserved.contains(id) {
            // It takes no further place; that it exists is told when it is asked to open.
            return true;
        }
        let room = self.open.len() + self.reserved.len() < most;
        if room {
            self.reserved.insert(id.clone());
        }
        room
    }

    /// It did not open.
    pub fn unreserve(&mut self, id: &EntityId) {
        self.reserved.remove(id);
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Is none open?
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The open sessions in which this voter votes.
    pub fn of_voter(&self, voter: &VoterId) -> Vec<EntityId> {
        self.of_voter.get(voter).into_iter().flatten().cloned().collect()
    }

    /// The last vote of a voter that was shown to be its own.
    pub fn last_seen(&self, voter: &VoterId) -> Option<Timestamp> {
        self.seen.get(voter).copied()
    }

    /// How many sessions ended so.
    pub fn ended(&self, outcome: Outcome) -> u64 {
        self.ended.get(outcome.name()).copied().unwrap_or(0)
    }
}
