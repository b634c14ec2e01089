//! What may be asked of the mesh registry, and how it answers.

use super::event::Cell;
use crate::kernel::ids::{CellId, VoterId};

/// A request to the registry.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Set a cell's entry, in place of any earlier one. Its own id and duplicates among the neighbours drop out.
    RegisterCell(CellId, Cell),
    /// Add an authority at the hub.
    RegisterAuthority(VoterId),
    /// Time has passed; means nothing here.
    Tick,
}

/// The answer to an accepted command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The registry changed; false when it already was so.
    pub changed: bool,
}

/// How the registry says no.
#[derive(Clone, Debug, PartialEq)]
pub enum Rejection {
    /// More distinct neighbours than a cell can have.
    TooManyNeighbors {
        /// How many distinct others were named.
        given: usize,
    },
    /// The registry is full.
    Full {
        /// What is full.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
}
