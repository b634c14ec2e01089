//! What membership decided, on record.

use super::Hosted;
use crate::core::kernel::ids::EntityId;
use crate::core::network::member::record::{Command, Event, MemberMachine};
use crate::shell::counters::Counters;
use crate::shell::stops::Bearing;

impl Hosted for MemberMachine {
    fn bearing(_: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            // It has happened already.
            Command::Note(_) | Command::CountUnnamed { .. } | Command::Tick => Bearing::Passes,
        }
    }

    fn observe(counters: &Counters, id: &EntityId, events: &[Event]) {
        for event in events {
            counters.count_member(id, event);
            tracing::debug!(kind = "member", entity_id = %id, event = event.name());
        }
    }
}
