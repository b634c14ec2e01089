//! What is open, by name and by the time it was opened: the part of a fold that lists are read from.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ids::EntityId;
use super::time::Timestamp;

/// Entities that are open, each with the time since when. Those of one instant are ordered by name, so the order is the
/// same in every process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Openings {
    since: BTreeMap<EntityId, Timestamp>,
    by_time: BTreeSet<(Timestamp, EntityId)>,
}

impl Openings {
    /// It is open since then.
    pub fn insert(&mut self, id: EntityId, since: Timestamp) {
        if let Some(before) = self.since.insert(id.clone(), since) {
            self.by_time.remove(&(before, id.clone()));
        }
        self.by_time.insert((since, id));
    }

    /// It is open no more.
    pub fn remove(&mut self, id: &EntityId) {
        if let Some(since) = self.since.remove(id) {
            self.by_time.remove(&(since, id.clone()));
        }
    }

    /// Is it open?
    pub fn contains(&self, id: &EntityId) -> bool {
        self.since.contains_key(id)
    }

    /// Since when it is open, if it is.
    pub fn since(&self, id: &EntityId) -> Option<Timestamp> {
        self.since.get(id).copied()
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.since.len()
    }

    /// Is none open?
    pub fn is_empty(&self) -> bool {
        self.since.is_empty()
    }

    /// Those with a name after this one, by name.
    pub fn after(&self, cursor: Option<&EntityId>) -> impl Iterator<Item = &EntityId> {
        let from = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        self.since.range::<EntityId, _>((from, Bound::Unbounded)).map(|(id, _)| id)
    }

    /// Those opened before this one, newest first.
    pub fn before(
        &self,
        cursor: Option<&(Timestamp, EntityId)>,
    ) -> impl Iterator<Item = &(Timestamp, EntityId)> {
        let upto = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_time.range::<(Timestamp, EntityId), _>((Bound::Unbounded, upto)).rev()
    }
}

impl Serialize for Openings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.since.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Openings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let since = BTreeMap::<EntityId, Timestamp>::deserialize(deserializer)?;
        let by_time = since.iter().map(|(id, since)| (*since, id.clone())).collect();
        Ok(Openings { since, by_time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> EntityId {
        text.parse().unwrap()
    }

    #[test]
    fn newest_first_goes_on_behind_what_has_closed_meanwhile() {
        let mut open = Openings::default();
        for (name, at) in [("b", 1), ("a", 2), ("d", 2), ("c", 3)] {
            open.insert(id(name), Timestamp::from_millis(at));
        }
        let names = |open: &Openings, cursor: Option<&(Timestamp, EntityId)>| {
            open.before(cursor).map(|(_, id)| id.to_string()).collect::<String>()
        };
        assert_eq!(names(&open, None), "cdab");
        let marks = (Timestamp::from_millis(2), id("d"));
        open.remove(&id("d"));
        open.insert(id("e"), Timestamp::from_millis(9));
        assert_eq!(names(&open, Some(&marks)), "ab");
        assert_eq!(open.after(Some(&id("b"))).map(EntityId::to_string).collect::<String>(), "ce");
        // Opened again, it stands in one place.
        open.insert(id("b"), Timestamp::from_millis(10));
        assert_eq!((names(&open, None), open.len()), ("beca".to_owned(), 4));
    }
}
