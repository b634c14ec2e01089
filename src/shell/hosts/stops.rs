//! The stops, and what is stopped by them.

use std::sync::Arc;

use super::Hosted;
use crate::core::kernel::ids::EntityId;
use crate::core::trust::stop::{self, Stops, StopsMachine};
use crate::shell::counters::Counters;
use crate::shell::host::Host;
use crate::shell::stops::Bearing;

impl Hosted for StopsMachine {
    fn bearing(_: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            stop::Command::Engage(_) | stop::Command::Release { .. } | stop::Command::Tick => Bearing::Passes,
        }
    }

    fn stops(state: &Stops) -> Option<&Stops> {
        Some(state)
    }

    fn observe(_: &Counters, _: &EntityId, events: &[stop::Event]) {
        for event in events {
            tracing::warn!(kind = "stop", event = event.name(), ?event);
        }
    }

    fn follow(host: &Arc<Host>, _: &EntityId, events: &[stop::Event]) {
        for event in events {
            if let stop::Event::Released(released) = event {
                host.stops.let_go(&released.stop_id);
            }
        }
    }
}

/// Id of the one stream of stops.
pub(crate) fn stops_id() -> EntityId {
    match EntityId::new(stop::STREAM) {
        Ok(id) => id,
        Err(e) => unreachable!("the stops have a valid id: {e}"),
    }
}
