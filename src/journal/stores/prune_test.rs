use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::codec::AppendBuilder;
use crate::group::{GROUP_TRAILER, GroupHeader};
use crate::stores::check_next;
use crate::stores::sled::format;
use crate::{Appended, Due, Pending, VerifyCursor};
use quorate_core::kernel::ids::{EntityId, IdempotencyKey, StreamKind};

fn now<T>(mut pending: Pending<'_, T>) -> Result<T, Fault> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match pending.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("the store answers when polled once"),
    }
}

fn stream(n: u8) -> StreamId {
    StreamId::new(StreamKind::Quorum, EntityId::new(format!("q{n}")).unwrap())
}

fn key(n: u8) -> IdempotencyKey {
    IdempotencyKey::new(format!("key {n}")).unwrap()
}

fn leaf(record: &Record) -> [u8; 32] {
    record.hash.0
}

fn append(store: &dyn Store, n: u8, count: u8, fill: u8) -> Append {
    let head = now(store.head(&stream(n))).unwrap();
    let (revision, hash) = head.map(|head| (head.revision, head.hash)).unwrap_or_default();
    let mut builder = AppendBuilder::new(stream(n), revision, hash);
    for _ in 0..=count {
        builder.push(Timestamp::from_millis(1), &"x".repeat(fill.into())).unwrap();
    }
    let due = match fill % 3 {
        0 => Due::At(Timestamp::from_millis(i64::from(fill))),
        1 => Due::Clear,
        _ => Due::Unchanged,
    };
    builder.finish(due, (revision == 0).then(|| key(n)))
}

/// What is to be seen of a stream.
fn seen(store: &dyn Store, n: u8) -> (Option<crate::Head>, Vec<Record>, Option<StreamId>) {
    (
        now(store.head(&stream(n))).unwrap(),
        now(store.read(&stream(n), 0, usize::MAX >> 1)).unwrap(),
        now(store.find_key(&key(n))).unwrap(),
    )
}

fn leaves(store: &dyn Store) -> BTreeMap<Position, [u8; 32]> {
    let all = usize::MAX >> 1;
    let records = now(store.scan(0, all)).unwrap();
    let mut leaves: BTreeMap<_, _> = records.iter().map(|record| (record.position, leaf(record))).collect();
    for run in now(store.pruned(0, all)).unwrap() {
        for (place, leaf) in (run.first_position..).zip(run.leaves) {
            assert_eq!(leaves.insert(place, leaf), None, "a place has a record or what it left");
        }
    }
    leaves
}

fn prune(folder: &Path, gone: &BTreeSet<u8>, number: u64) {
    let held = Held::take(folder).unwrap();
    let epoch = now(held.store().acquire("prune")).unwrap();
    let mut rewrite = held.begin(number).unwrap();
    let prunes = |id: &StreamId| gone.iter().any(|n| stream(*n) == *id);
    while {
        let (done, of) = rewrite.step(&held, &prunes, &leaf).unwrap();
        done < of
    } {}
    let last = append(held.store(), 200, 0, 2);
    rewrite.add_last(epoch, Timestamp::from_millis(99), &last).unwrap();
    assert!(held.replace_by(rewrite, epoch, |_| Ok(())).unwrap());
}

fn checked(store: &dyn Store) -> VerifyCursor {
    let step = now(store.verify(VerifyCursor::default(), usize::MAX)).unwrap();
    assert_eq!((step.done, step.broken), (true, None));
    step.cursor
}

fn options(folder: &Path) -> StoreOptions {
    StoreOptions { durability: crate::stores::Durability::None, ..StoreOptions::at(folder) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn what_is_kept_reads_as_before_and_every_place_keeps_its_leaf(
        name in prop::sample::select(local::names().collect::<Vec<_>>()),
        commits in prop::collection::vec(prop::collection::vec((0u8..12, 0u8..3, 0u8..80), 1..6), 1..40),
        rounds in prop::collection::vec(prop::collection::btree_set(0u8..12, 0..9), 1..3),
    ) {
        let dir = TempDir::new().unwrap();
        let folder = dir.path().join("data");
        let store = local::open(name, &options(&folder)).unwrap();
        let epoch = now(store.acquire("test")).unwrap();
        for commit in &commits {
            let mut seen = BTreeSet::new();
            let group: Vec<Append> = commit
                .iter()
                .filter(|(n, ..)| seen.insert(*n))
                .map(|(n, count, fill)| append(&*store, *n, *count, *fill))
                .collect();
            now(store.commit(epoch, Timestamp::from_millis(5), &group)).unwrap();
        }
        let mut gone = BTreeSet::new();
        let mut kept: BTreeSet<u8> =
            (0..12).filter(|n| now(store.head(&stream(*n))).unwrap().is_some()).collect();
        let before: BTreeMap<u8, _> = kept.iter().map(|n| (*n, seen(&*store, *n))).collect();
        let dues = now(store.deadlines(None, 99)).unwrap();
        let mut everything = leaves(&*store);
        drop(store);
        for (number, round) in (1..).zip(&rounds) {
            let round: BTreeSet<u8> = round.intersection(&kept).copied().collect();
            prune(&folder, &round, number);
            kept.retain(|n| !round.contains(n));
            gone.extend(round);
            let store = local::open(name, &options(&folder)).unwrap();
            for n in &kept {
                prop_assert_eq!(&seen(&*store, *n), &before[n]);
            }
            for n in &gone {
                let is_pruned = |fault| matches!(fault, Fault::Pruned { .. });
                prop_assert!(now(store.head(&stream(*n))).is_err_and(is_pruned));
                prop_assert!(now(store.read(&stream(*n), 0, 1)).is_err_and(is_pruned));
                prop_assert!(now(store.find_key(&key(*n))).is_err_and(is_pruned));
            }
            let expected: Vec<_> =
                dues.iter().filter(|(_, of)| kept.iter().any(|n| stream(*n) == *of)).cloned().collect();
            prop_assert_eq!(now(store.deadlines(None, 99)).unwrap(), expected);
            let now_there = leaves(&*store);
            for (place, leaf) in &everything {
                prop_assert_eq!(now_there.get(place), Some(leaf));
            }
            prop_assert_eq!(now_there.len() as u64, now(store.tip()).unwrap().position);
            everything = now_there;
            let cursor = checked(&*store);
            let total: u64 = gone.iter().map(|n| before[n].1.len() as u64).sum();
            prop_assert_eq!(cursor.pruned.values().sum::<u64>(), total);
            // Whatever part is asked for, it is that part.
            for after in 0..cursor.position {
                let runs = now(store.pruned(after, 3)).unwrap();
                let places: Vec<_> =
                    runs.iter().flat_map(|run| (run.first_position..).zip(run.leaves.iter().copied())).collect();
                let scanned: BTreeSet<u64> =
                    now(store.scan(0, 9_999)).unwrap().iter().map(|record| record.position).collect();
                let expected: Vec<_> = everything
                    .iter()
                    .filter(|(place, _)| (after + 1..=after + 3).contains(*place) && !scanned.contains(place))
                    .map(|(place, leaf)| (*place, *leaf))
                    .collect();
                prop_assert_eq!(places, expected);
            }
            // It goes on, and no name that went begins anew.
            let epoch = now(store.acquire("next")).unwrap();
            for n in 0..12u8 {
                let (revision, hash) = before.get(&n).filter(|_| kept.contains(&n)).map_or(
                    (0, ChainHash::default()),
                    |(head, ..)| head.as_ref().map_or((0, ChainHash::default()), |head| (head.revision, head.hash)),
                );
                if kept.contains(&n) {
                    continue;
                }
                let mut builder = AppendBuilder::new(stream(n), revision, hash);
                builder.push(Timestamp::from_millis(1), &"again").unwrap();
                let append = builder.finish(Due::Unchanged, None);
                if gone.contains(&n) {
                    let answers = now(store.commit(epoch, Timestamp::from_millis(6), &[append])).unwrap();
                    prop_assert!(matches!(answers[..], [Appended::Pruned(_)]), "{answers:?}");
                }
            }
            drop(store);
        }
    }
}

/// A folder with three streams of which the second was pruned.
fn pruned_folder(name: &str) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("data");
    let store = local::open(name, &options(&folder)).unwrap();
    let epoch = now(store.acquire("test")).unwrap();
    for n in [1, 2, 2, 3, 2, 1] {
        let group = [append(&*store, n, 1, 30)];
        now(store.commit(epoch, Timestamp::from_millis(5), &group)).unwrap();
    }
    drop(store);
    prune(&folder, &BTreeSet::from([2]), 1);
    (dir, folder)
}

#[test]
fn a_pruned_folder_says_that_earlier_programs_do_not_read_it() {
    local::names().for_each(says_so);
}

fn says_so(name: &str) {
    let (_dir, folder) = pruned_folder(name);
    let format = fs::read_to_string(folder.join("FORMAT")).unwrap();
    // Those that read a folder of fjall at all read a pruned one.
    let layout = if name == "fjall" { format::FJALL } else { format::PRUNED };
    assert_eq!(format, format::text(layout));
    let store = local::open(name, &options(&folder)).unwrap();
    for group in &now(store.groups(0, usize::MAX)).unwrap() {
        assert_eq!(GroupHeader::parse(group).unwrap().version, 2, "an earlier program refuses each of them");
    }
    let epoch = now(store.acquire("next")).unwrap();
    now(store.commit(epoch, Timestamp::from_millis(200), &[append(&*store, 1, 0, 3)])).unwrap();
    drop(store);
    // Found in the raw bytes as well.
    let raw = crate::stores::salvage::ReadStore::open(&folder).unwrap();
    assert_eq!(checked(&raw).pruned, BTreeMap::from([(1, 6)]));
    assert!(matches!(now(raw.head(&stream(2))), Err(Fault::Pruned { .. })));
    // Opening and writing leaves it at that.
    assert_eq!(fs::read_to_string(folder.join("FORMAT")).unwrap(), format);
    checked(&*local::open(name, &options(&folder)).unwrap());
}

#[test]
fn a_flipped_bit_of_what_pruned_records_left_is_seen() {
    let (_dir, folder) = pruned_folder(local::DEFAULT);
    let store = local::open(local::DEFAULT, &options(&folder)).unwrap();
    let groups = now(store.groups(0, usize::MAX)).unwrap();
    let mut cursor = VerifyCursor::default();
    for group in &groups {
        for bit in 0..group.len() * 8 {
            let mut bytes = group.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(check_next(&bytes, &mut cursor.clone()).is_err(), "bit {bit}");
        }
        assert!(group.len() > GROUP_TRAILER);
        check_next(group, &mut cursor).unwrap();
    }
    assert_eq!(cursor.pruned, BTreeMap::from([(1, 6)]));
}

#[test]
fn what_was_cut_off_is_removed_by_the_next_one_and_opens_to_nobody() {
    local::names().for_each(removes_what_was_cut_off);
}

fn removes_what_was_cut_off(name: &str) {
    let (dir, folder) = pruned_folder(name);
    let held = Held::take(&folder).unwrap();
    let mut rewrite = held.begin(2).unwrap();
    rewrite.step(&held, &|_| false, &leaf).unwrap();
    assert!(matches!(Held::take(&folder), Err(Fault::Locked { .. })), "one at a time");
    drop((rewrite, held));
    let beside = dir.path().join("data.pruning");
    assert!(beside.exists());
    assert!(local::open(name, &StoreOptions { create: false, ..options(&beside) }).is_err());
    // What is not its own it does not touch.
    std::fs::write(beside.join("notes"), "precious").unwrap();
    assert!(matches!(Held::take(&folder), Err(Fault::Foreign { .. })));
    std::fs::remove_file(beside.join("notes")).unwrap();
    drop(Held::take(&folder).unwrap());
    assert!(!beside.exists());
    checked(&*local::open(name, &options(&folder)).unwrap());
}
