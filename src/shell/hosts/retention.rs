//! What is kept of the journal, and what was pruned.

use super::Hosted;
use crate::core::kernel::ids::EntityId;
use crate::core::trust::retention::{self, Retention, RetentionMachine};
use crate::shell::counters::Counters;
use crate::shell::stops::Bearing;

impl Hosted for RetentionMachine {
    fn bearing(_: &EntityId, _: &Retention, command: &Self::Command) -> Bearing {
        match command {
            retention::Command::Keep { .. } | retention::Command::LetGo { .. } | retention::Command::Tick => {
                Bearing::Passes
            }
        }
    }

    fn observe(_: &Counters, _: &EntityId, events: &[retention::Event]) {
        for event in events {
            tracing::info!(kind = "retention", event = event.name(), ?event);
        }
    }
}

/// Id of the one stream of retention.
pub(crate) fn retention_id() -> EntityId {
    match EntityId::new(retention::STREAM) {
        Ok(id) => id,
        Err(e) => unreachable!("retention has a valid id: {e}"),
    }
}
