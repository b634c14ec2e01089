//! What happened to the mesh registry. Stored: variants and fields are only ever appended, at the end.

use serde::{Deserialize, Serialize};

use crate::kernel::ids::{CellId, VoterId};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A cell's entry was set.
    CellRegistered {
        /// Which cell.
        cell_id: CellId,
        /// Its entry from now on.
        cell: Cell,
    },
    /// An authority was added at the hub.
    AuthorityRegistered {
        /// Who.
        authority_id: VoterId,
    },
}

impl Event {
    /// The name of the variant, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::CellRegistered { .. } => "cell_registered",
            Event::AuthorityRegistered { .. } => "authority_registered",
        }
    }
}

/// The entry of one cell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Up to six other cells, in the order given.
    pub neighbors: Vec<CellId>,
    /// The ring it lies on.
    pub ring: Option<u32>,
    /// The arm it lies on, an opaque label.
    pub arm: Option<String>,
    /// The department it works for.
    pub department: Option<String>,
}
