//! What may be asked of retention, and how it answers.

use super::event::Scope;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Nothing in this scope is pruned.
    Keep {
        /// What.
        scope: Scope,
        /// Why.
        reason: String,
        /// Who asks for it.
        by: Option<String>,
    },
    /// It may be pruned again.
    LetGo {
        /// What.
        scope: Scope,
        /// Who asks for it.
        by: Option<String>,
    },
    /// Time has passed.
    Tick,
}

/// The answer to an accepted command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is held.
    Held {
        /// It was before; nothing changed.
        duplicate: bool,
    },
    /// It is held no more.
    Released,
    /// Nothing to say.
    Done,
}

/// How retention says no. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Nothing is held under this scope.
    NotFound,
    /// It is held for another reason, which would be lost.
    HeldFor {
        /// The reason that stands.
        reason: String,
    },
    /// As many are held as may be.
    TooMany {
        /// How many that is.
        limit: usize,
    },
}
