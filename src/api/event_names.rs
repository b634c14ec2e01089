//! The names of all events, taken from the types that are stored: a new event is known here by itself, and a new kind
//! of entity is asked for by the compiler.

use serde::de::{self, DeserializeOwned, Deserializer, Visitor};

use crate::core::capacity::cell;
use crate::core::jobs::durations;
use crate::core::jobs::gate;
use crate::core::jobs::manager as job;
use crate::core::jobs::worker;
use crate::core::kernel::ids::StreamKind;
use crate::core::load::flow;
use crate::core::load::record as load;
use crate::core::voting::agent;
use crate::core::voting::algorithms;
use crate::core::voting::proposal;
use crate::core::voting::quorum;
use crate::core::voting::topology;
use crate::error::Error;

/// The names of the events of a kind of entity.
pub(super) fn of(kind: StreamKind) -> &'static [&'static str] {
    match kind {
        StreamKind::Quorum => variants::<quorum::Event>(),
        StreamKind::Proposal => variants::<proposal::Event>(),
        StreamKind::Algorithms => variants::<algorithms::Event>(),
        StreamKind::Cell => variants::<cell::Event>(),
        StreamKind::Budget => variants::<cell::budget::Event>(),
        StreamKind::Topology => variants::<topology::Event>(),
        StreamKind::Job => variants::<job::Event>(),
        StreamKind::Gate => variants::<gate::Event>(),
        StreamKind::Worker => variants::<worker::Event>(),
        StreamKind::Durations => variants::<durations::Event>(),
        StreamKind::Flow => variants::<flow::record::Event>(),
        StreamKind::Load => variants::<load::Event>(),
        StreamKind::Agent => variants::<agent::Event>(),
    }
}

/// Refuses a name that no event has, of this kind when one is named: an audit that is misspelt must not read as if
/// nothing had happened.
pub(super) fn check(name: &str, kind: Option<StreamKind>) -> Result<(), Error> {
    let kinds = kind.map_or_else(|| StreamKind::ALL.to_vec(), |kind| vec![kind]);
    let known: Vec<&str> = kinds.into_iter().flat_map(of).copied().collect();
    if known.contains(&name) {
        return Ok(());
    }
    let nearest = known.iter().min_by_key(|known| distance(name, known)).copied().unwrap_or_default();
    let what = kind.map_or("an event".to_owned(), |kind| format!("an event of the kind {}", kind.name()));
    Err(Error::invalid("event", name, &format!("the name of {what}; the nearest is {nearest}"))
        .with("nearest", nearest))
}

/// How many letters must be put in, left out or exchanged.
fn distance(left: &str, right: &str) -> usize {
    // A long input is no name, and need not be measured to its end.
    let left: Vec<char> = left.chars().take(100).collect();
    let mut row: Vec<usize> = (0..=left.len()).collect();
    for (n, right) in right.chars().enumerate() {
        let mut corner = row[0];
        row[0] = n + 1;
        for (at, left) in left.iter().enumerate() {
            let exchanged = corner + usize::from(*left != right);
            corner = row[at + 1];
            row[at + 1] = exchanged.min(corner + 1).min(row[at] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

/// The names of the variants of an enum, as it reads them.
fn variants<E: DeserializeOwned>() -> &'static [&'static str] {
    E::deserialize(Names).err().map_or(&[], |Seen(names)| names)
}

/// Hands nothing to a type but asks it for its variants.
struct Names;

/// What the type asked for.
#[derive(Debug)]
struct Seen(&'static [&'static str]);

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl std::error::Error for Seen {}

impl de::Error for Seen {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Seen(&[])
    }
}

impl<'de> Deserializer<'de> for Names {
    type Error = Seen;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Seen> {
        Err(Seen(&[]))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Seen> {
        Err(Seen(variants))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_events_and_a_misspelt_one_is_told_the_nearest() {
        for kind in StreamKind::ALL {
            assert!(!of(kind).is_empty(), "{}", kind.name());
        }
        assert!(check("vote_cast", None).is_ok() && check("closed", Some(StreamKind::Quorum)).is_ok());
        for (given, nearest) in [("vote_cst", "vote_cast"), ("Closed", "closed"), ("vote-cast", "vote_cast")]
        {
            let refused = check(given, Some(StreamKind::Quorum)).unwrap_err();
            assert_eq!(refused.detail("nearest").unwrap(), nearest);
        }
        assert!(check("banana", None).is_err());
    }
}
