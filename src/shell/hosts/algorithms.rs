//! The algorithms by name.

use super::Hosted;
use crate::core::kernel::ids::EntityId;
use crate::core::voting::algorithms::{self, AlgorithmsMachine};
use crate::shell::counters::Counters;
use crate::shell::lock;
use crate::shell::stops::Bearing;

impl Hosted for AlgorithmsMachine {
    fn bearing(_: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            algorithms::Command::Register { by, .. } => Bearing::of(by.iter()),
            algorithms::Command::Unregister { .. } | algorithms::Command::SetDefault { .. } => {
                Bearing::unnamed()
            }
            algorithms::Command::Tick => Bearing::Passes,
        }
    }

    fn observe(counters: &Counters, _: &EntityId, events: &[algorithms::Event]) {
        let mut registry = lock(&counters.algorithms);
        for event in events {
            registry.apply(event);
            tracing::debug!(kind = "algorithms", event = event.name(), ?event);
        }
    }
}
