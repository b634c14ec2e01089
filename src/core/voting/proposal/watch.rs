//! Which proposals are open, and which of them must hear of something that happens elsewhere: a fold over the events
//! of all of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::event::{Algorithm, Event};
use crate::kernel::ids::EntityId;
use crate::kernel::openings::Openings;

/// The open proposals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// All of them.
    pub open: Openings,
    /// By custom algorithm: those to be reconsidered when it is registered.
    custom: BTreeMap<String, BTreeSet<EntityId>>,
    /// Those that do not wait for agents that failed.
    fail_fast: BTreeSet<EntityId>,
}

impl Watch {
    /// Adds one event of a proposal.
    pub fn apply(&mut self, id: &EntityId, event: &Event) {
        match event {
            Event::Opened(opened) => {
                self.open.insert(id.clone(), opened.opened_at);
                if opened.decider == Algorithm::Custom {
                    self.custom.entry(opened.algorithm.clone()).or_default().insert(id.clone());
                }
                if opened.fail_fast {
                    self.fail_fast.insert(id.clone());
                }
            }
            Event::Closed(closed) => {
                self.open.remove(id);
                self.fail_fast.remove(id);
                if let Some(open) = self.custom.get_mut(&closed.algorithm) {
                    open.remove(id);
                    if open.is_empty() {
                        self.custom.remove(&closed.algorithm);
                    }
                }
            }
            Event::Broadcast(_)
            | Event::Handed { .. }
            | Event::VoteCast(_)
            | Event::VoteCastWithReason(_)
            | Event::VoteRefused(_)
            | Event::VoteRefusedWithReason(_)
            | Event::VoteCastWithValue(_)
            | Event::VoteRefusedWithValue(_)
            | Event::AbsenceChanged { .. }
            | Event::Keyed(_)
            | Event::Mandated(_)
            | Event::Spent(_)
            | Event::Redeemed(_)
            | Event::Extended(_)
            | Event::AnswerAsked(_)
            | Event::Delegated(_)
            | Event::RemindersAsked { .. }
            | Event::Reminded(_)
            | Event::Told(_) => {}
        }
    }

    /// Open proposals decided by this custom algorithm.
    pub fn decided_by(&self, algorithm: &str) -> Vec<EntityId> {
        self.custom.get(algorithm).into_iter().flatten().cloned().collect()
    }

    /// Open proposals that do not wait for agents that failed.
    pub fn fail_fast(&self) -> Vec<EntityId> {
        self.fail_fast.iter().cloned().collect()
    }
}
