//! Whoever changes the bytes of a journal: what the check of the journal alone sees, and what only a checkpoint shows that was
//! kept elsewhere, with the public key kept beside it. The table in `docs/proofs.md` says the same.

use std::future::Future;
use std::pin::pin;

use proptest::prelude::*;
use proptest::sample::Index;
use quorate_core::kernel::ids::{EntityId, StreamId, StreamKind};
use quorate_core::kernel::time::Timestamp;
use quorate_journal::chain::{group_hash, record_hash};
use quorate_journal::codec::AppendBuilder;
use quorate_journal::group::{GROUP_HEADER, Group};
use quorate_journal::stores::check_next;
use quorate_journal::stores::memory::MemoryStore;
use quorate_journal::{Append, Due, Pending, Store, VerifyCursor};

use crate::checkpoint::{LogKey, PublicKey};
use crate::entry::Entry;
use crate::tree::Tree;
use crate::tree::tests::Kept;

type Groups = Vec<Vec<u8>>;

fn now<T>(pending: Pending<'_, T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match pin!(pending).as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer.unwrap(),
        std::task::Poll::Pending => panic!("a store in memory answers at once"),
    }
}

fn append(store: &MemoryStore, id: u8, payloads: &[Vec<u8>]) -> Append {
    let stream = StreamId::new(StreamKind::Quorum, EntityId::stored(format!("e{id}")).unwrap());
    let head = now(store.head(&stream));
    let (revision, hash) = head.map(|head| (head.revision, head.hash)).unwrap_or_default();
    let mut builder = AppendBuilder::new(stream, revision, hash);
    for (n, payload) in payloads.iter().enumerate() {
        builder.push(Timestamp::from_micros(n as i64), payload).unwrap();
    }
    builder.finish(Due::Unchanged, None)
}

/// A journal with these commits behind those of another, with all hashes as they must be.
fn journal(commits: &[(u8, Vec<Vec<u8>>)]) -> Groups {
    let store = MemoryStore::new();
    let epoch = now(store.acquire("test"));
    for (n, (id, payloads)) in commits.iter().enumerate() {
        now(store.commit(epoch, Timestamp::from_micros(n as i64), &[append(&store, *id, payloads)]));
    }
    now(store.groups(0, usize::MAX)).iter().map(|group| group.to_vec()).collect()
}

/// Does the check of the journal alone hold? It is the one that `history verify` makes.
fn holds(groups: &Groups) -> bool {
    let mut cursor = VerifyCursor::default();
    groups.iter().all(|group| check_next(group, &mut cursor).is_ok())
}

/// Is a checkpoint contained?
fn contained(groups: &Groups, key: &PublicKey, checkpoint: &str) -> bool {
    let Ok(kept) = key.read(checkpoint) else { return false };
    let mut tree = Tree::new(Kept::default());
    for group in groups {
        let Ok(group) = Group::parse(group) else { return false };
        for record in group.frames().map_while(Result::ok).filter_map(|frame| frame.records().ok()).flatten()
        {
            tree.push(Entry::from(&record).leaf()).unwrap();
        }
    }
    tree.size() >= kept.size && tree.root_at(kept.size).unwrap() == kept.root
}

fn sealed(mut group: Vec<u8>) -> Vec<u8> {
    let end = group.len() - 32;
    let hash = group_hash(&group[..end]);
    group[end..].copy_from_slice(&hash.0);
    group
}

/// Changes the last byte of the last event of a group, and makes its own hash fit.
fn forged(group: &[u8]) -> Vec<u8> {
    let frame = Group::parse(group).unwrap().frames().last().unwrap().unwrap();
    let records = frame.records().unwrap();
    let (last, before) = (records.last().unwrap(), records.len().checked_sub(2).map(|at| records[at].hash));
    let mut bytes = group.to_vec();
    let hash = bytes.len() - 64;
    bytes[hash - 1] ^= 1;
    let head = quorate_journal::codec::record_bytes(last).len();
    if let Some(before) = before {
        let made = record_hash(&before, &frame.stream, &bytes[hash - head..hash]);
        bytes[hash..hash + 32].copy_from_slice(&made.0);
    }
    bytes
}

/// An attack: what becomes of the groups, given another journal and two places.
type Attack = fn(&Groups, &Groups, usize, usize) -> Groups;

/// Attacks that the check of the journal alone sees.
const SEEN_ALONE: &[(&str, Attack)] = &[
    ("a bit is flipped", |groups, _, at, by| {
        let mut groups = groups.clone();
        let byte = by % groups[at].len();
        groups[at][byte] ^= 1 << (by % 8);
        groups
    }),
    ("a group is dropped", |groups, _, at, _| {
        let mut groups = groups.clone();
        groups.remove(at.min(groups.len() - 2));
        groups
    }),
    ("two groups are exchanged", |groups, _, at, by| {
        let mut groups = groups.clone();
        let other = (at + 1 + by % (groups.len() - 1)) % groups.len();
        groups.swap(at, other);
        groups
    }),
    ("a group is doubled", |groups, _, at, _| {
        let mut groups = groups.clone();
        groups.insert(at, groups[at].clone());
        groups
    }),
    ("the beginning is cut off", |groups, _, at, _| groups[at.min(groups.len() - 2) + 1..].to_vec()),
    ("a group is cut short", |groups, _, at, by| {
        let mut groups = groups.clone();
        let length = by % groups[at].len();
        groups[at].truncate(length);
        groups
    }),
    ("a group is zeroed", |groups, _, at, _| {
        let mut groups = groups.clone();
        groups[at].fill(0);
        groups
    }),
    ("the order is turned round", |groups, _, _, _| groups.iter().rev().cloned().collect()),
    ("the end of another journal is spliced on", |groups, other, at, _| {
        groups[..=at].iter().chain(&other[at + 1..]).cloned().collect()
    }),
    ("a group is exchanged for that of another journal", |groups, other, at, _| {
        let mut groups = groups.clone();
        let at = at.min(groups.len() - 2);
        groups[at] = other[at.min(other.len() - 1)].clone();
        groups
    }),
    ("an event is changed, and its own hash", |groups, _, at, _| {
        let mut groups = groups.clone();
        groups[at] = forged(&groups[at]);
        groups
    }),
    ("an event is changed, with the hash of its group, and the next group is left", |groups, _, at, _| {
        let mut groups = groups.clone();
        let at = at.min(groups.len() - 2);
        groups[at] = sealed(forged(&groups[at]));
        groups
    }),
    ("the number of a group is changed, and its hash", |groups, _, at, _| {
        let mut groups = groups.clone();
        groups[at][8] ^= 1;
        groups[at] = sealed(groups[at].clone());
        groups
    }),
    ("the position of a group is changed, and its hash", |groups, _, at, _| {
        let mut groups = groups.clone();
        groups[at][16] ^= 1;
        groups[at] = sealed(groups[at].clone());
        groups
    }),
    ("a record is put to another entity, and the hash of the group", |groups, _, at, _| {
        let mut groups = groups.clone();
        // The digit of the entity, behind flags, kind and length.
        groups[at][GROUP_HEADER + 5] ^= 1;
        groups[at] = sealed(groups[at].clone());
        groups
    }),
];

/// Attacks after which the journal alone is sound.
const SEEN_WITH_A_CHECKPOINT: &[(&str, Attack)] = &[
    ("the end is cut off", |groups, _, at, _| groups[..at].to_vec()),
    ("an older copy is put back and goes on in another way", |_, other, _, _| other.clone()),
    ("everything is removed", |_, _, _, _| Vec::new()),
];

fn commits() -> impl Strategy<Value = Vec<(u8, Vec<Vec<u8>>)>> {
    let payload = prop::collection::vec(any::<u8>(), 2..6);
    prop::collection::vec((0u8..4, prop::collection::vec(payload, 1..3)), 3..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_attack_on_the_bytes_is_seen_and_what_needs_a_checkpoint_is_known(
        commits in commits(), at in any::<Index>(), by in any::<usize>(), seed in any::<u8>(),
    ) {
        let groups = journal(&commits);
        let key = LogKey::from_text(&LogKey::generate("quorate/test", [seed; 32])).unwrap();
        let mut tree = Tree::new(Kept::default());
        for group in &groups {
            for frame in Group::parse(group).unwrap().frames() {
                for record in frame.unwrap().records().unwrap() {
                    tree.push(Entry::from(&record).leaf()).unwrap();
                }
            }
        }
        let kept = key.sign(tree.size(), &tree.root().unwrap()).unwrap();
        prop_assert!(holds(&groups) && contained(&groups, key.public(), &kept));
        // The other journal has the same beginning up to a place that is not the last, and then another history.
        let at = at.index(groups.len() - 1);
        let mut changed = commits.clone();
        changed[at].1[0].push(7);
        let other = journal(&changed);
        for (name, attack) in SEEN_ALONE {
            let attacked = attack(&groups, &other, at, by);
            if attacked == groups {
                // The other journal has the same group there.
                continue;
            }
            prop_assert!(!holds(&attacked), "{}", name);
        }
        for (name, attack) in SEEN_WITH_A_CHECKPOINT {
            let attacked = attack(&groups, &other, at, by);
            prop_assert!(holds(&attacked), "{} is seen alone", name);
            prop_assert!(!contained(&attacked, key.public(), &kept), "{}", name);
        }
        // Another key signs what the attacker likes: under the key that was kept it is no checkpoint.
        let foreign = LogKey::from_text(&LogKey::generate("quorate/test", [seed.wrapping_add(1); 32])).unwrap();
        let swapped = foreign.sign(tree.size(), &tree.root().unwrap()).unwrap();
        prop_assert!(!contained(&groups, key.public(), &swapped));
        prop_assert!(!contained(&groups, foreign.public(), &kept));
    }
}
