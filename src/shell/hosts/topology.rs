//! The mesh registry: cells, neighbours and authorities.

use super::Hosted;
use crate::core::kernel::ids::EntityId;
use crate::core::voting::topology::{self, TopologyMachine};
use crate::shell::counters::Counters;
use crate::shell::stops::Bearing;

impl Hosted for TopologyMachine {
    fn bearing(_: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            topology::Command::RegisterCell(cell, _) => Bearing::of([cell.as_str()]),
            topology::Command::RegisterAuthority(_) | topology::Command::Tick => Bearing::Passes,
        }
    }

    fn observe(_: &Counters, _: &EntityId, events: &[topology::Event]) {
        for event in events {
            tracing::debug!(kind = "topology", event = event.name(), ?event);
        }
    }
}

/// Id of the one mesh registry.
pub(crate) fn mesh_id() -> EntityId {
    match EntityId::new(topology::STREAM) {
        Ok(id) => id,
        Err(e) => unreachable!("the mesh has a valid id: {e}"),
    }
}
