//! What a process knows of its hooks beside the record.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use crate::core::kernel::ids::EntityId;
use crate::journal::Position;

/// What is known of hooks, and is forgotten with the process.
#[derive(Debug, Default)]
pub(crate) struct HooksAtWork {
    /// Held by whoever registers one, so that they are counted one after the other.
    pub(crate) registering: tokio::sync::Mutex<()>,
    /// Does somebody deliver?
    pub(crate) delivers: AtomicBool,
    /// Up to where the journal was looked at for a hook: nothing in between fits.
    pub(crate) seen: Mutex<BTreeMap<EntityId, Position>>,
}
