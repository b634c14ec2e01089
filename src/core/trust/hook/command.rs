//! What may be asked of a hook, and how it answers.

use super::event::{Disabling, Reason, Secret};
use crate::kernel::ids::EntityId;

/// A request about one hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make it.
    Register(Box<Register>),
    /// What fits up to a position was delivered.
    Deliver {
        /// Where the cursor stood.
        from: u64,
        /// Where it stands now.
        upto: u64,
        /// Events in the request; none when nothing up to there fits.
        count: u64,
    },
    /// An attempt failed.
    Fail {
        /// Where the cursor stands.
        from: u64,
        /// Why.
        reason: Reason,
    },
    /// Nothing more is to be attempted.
    Disable {
        /// Where the cursor stands.
        from: u64,
        /// Why.
        reason: Disabling,
    },
    /// Attempt it again, from now on.
    Resume,
    /// End it for good.
    Remove,
    /// Time has passed.
    Tick,
}

/// What a new hook is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    /// Its name.
    pub hook_id: EntityId,
    /// Where the requests go.
    pub url: String,
    /// Which events, as JSON.
    pub filter: String,
    /// What signs them.
    pub secret: Secret,
    /// The secret was given, and not made for it.
    pub is_given: bool,
    /// The identity whose eyes it has; none sees everything.
    pub owner: Option<EntityId>,
    /// What stands behind this position is delivered.
    pub position: u64,
}

/// The answer to an accepted command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is so.
    Done {
        /// It was not so before.
        changed: bool,
    },
}

/// The domain says no; nothing is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// No hook of this id was ever registered.
    NotFound,
    /// There is, or was, another hook of this id.
    AlreadyExists,
    /// The hook was removed.
    Over,
}
