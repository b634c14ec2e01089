//! Hooks, as whoever delivers finds them.

use super::Hosted;
use crate::core::kernel::ids::EntityId;
use crate::core::trust::hook::{self, HookMachine};
use crate::shell::counters::Counters;
use crate::shell::stops::Bearing;

impl Hosted for HookMachine {
    fn bearing(_: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            // What is told of what happened goes on whatever is stopped.
            hook::Command::Register(_)
            | hook::Command::Deliver { .. }
            | hook::Command::Fail { .. }
            | hook::Command::Disable { .. }
            | hook::Command::Resume
            | hook::Command::Remove
            | hook::Command::Tick => Bearing::Passes,
        }
    }

    fn observe(counters: &Counters, id: &EntityId, events: &[hook::Event]) {
        for event in events {
            counters.count_hook(id, event);
            match event {
                hook::Event::Failed(failed) => {
                    let (failures, reason) = (failed.failures, failed.reason.to_string());
                    tracing::warn!(kind = "hook", entity_id = %id, failures, reason, "a hook was not delivered");
                }
                hook::Event::Disabled { reason, .. } => {
                    let reason = reason.to_string();
                    tracing::warn!(kind = "hook", entity_id = %id, reason, "a hook is disabled");
                }
                hook::Event::Delivered { position, count, .. } => {
                    tracing::debug!(kind = "hook", entity_id = %id, position, count, "delivered");
                }
                hook::Event::Registered(_)
                | hook::Event::Keyed { .. }
                | hook::Event::Resumed { .. }
                | hook::Event::Removed { .. } => {
                    tracing::info!(kind = "hook", entity_id = %id, event = event.name());
                }
            }
        }
        counters.hooks_changed.send_modify(|changes| *changes = changes.wrapping_add(1));
    }
}
