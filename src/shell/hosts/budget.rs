//! Budgets of several cells.

use std::sync::Arc;

use super::cell::run_owed;
use super::{Carried, Hosted};
use crate::core::capacity::cell::{self, BudgetMachine};
use crate::core::kernel::ids::EntityId;
use crate::shell::counters::Counters;
use crate::shell::host::Host;
use crate::shell::lock;
use crate::shell::stops::Bearing;

impl Hosted for BudgetMachine {
    fn bearing(_: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            cell::Command::Tick => Bearing::Passes,
        }
    }

    fn observe(counters: &Counters, id: &EntityId, events: &[cell::budget::Event]) {
        let mut stats = lock(&counters.cells);
        events.iter().for_each(|event| stats.apply_budget(event));
        drop(stats);
        for event in events {
            tracing::debug!(kind = "budget", entity_id = %id, event = event.name());
        }
    }

    fn follow(host: &Arc<Host>, _: &EntityId, events: &[cell::budget::Event]) {
        let back = |event: &cell::budget::Event| {
            matches!(event, cell::budget::Event::Settled { .. } | cell::budget::Event::RatesSet { .. })
        };
        if events.iter().any(back) {
            host.refills.tell();
        }
    }

    fn carry_out(host: Arc<Host>, _: EntityId, effect: cell::Effect) -> Carried {
        Box::pin(run_owed(host, effect))
    }
}
