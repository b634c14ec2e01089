//! What the datacenters say of themselves.

use super::Hosted;
use crate::core::kernel::ids::EntityId;
use crate::core::network::datacenter::{self, DatacentersMachine};
use crate::shell::counters::Counters;
use crate::shell::lock;
use crate::shell::stops::Bearing;

impl Hosted for DatacentersMachine {
    fn bearing(_: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            // How they are.
            datacenter::Command::Update(_) | datacenter::Command::Remove(_) | datacenter::Command::Tick => {
                Bearing::Passes
            }
        }
    }

    fn observe(counters: &Counters, _: &EntityId, events: &[datacenter::Event]) {
        let (mut known, mut dispatched) = (lock(&counters.datacenters), lock(&counters.dispatched));
        for event in events {
            known.apply(event);
            tracing::debug!(kind = "datacenter", event = event.name(), ?event);
            match event {
                // Own dispatches count as queue since the last heartbeat, whatever that says.
                datacenter::Event::Updated { datacenter_id, .. }
                | datacenter::Event::Removed { datacenter_id, .. } => {
                    dispatched.remove(datacenter_id);
                }
            }
        }
    }
}

/// Id of the one stream that holds all datacenters.
pub(crate) fn datacenters_id() -> EntityId {
    match EntityId::new(datacenter::STREAM) {
        Ok(id) => id,
        Err(e) => unreachable!("the datacenters have a valid id: {e}"),
    }
}
