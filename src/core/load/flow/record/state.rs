//! What is known of a flow: the fold of its events.

use serde::{Deserialize, Serialize};

use super::event::{Event, Opened};
use super::totals::FlowTotals;
use crate::kernel::time::Timestamp;
use crate::load::flow::{FlowConfig, FlowState};

/// The record of one stream. Empty before it is opened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// As it was opened.
    pub opened: Option<Box<Opened>>,
    /// The configuration in force.
    pub config: FlowConfig,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Which life it is in; the first is 0, and each process that begins an empty buffer adds one.
    pub life: u64,
    /// The state that was recorded last.
    pub flow_state: FlowState,
    /// The totals that were recorded last.
    pub totals: FlowTotals,
    /// When anything was last recorded.
    pub noted_at: Timestamp,
}

impl Flow {
    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Opened(opened) => {
                self.config = opened.config.clone();
                self.noted_at = opened.at;
                self.opened = Some(opened.clone());
            }
            Event::Configured { config, at } => {
                self.config = (**config).clone();
                self.noted_at = *at;
            }
            Event::StateChanged(change) => {
                self.flow_state = change.to;
                self.noted_at = change.at;
            }
            Event::Dropped(run) => self.noted_at = run.at,
            Event::Counted { totals, at } => {
                self.totals = **totals;
                self.noted_at = *at;
            }
            Event::Restarted { life, lost, at } => {
                self.life = *life;
                self.flow_state = FlowState::Normal;
                self.totals.lost_in_restart = self.totals.lost_in_restart.saturating_add(*lost);
                self.noted_at = *at;
            }
            Event::Closed { at } => {
                self.closed_at = Some(*at);
                self.noted_at = *at;
            }
        }
    }
}
