//! Jobs at their gate.

use std::sync::Arc;

use super::Hosted;
use crate::config::Config;
use crate::core::jobs::gate::{self, Datacenters, Gate, GateMachine};
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::core::kernel::time::Timestamp;
use crate::core::trust::stop::Acting;
use crate::shell::bus::{Notice, What};
use crate::shell::counters::Counters;
use crate::shell::dispatches::{accept, forget_dispatches, forget_route, note_dispatch};
use crate::shell::host::Host;
use crate::shell::jobs::{LOCAL, send};
use crate::shell::lock;
use crate::shell::stops::Bearing;

impl Hosted for GateMachine {
    const ENDS: bool = true;

    fn is_over(state: &Gate, _: Timestamp) -> bool {
        state.run.is_none() && (state.finished.is_some() || state.replaced.is_some())
    }

    fn bearing(_: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            gate::Command::Track(track) => {
                let parties = [track.gate.node.as_str()];
                Bearing::Acts(Acting::as_parties(parties).for_class(track.plan.class.clone()))
            }
            gate::Command::Transfer { to, .. } => Bearing::of([to.node.as_str()]),
            gate::Command::Receive(_)
            | gate::Command::Cancel { .. }
            // Where it goes now is asked under the stops, as where it went first.
            | gate::Command::Redirect { .. }
            // So is who gets it now.
            | gate::Command::TakeOver { .. }
            | gate::Command::DatacenterGone { .. }
            | gate::Command::DatacenterBack { .. }
            | gate::Command::AskLeads
            | gate::Command::RunErrands { .. }
            | gate::Command::Tick => Bearing::Passes,
        }
    }

    fn expects_answer(effect: &gate::Effect) -> bool {
        let gate::Effect::Send(message) = effect;
        message.number > 0
    }

    fn context(host: &Host) -> Datacenters {
        let known = host.config.jobs.datacenters.clone();
        let all = if known.is_empty() {
            Datacenters::default()
        } else {
            Datacenters::of(move |name| name.as_str() == LOCAL || known.contains(name))
        };
        all.above(host.token_floor()).at(host.fleet.seat(host))
    }

    fn notices(_: &Config, id: &EntityId, _: &Gate, events: &[gate::Event]) -> Vec<Notice> {
        let heard = |event: &gate::Event| {
            let gate::Event::Finished { status, at, .. } = event else { return None };
            Some(Notice {
                topic: format!("job/{id}"),
                entity: StreamId::new(StreamKind::Gate, id.clone()),
                at: *at,
                what: What::JobEnded { status: *status },
            })
        };
        events.iter().filter_map(heard).collect()
    }

    fn observe(counters: &Counters, id: &EntityId, events: &[gate::Event]) {
        forget_dispatches(counters, id, events);
        let mut index = lock(&counters.gates);
        for event in events {
            index.apply(id, event);
            tracing::debug!(kind = "gate", entity_id = %id, event = event.name());
        }
    }

    /// What the router keeps of a job goes with it. A crash in between leaves it to its time.
    fn follow(host: &Arc<Host>, id: &EntityId, events: &[gate::Event]) {
        let over = |event: &gate::Event| {
            matches!(event, gate::Event::Finished { .. } | gate::Event::GateReplaced { .. })
        };
        if events.iter().any(over) {
            forget_route(host, id);
        }
        accept(host, id, events);
    }

    fn at_once(host: &Arc<Host>, effect: &gate::Effect) -> bool {
        let gate::Effect::Send(message) = effect;
        note_dispatch(host, message);
        send(host, message);
        true
    }
}
