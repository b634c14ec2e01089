//! Where jobs go.

use super::Hosted;
use crate::core::kernel::ids::EntityId;
use crate::core::network::route::record::{self, RouteMachine};
use crate::core::network::route::{Reason, RoutingConfig};
use crate::shell::counters::Counters;
use crate::shell::host::Host;
use crate::shell::lock;
use crate::shell::stops::Bearing;

impl Hosted for RouteMachine {
    fn bearing(_: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            record::Command::Decide(_) => Bearing::unnamed(),
            record::Command::Fail { .. }
            | record::Command::Accept { .. }
            | record::Command::Forget
            | record::Command::Tick => Bearing::Passes,
        }
    }

    fn context(host: &Host) -> RoutingConfig {
        host.config.network.routing.clone()
    }

    fn observe(counters: &Counters, id: &EntityId, events: &[record::Event]) {
        for event in events {
            tracing::debug!(kind = "route", entity_id = %id, event = event.name());
            let record::Event::Decided(decided) = event else { continue };
            let decision = &decided.decision;
            if decision.switched || decision.reason == Reason::InitialSelection {
                // Until the next heartbeat of a datacenter, what was sent there waits in its queue.
                let mut dispatched = lock(&counters.dispatched);
                for datacenter in &decision.primary_datacenters {
                    *dispatched.entry(datacenter.clone()).or_default() += 1;
                }
            }
        }
    }
}
