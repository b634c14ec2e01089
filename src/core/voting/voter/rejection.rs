//! How a voter says no. Each variant carries both sides.

use crate::kernel::ids::EntityId;
use crate::voting::signature::BadKey;

/// The domain says no; nothing is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// No voter of this id is registered.
    NotRegistered,
    /// It is registered otherwise.
    Differs {
        /// In which field.
        field: &'static str,
    },
    /// Its key is not one to trust signatures under.
    BadKey(BadKey),
    /// A fault of it was proven; only a pardon lets it vote again.
    PardonNeeded,
    /// It is not quarantined.
    NothingToRelease {
        /// What it is.
        standing: &'static str,
    },
    /// A fault of it was proven, which is more than quarantine.
    Proven,
    /// Something else was told of this question before.
    JudgedOtherwise {
        /// Which.
        question: EntityId,
    },
    /// A choice of this id came out otherwise.
    ChosenOtherwise {
        /// Which.
        selection_id: EntityId,
    },
    /// It has no key that another could take the place of.
    NoKey,
    /// The new key was the voter's before.
    OldKey {
        /// Its version.
        version: u32,
    },
    /// The signature is not that of the voter's present key over the change.
    NotSigned {
        /// The version of the present key.
        version: u32,
    },
}
