//! What is known of the node's load: the fold of its events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{ClassCounts, Event};
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;
use crate::load::shed::Load;
use crate::load::stats::{Level, StatsBuffer};

/// The load of one node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeLoad {
    /// The tiers of statistics.
    pub stats: StatsBuffer,
    /// The level on record.
    pub level: Level,
    /// The state on record.
    pub state: Load,
    /// Since when it is what it is.
    pub since: Timestamp,
    /// Changes of state on record.
    pub transitions: u64,
    /// Requests refused for the state, by recorded minutes.
    pub shed: ClassCounts,
    /// Requests refused since a cap was met, by recorded minutes.
    pub full: ClassCounts,
    /// Requests whose deadline had passed, by recorded minutes.
    pub expired: ClassCounts,
    /// Samples refused, by recorded minutes.
    pub samples_refused: u64,
    /// Reports of progress that workers dropped, by worker.
    pub updates_dropped: BTreeMap<EntityId, u64>,
}

impl NodeLoad {
    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Sampled { samples, at } => {
                for sample in samples {
                    // Each was taken when it was decided; the same buffer at the same instant takes it again.
                    if sample.entry.is_place() {
                        self.stats.place(sample.entry.at, sample.critical, *at);
                    } else {
                        let _taken = self.stats.record((*sample).into(), *at);
                    }
                }
            }
            Event::LevelChanged { to, at, .. } => {
                self.stats.advance(*at);
                self.level = *to;
            }
            Event::StateChanged(change) => {
                self.state = change.to;
                self.since = change.at;
                self.transitions = self.transitions.saturating_add(1);
            }
            Event::UpdatesDropped(run) => {
                let dropped = self.updates_dropped.entry(run.worker_id.clone()).or_default();
                *dropped = dropped.saturating_add(run.count);
            }
            Event::Shed(minute) => {
                self.shed.add_all(&minute.shed);
                self.full.add_all(&minute.full);
                self.expired.add_all(&minute.expired);
                self.samples_refused = self.samples_refused.saturating_add(minute.samples_refused);
            }
            // For those who read the history.
            Event::LossAccepted { .. } => {}
        }
    }
}
