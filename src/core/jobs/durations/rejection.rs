//! How a class of jobs says no.

/// The domain says no; nothing is recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A number is out of bounds.
    #[error("{field} is out of bounds, expected {expected}. given={given}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What was given.
        given: u64,
        /// What is allowed.
        expected: String,
    },
}

impl Rejection {
    /// Nothing, if the number is from `low` to `high`.
    pub(super) fn unless_within(field: &'static str, given: u64, low: u64, high: u64) -> Result<(), Self> {
        if (low..=high).contains(&given) {
            return Ok(());
        }
        Err(Rejection::Invalid { field, given, expected: format!("{low} to {high}") })
    }
}
