//! How a proposal says no. A vote that is not taken is an answer, not a rejection.

/// The domain says no; nothing is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// No proposal of this id was ever opened.
    NotFound,
    /// A proposal of this id was opened before.
    AlreadyExists,
    /// A field is out of range.
    Invalid {
        /// Which field.
        field: &'static str,
        /// What was given.
        given: String,
        /// What is allowed.
        expected: String,
    },
}
