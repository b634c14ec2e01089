use std::path::Path;

use tempfile::TempDir;

use super::super::Durability;
use super::*;
use crate::core::ids::{EntityId, StreamKind};
use crate::journal::codec::AppendBuilder;
use crate::journal::{Due, Pending, Store, VerifyCursor};

fn now<T>(mut pending: Pending<'_, T>) -> Result<T, Fault> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match pending.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("the store answers when polled once"),
    }
}

fn options(path: &Path, slots: usize) -> StoreOptions {
    let durability = Durability::Process;
    StoreOptions { slots, durability, create: true, pack_bytes: 2_000, ..StoreOptions::at(path) }
}

fn stream(name: &str) -> StreamId {
    StreamId::new(StreamKind::Quorum, EntityId::new(name).unwrap())
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// Commits `commits` groups of one event on one stream, due at its own number.
fn fill(store: &SledStore, epoch: Epoch, commits: u64) {
    let name = stream("q");
    for _ in 0..commits {
        let (revision, hash) =
            now(store.head(&name)).unwrap().map(|head| (head.revision, head.hash)).unwrap_or_default();
        let mut builder = AppendBuilder::new(name.clone(), revision, hash);
        builder.push(at(0), &format!("event {:04}", revision + 1)).unwrap();
        let due = Due::At(at(revision as i64 + 1));
        now(store.commit(epoch, at(0), &[builder.finish(due, None)])).unwrap();
    }
}

/// Stops the archiver, as if the process had died before its first round.
fn stop_archiver(store: &mut SledStore) {
    lock(&store.shared.state).stop = true;
    store.shared.work.notify_all();
    store.archiver.take().unwrap().join().unwrap();
}

/// A store whose groups 1 to `commits` are all in the ring.
fn unarchived(path: &Path, slots: usize, commits: u64) -> SledStore {
    let mut store = SledStore::open(&options(path, slots)).unwrap();
    stop_archiver(&mut store);
    let epoch = now(store.acquire("test")).unwrap();
    fill(&store, epoch, commits);
    store
}

/// The bytes with one bit of `text` changed.
fn flipped(bytes: &[u8], text: &str) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = bytes.windows(text.len()).position(|w| w == text.as_bytes()).unwrap();
    bytes[at] ^= 1;
    bytes
}

fn flip_in(tree: &::sled::Tree, key: &[u8], text: &str) {
    let bytes = tree.get(key).unwrap().unwrap();
    tree.insert(key, flipped(&bytes, text)).unwrap();
}

fn slot(store: &SledStore, number: usize) -> disk::Slot {
    store.shared.disk.slots().unwrap().into_iter().find(|slot| slot.number == number).unwrap()
}

fn flip_in_slot(store: &SledStore, number: usize, text: &str) {
    let slot = slot(store, number);
    slot.write(&flipped(&slot.bytes, text));
}

#[test]
fn a_replay_brings_back_every_group_of_the_ring() {
    let dir = TempDir::new().unwrap();
    drop(unarchived(dir.path(), 8, 8));
    let store = SledStore::open(&options(dir.path(), 8)).unwrap();
    assert_eq!(store.open_report(), OpenReport { groups_replayed: 8, dropped: Vec::new() });
    assert_eq!(now(store.deadlines(None, 9)).unwrap(), [(at(8), stream("q"))]);
    assert_eq!(now(store.read(&stream("q"), 0, 99)).unwrap().len(), 8);
}

#[test]
fn a_ring_of_another_size_is_archived_before_it_is_used() {
    let dir = TempDir::new().unwrap();
    drop(unarchived(dir.path(), 8, 8));
    for slots in [3, 16, 2] {
        let store = SledStore::open(&options(dir.path(), slots)).unwrap();
        assert_eq!(store.open_report().dropped, Vec::<String>::new());
        let epoch = now(store.acquire("test")).unwrap();
        fill(&store, epoch, 5);
        assert_eq!(now(store.verify(VerifyCursor::default(), 99)).unwrap().broken, None);
    }
    let store = SledStore::open(&options(dir.path(), 8)).unwrap();
    assert_eq!(now(store.read(&stream("q"), 0, 99)).unwrap().len(), 23);
}

#[test]
fn a_damaged_last_group_is_dropped_reported_and_never_comes_back() {
    let dir = TempDir::new().unwrap();
    let store = unarchived(dir.path(), 8, 5);
    flip_in_slot(&store, 5, "event 0005");
    drop(store);
    let store = SledStore::open(&options(dir.path(), 8)).unwrap();
    let report = store.open_report();
    assert_eq!((report.groups_replayed, report.dropped.len()), (4, 1));
    assert!(report.dropped[0].contains("slot=5, after_group=4"), "{report:?}");
    assert_eq!(now(store.tip()).unwrap().group, 4);
    drop(store);
    assert_eq!(SledStore::open(&options(dir.path(), 8)).unwrap().open_report().dropped, Vec::<String>::new());
}

#[test]
fn a_damaged_group_before_a_sound_one_is_named_when_opening() {
    let dir = TempDir::new().unwrap();
    let store = unarchived(dir.path(), 8, 5);
    flip_in_slot(&store, 3, "event 0003");
    drop(store);
    match SledStore::open(&options(dir.path(), 8)) {
        Err(Fault::Corrupt { what }) => assert!(what.contains("group=3, slot=3"), "{what}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_group_behind_a_gap_is_dropped_and_never_taken_up_later() {
    let dir = TempDir::new().unwrap();
    let store = unarchived(dir.path(), 8, 5);
    slot(&store, 4).clear().unwrap();
    drop(store);
    let mut store = SledStore::open(&options(dir.path(), 8)).unwrap();
    assert_eq!(store.open_report().dropped, ["group stands behind a gap. number=5, after_group=3"]);
    stop_archiver(&mut store);
    let epoch = now(store.acquire("test")).unwrap();
    fill(&store, epoch, 1);
    drop(store);
    let store = SledStore::open(&options(dir.path(), 8)).unwrap();
    assert_eq!(store.open_report(), OpenReport { groups_replayed: 4, dropped: Vec::new() });
}

#[test]
fn a_stale_group_that_does_not_link_is_dropped() {
    let dir = TempDir::new().unwrap();
    let store = unarchived(dir.path(), 8, 3);
    let other = TempDir::new().unwrap();
    let stale = unarchived(other.path(), 8, 4);
    // Group 4 of another journal with the same numbers.
    let bytes = lock(&stale.shared.state).tail[3].to_vec();
    let mut bytes = bytes;
    bytes.truncate(bytes.len() - 32);
    bytes[60] ^= 1;
    bytes.extend_from_slice(&crate::journal::chain::group_hash(&bytes).0);
    store.shared.disk.write_slot(4, &bytes.into()).unwrap();
    drop(store);
    let store = SledStore::open(&options(dir.path(), 8)).unwrap();
    assert_eq!(store.open_report().dropped, ["group does not link to the one before. number=4"]);
    assert_eq!(now(store.tip()).unwrap().group, 3);
}

#[test]
fn a_damaged_pack_is_pinned_to_its_record_and_not_read() {
    let dir = TempDir::new().unwrap();
    let store = SledStore::open(&options(dir.path(), 4)).unwrap();
    let epoch = now(store.acquire("test")).unwrap();
    fill(&store, epoch, 40);
    now(store.close()).unwrap();
    let (first, _) = store.shared.disk.packs.range(..=20u64.to_be_bytes()).next_back().unwrap().unwrap();
    flip_in(&store.shared.disk.packs, &first, "event 0020");
    drop(store);
    let store = SledStore::open(&options(dir.path(), 4)).unwrap();
    let broken = now(store.verify(VerifyCursor::default(), 99)).unwrap().broken.unwrap();
    assert_eq!((broken.group, broken.position, broken.record), (20, Some(20), Some((stream("q"), 20))));
    assert!(matches!(now(store.read(&stream("q"), 0, 99)), Err(Fault::Corrupt { .. })));
    assert_eq!(now(store.read(&stream("q"), 20, 99)).unwrap().len(), 20);
}

#[test]
fn a_missing_pack_and_a_lying_index_are_noticed() {
    let dir = TempDir::new().unwrap();
    let store = SledStore::open(&options(dir.path(), 4)).unwrap();
    let epoch = now(store.acquire("test")).unwrap();
    fill(&store, epoch, 9);
    now(store.close()).unwrap();
    drop(store);
    let store = SledStore::open(&options(dir.path(), 4)).unwrap();
    let mut entry = store.shared.disk.entry(&stream("q")).unwrap().unwrap();
    entry.revision = 8;
    store.shared.disk.write_entry(&stream("q"), &entry, &[]).unwrap();
    let broken = now(store.verify(VerifyCursor::default(), 99)).unwrap().broken.unwrap();
    assert_eq!(broken.record, Some((stream("q"), 9)));
    store.shared.disk.packs.clear().unwrap();
    drop(store);
    let store = SledStore::open(&options(dir.path(), 4)).unwrap();
    let broken = now(store.verify(VerifyCursor::default(), 99)).unwrap().broken.unwrap();
    assert_eq!((broken.group, broken.why.as_str()), (1, "group is missing"));
}

#[test]
fn a_crash_anywhere_in_a_round_leaves_no_stale_deadline() {
    for cut in 0..3 {
        let dir = TempDir::new().unwrap();
        let store = unarchived(dir.path(), 8, 6);
        let groups: Vec<_> = lock(&store.shared.state).tail.iter().cloned().collect();
        archive::write_packs(&store.shared.disk, &groups, 2_000).unwrap();
        if cut > 0 {
            // The whole index of the round, or only that of a part of it.
            archive::write_index(&store.shared.disk, &groups[..3 * cut]).unwrap();
        }
        drop(store);
        let store = SledStore::open(&options(dir.path(), 8)).unwrap();
        assert_eq!(store.open_report(), OpenReport { groups_replayed: 6, dropped: Vec::new() }, "cut {cut}");
        assert_eq!(now(store.deadlines(None, 9)).unwrap(), [(at(6), stream("q"))], "cut {cut}");
        let epoch = now(store.acquire("test")).unwrap();
        fill(&store, epoch, 1);
        now(store.close()).unwrap();
        drop(store);
        let store = SledStore::open(&options(dir.path(), 8)).unwrap();
        assert_eq!(now(store.deadlines(None, 9)).unwrap(), [(at(7), stream("q"))], "cut {cut}");
        assert_eq!(now(store.verify(VerifyCursor::default(), 99)).unwrap().broken, None);
    }
}

#[test]
fn a_failed_write_ends_the_store_until_it_is_opened_again() {
    let dir = TempDir::new().unwrap();
    let store = unarchived(dir.path(), 8, 1);
    let failed: Result<(), Fault> = Err(corrupt("a planted fault"));
    assert!(store.shared.fatal(failed).is_err());
    match now(store.tip()) {
        Err(Fault::Unavailable { reason }) => assert!(reason.contains("a planted fault"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(now(store.close()), Err(Fault::Unavailable { .. })));
    drop(store);
    let store = SledStore::open(&options(dir.path(), 8)).unwrap();
    assert_eq!(now(store.tip()).unwrap().group, 1);
}

#[test]
fn a_commit_waiting_for_room_is_told_when_the_archiver_has_ended() {
    let dir = TempDir::new().unwrap();
    let store = unarchived(dir.path(), 2, 2);
    store.shared.refuse("the archiver ended");
    let answer = store.shared.wait_for_room(1);
    assert!(matches!(answer, Err(Fault::Unavailable { .. })));
}

#[test]
fn a_store_with_a_later_migration_is_newer() {
    let dir = TempDir::new().unwrap();
    drop(SledStore::open(&options(dir.path(), 2)).unwrap());
    let db = ::sled::Config::new().path(dir.path().join("sled")).segment_size(8 << 20).open().unwrap();
    let key = [&b"migration"[..], &9u32.to_be_bytes()].concat();
    db.open_tree("meta").unwrap().insert(key, &[0; 32]).unwrap();
    drop(db);
    let opened = SledStore::open(&options(dir.path(), 2)).err();
    assert_eq!(opened, Some(Fault::NewerVersion { found: 9, supported: 1 }));
}

#[test]
fn a_damaged_snapshot_counts_as_absent() {
    let dir = TempDir::new().unwrap();
    let store = unarchived(dir.path(), 4, 1);
    let hash = now(store.head(&stream("q"))).unwrap().unwrap().hash;
    let snapshot = Snapshot { revision: 1, hash, version: 1, state: b"the state".to_vec() };
    now(store.save_snapshot(&stream("q"), snapshot)).unwrap();
    let (key, _) = store.shared.disk.snapshots.first().unwrap().unwrap();
    flip_in(&store.shared.disk.snapshots, &key, "the state");
    assert_eq!(now(store.load_snapshot(&stream("q"))).unwrap(), None);
}

#[test]
fn a_hundred_thousand_deadlines_are_listed_in_order() {
    let dir = TempDir::new().unwrap();
    let store = SledStore::open(&StoreOptions { slots: 64, ..options(dir.path(), 64) }).unwrap();
    let epoch = now(store.acquire("test")).unwrap();
    for round in 0..50i64 {
        let group: Vec<_> = (0..2_000i64)
            .map(|n| {
                let mut builder =
                    AppendBuilder::new(stream(&format!("q{round}-{n}")), 0, ChainHash::default());
                builder.push(at(0), &"born").unwrap();
                builder.finish(Due::At(at(n * 7_919 % 100_003 - round)), None)
            })
            .collect();
        now(store.commit(epoch, at(0), &group)).unwrap();
    }
    let due = now(store.deadlines(None, usize::MAX)).unwrap();
    assert_eq!(due.len(), 100_000);
    assert!(due.is_sorted());
    now(store.close()).unwrap();
    assert_eq!(now(store.deadlines(None, usize::MAX)).unwrap(), due);
}
