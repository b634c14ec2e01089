//! How an agent says no.

/// The domain says no; nothing is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// A number is out of bounds.
    Invalid {
        /// Which field.
        field: &'static str,
        /// What was given.
        given: i64,
        /// What is allowed.
        expected: String,
    },
    /// The metadata of a beat is too large.
    MetadataTooLarge {
        /// Its bytes.
        given: usize,
    },
    /// No agent of this id is registered.
    NotRegistered,
    /// The agent is registered and not monitored, so a beat is not recorded.
    NotMonitored,
}
