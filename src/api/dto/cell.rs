//! Requests and replies about the mesh registry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::kernel::ids::{CellId, VoterId, known_maybe};

/// Sets a cell's entry in the mesh registry, in place of any earlier one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterCell {
    /// Which cell.
    pub cell_id: CellId,
    /// Up to six other cells; duplicates and the cell itself drop out.
    #[serde(default)]
    pub neighbors: Vec<CellId>,
    /// The ring it lies on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring: Option<u32>,
    /// The arm it lies on, an opaque label of 1 to 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<String>,
    /// The department it works for, 1 to 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
}

/// A cell of the mesh registry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CellView {
    /// Which cell.
    pub cell_id: CellId,
    /// Its neighbours.
    pub neighbors: Vec<CellId>,
    /// Its ring.
    pub ring: Option<u32>,
    /// Its arm.
    pub arm: Option<String>,
    /// Its department.
    pub department: Option<String>,
}

/// A cell as registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CellRegistered {
    /// The entry.
    #[serde(flatten)]
    pub cell: CellView,
    /// Epoch of the registry after it.
    pub epoch: u64,
    /// The registry changed; false when the entry already was so.
    pub changed: bool,
}

/// Lists the mesh registry.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListCells {
    /// How many cells at most, 1 to 1000; 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// The last cell of the page before.
    #[serde(default, deserialize_with = "known_maybe", skip_serializing_if = "Option::is_none")]
    pub cursor: Option<CellId>,
}

/// A page of the mesh registry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CellPage {
    /// Cells by id.
    pub cells: Vec<CellView>,
    /// How many cells there are.
    pub total_available: u64,
    /// Ask with this for what follows, now or later; none when this page is empty and was not asked for with a cursor.
    pub next_cursor: Option<CellId>,
    /// The end was not reached.
    pub more: bool,
    /// The authorities at the hub.
    pub authorities: Vec<VoterId>,
    /// Pairs in which the first lists the second as a neighbour but not the other way round; at most 1000.
    pub asymmetric_pairs: Vec<(CellId, CellId)>,
    /// Epoch of the registry.
    pub epoch: u64,
}

/// Registers a whole hexagonal mesh: a hub and this many rings, ids such as `hex:1,-1`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterMesh {
    /// Rings around the hub, 0 to 50.
    pub rings: i64,
}

/// What registering a mesh did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MeshRegistered {
    /// Cells of the mesh.
    pub cells: u64,
    /// Of these, new or changed.
    pub changed: u64,
    /// Epoch of the registry after it.
    pub epoch: u64,
}

/// Adds an authority at the hub.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterAuthority {
    /// Who.
    pub authority_id: VoterId,
}

/// An authority as registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuthorityRegistered {
    /// Who.
    pub authority_id: VoterId,
    /// Authorities there are now.
    pub authorities: u64,
    /// Epoch of the registry after it.
    pub epoch: u64,
    /// The registry changed; false when the authority was known.
    pub changed: bool,
}
