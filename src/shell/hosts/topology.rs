//! The mesh registry: cells, neighbours and authorities.

use super::Hosted;
use crate::core::kernel::ids::EntityId;
use crate::core::voting::topology::{self, TopologyMachine};
use crate::shell::counters::Counters;

impl Hosted for TopologyMachine {
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
