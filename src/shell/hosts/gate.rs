//! Jobs at their gate.

use super::Hosted;
use crate::config::Config;
use crate::core::jobs::gate::{self, Datacenters, Gate, GateMachine};
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::shell::bus::{Notice, What};
use crate::shell::counters::Counters;
use crate::shell::host::Host;
use crate::shell::jobs::{LOCAL, send};

impl Hosted for GateMachine {
    const ENDS: bool = true;

    fn expects_answer(effect: &gate::Effect) -> bool {
        let gate::Effect::Send(message) = effect;
        message.number > 0
    }

    fn context(host: &Host) -> Datacenters {
        let known = host.config.jobs.datacenters.clone();
        if known.is_empty() {
            return Datacenters::default();
        }
        Datacenters::of(move |name| name.as_str() == LOCAL || known.contains(name))
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

    fn observe(_: &Counters, id: &EntityId, events: &[gate::Event]) {
        for event in events {
            tracing::debug!(kind = "gate", entity_id = %id, event = event.name());
        }
    }

    fn at_once(host: &Host, effect: &gate::Effect) -> bool {
        let gate::Effect::Send(message) = effect;
        send(host, message);
        true
    }
}
