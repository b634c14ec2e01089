//! Under whose name something is asked of an entity.

use std::ops::Deref;
use std::sync::Arc;

use super::host::Host;
use crate::core::kernel::ids::EntityId;

/// The surroundings as one caller reaches them. What an entity records for a request that came this way names the
/// caller's identity.
#[derive(Clone)]
pub(crate) struct Access {
    host: Arc<Host>,
    by: Option<EntityId>,
}

impl Access {
    /// The way of those who are not asked who they are.
    pub(crate) fn open(host: Arc<Host>) -> Self {
        Access { host, by: None }
    }

    /// The same way under the name of an identity.
    pub(crate) fn under(&self, by: EntityId) -> Self {
        Access { host: self.host.clone(), by: Some(by) }
    }
}

impl Deref for Access {
    type Target = Arc<Host>;

    fn deref(&self) -> &Arc<Host> {
        &self.host
    }
}

/// Who may ask something of an entity.
pub(crate) trait Asks {
    /// The surroundings.
    fn host(&self) -> &Arc<Host>;
    /// The identity in whose name it is asked.
    fn by(&self) -> Option<&EntityId>;
}

impl Asks for Access {
    fn host(&self) -> &Arc<Host> {
        &self.host
    }

    fn by(&self) -> Option<&EntityId> {
        self.by.as_ref()
    }
}

/// What the runtime does by itself is done under no name.
impl Asks for Arc<Host> {
    fn host(&self) -> &Arc<Host> {
        self
    }

    fn by(&self) -> Option<&EntityId> {
        None
    }
}
