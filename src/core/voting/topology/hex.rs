//! Hexagonal geometry in axial coordinates: a hub at (0, 0), rings around it, six arms.
//!
//! ```text
//!        (0,-1)  (1,-1)          distance = max(|q|, |r|, |q + r|)
//!     (-1,0)  (0,0)  (1,0)       ring k   = the 6k cells at distance k
//!        (-1,1)  (0,1)           arm      = the cells straight along one of the six directions
//! ```
//!
//! Adjacency is symmetric by construction. Source: Amit Patel, "Hexagonal Grids", Red Blob Games, 2013
//! (axial coordinates, distance, rings).

use crate::kernel::ids::CellId;

use super::event::Cell;

/// A place on the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex {
    /// Column axis.
    pub q: i32,
    /// Row axis.
    pub r: i32,
}

/// The six directions, clockwise from east; each names an arm.
pub const DIRECTIONS: [(&str, Hex); 6] = [
    ("east", Hex { q: 1, r: 0 }),
    ("southeast", Hex { q: 0, r: 1 }),
    ("southwest", Hex { q: -1, r: 1 }),
    ("west", Hex { q: -1, r: 0 }),
    ("northwest", Hex { q: 0, r: -1 }),
    ("northeast", Hex { q: 1, r: -1 }),
];

impl Hex {
    /// The hub.
    pub const HUB: Hex = Hex { q: 0, r: 0 };

    /// Steps from here to `other`.
    pub fn distance(self, other: Hex) -> u32 {
        let q = i64::from(self.q) - i64::from(other.q);
        let r = i64::from(self.r) - i64::from(other.r);
        let steps = q.unsigned_abs().max(r.unsigned_abs()).max((q + r).unsigned_abs());
        u32::try_from(steps).unwrap_or(u32::MAX)
    }

    /// Steps from the hub: the ring it lies on.
    pub fn ring(self) -> u32 {
        self.distance(Hex::HUB)
    }

    /// The six places at distance 1.
    pub fn neighbors(self) -> [Hex; 6] {
        DIRECTIONS.map(|(_, d)| self.step(d, 1))
    }

    /// The arm it lies on; `None` for the hub and for places off the six axes.
    pub fn arm(self) -> Option<&'static str> {
        let ring = i32::try_from(self.ring()).ok().filter(|ring| *ring > 0)?;
        DIRECTIONS.iter().find(|(_, d)| Hex::HUB.step(*d, ring) == self).map(|(name, _)| *name)
    }

    /// All places of ring `k`, clockwise; the hub alone for 0.
    pub fn ring_cells(k: u32) -> Vec<Hex> {
        let Ok(k) = i32::try_from(k) else { return Vec::new() };
        if k == 0 {
            return vec![Hex::HUB];
        }
        // From the corner in direction d, the edge to the next corner runs two directions further on.
        DIRECTIONS
            .iter()
            .enumerate()
            .flat_map(|(d, (_, corner))| {
                let edge = DIRECTIONS[(d + 2) % 6].1;
                (0..k).map(move |n| Hex::HUB.step(*corner, k).step(edge, n))
            })
            .collect()
    }

    /// The id a generated mesh gives this place, such as `hex:1,-1`.
    pub fn cell_id(self) -> CellId {
        match CellId::new(format!("hex:{},{}", self.q, self.r)) {
            Ok(id) => id,
            Err(e) => unreachable!("two numbers make a valid id: {e}"),
        }
    }

    /// The registry entry of this place on a mesh of `rings` rings: neighbours inside the mesh, ring and arm.
    pub fn cell(self, rings: u32) -> Cell {
        Cell {
            neighbors: self.neighbors().into_iter().filter(|n| n.ring() <= rings).map(Hex::cell_id).collect(),
            ring: Some(self.ring()),
            arm: self.arm().map(str::to_owned),
            department: None,
        }
    }

    fn step(self, direction: Hex, times: i32) -> Hex {
        Hex {
            q: self.q.saturating_add(direction.q.saturating_mul(times)),
            r: self.r.saturating_add(direction.r.saturating_mul(times)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ring_k_holds_exactly_the_6k_cells_at_distance_k() {
        for k in 1..8u32 {
            let ring: BTreeSet<Hex> = Hex::ring_cells(k).into_iter().collect();
            assert_eq!(ring.len(), 6 * k as usize);
            let bound = k as i32 + 1;
            let naive: BTreeSet<Hex> = (-bound..=bound)
                .flat_map(|q| (-bound..=bound).map(move |r| Hex { q, r }))
                .filter(|h| h.q.abs().max(h.r.abs()).max((h.q + h.r).abs()) == k as i32)
                .collect();
            assert_eq!(ring, naive);
        }
        assert_eq!(Hex::ring_cells(0), [Hex::HUB]);
    }

    #[test]
    fn adjacency_is_symmetric_and_six_cells_of_every_ring_lie_on_arms() {
        for k in 1..5 {
            let ring = Hex::ring_cells(k);
            assert_eq!(ring.iter().filter(|h| h.arm().is_some()).count(), 6);
            for hex in ring {
                assert!(hex.neighbors().iter().all(|n| n.neighbors().contains(&hex)));
            }
        }
        assert_eq!(Hex::HUB.arm(), None);
        assert_eq!(Hex { q: 3, r: -3 }.arm(), Some("northeast"));
        assert_eq!(Hex { q: 2, r: -1 }.arm(), None);
    }

    #[test]
    fn distance_survives_the_ends_of_the_number_range() {
        let far = Hex { q: i32::MAX, r: i32::MAX };
        assert_eq!(far.distance(Hex { q: i32::MIN, r: i32::MIN }), u32::MAX);
    }
}
