//! A map that is cheap to copy however large it is, and whose copies are cheap to write to.
//!
//! ```text
//!  first ──► base ◄── second        a copy shares the base;
//!              ▲        │
//!              └── changes          what is written to it lies above: a value, or that there is none
//! ```
//!
//! A decision works on copies of the states it concerns, changes a few entries, and throws the copies away. Neither the
//! copy nor the change costs more with more entries, beyond the logarithm. Whoever has the base to itself writes to it;
//! so does the state a decision was about, once the copies are gone, with nothing lying above it.
//!
//! A copy that lives on and is changed much gets a base of its own once its changes are as many as half the entries, so
//! that the changes never cost more than the entries do.
//!
//! Stored as the map it stands for.
//!
//! # Source
//! Changes above a base that is shared: the "difference" of Severance and Lohman, *Differential Files*, ACM TODS 1(3),
//! 1976.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::from_fn;
#[cfg(test)]
use std::ops::Index;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// So many changes may always lie above a base, however few entries that has.
const FEW: usize = 16;

/// A map, shared with the copies of it except for what was changed since.
#[derive(Clone)]
pub struct Layered<K, V> {
    base: Arc<BTreeMap<K, V>>,
    /// The new value of a key, or `None` for a key of the base that is gone. Empty while the base is not shared.
    changes: BTreeMap<K, Option<V>>,
}

impl<K, V> Default for Layered<K, V> {
    fn default() -> Self {
        Layered { base: Arc::default(), changes: BTreeMap::new() }
    }
}

impl<K: Ord, V> Layered<K, V> {
    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        if self.changes.is_empty() {
            return self.base.get(key);
        }
        self.changes.get(key).map_or_else(|| self.base.get(key), Option::as_ref)
    }

    /// Is there a value of this key?
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// The entries, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> + Clone {
        let (mut base, mut changes) = (self.base.iter().peekable(), self.changes.iter().peekable());
        from_fn(move || {
            loop {
                let Some((changed, _)) = changes.peek() else { return base.next() };
                if let Some(entry) = base.next_if(|(key, _)| key < changed) {
                    return Some(entry);
                }
                // The change stands for the entry of the same key, if there is one.
                base.next_if(|(key, _)| key == changed);
                if let Some((key, Some(value))) = changes.next() {
                    return Some((key, value));
                }
            }
        })
    }

    /// The values, in the order of the keys.
    pub fn values(&self) -> impl Iterator<Item = &V> + Clone {
        self.iter().map(|(_, value)| value)
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> + Clone {
        self.iter().map(|(key, _)| key)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        if self.changes.is_empty() { self.base.len() } else { self.iter().count() }
    }

    /// Is there no entry?
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl<K: Ord + Clone, V: Clone> Layered<K, V> {
    /// The base with all changes made to it, if it is not shared, or no longer worth sharing.
    fn own(&mut self) -> Option<&mut BTreeMap<K, V>> {
        if self.changes.len() > FEW + self.base.len() / 2 {
            Arc::make_mut(&mut self.base);
        }
        let base = Arc::get_mut(&mut self.base)?;
        while let Some((key, change)) = self.changes.pop_first() {
            match change {
                Some(value) => base.insert(key, value),
                None => base.remove(&key),
            };
        }
        Some(base)
    }

    /// Sets the value of a key.
    pub fn insert(&mut self, key: K, value: V) {
        match self.own() {
            Some(base) => drop(base.insert(key, value)),
            None => drop(self.changes.insert(key, Some(value))),
        }
    }

    /// The value of a key, to be written to; a new one where there is none.
    pub fn get_or_insert_with(&mut self, key: &K, new: impl FnOnce() -> V) -> &mut V {
        if !self.contains_key(key) {
            self.insert(key.clone(), new());
        }
        match self.get_mut(key) {
            Some(value) => value,
            None => unreachable!("it was inserted"),
        }
    }

    /// Takes an entry away.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        if let Some(base) = self.own() {
            return base.remove(key);
        }
        let before = self.get(key).cloned()?;
        if self.base.contains_key(key) {
            self.changes.insert(key.clone(), None);
        } else {
            self.changes.remove(key);
        }
        Some(before)
    }

    /// The value of a key, to be written to.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        if self.own().is_none() && !self.changes.contains_key(key) {
            let value = self.base.get(key).cloned()?;
            self.changes.insert(key.clone(), Some(value));
        }
        match Arc::get_mut(&mut self.base) {
            Some(base) => base.get_mut(key),
            None => self.changes.get_mut(key).and_then(Option::as_mut),
        }
    }
}

impl<K: Ord + Clone, V: Clone> Layered<K, V> {
    /// Takes away the entries that are not to be kept. Costs as much as there are entries, to look at them.
    pub fn retain(&mut self, keep: impl Fn(&K, &V) -> bool) {
        let gone: Vec<K> =
            self.iter().filter(|(key, value)| !keep(key, value)).map(|(key, _)| key.clone()).collect();
        for key in gone {
            self.remove(&key);
        }
    }

    /// Writes to those values that are meant. Costs as much as there are entries, to look at them.
    pub fn update(&mut self, is_meant: impl Fn(&K, &V) -> bool, change: impl Fn(&mut V)) {
        let meant: Vec<K> =
            self.iter().filter(|(key, value)| is_meant(key, value)).map(|(key, _)| key.clone()).collect();
        for key in meant {
            self.get_mut(&key).into_iter().for_each(&change);
        }
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Layered<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Layered { base: Arc::new(entries.into_iter().collect()), changes: BTreeMap::new() }
    }
}

/// As of a `BTreeMap`: panics where there is no such entry, so that it is for tests alone.
#[cfg(test)]
impl<K: Ord, V> Index<&K> for Layered<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        match self.get(key) {
            Some(value) => value,
            None => panic!("no entry of this key"),
        }
    }
}

impl<K: Ord, V: PartialEq> PartialEq for Layered<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<K: Ord, V: Eq> Eq for Layered<K, V> {}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for Layered<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Ord + Serialize, V: Serialize> Serialize for Layered<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.changes.is_empty() {
            return self.base.serialize(serializer);
        }
        let entries: BTreeMap<&K, &V> = self.iter().collect();
        entries.serialize(serializer)
    }
}

impl<'de, K: Ord + Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Layered<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let base = BTreeMap::deserialize(deserializer)?;
        Ok(Layered { base: Arc::new(base), changes: BTreeMap::new() })
    }
}

#[cfg(test)]
#[path = "layered_test.rs"]
mod tests;
