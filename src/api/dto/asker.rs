//! Who asked for what somebody holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::kernel::ids::EntityId;

/// The identity that asked for something, and the party in whose name it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Asker {
    /// The identity.
    pub identity: EntityId,
    /// The party it acted as: `cell:NAME` for capacity, `holder:NAME` for a lease.
    pub party: String,
}
