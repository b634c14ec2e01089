//! Budgets of several cells.

use std::sync::Arc;

use super::cell::run_owed;
use super::{Carried, Hosted};
use crate::core::capacity::cell::{self, BudgetMachine};
use crate::core::kernel::ids::EntityId;
use crate::shell::counters::Counters;
use crate::shell::host::Host;

impl Hosted for BudgetMachine {
    fn observe(_: &Counters, id: &EntityId, events: &[cell::budget::Event]) {
        for event in events {
            tracing::debug!(kind = "budget", entity_id = %id, event = event.name());
        }
    }

    fn carry_out(host: Arc<Host>, _: EntityId, effect: cell::Effect) -> Carried {
        Box::pin(run_owed(host, effect))
    }
}
