//! The transition table of the [module](super), one arm per row.

use super::command::{Command, Reply};
use super::event::Event;
use super::rejection::Rejection;
use super::sketch::UNIT;
use super::state::Durations;
use super::{DurationsMachine, MEMORY};
use crate::kernel::Decision;
use crate::kernel::time::Timestamp;

pub(super) fn decide(
    state: &Durations,
    command: Command,
    now: Timestamp,
) -> Result<Decision<DurationsMachine>, Rejection> {
    match command {
        Command::Record(record) => {
            record.check()?;
            let mut events = vec![Event::Recorded { record, at: now }];
            let weight = state.durations.weight().saturating_add(UNIT);
            if weight >= MEMORY.saturating_mul(UNIT) {
                events.push(Event::Aged { at: now });
            }
            Ok(Decision::accept(events, Reply { records: state.records.saturating_add(1) }))
        }
        Command::Tick => Ok(Decision::answer(Reply { records: state.records })),
    }
}
