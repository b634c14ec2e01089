//! Which quorums are open: a fold over the events of all of them.

use serde::{Deserialize, Serialize};

use super::event::Event;
use crate::kernel::ids::EntityId;
use crate::kernel::openings::Openings;

/// The open quorums.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// All of them.
    pub open: Openings,
}

impl Watch {
    /// Adds one event of a quorum.
    pub fn apply(&mut self, id: &EntityId, event: &Event) {
        match event {
            Event::Opened(opened) => self.open.insert(id.clone(), opened.opened_at),
            Event::OpenedByRule(by_rule) => self.open.insert(id.clone(), by_rule.opened.opened_at),
            Event::Closed(_) => self.open.remove(id),
            Event::VoteCast(_)
            | Event::VoteCastWithReason(_)
            | Event::VoteRefused(_)
            | Event::VoteRefusedWithReason(_)
            | Event::FallbackOpened { .. }
            | Event::FallbackFailed { .. }
            | Event::Keyed(_)
            | Event::Extended(_) => {}
        }
    }
}
