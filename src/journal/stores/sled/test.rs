use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::super::Durability;
use super::disk::open_when_free;
use super::*;
use crate::codec::AppendBuilder;
use crate::{Due, Pending, Store, VerifyCursor};
use quorate_core::kernel::ids::{EntityId, StreamKind};

#[path = "database_test.rs"]
mod database;

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

/// Archives everything, as if time had passed.
fn archive_all(store: &SledStore) {
    let mut state = lock(&store.shared.state);
    while !state.tail.is_empty() {
        state.hurry = true;
        store.shared.work.notify_all();
        state = store.shared.room.wait(state).unwrap();
    }
    state.hurry = false;
}

/// A store whose groups 1 to `commits` are all in the log alone.
fn unarchived(path: &Path, slots: usize, commits: u64) -> SledStore {
    let mut store = SledStore::open(&options(path, slots)).unwrap();
    stop_archiver(&mut store);
    let epoch = now(store.acquire("test")).unwrap();
    fill(&store, epoch, commits);
    store
}

fn disk(store: &SledStore) -> Arc<Disk> {
    store.shared.disk().unwrap()
}

/// Opens a store that must refuse for damage; what it says.
fn refused(path: &Path) -> String {
    match SledStore::open(&options(path, 64)) {
        Err(Fault::Corrupt { what }) => what,
        other => panic!("{other:?}"),
    }
}

fn accepting(path: &Path) -> StoreOptions {
    StoreOptions { accept_loss: true, ..options(path, 64) }
}

/// Everything in a folder but the lock file, which says who looked at it last.
fn content(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut out = BTreeMap::new();
    for item in fs::read_dir(path).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            out.extend(content(&path));
        } else if !path.ends_with("LOCK") {
            out.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    out
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let to = to.join(item.file_name());
        if item.path().is_dir() {
            copy(&item.path(), &to)
        } else {
            fs::copy(item.path(), to).map(drop).unwrap()
        }
    }
}

fn segment_of(path: &Path, number: u64) -> PathBuf {
    segment::path(&path.join("log"), number)
}

/// Changes one bit of a text in a file.
fn flip_in_file(path: &Path, text: &str) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, flipped(&bytes, text)).unwrap();
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

fn replayed(groups: u64) -> OpenReport {
    OpenReport { groups_replayed: groups, ..OpenReport::default() }
}

#[test]
fn a_replay_brings_back_every_group_of_the_log() {
    let dir = TempDir::new().unwrap();
    drop(unarchived(dir.path(), 8, 8));
    let store = SledStore::open(&options(dir.path(), 8)).unwrap();
    assert_eq!(store.open_report(), replayed(8));
    assert_eq!(now(store.deadlines(None, 9)).unwrap(), [(at(8), stream("q"))]);
    assert_eq!(now(store.read(&stream("q"), 0, 99)).unwrap().len(), 8);
}

#[test]
fn a_tail_longer_than_the_room_for_it_is_archived_before_commits_go_on() {
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
fn a_damaged_group_is_refused_with_nothing_changed_and_given_up_only_on_demand() {
    // In the middle, and at the end: it was acknowledged either way.
    for (damaged, missing) in
        [(3, "groups 3 to 5, positions 3 to 5, of quorum/q"), (5, "groups 5 to 5, positions 5 to 5")]
    {
        let dir = TempDir::new().unwrap();
        drop(unarchived(dir.path(), 64, 5));
        flip_in_file(&segment_of(dir.path(), 1), &format!("event {damaged:04}"));
        let before = content(dir.path());
        let what = refused(dir.path());
        assert!(what.contains(missing), "{what}");
        assert_eq!(content(dir.path()), before);

        let store = SledStore::open(&accepting(dir.path())).unwrap();
        let report = store.open_report();
        assert!(report.accepted_loss && report.dropped[0].contains(missing), "{report:?}");
        assert_eq!(now(store.tip()).unwrap().group, damaged - 1);
        assert_eq!(now(store.deadlines(None, 9)).unwrap(), [(at(damaged as i64 - 1), stream("q"))]);
        let kept = dir.path().join("lost-1").join("log").join("0000000000000001.log");
        assert_eq!(fs::read(kept).unwrap(), before[&segment_of(dir.path(), 1)]);
        let epoch = now(store.acquire("test")).unwrap();
        assert!(epoch > 1, "{epoch}");
        fill(&store, epoch, 2);
        drop(store);
        let store = SledStore::open(&options(dir.path(), 64)).unwrap();
        assert_eq!(store.open_report().dropped, Vec::<String>::new());
        assert_eq!(now(store.tip()).unwrap().group, damaged + 1);
        assert_eq!(now(store.verify(VerifyCursor::default(), 99)).unwrap().broken, None);
    }
}

#[test]
fn a_write_that_was_never_finished_is_dropped_reported_and_never_comes_back() {
    let dir = TempDir::new().unwrap();
    let store = unarchived(dir.path(), 64, 3);
    let start = lock(&store.shared.writer).log.place().offset as usize;
    let epoch = lock(&store.shared.writer).epoch;
    let acknowledged = dir.path().join(acknowledged::NAME);
    let before = fs::read(&acknowledged).unwrap();
    fill(&store, epoch, 1);
    let end = lock(&store.shared.writer).log.place().offset as usize;
    drop(store);
    // As if it had not been.
    fs::write(acknowledged, before).unwrap();
    let path = segment_of(dir.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[start..end].fill(0);
    bytes[end + 700] = 9;
    fs::write(&path, &bytes).unwrap();
    let store = SledStore::open(&options(dir.path(), 64)).unwrap();
    let report = store.open_report();
    assert_eq!((report.groups_replayed, report.dropped.len()), (3, 1), "{report:?}");
    assert!(!report.accepted_loss);
    drop(store);
    assert_eq!(
        SledStore::open(&options(dir.path(), 64)).unwrap().open_report().dropped,
        Vec::<String>::new()
    );
}

#[test]
fn a_missing_cut_or_older_file_is_refused_with_nothing_changed() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("data");
    let at_3 = dir.path().join("at 3");
    let at_6 = dir.path().join("at 6");
    let store = unarchived(&path, 64, 3);
    copy(&path, &at_3);
    let epoch = lock(&store.shared.writer).epoch;
    fill(&store, epoch, 3);
    drop(store);
    let store = SledStore::open(&options(&path, 64)).unwrap();
    archive_all(&store);
    drop(store);
    copy(&path, &at_6);
    let refuses = |what: &str, change: &dyn Fn(&Path)| {
        copy(&at_6, &path);
        change(&path);
        let before = content(&path);
        refused(&path);
        let after = content(&path);
        let same = |name: &str| {
            let of = |all: &BTreeMap<PathBuf, Vec<u8>>| {
                all.iter()
                    .filter(|(at, _)| at.strip_prefix(&path).unwrap().starts_with(name))
                    .map(|(at, bytes)| (at.clone(), bytes.clone()))
                    .collect::<Vec<_>>()
            };
            of(&before) == of(&after)
        };
        assert!(same("log") && same("mark") && same("FORMAT"), "{what}");
    };
    refuses("the segment is missing", &|path| fs::remove_file(segment_of(path, 1)).unwrap());
    refuses("the log is missing", &|path| fs::remove_dir_all(path.join("log")).unwrap());
    refuses("the mark is missing", &|path| fs::remove_file(path.join("mark")).unwrap());
    refuses("the log is older", &|path| copy(&at_3.join("log"), &path.join("log")));
    refuses("log and mark are older", &|path| {
        copy(&at_3.join("log"), &path.join("log"));
        fs::copy(at_3.join("mark"), path.join("mark")).unwrap();
    });
    refuses("what was acknowledged last became zeros", &|path| {
        let bytes = fs::read(segment_of(path, 1)).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() / log::SECTOR * log::SECTOR;
        fs::write(segment_of(path, 1), [&bytes[..end], &vec![0; bytes.len() - end]].concat()).unwrap();
    });
    // An older mark alone is what a crash between database and mark leaves.
    copy(&at_6, &path);
    fs::copy(at_3.join("mark"), path.join("mark")).unwrap();
    let store = SledStore::open(&options(&path, 64)).unwrap();
    assert_eq!(store.open_report(), replayed(6));
    now(store.close()).unwrap();
    drop(store);
    // Closed, the log is gone, and an older database or mark is a loss.
    copy(&path, &at_6);
    let closed = fs::read(at_6.join("mark")).unwrap();
    refuses("the database of a closed store is older", &|path| copy(&at_3.join("sled"), &path.join("sled")));
    refuses("the mark of a closed store is older", &|path| {
        fs::copy(at_3.join("mark"), path.join("mark")).map(drop).unwrap();
    });
    copy(&at_6, &path);
    let store = SledStore::open(&options(&path, 64)).unwrap();
    let epoch = now(store.acquire("test")).unwrap();
    fill(&store, epoch, 2);
    drop(store);
    copy(&path, &at_6);
    refuses("the mark says closed and is older", &|path| {
        fs::write(path.join("mark"), &closed).unwrap();
    });
}

#[test]
fn a_damaged_mark_is_accepted_only_on_demand_and_then_nothing_is_lost() {
    let dir = TempDir::new().unwrap();
    drop(unarchived(dir.path(), 64, 4));
    for bad in [&b""[..], &[0; 1024], &[7; 1024]] {
        fs::write(dir.path().join("mark"), bad).unwrap();
        refused(dir.path());
    }
    let store = SledStore::open(&accepting(dir.path())).unwrap();
    assert_eq!(now(store.tip()).unwrap().group, 4);
    assert!(store.open_report().accepted_loss);
}

#[test]
fn what_a_round_had_begun_to_archive_and_is_lost_leaves_no_trace_in_the_index() {
    let dir = TempDir::new().unwrap();
    let store = unarchived(dir.path(), 64, 6);
    let groups: Vec<_> = lock(&store.shared.state).tail.iter().map(|w| w.bytes.clone()).collect();
    archive::write_packs(&disk(&store), &groups, 2_000).unwrap();
    archive::write_index(&disk(&store), &groups).unwrap();
    drop(store);
    flip_in_file(&segment_of(dir.path(), 1), "event 0004");
    let store = SledStore::open(&accepting(dir.path())).unwrap();
    assert_eq!(now(store.deadlines(None, 9)).unwrap(), [(at(3), stream("q"))]);
    let epoch = now(store.acquire("test")).unwrap();
    fill(&store, epoch, 2);
    now(store.close()).unwrap();
    assert_eq!(now(store.verify(VerifyCursor::default(), 99)).unwrap().broken, None);
    assert_eq!(now(store.deadlines(None, 9)).unwrap(), [(at(5), stream("q"))]);
}

#[test]
fn a_closed_store_keeps_no_log_and_opens_with_the_next_segment() {
    let dir = TempDir::new().unwrap();
    for life in 1..4 {
        let store = SledStore::open(&options(dir.path(), 64)).unwrap();
        assert_eq!(store.open_report(), OpenReport::default());
        let epoch = now(store.acquire("test")).unwrap();
        assert_eq!(epoch, life);
        fill(&store, epoch, 3);
        now(store.close()).unwrap();
        now(store.close()).unwrap();
        assert_eq!(segment::numbers(&dir.path().join("log")).unwrap(), Vec::<u64>::new());
    }
}

#[test]
fn a_commit_without_room_is_refused_and_the_next_one_is_taken_when_there_is_some() {
    let dir = TempDir::new().unwrap();
    let store = unarchived(dir.path(), 64, 1);
    let epoch = lock(&store.shared.writer).epoch;
    // No segment can be made while a folder has the name it is made under.
    let obstacle = dir.path().join("log").join("next.tmp");
    fs::create_dir(&obstacle).unwrap();
    let large = "e".repeat(300_000);
    let append = |expected, hash| {
        let mut builder = AppendBuilder::new(stream("large"), expected, hash);
        builder.push(at(0), &large).unwrap();
        builder.finish(Due::Unchanged, None)
    };
    let append = append(0, ChainHash::default());
    for _ in 0..3 {
        assert!(matches!(
            now(store.commit(epoch, at(0), std::slice::from_ref(&append))),
            Err(Fault::Full { .. })
        ));
    }
    fill(&store, epoch, 1);
    fs::remove_dir(&obstacle).unwrap();
    now(store.commit(epoch, at(0), &[append])).unwrap();
    assert_eq!(now(store.tip()).unwrap().position, 3);
    drop(store);
    assert_eq!(SledStore::open(&options(dir.path(), 64)).unwrap().open_report(), replayed(3));
}

#[test]
fn a_database_that_failed_is_opened_again_and_nothing_is_lost() {
    let dir = TempDir::new().unwrap();
    let store = SledStore::open(&options(dir.path(), 64)).unwrap();
    let epoch = now(store.acquire("test")).unwrap();
    fill(&store, epoch, 3);
    store.shared.reopen_disk().unwrap();
    fill(&store, epoch, 3);
    archive_all(&store);
    // Looked at for nothing, it goes on.
    store.shared.suspect(&Fault::Unavailable { reason: "a planted fault".into() });
    fill(&store, epoch, 3);
    assert_eq!(now(store.read(&stream("q"), 0, 99)).unwrap().len(), 9);
    now(store.close()).unwrap();
    assert_eq!(now(store.verify(VerifyCursor::default(), 99)).unwrap().broken, None);
}

#[test]
fn a_folder_that_is_removed_under_a_store_is_noticed() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("data");
    let store = unarchived(&path, 64, 1);
    let epoch = lock(&store.shared.writer).epoch;
    fs::remove_dir_all(&path).unwrap();
    let mut builder = AppendBuilder::new(stream("other"), 0, ChainHash::default());
    builder.push(at(0), &"born").unwrap();
    let answer = now(store.commit(epoch, at(0), &[builder.finish(Due::Unchanged, None)]));
    match answer {
        Err(Fault::Unavailable { reason }) => assert!(reason.contains("was removed"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert!(now(store.tip()).is_err());
}

#[test]
fn a_folder_that_is_moved_away_is_noticed_by_the_archiver() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("data");
    let store = SledStore::open(&options(&path, 64)).unwrap();
    let epoch = now(store.acquire("test")).unwrap();
    fs::rename(&path, dir.path().join("elsewhere")).unwrap();
    fill(&store, epoch, 1);
    match now(store.close()) {
        Err(Fault::Unavailable { reason }) => assert!(reason.contains("moved"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_damaged_pack_is_pinned_to_its_record_and_not_read() {
    let dir = TempDir::new().unwrap();
    let store = SledStore::open(&options(dir.path(), 4)).unwrap();
    let epoch = now(store.acquire("test")).unwrap();
    fill(&store, epoch, 40);
    now(store.close()).unwrap();
    let (first, _) = disk(&store).packs.range(..=20u64.to_be_bytes()).next_back().unwrap().unwrap();
    flip_in(&disk(&store).packs, &first, "event 0020");
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
    let mut entry = disk(&store).entry(&stream("q")).unwrap().unwrap();
    entry.revision = 8;
    disk(&store).write_entry(&stream("q"), &entry, &[]).unwrap();
    let broken = now(store.verify(VerifyCursor::default(), 99)).unwrap().broken.unwrap();
    assert_eq!(broken.record, Some((stream("q"), 9)));
    disk(&store).packs.clear().unwrap();
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
        let groups: Vec<_> =
            lock(&store.shared.state).tail.iter().map(|waiting| waiting.bytes.clone()).collect();
        archive::write_packs(&disk(&store), &groups, 2_000).unwrap();
        if cut > 0 {
            // The whole index of the round, or only that of a part of it.
            archive::write_index(&disk(&store), &groups[..3 * cut]).unwrap();
        }
        drop(store);
        let store = SledStore::open(&options(dir.path(), 8)).unwrap();
        assert_eq!(store.open_report(), replayed(6), "cut {cut}");
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
    let mut builder = AppendBuilder::new(stream("other"), 0, ChainHash::default());
    builder.push(at(0), &"born").unwrap();
    let append = builder.finish(Due::Unchanged, None);
    let limits = Limits { group_bytes: 1_000, groups: 2 };
    let planned = plan(&*store.shared, &store.shared.tip(), (1, at(0)), &[append], limits).unwrap();
    assert!(matches!(store.shared.wait_for_room(&planned), Err(Fault::Unavailable { .. })));
}

#[test]
fn a_store_with_a_later_migration_is_newer() {
    let dir = TempDir::new().unwrap();
    drop(SledStore::open(&options(dir.path(), 2)).unwrap());
    let config = ::sled::Config::new().path(dir.path().join("sled")).segment_size(8 << 20);
    let db = open_when_free(&config).unwrap();
    let key = [&b"migration"[..], &9u32.to_be_bytes()].concat();
    db.open_tree("meta").unwrap().insert(key, &[0; 32]).unwrap();
    drop(db);
    let opened = SledStore::open(&options(dir.path(), 2)).err();
    assert_eq!(opened, Some(Fault::NewerVersion { found: 9, supported: 2 }));
}

#[test]
fn a_database_whose_lock_is_still_held_is_waited_for() {
    let dir = TempDir::new().unwrap();
    let config = ::sled::Config::new().path(dir.path().join("sled")).segment_size(8 << 20);
    let held = config.open().unwrap();
    assert!(config.open().is_err(), "sled itself does not wait");
    let opened = std::thread::scope(|scope| {
        let waits = scope.spawn(|| open_when_free(&config).map(drop));
        drop(held);
        waits.join().unwrap()
    });
    opened.unwrap();
}

#[test]
fn a_damaged_snapshot_counts_as_absent() {
    let dir = TempDir::new().unwrap();
    let store = unarchived(dir.path(), 4, 1);
    let hash = now(store.head(&stream("q"))).unwrap().unwrap().hash;
    let snapshot = Snapshot { revision: 1, hash, version: 1, state: b"the state".to_vec() };
    now(store.save_snapshot(&stream("q"), snapshot)).unwrap();
    let (key, _) = disk(&store).snapshots.first().unwrap().unwrap();
    flip_in(&disk(&store).snapshots, &key, "the state");
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
