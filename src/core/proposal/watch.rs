//! Which open proposals must hear of something that happens elsewhere: a fold over the events of all of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::event::{Algorithm, Event};
use crate::core::ids::EntityId;

/// Open proposals that wait for something besides votes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
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
                if opened.decider == Algorithm::Custom {
                    self.custom.entry(opened.algorithm.clone()).or_default().insert(id.clone());
                }
                if opened.fail_fast {
                    self.fail_fast.insert(id.clone());
                }
            }
            Event::Closed(closed) => {
                self.fail_fast.remove(id);
                if let Some(open) = self.custom.get_mut(&closed.algorithm) {
                    open.remove(id);
                    if open.is_empty() {
                        self.custom.remove(&closed.algorithm);
                    }
                }
            }
            Event::Broadcast(_)
            | Event::VoteCast(_)
            | Event::VoteRefused(_)
            | Event::AbsenceChanged { .. } => {}
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
