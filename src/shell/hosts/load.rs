//! The record of this runtime's load, and the timers that stand in the wheel under its kind.

use std::sync::Arc;

use super::Hosted;
use crate::core::kernel::Machine;
use crate::core::kernel::ids::{EntityId, StreamId};
use crate::core::load::record::{Command, Event, LoadMachine};
use crate::shell::counters::Counters;
use crate::shell::entity::Poke;
use crate::shell::host::Host;
use crate::shell::load::load_id;
use crate::shell::pressure::{is_timer, look_again};
use crate::shell::stops::Bearing;

impl Hosted for LoadMachine {
    // One of its kind, large to rebuild, and soon asked again: it sleeps when it is idle for long.
    const RESTS: bool = false;

    fn bearing(_: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            // What is measured.
            Command::Record(_)
            | Command::Report(_)
            | Command::Note { .. }
            | Command::Dropped { .. }
            | Command::NoteLoss(_)
            | Command::Tick => Bearing::Passes,
        }
    }

    fn observe(_: &Counters, _: &EntityId, events: &[Event]) {
        for event in events {
            match event {
                Event::StateChanged(change) => {
                    let (from, to) = (change.from.name(), change.to.name());
                    tracing::warn!(kind = "load", event = event.name(), from, to, cause = ?change.cause);
                }
                Event::LevelChanged { from, to, .. } => {
                    tracing::info!(kind = "load", event = event.name(), from = from.name(), to = to.name());
                }
                Event::Shed(minute) => {
                    tracing::warn!(
                        kind = "load",
                        event = event.name(),
                        shed = minute.shed.total(),
                        full = minute.full.total()
                    );
                }
                Event::UpdatesDropped(run) => {
                    tracing::warn!(kind = "load", event = event.name(), worker = %run.worker_id,
                        job = %run.job_id, count = run.count);
                }
                Event::LossAccepted { what, .. } => {
                    tracing::info!(kind = "load", event = event.name(), ?what);
                }
                Event::Sampled { .. } => {}
            }
        }
    }

    fn follow(host: &Arc<Host>, _: &EntityId, events: &[Event]) {
        for event in events {
            match event {
                Event::LevelChanged { .. } | Event::Sampled { .. } => look_again(host),
                Event::StateChanged(_)
                | Event::Shed(_)
                | Event::UpdatesDropped(_)
                | Event::LossAccepted { .. } => {}
            }
        }
    }

    fn look(host: &Arc<Host>, id: &EntityId, poke: Poke) -> Option<Poke> {
        if *id == load_id() {
            return Some(poke);
        }
        let timer = is_timer(&StreamId::new(Self::KIND, id.clone()));
        let due = if timer { host.pressure.tick(host) } else { host.admission.tick(host) };
        // Nobody hears of it when the one who poked is gone.
        let _ = poke.done.send(due);
        None
    }
}
