//! How long jobs took.

use super::Hosted;
use crate::core::jobs::durations::{self, DurationsMachine};
use crate::core::kernel::ids::EntityId;
use crate::shell::counters::Counters;
use crate::shell::stops::Bearing;

impl Hosted for DurationsMachine {
    fn bearing(_: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            durations::Command::Record(_) | durations::Command::Tick => Bearing::Passes,
        }
    }

    fn observe(_: &Counters, _: &EntityId, _: &[durations::Event]) {}
}
