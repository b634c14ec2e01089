//! Many machines: how far apart they are, which of them are there, and where a job goes.
//!
//! | module | holds |
//! |---|---|
//! | [`coordinate`] | network coordinates (Vivaldi): the distance of two nodes that never measured each other |
//! | [`member`] | who is there: lifecycle, probes, suspicion, gossip, datagrams |
//! | [`datacenter`] | what the datacenters say of themselves |
//! | [`route`] | which datacenter a job goes to |
//!
//! Everything here is pure. Time, randomness and configuration are arguments; datagrams come in as bytes and go out as
//! bytes; what is to be done outside is a value.

pub mod coordinate;
pub mod datacenter;
pub mod member;
pub mod route;

/// A value outside its range. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is out of range, expected {expected}. given={given}")]
pub struct OutOfRange {
    /// Which field.
    pub field: &'static str,
    /// What was given.
    pub given: String,
    /// What is allowed.
    pub expected: &'static str,
}

impl OutOfRange {
    /// The refusal of one value.
    pub fn new(field: &'static str, given: impl ToString, expected: &'static str) -> Self {
        OutOfRange { field, given: given.to_string(), expected }
    }
}

/// Refuses a value that does not keep its rule.
fn ensure(
    holds: bool,
    field: &'static str,
    given: impl ToString,
    expected: &'static str,
) -> Result<(), OutOfRange> {
    if holds { Ok(()) } else { Err(OutOfRange::new(field, given, expected)) }
}
