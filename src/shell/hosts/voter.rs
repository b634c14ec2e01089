//! Voters: how far each is trusted, and what open sessions must know of that.

use std::sync::Arc;

use super::{Carried, Hosted};
use crate::core::kernel::ids::{EntityId, VoterId};
use crate::core::voting::voter::{Command as VoterCommand, Effect, Event, VoterMachine};
use crate::shell::counters::Counters;
use crate::shell::host::Host;
use crate::shell::lock;
use crate::shell::stops::Bearing;
use crate::shell::voters::spread;

impl Hosted for VoterMachine {
    fn bearing(_: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            // Who may vote: those who are named to release a stop must be able to become so.
            VoterCommand::Register { .. }
            | VoterCommand::Note { .. }
            | VoterCommand::Seen { .. }
            | VoterCommand::Quarantine { .. }
            | VoterCommand::Release { .. }
            | VoterCommand::Judge { .. }
            | VoterCommand::Rotate { .. }
            | VoterCommand::Profile { .. }
            | VoterCommand::Consider(_)
            | VoterCommand::RecordSpread { .. }
            | VoterCommand::Tick => Bearing::Passes,
        }
    }

    fn observe(counters: &Counters, id: &EntityId, events: &[Event]) {
        {
            let voter = VoterId::from(id);
            let mut voters = lock(&counters.voters);
            events.iter().for_each(|event| voters.apply(&voter, event));
        }
        for event in events {
            match event {
                Event::StandingChanged(change) => {
                    let (from, to) = (change.from.name(), change.to.name());
                    tracing::info!(kind = "voter", entity_id = %id, event = event.name(), from, to);
                }
                Event::Escalated { score, .. } => {
                    // As many are quarantined as may be: a person is to look at it.
                    tracing::error!(kind = "voter", entity_id = %id, event = event.name(), score);
                }
                _ => tracing::debug!(kind = "voter", entity_id = %id, event = event.name()),
            }
        }
    }

    fn carry_out(host: Arc<Host>, id: EntityId, effect: Effect) -> Carried {
        let Effect::Spread { number, proven } = effect;
        Box::pin(spread(host, id, number, proven))
    }
}
