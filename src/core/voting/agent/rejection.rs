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
    /// The agent is watched otherwise than is asked for.
    OtherSettings {
        /// Each setting that differs.
        differs: Vec<Differs>,
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

/// A setting of an agent that is not as somebody asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differs {
    /// Its name in requests.
    pub field: &'static str,
    /// As it is.
    pub held: String,
    /// As it was asked for.
    pub given: String,
}
