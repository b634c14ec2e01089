//! Which shard an entity group is on, and which process is to own a shard.
//!
//! ```text
//!  name of a group ─► slot, one of 16,384 ─► shard, as the map says ─► process: its fair share, by rendezvous
//! ```
//!
//! The name of a group always has the same slot. The map says where each slot is, so that a slot can go elsewhere without
//! the others. What is decided here is advice about where to ask; who may write a journal is decided by its epoch.

use std::sync::Arc;

use super::rendezvous::weight;

/// How many slots there are. With fewer, the busiest of a thousand shards would have twice the mean.
pub const SLOTS: usize = 16_384;
/// The most shards there can be.
pub const MOST: u16 = 1_000;

/// The slot of an entity group.
pub fn slot_of(group: &str) -> usize {
    usize::try_from(weight(group, "slot") % SLOTS as u64).unwrap_or(0)
}

/// Where each slot is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardMap {
    slots: Vec<u16>,
    shards: u16,
}

impl ShardMap {
    /// The slots spread over so many shards, as evenly as they can be; none for a number that is not 1 to [`MOST`].
    pub fn spread(shards: u16) -> Option<Self> {
        if !(1..=MOST).contains(&shards) {
            return None;
        }
        let slots = (0..shards).cycle().take(SLOTS).collect();
        Some(ShardMap { slots, shards })
    }

    /// The map with these slots; none unless there are as many as there must be, and each is on a shard that exists.
    pub fn of(shards: u16, slots: Vec<u16>) -> Option<Self> {
        let fits =
            (1..=MOST).contains(&shards) && slots.len() == SLOTS && slots.iter().all(|shard| *shard < shards);
        fits.then_some(ShardMap { slots, shards })
    }

    /// How many shards there are; their numbers begin with 0.
    pub fn shards(&self) -> u16 {
        self.shards
    }

    /// The shard of each slot.
    pub fn slots(&self) -> &[u16] {
        &self.slots
    }

    /// The shard of an entity group.
    pub fn shard_of(&self, group: &str) -> u16 {
        self.slots.get(slot_of(group)).copied().unwrap_or(0)
    }
}

/// One shard of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneShard {
    map: Arc<ShardMap>,
    number: u16,
}

impl OneShard {
    /// This one; none when the map has no such shard.
    pub fn of(map: Arc<ShardMap>, number: u16) -> Option<Self> {
        (number < map.shards()).then_some(OneShard { map, number })
    }

    /// Is it the first one?
    pub fn is_first(&self) -> bool {
        self.number == 0
    }

    /// Is the entity group on it?
    pub fn holds(&self, group: &str) -> bool {
        self.map.shard_of(group) == self.number
    }
}

/// For each shard the place that is to have it, as a position in `places`; empty without places. No place has two more than
/// another. Every process that sees the same places comes to the same answer, in whatever order it sees them.
///
/// Shards choose in turn, each the free place that counts most for it.
pub fn shares(shards: u16, places: &[&str]) -> Vec<usize> {
    if places.is_empty() {
        return Vec::new();
    }
    let (least, mut above) = (usize::from(shards) / places.len(), usize::from(shards) % places.len());
    let mut had = vec![0; places.len()];
    let choose = |shard: u16| {
        let key = shard.to_string();
        let is_free = |at: &usize, had: &[usize]| had[*at] < least || (above > 0 && had[*at] == least);
        let free = (0..places.len()).filter(|at| is_free(at, &had));
        let best = free.max_by_key(|at| (weight(&key, places[*at]), places[*at])).unwrap_or(0);
        above -= usize::from(had[best] == least && above > 0);
        had[best] += 1;
        best
    };
    (0..shards).map(choose).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_name_keeps_its_slot_for_ever() {
        let slots: Vec<usize> = ["", "q", "job-1", "ä"].into_iter().map(slot_of).collect();
        assert_eq!(slots, [5_609, 6_053, 12_487, 1_025]);
    }

    #[test]
    fn slots_are_spread_evenly_and_a_map_that_is_none_is_refused() {
        for shards in [1, 2, 3, 4, 7, 100, 999, MOST] {
            let map = ShardMap::spread(shards).unwrap();
            let mut had = vec![0_usize; usize::from(shards)];
            map.slots().iter().for_each(|shard| had[usize::from(*shard)] += 1);
            let (least, most) = (had.iter().min().unwrap(), had.iter().max().unwrap());
            assert!(most - least <= 1, "{shards}: {least} to {most}");
            assert_eq!(ShardMap::of(shards, map.slots().to_vec()), Some(map));
        }
        assert_eq!((ShardMap::spread(0), ShardMap::spread(MOST + 1)), (None, None));
        let slots = ShardMap::spread(4).unwrap().slots().to_vec();
        assert_eq!(ShardMap::of(3, slots.clone()), None);
        assert_eq!(ShardMap::of(4, slots[1..].to_vec()), None);
    }

    /// The share of the busiest shard is told in `fleet.md`.
    #[test]
    fn groups_of_similar_names_are_spread_evenly_over_up_to_a_thousand_shards() {
        for (shards, groups, bound) in [(4, 100_000, 102), (100, 200_000, 108), (1_000, 1_000_000, 114)] {
            let map = ShardMap::spread(shards).unwrap();
            let mut had = vec![0_u64; usize::from(shards)];
            for n in 0..groups {
                had[usize::from(map.shard_of(&format!("job-{n}")))] += 1;
            }
            let most = had.iter().max().unwrap() * 100 * u64::from(shards) / groups;
            let least = had.iter().min().unwrap() * 100 * u64::from(shards) / groups;
            println!("{shards} shards: {least} % to {most} % of the mean");
            assert!(most <= bound && least >= 200 - bound, "{shards}: {least} to {most}");
        }
    }

    /// A twin that counts what each place has, and asks in a different order.
    #[test]
    fn shares_are_fair_and_the_same_for_whoever_looks() {
        for processes in 1..=7 {
            let names: Vec<String> = (0..processes).map(|n| format!("http://127.0.0.1:71{n:02}")).collect();
            let there: Vec<&str> = names.iter().map(String::as_str).collect();
            let back: Vec<&str> = there.iter().rev().copied().collect();
            for shards in [1, 2, 4, 5, 16, 1_000] {
                let mine = shares(shards, &there);
                let theirs = shares(shards, &back);
                let named: Vec<&str> = mine.iter().map(|at| there[*at]).collect();
                assert_eq!(named, theirs.iter().map(|at| back[*at]).collect::<Vec<_>>());
                let mut had: BTreeMap<&str, u16> = there.iter().map(|name| (*name, 0)).collect();
                named.iter().for_each(|name| *had.entry(name).or_default() += 1);
                let (least, most) = (had.values().min().unwrap(), had.values().max().unwrap());
                assert!(most - least <= 1 && mine.len() == usize::from(shards), "{had:?}");
            }
        }
        assert!(shares(4, &[]).is_empty());
    }
}
