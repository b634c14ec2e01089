//! What may be asked of the data subjects, and how they answer.

use super::event::KeyId;
use crate::kernel::ids::EntityId;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// There is a key for this data subject, durably.
    Register {
        /// Whose.
        data_subject: EntityId,
        /// What the key is known by.
        key_id: KeyId,
    },
    /// Its key is to be destroyed.
    Shred {
        /// Whose.
        data_subject: EntityId,
        /// Why.
        reason: String,
        /// Who asks for it.
        by: Option<String>,
    },
    /// Its key is destroyed.
    Destroyed {
        /// Whose.
        data_subject: EntityId,
    },
    /// Time has passed.
    Tick,
}

/// The answer to an accepted command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It takes data, sealed with this key.
    Active {
        /// What the key is known by.
        key_id: KeyId,
    },
    /// Shredding is on record.
    Asked {
        /// It was before; nothing changed.
        duplicate: bool,
    },
    /// Nothing to say.
    Done,
}

/// How the data subjects say no. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Nothing was ever sealed for it.
    NotFound,
    /// It was shredded, or is about to be.
    Shredded,
    /// Nobody asked for its key to be destroyed.
    NotAsked,
    /// As many are known as may be.
    TooMany {
        /// How many that is.
        limit: usize,
    },
}
