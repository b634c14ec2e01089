//! The algorithms by name.

use super::Hosted;
use crate::core::kernel::ids::EntityId;
use crate::core::voting::algorithms::{self, AlgorithmsMachine};
use crate::shell::counters::Counters;
use crate::shell::lock;

impl Hosted for AlgorithmsMachine {
    fn observe(counters: &Counters, _: &EntityId, events: &[algorithms::Event]) {
        let mut registry = lock(&counters.algorithms);
        for event in events {
            registry.apply(event);
            tracing::debug!(kind = "algorithms", event = event.name(), ?event);
        }
    }
}
