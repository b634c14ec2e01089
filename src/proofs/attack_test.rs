//! Whoever rewrites a journal computes every chain hash anew, so that the journal alone looks sound. A checkpoint that was
//! kept elsewhere must not fit, whatever was done.

use proptest::prelude::*;
use proptest::sample::Index;
use quorate_core::kernel::ids::{EntityId, StreamId, StreamKind};
use quorate_core::kernel::time::Timestamp;
use quorate_journal::Record;
use quorate_journal::chain::{ChainHash, record_hash};
use quorate_journal::codec::record_bytes;

use crate::checkpoint::LogKey;
use crate::entry::Entry;
use crate::tree::Tree;
use crate::tree::tests::Kept;

/// What happened: to which entity, when, and what.
#[derive(Clone, Debug, PartialEq)]
struct Fact {
    kind: StreamKind,
    id: u8,
    at: i64,
    payload: Vec<u8>,
}

/// The journal over these facts, with all hashes as they must be.
fn journal(facts: &[Fact]) -> Vec<Record> {
    let mut heads = std::collections::BTreeMap::new();
    let write = |(place, fact): (usize, &Fact)| {
        let stream = StreamId::new(fact.kind, EntityId::stored(format!("e{}", fact.id)).unwrap());
        let (seq, hash) = heads.entry(stream.clone()).or_insert((0, ChainHash::default()));
        *seq += 1;
        let mut record = Record {
            position: place as u64 + 1,
            stream,
            seq: *seq,
            at: Timestamp::from_micros(fact.at),
            payload: fact.payload.clone(),
            hash: ChainHash::default(),
            settles: false,
            by: None,
        };
        record.hash = record_hash(hash, &record.stream, &record_bytes(&record));
        *hash = record.hash;
        record
    };
    facts.iter().enumerate().map(write).collect()
}

fn tree(facts: &[Fact]) -> Tree<Kept> {
    let mut tree = Tree::new(Kept::default());
    journal(facts).iter().for_each(|record| tree.push(Entry::from(record).leaf()).unwrap());
    tree
}

/// The ways of rewriting, each at a place of its own.
type Attack = fn(&mut Vec<Fact>, usize, usize);
const ATTACKS: &[(&str, Attack)] = &[
    ("a byte of an event is changed", |facts, at, by| {
        let last = facts[at].payload.len() - 1;
        facts[at].payload[by.min(last)] ^= 1;
    }),
    ("an event is made longer", |facts, at, _| facts[at].payload.push(0)),
    ("an event is made shorter", |facts, at, _| {
        facts[at].payload.pop();
    }),
    ("an event is exchanged for another of the journal", |facts, at, by| {
        let other = facts[(at + by) % facts.len()].payload.clone();
        facts[at].payload = other;
    }),
    ("an instant is moved", |facts, at, by| facts[at].at += 1 + by as i64),
    ("an event is put to another entity", |facts, at, _| facts[at].id = facts[at].id.wrapping_add(1)),
    ("an event is put to an entity of another kind", |facts, at, _| {
        let other = if facts[at].kind == StreamKind::Quorum { StreamKind::Job } else { StreamKind::Quorum };
        facts[at].kind = other;
    }),
    ("a record is dropped", |facts, at, _| {
        facts.remove(at);
    }),
    ("a record is dropped and another put at the end", |facts, at, _| {
        let dropped = facts.remove(at);
        facts.push(dropped);
    }),
    ("a record is doubled", |facts, at, _| facts.insert(at, facts[at].clone())),
    ("a record is made up", |facts, at, by| {
        let made_up = Fact { payload: vec![by as u8; 9], ..facts[at].clone() };
        facts.insert(at, made_up);
    }),
    ("two records are exchanged", |facts, at, by| {
        let other = (at + by) % facts.len();
        facts.swap(at, other);
    }),
    ("the order is turned round", |facts, _, _| facts.reverse()),
    ("the end is cut off", |facts, at, _| facts.truncate(at)),
    ("the beginning is cut off", |facts, at, _| {
        facts.drain(..=at);
    }),
    ("everything of an entity is gone", |facts, at, _| {
        let (kind, id) = (facts[at].kind, facts[at].id);
        facts.retain(|fact| (fact.kind, fact.id) != (kind, id));
    }),
    ("an older state, gone on from in another way", |facts, at, by| {
        facts.truncate(at);
        let other = Fact { kind: StreamKind::Cell, id: 200, at: by as i64, payload: vec![9; 3] };
        facts.resize(facts.len() + 60, other);
    }),
    ("the second half of another journal is spliced on", |facts, at, _| {
        let moved: Vec<Fact> =
            facts[at..].iter().map(|fact| Fact { at: fact.at ^ 1, ..fact.clone() }).collect();
        facts.truncate(at);
        facts.extend(moved);
    }),
];

fn fact() -> impl Strategy<Value = Fact> {
    let kind = prop::sample::select(vec![StreamKind::Quorum, StreamKind::Job, StreamKind::Cell]);
    (kind, 0u8..4, any::<u16>(), prop::collection::vec(any::<u8>(), 2..8))
        .prop_map(|(kind, id, at, payload)| Fact { kind, id, at: at.into(), payload })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_way_of_rewriting_a_journal_is_seen_by_whoever_kept_a_checkpoint(
        facts in prop::collection::vec(fact(), 2..40), at in any::<Index>(), by in any::<Index>(),
    ) {
        let key = LogKey::from_text(&LogKey::generate("quorate/test", [5; 32])).unwrap();
        let sound = tree(&facts);
        let kept = key.public().read(&key.sign(sound.size(), &sound.root().unwrap()).unwrap()).unwrap();
        // What comes later changes nothing of what was signed.
        let mut later = facts.clone();
        later.extend(facts.iter().rev().cloned());
        prop_assert_eq!(tree(&later).root_at(kept.size).unwrap(), kept.root);
        for (name, attack) in ATTACKS {
            let mut forged = facts.clone();
            attack(&mut forged, at.index(facts.len()), 1 + by.index(facts.len() - 1));
            if forged == facts {
                // Two equal records were exchanged, or the like: nothing was rewritten.
                continue;
            }
            // What was only added at the end is no attack on what was signed.
            let goes_on = forged.starts_with(&facts);
            let forged = tree(&forged);
            let contained = forged.size() >= kept.size && forged.root_at(kept.size).unwrap() == kept.root;
            prop_assert_eq!(contained, goes_on, "{}", name);
        }
    }
}
