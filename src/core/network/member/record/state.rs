//! What the record of a member says: the fold of its events.

use serde::{Deserialize, Serialize};

use super::change::{Event, Standing};
use super::{BURST, WINDOW};
use crate::kernel::time::Timestamp;
use crate::network::member::MemberState;

/// One member, as this node has it on record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemberRecord {
    /// What was believed of it last.
    pub standing: Standing,
    /// Since when it has been in its state.
    pub since: Option<Timestamp>,
    /// How much happened to it, merged changes among it.
    pub changes: u64,
    /// How much of that is only counted.
    pub merged: u64,
    /// How often it was taken for dead.
    pub died: u64,
    /// Names of the keys of the node itself; of others there are none.
    pub keys: Vec<String>,
    /// The newest instants at which something happened of which only so much is recorded.
    pub recent: Vec<Timestamp>,
}

impl MemberRecord {
    /// How many events there is room for.
    pub fn room(&self, now: Timestamp) -> usize {
        BURST.saturating_sub(self.recent.iter().filter(|at| now.since(**at) < WINDOW).count())
    }

    /// When there is room for one.
    pub fn room_at(&self) -> Timestamp {
        let oldest = self.recent.iter().min().filter(|_| self.recent.len() >= BURST);
        oldest.map_or(Timestamp::MIN, |at| at.plus(WINDOW))
    }

    pub(super) fn apply(&mut self, event: &Event) {
        let before = self.standing.state;
        if event.is_bounded() {
            if self.recent.len() >= BURST {
                self.recent.remove(0);
            }
            self.recent.push(event.at());
        }
        let is_merged = matches!(event, Event::Merged(_) | Event::Unnamed { .. });
        match event {
            Event::Discovered { .. } => self.standing.state = Some(MemberState::Unconfirmed),
            Event::Confirmed { .. } => self.standing.state = Some(MemberState::Alive),
            // Its incarnation and role stay known to whoever reads.
            Event::Removed { .. } => self.standing.state = None,
            Event::Moved { to, incarnation, .. } => {
                self.standing.state = Some(*to);
                self.standing.incarnation = self.standing.incarnation.max(*incarnation);
                self.died = self.died.saturating_add(u64::from(*to == MemberState::Down));
            }
            Event::RoleLearned { role, .. } => self.standing.role = Some(*role),
            Event::Found { standing, .. } => self.stands(standing),
            Event::IncarnationRaised { incarnation, .. } => {
                self.standing.incarnation = self.standing.incarnation.max(*incarnation);
            }
            Event::Began { role, keys, .. } => {
                (self.standing.state, self.standing.role) = (Some(MemberState::Alive), Some(*role));
                self.keys.clone_from(keys);
            }
            Event::KeysChanged { keys, .. } => self.keys.clone_from(keys),
            Event::Left { .. } => self.standing.state = None,
            Event::NameClaimed { .. } => {}
            Event::Merged(merged) => {
                self.stands(&merged.standing);
                self.died = self.died.saturating_add(merged.died);
                self.changes = self.changes.saturating_add(merged.changes);
                self.merged = self.merged.saturating_add(merged.changes);
            }
            Event::Unnamed { changes, .. } => {
                self.changes = self.changes.saturating_add(*changes);
                self.merged = self.merged.saturating_add(*changes);
            }
        }
        if !is_merged {
            self.changes = self.changes.saturating_add(1);
        }
        if self.standing.state != before || self.since.is_none() {
            self.since = Some(event.at());
        }
    }

    fn stands(&mut self, standing: &Standing) {
        self.standing.state = standing.state;
        self.standing.incarnation = self.standing.incarnation.max(standing.incarnation);
        self.standing.role = standing.role.or(self.standing.role);
    }

    /// Does the record say this already?
    pub(super) fn says(&self, found: &Standing) -> bool {
        self.standing.state == found.state
            && self.standing.incarnation >= found.incarnation
            && (found.role.is_none() || self.standing.role == found.role)
    }
}
