//! The records of flow-controlled streams.

use std::sync::Arc;

use super::Hosted;
use crate::core::kernel::ids::EntityId;
use crate::core::load::flow::record::{Command, Event, FlowMachine};
use crate::shell::counters::Counters;
use crate::shell::entity::Poke;
use crate::shell::host::Host;
use crate::shell::stops::Bearing;

impl Hosted for FlowMachine {
    fn bearing(_: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            Command::Open { .. } | Command::Configure(_) => Bearing::unnamed(),
            Command::Note { .. } | Command::Revive | Command::Close | Command::Tick => Bearing::Passes,
        }
    }

    fn observe(_: &Counters, id: &EntityId, events: &[Event]) {
        for event in events {
            match event {
                Event::StateChanged(change) => {
                    tracing::info!(kind = "flow", entity_id = %id, event = event.name(), from = ?change.from,
                        to = ?change.to, buffer_size = change.buffer_size);
                }
                Event::Dropped(run) => {
                    tracing::warn!(kind = "flow", entity_id = %id, event = event.name(), count = run.count,
                        reason = ?run.reason);
                }
                Event::Opened(_)
                | Event::Configured { .. }
                | Event::Counted { .. }
                | Event::Restarted { .. }
                | Event::Closed { .. } => {
                    tracing::debug!(kind = "flow", entity_id = %id, event = event.name());
                }
            }
        }
    }

    fn look(host: &Arc<Host>, id: &EntityId, poke: Poke) -> Option<Poke> {
        // What is due is to tell what happened in the live buffer; the record itself has no deadlines.
        host.flows.flush(host, id);
        Some(poke)
    }
}
