//! Data subjects, as whoever seals finds them.

use super::Hosted;
use crate::core::kernel::ids::EntityId;
use crate::core::trust::subject::{self, Subjects, SubjectsMachine};
use crate::shell::counters::Counters;
use crate::shell::lock;
use crate::shell::stops::Bearing;

impl Hosted for SubjectsMachine {
    fn bearing(_: &EntityId, _: &Subjects, command: &Self::Command) -> Bearing {
        match command {
            // Whatever is stopped, a right to erasure is not.
            subject::Command::Register { .. }
            | subject::Command::Shred { .. }
            | subject::Command::Destroyed { .. }
            | subject::Command::Tick => Bearing::Passes,
        }
    }

    fn observe(counters: &Counters, _: &EntityId, events: &[subject::Event]) {
        let mut subjects = lock(&counters.subjects);
        for event in events {
            subjects.evolve(event);
            tracing::info!(kind = "subject", event = event.name());
        }
    }
}

/// Id of the one stream of data subjects.
pub(crate) fn subjects_id() -> EntityId {
    match EntityId::new(subject::STREAM) {
        Ok(id) => id,
        Err(e) => unreachable!("the data subjects have a valid id: {e}"),
    }
}
