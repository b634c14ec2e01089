//! Identities, as every door finds them.

use super::Hosted;
use crate::core::kernel::ids::EntityId;
use crate::core::trust::identity::{self, IdentityMachine};
use crate::shell::counters::Counters;
use crate::shell::lock;
use crate::shell::stops::Bearing;

impl Hosted for IdentityMachine {
    fn bearing(_: &EntityId, _: &Self::State, command: &Self::Command) -> Bearing {
        match command {
            // Who may do what: those who are named to release a stop may have to be let in first.
            identity::Command::Create(_)
            | identity::Command::Rotate { .. }
            | identity::Command::Grant(_)
            | identity::Command::Revoke { .. }
            | identity::Command::RevokeToken { .. }
            | identity::Command::Use
            | identity::Command::Refuse(_)
            | identity::Command::Tick => Bearing::Passes,
        }
    }

    fn observe(counters: &Counters, id: &EntityId, events: &[identity::Event]) {
        let mut directory = lock(&counters.identities);
        for event in events {
            directory.apply(id, event);
            tracing::info!(kind = "identity", entity_id = %id, event = event.name());
        }
        drop(directory);
        // Who waits or follows under this identity looks again whether it still may.
        counters.identities_changed.send_modify(|changes| *changes = changes.wrapping_add(1));
    }
}
