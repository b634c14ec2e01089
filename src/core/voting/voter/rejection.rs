//! How a voter says no. Each variant carries both sides.

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
}
