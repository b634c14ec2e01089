//! A memory of what has ended, so that a repeat is answered. It forgets the oldest first, but nothing that is still needed.

use serde::{Deserialize, Serialize};

use super::shared::Shared;
use crate::kernel::layered::Layered;

/// So many ended things of one sort a cell remembers. The journal keeps all; this only answers repeats.
pub const KEPT: usize = 128;

/// The newest `N` entries. A copy of the memory costs the same however much it remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(serialize = "K: Ord + Serialize, V: Serialize"))]
#[serde(bound(deserialize = "K: Ord + Deserialize<'de>, V: Deserialize<'de>"))]
pub struct Kept<K: Ord, V, const N: usize = KEPT> {
    /// Each with its number.
    entries: Layered<K, (u64, Shared<V>)>,
    /// The keys by their numbers, at most `N` of them.
    order: Layered<u64, K>,
    /// How many were ever kept: the number of the next.
    next: u64,
}

impl<K: Ord, V, const N: usize> Default for Kept<K, V, N> {
    fn default() -> Self {
        Kept { entries: Layered::default(), order: Layered::default(), next: 0 }
    }
}

impl<K: Ord + Clone, V, const N: usize> Kept<K, V, N> {
    /// The entry of this key, unless it is forgotten.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| &**value)
    }

    pub(super) fn keep(&mut self, key: K, value: V) {
        self.keep_while(key, value, |_| false);
    }

    /// Keeps an entry. An old one that is still needed stays, beyond `N` if need be.
    pub(super) fn keep_while(&mut self, key: K, value: V, needed: impl Fn(&V) -> bool) {
        self.place(key, Shared::from(value));
        // Two for each that comes: what stays longer than `N` others is looked at in turn, and gone soon after it may be.
        for _ in 0..2 {
            let oldest = self.order.iter().next().map(|(number, key)| (*number, key.clone()));
            let Some((number, key)) = oldest.filter(|_| self.order.len() > N) else { return };
            self.order.remove(&number);
            // A key that was kept again since has a newer entry.
            if self.entries.get(&key).is_none_or(|(newest, _)| *newest != number) {
                continue;
            }
            if let Some((_, value)) = self.entries.remove(&key)
                && needed(&value)
            {
                self.place(key, value);
            }
        }
    }

    fn place(&mut self, key: K, value: Shared<V>) {
        let number = self.next;
        self.next += 1;
        self.order.insert(number, key.clone());
        self.entries.insert(key, (number, value));
    }
}

#[test]
fn the_newest_are_kept_and_the_oldest_forgotten() {
    let mut kept: Kept<usize, usize> = Kept::default();
    (1..=KEPT).for_each(|n| kept.keep(n, n));
    assert_eq!((kept.get(&1), kept.get(&KEPT)), (Some(&1), Some(&KEPT)));
    kept.keep(0, 7);
    assert_eq!((kept.get(&0), kept.get(&1), kept.get(&2)), (Some(&7), None, Some(&2)));
    assert_eq!((kept.entries.len(), kept.order.len()), (KEPT, KEPT));
}

#[test]
fn the_newest_entry_of_a_key_counts_and_stays_the_longest() {
    let mut kept: Kept<usize, usize> = Kept::default();
    kept.keep(1, 1);
    kept.keep(1, 9);
    (2..=KEPT).for_each(|n| kept.keep(n, n));
    assert_eq!(kept.get(&1), Some(&9));
    kept.keep(0, 7);
    assert_eq!(kept.get(&1), None);
    assert_eq!((kept.entries.len(), kept.order.len()), (KEPT, KEPT));
}

#[test]
fn what_is_still_needed_stays_and_goes_when_it_is_not() {
    let mut kept: Kept<usize, usize, 4> = Kept::default();
    let held = |n: &usize| *n < 10;
    (0..10).for_each(|n| kept.keep_while(n, n, held));
    (10..40).for_each(|n| kept.keep_while(n, n, held));
    assert!((0..10).all(|n| kept.get(&n) == Some(&n)), "all of them");
    assert!(kept.entries.len() <= 2 * 10 + 4, "{}", kept.order.len());
    (40..80).for_each(|n| kept.keep(n, n));
    assert!((0..10).all(|n| kept.get(&n).is_none()));
    assert_eq!((kept.entries.len(), kept.order.len()), (4, 4));
}
