//! Who belongs to an electorate, read from the registry at one instant.

use std::collections::BTreeSet;

use super::state::Topology;
use crate::kernel::ids::{CellId, VoterId};
use crate::voting::quorum::QuorumType;

/// The part of the mesh a question is put to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which kind of electorate.
    pub quorum_type: QuorumType,
    /// The cell the question is about.
    pub cell_id: Option<CellId>,
    /// The ring, for a ring quorum; the cell's own when left out.
    pub ring: Option<u32>,
    /// The arm, for a radial quorum; the cell's own when left out.
    pub arm: Option<String>,
}

/// What the registry knows about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The voters, sorted; `None` when the membership is unknown or empty.
    pub voters: Option<Vec<VoterId>>,
    /// Known neighbours of the cell, whatever was asked.
    pub neighbor_count: u32,
    /// Where notices go: `cell/{department}/{cell}`, `ring/{k}`, `radial/{arm}` or `global/cmp`.
    pub topic: String,
    /// What was looked up, for messages: `ring 3`, `cell D1`.
    pub sought: String,
    /// Epoch of the registry.
    pub epoch: u64,
}

impl Topology {
    /// Reads the membership of a part of the mesh. A cell is not its own neighbour; an unknown or empty part
    /// has no members rather than some default.
    pub fn membership(&self, asked: &Asked) -> Membership {
        let cell = asked.cell_id.as_ref().and_then(|id| self.cells.get(id));
        let neighbors = cell.map(|c| c.neighbors.as_slice()).unwrap_or_default();
        let unknown = || "unknown".to_owned();
        let (voters, topic, sought) = match asked.quorum_type {
            QuorumType::Local => {
                let id = asked.cell_id.as_ref().map_or_else(unknown, ToString::to_string);
                let department = cell.and_then(|c| c.department.clone()).unwrap_or_else(unknown);
                (voters(neighbors), format!("cell/{department}/{id}"), format!("neighbors of cell {id}"))
            }
            QuorumType::Ring => {
                let ring = asked.ring.or_else(|| cell.and_then(|c| c.ring));
                let label = ring.map_or_else(unknown, |k| k.to_string());
                let members = ring.and_then(|k| self.ring(k));
                (
                    voters(members.unwrap_or(&BTreeSet::new())),
                    format!("ring/{label}"),
                    format!("ring {label}"),
                )
            }
            QuorumType::Radial => {
                let arm = asked.arm.clone().or_else(|| cell.and_then(|c| c.arm.clone()));
                let members = arm.as_deref().and_then(|a| self.arm(a));
                let label = arm.clone().unwrap_or_else(unknown);
                (
                    voters(members.unwrap_or(&BTreeSet::new())),
                    format!("radial/{label}"),
                    format!("arm {label}"),
                )
            }
            QuorumType::Global => {
                let authorities: Vec<VoterId> = self.authorities.iter().cloned().collect();
                (authorities, "global/cmp".to_owned(), "cmp authorities".to_owned())
            }
        };
        Membership {
            voters: (!voters.is_empty()).then_some(voters),
            neighbor_count: neighbors.len() as u32,
            topic,
            sought,
            epoch: self.epoch,
        }
    }
}

fn voters<'a>(cells: impl IntoIterator<Item = &'a CellId>) -> Vec<VoterId> {
    let mut voters: Vec<VoterId> = cells.into_iter().map(VoterId::from).collect();
    voters.sort();
    voters
}
