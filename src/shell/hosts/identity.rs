//! Identities, as every door finds them.

use super::Hosted;
use crate::core::kernel::ids::EntityId;
use crate::core::trust::identity::{self, IdentityMachine};
use crate::shell::counters::Counters;
use crate::shell::lock;

impl Hosted for IdentityMachine {
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
