//! A memory of what has ended, so that a repeat is answered. It forgets the oldest first.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::shared::Shared;

/// At least so many ended things of one sort a cell remembers. The journal keeps all; this only answers repeats.
pub const KEPT: usize = 128;
/// In so many parts the memory is kept, besides the youngest; the oldest part is forgotten as a whole.
const PARTS: usize = 8;

/// The newest entries: at least `N`, and an eighth more at most. A joint decision works on copies of the states, and
/// most often adds one entry to a copy: only the youngest part is written to, the older ones are shared by all copies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(serialize = "K: Ord + Serialize, V: Serialize"))]
#[serde(bound(deserialize = "K: Ord + Deserialize<'de>, V: Deserialize<'de>"))]
pub struct Kept<K: Ord, V, const N: usize = KEPT> {
    young: Shared<BTreeMap<K, Shared<V>>>,
    /// The youngest first.
    old: Shared<VecDeque<Part<K, V>>>,
}

type Part<K, V> = Shared<BTreeMap<K, Shared<V>>>;

impl<K: Ord, V, const N: usize> Default for Kept<K, V, N> {
    fn default() -> Self {
        Kept { young: Shared::from(BTreeMap::new()), old: Shared::from(VecDeque::new()) }
    }
}

impl<K: Ord + Clone, V, const N: usize> Kept<K, V, N> {
    /// The entry of this key, unless it is forgotten.
    pub fn get(&self, key: &K) -> Option<&V> {
        let found = self.young.get(key).or_else(|| self.old.iter().find_map(|part| part.get(key)));
        found.map(|value| &**value)
    }

    pub(super) fn keep(&mut self, key: K, value: V) {
        if self.young.len() >= N.div_ceil(PARTS) {
            self.old.push_front(std::mem::replace(&mut self.young, Shared::from(BTreeMap::new())));
            self.old.truncate(PARTS);
        }
        self.young.insert(key, Shared::from(value));
    }
}

#[test]
fn the_newest_are_kept_and_the_oldest_forgotten() {
    let mut kept: Kept<usize, usize> = Kept::default();
    let most = KEPT + KEPT / PARTS;
    (1..=most).for_each(|n| kept.keep(n, n));
    assert_eq!((kept.get(&1), kept.get(&KEPT), kept.get(&most)), (Some(&1), Some(&KEPT), Some(&most)));
    kept.keep(0, 7);
    assert_eq!((kept.get(&0), kept.get(&1), kept.get(&(KEPT / PARTS))), (Some(&7), None, None));
    assert_eq!(kept.get(&(KEPT / PARTS + 1)), Some(&(KEPT / PARTS + 1)));
    // The newest entry of a key counts.
    kept.keep(KEPT, 9);
    assert_eq!(kept.get(&KEPT), Some(&9));
}
