//! Where nodes stand.

use super::Hosted;
use crate::core::kernel::ids::EntityId;
use crate::core::network::coordinate::VivaldiConfig;
use crate::core::network::coordinate::record::{self, CoordinateMachine};
use crate::shell::counters::Counters;
use crate::shell::host::Host;
use crate::shell::stops::Bearing;

impl Hosted for CoordinateMachine {
    fn bearing(_: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            record::Command::Measure(_) | record::Command::Place(_) | record::Command::Tick => {
                Bearing::Passes
            }
        }
    }

    fn context(host: &Host) -> VivaldiConfig {
        host.config.network.coordinates.clone()
    }

    fn observe(_: &Counters, id: &EntityId, events: &[record::Event]) {
        for event in events {
            tracing::trace!(kind = "coordinate", entity_id = %id, event = event.name());
        }
    }
}
