//! What the mesh registry knows: the fold of its events.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::event::{Cell, Event};
use crate::kernel::ids::{CellId, VoterId};

/// The registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// The cells by id.
    pub cells: BTreeMap<CellId, Cell>,
    /// The authorities at the hub.
    pub authorities: BTreeSet<VoterId>,
    /// How many changes there were.
    pub epoch: u64,
    rings: BTreeMap<u32, BTreeSet<CellId>>,
    arms: BTreeMap<String, BTreeSet<CellId>>,
}

impl Topology {
    /// Cells registered on this ring; `None` when there are none.
    pub fn ring(&self, ring: u32) -> Option<&BTreeSet<CellId>> {
        self.rings.get(&ring)
    }

    /// Cells registered on this arm; `None` when there are none.
    pub fn arm(&self, arm: &str) -> Option<&BTreeSet<CellId>> {
        self.arms.get(arm)
    }

    /// Pairs `(a, b)` where `a` lists `b` but `b`, a registered cell, does not list `a`.
    pub fn asymmetric_pairs(&self) -> Vec<(CellId, CellId)> {
        let mut pairs = Vec::new();
        for (id, cell) in &self.cells {
            for neighbor in &cell.neighbors {
                if self.cells.get(neighbor).is_some_and(|other| !other.neighbors.contains(id)) {
                    pairs.push((id.clone(), neighbor.clone()));
                }
            }
        }
        pairs
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        self.epoch += 1;
        match event {
            Event::CellRegistered { cell_id, cell } => {
                if let Some(old) = self.cells.insert(cell_id.clone(), cell.clone()) {
                    leave(&mut self.rings, old.ring.as_ref(), cell_id);
                    leave(&mut self.arms, old.arm.as_ref(), cell_id);
                }
                if let Some(ring) = cell.ring {
                    self.rings.entry(ring).or_default().insert(cell_id.clone());
                }
                if let Some(arm) = &cell.arm {
                    self.arms.entry(arm.clone()).or_default().insert(cell_id.clone());
                }
            }
            Event::AuthorityRegistered { authority_id } => {
                self.authorities.insert(authority_id.clone());
            }
        }
    }
}

fn leave<K: Ord>(groups: &mut BTreeMap<K, BTreeSet<CellId>>, key: Option<&K>, cell: &CellId) {
    let Some(key) = key else { return };
    if let Some(members) = groups.get_mut(key) {
        members.remove(cell);
        if members.is_empty() {
            groups.remove(key);
        }
    }
}
