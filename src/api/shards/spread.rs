//! What stands on the first shard and is in force on all: identities and stops.

use std::time::Duration;

use super::super::Quorate;
use crate::core::trust::identity::Directory;
use crate::core::trust::stop::Stops;
use crate::shell::lock;

/// How long a process answers after it last read the first shard.
pub const BOUND: Duration = Duration::from_secs(1);
/// The operations that are answered only when what they did is in force everywhere.
pub(super) const SPREADING: [&str; 5] =
    ["identity.create", "identity.rotate", "identity.grant", "identity.revoke", "stop.engage"];

/// What was read of the first shard.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// Every identity.
    pub directory: Directory,
    /// What is stopped.
    pub stops: Stops,
}

impl Read {
    /// In force at this runtime from now on.
    pub(super) fn put_into(&self, q: &Quorate) {
        let host = q.host();
        lock(&host.counters.identities).clone_from(&self.directory);
        host.counters.identities_changed.send_modify(|changes| *changes = changes.wrapping_add(1));
        host.stops.set(&self.stops);
    }
}
