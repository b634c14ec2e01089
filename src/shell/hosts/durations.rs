//! How long jobs took.

use super::Hosted;
use crate::core::jobs::durations::{self, DurationsMachine};
use crate::core::kernel::ids::EntityId;
use crate::shell::counters::Counters;

impl Hosted for DurationsMachine {
    fn observe(_: &Counters, _: &EntityId, _: &[durations::Event]) {}
}
