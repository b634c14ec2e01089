//! A memory of what has ended, so that a repeat is answered. It forgets the oldest first.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// At least so many ended things of one sort a cell remembers, and at most twice as many. The journal keeps all;
/// this only answers repeats.
pub const KEPT: usize = 128;

/// The newest entries, at least `N` of them and at most twice as many, in two generations. A joint decision works on copies of the states: the older generation is
/// shared by all copies, and is dropped as a whole when the younger one is full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(serialize = "K: Ord + Serialize, V: Serialize"))]
#[serde(bound(deserialize = "K: Ord + Deserialize<'de>, V: Deserialize<'de>"))]
pub struct Kept<K: Ord, V, const N: usize = KEPT> {
    young: BTreeMap<K, V>,
    #[serde(serialize_with = "shared", deserialize_with = "share")]
    old: Arc<BTreeMap<K, V>>,
}

fn shared<S: Serializer, T: Serialize>(value: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_ref().serialize(serializer)
}

fn share<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Arc<T>, D::Error> {
    T::deserialize(deserializer).map(Arc::new)
}

impl<K: Ord, V, const N: usize> Default for Kept<K, V, N> {
    fn default() -> Self {
        Kept { young: BTreeMap::new(), old: Arc::default() }
    }
}

impl<K: Ord, V, const N: usize> Kept<K, V, N> {
    /// The entry of this key, unless it is forgotten.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    pub(super) fn keep(&mut self, key: K, value: V) {
        if self.young.len() >= N {
            self.old = Arc::new(std::mem::take(&mut self.young));
        }
        self.young.insert(key, value);
    }
}

#[test]
fn the_newest_are_kept_and_the_oldest_forgotten() {
    let mut kept: Kept<usize, usize> = Kept::default();
    (1..=2 * KEPT).for_each(|n| kept.keep(n, n));
    assert_eq!((kept.get(&1), kept.get(&KEPT), kept.get(&(2 * KEPT))), (Some(&1), Some(&KEPT), Some(&256)));
    kept.keep(0, 7);
    assert_eq!((kept.get(&0), kept.get(&1), kept.get(&KEPT)), (Some(&7), None, None));
    assert_eq!(kept.get(&(KEPT + 1)), Some(&(KEPT + 1)));
}
