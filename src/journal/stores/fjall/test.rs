use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::super::Durability;
use super::super::salvage::ReadStore;
use super::*;
use crate::codec::AppendBuilder;
use crate::{Due, Pending, Store, VerifyCursor};
use quorate_core::kernel::ids::{EntityId, StreamKind};

fn now<T>(mut pending: Pending<'_, T>) -> Result<T, Fault> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match pending.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("the store answers when polled once"),
    }
}

fn options(path: &Path) -> StoreOptions {
    StoreOptions { slots: 16, durability: Durability::Process, ..StoreOptions::at(path) }
}

/// Commits groups of one event of so many bytes, due at its own number.
fn fill(store: &FjallStore, commits: u64, bytes: usize) {
    let epoch = now(store.acquire("test")).unwrap();
    let name = StreamId::new(StreamKind::Quorum, EntityId::new("q").unwrap());
    for _ in 0..commits {
        let (revision, hash) =
            now(store.head(&name)).unwrap().map(|head| (head.revision, head.hash)).unwrap_or_default();
        let mut builder = AppendBuilder::new(name.clone(), revision, hash);
        builder.push(Timestamp::EPOCH, &"e".repeat(bytes)).unwrap();
        let due = Due::At(Timestamp::from_millis(revision as i64 + 1));
        now(store.commit(epoch, Timestamp::EPOCH, &[builder.finish(due, None)])).unwrap();
    }
}

/// A store of so many groups in a new folder, left as by a kill.
fn made(commits: u64, bytes: usize) -> TempDir {
    let dir = TempDir::new().unwrap();
    fill(&FjallStore::open(&options(dir.path())).unwrap(), commits, bytes);
    dir
}

fn groups(store: &FjallStore) -> u64 {
    let step = now(store.verify(VerifyCursor::default(), usize::MAX)).unwrap();
    assert_eq!(step.broken, None);
    assert_eq!(now(store.deadlines(None, 9)).unwrap().len(), 1);
    now(store.tip()).unwrap().group
}

fn refused(dir: &Path) -> String {
    match FjallStore::open(&options(dir)) {
        Err(Fault::Corrupt { what }) => what,
        other => panic!("{other:?}"),
    }
}

fn journal(dir: &Path) -> (PathBuf, Vec<u8>) {
    let path = database(dir).join("0.jnl");
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

/// What is done to the bytes of a file.
type Change<'a> = &'a dyn Fn(&mut Vec<u8>);

/// Where each batch of a journal begins, and where the last one ends. A batch ends in its checksum and "FJL" 3.
fn batches(bytes: &[u8]) -> Vec<usize> {
    let ends = bytes.windows(4).enumerate().filter(|(at, found)| *found == b"FJL\x03" && bytes[at - 9] == 3);
    std::iter::once(0).chain(ends.map(|(at, _)| at + 4)).collect()
}

#[test]
fn what_was_committed_is_there_after_a_kill_and_after_a_close() {
    let dir = made(40, 100);
    let store = FjallStore::open(&options(dir.path())).unwrap();
    assert_eq!((groups(&store), store.open_report()), (40, OpenReport::default()));
    fill(&store, 400, 1_000);
    now(store.close()).unwrap();
    drop(store);
    assert_eq!(groups(&FjallStore::open(&options(dir.path())).unwrap()), 440);
    let read = ReadStore::open(dir.path()).unwrap();
    assert!(read.damage().is_none() && read.refusal().is_none(), "{:?} {:?}", read.damage(), read.refusal());
    assert_eq!(read.records(), 440);
}

/// Whatever of a batch reached the disk: the sectors of a write are independent.
#[test]
fn a_batch_that_was_never_acknowledged_is_cut_off_and_reported() {
    let dir = made(3, 2_000);
    let (path, before) = journal(dir.path());
    let at = *batches(&before).last().unwrap();
    let acknowledged = fs::read(dir.path().join("acknowledged")).unwrap();
    fill(&FjallStore::open(&options(dir.path())).unwrap(), 1, 2_000);
    let (_, after) = journal(dir.path());
    let mark = fs::read(dir.path().join("mark")).unwrap();
    let last = *batches(&after).last().unwrap();
    assert!(last > at + 2_000);
    let torn: [Change<'_>; 4] = [
        &|bytes| bytes.truncate(at + 700),
        // Its end is there, and something in its middle is not.
        &|bytes| bytes[at + 600..at + 1_100].fill(0),
        &|bytes| bytes[at..at + 1].fill(0),
        &|bytes| bytes[last - 1..].fill(0),
    ];
    for (n, tear) in torn.into_iter().enumerate() {
        let mut bytes = after.clone();
        tear(&mut bytes);
        fs::write(&path, bytes).unwrap();
        fs::write(dir.path().join("acknowledged"), &acknowledged).unwrap();
        fs::write(dir.path().join("mark"), &mark).unwrap();
        let read = ReadStore::open(dir.path()).unwrap();
        assert_eq!((read.records(), read.refusal()), (3, None), "{n}");
        let store = FjallStore::open(&options(dir.path())).unwrap();
        let report = store.open_report();
        assert_eq!((groups(&store), report.dropped.len()), (3, 1), "{n}: {report:?}");
        fill(&store, 1, 10);
        drop(store);
        assert_eq!(groups(&FjallStore::open(&options(dir.path())).unwrap()), 4, "{n}");
    }
}

#[test]
fn a_journal_that_lost_its_end_or_its_order_is_refused_and_left_as_it_is() {
    let dir = made(30, 200);
    let (path, whole) = journal(dir.path());
    let starts = batches(&whole);
    let (last, middle) = (starts[starts.len() - 2], starts[starts.len() / 2]);
    let damages: [(Change<'_>, &str); 5] = [
        (&|bytes| bytes[last..].fill(0), "ends before what was acknowledged. missing: groups 30 to 30"),
        (&|bytes| bytes.truncate(middle), "ends before what was acknowledged"),
        // The first byte the engine cannot read would be the end for it.
        (&|bytes| bytes[middle] ^= 0x40, "stands behind it"),
        // The number of a batch has no checksum.
        (&|bytes| bytes[middle + 5 + 2] ^= 1, "not in order"),
        (&|bytes| bytes[middle + 40] ^= 1, "stands behind it"),
    ];
    for (damage, expected) in damages {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::write(&path, &bytes).unwrap();
        let what = refused(dir.path());
        assert!(what.contains(expected), "{expected}: {what}");
        assert!(fs::read(&path).unwrap() == bytes, "{expected}");
        assert!(ReadStore::open(dir.path()).unwrap().refusal().is_some(), "{expected}");
    }
    fs::write(&path, &whole).unwrap();
    fs::remove_file(dir.path().join("acknowledged")).unwrap();
    assert!(refused(dir.path()).contains("acknowledged is missing"));
}

/// Every file that the engine reads is checked before it does; a list of tables that it believes would make it remove some.
#[test]
fn any_byte_changed_or_file_missing_of_the_tables_is_refused() {
    let dir = made(600, 1_000);
    let base = database(dir.path()).join("keyspaces").join("1");
    let current = fs::read(base.join("current")).unwrap();
    let list = base.join(format!("v{}", current[0]));
    let tables: Vec<_> =
        fs::read_dir(base.join("tables")).unwrap().map(|item| item.unwrap().path()).collect();
    assert!(!tables.is_empty());
    for path in tables.iter().chain([&list, &base.join("current"), &database(dir.path()).join("version")]) {
        let whole = fs::read(path).unwrap();
        for at in (0..whole.len()).step_by(whole.len().div_ceil(40)) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(path, bytes).unwrap();
            refused(dir.path());
        }
        fs::remove_file(path).unwrap();
        refused(dir.path());
        fs::write(path, whole).unwrap();
    }
    assert_eq!(groups(&FjallStore::open(&options(dir.path())).unwrap()), 600);
}

#[test]
fn a_loss_that_is_accepted_keeps_what_stands_before_it_and_puts_the_rest_aside() {
    let dir = made(30, 200);
    let (path, mut bytes) = journal(dir.path());
    let starts = batches(&bytes);
    let damaged = starts[starts.len() - 6];
    bytes[damaged + 60] ^= 1;
    fs::write(&path, &bytes).unwrap();
    refused(dir.path());
    let accepting = StoreOptions { accept_loss: true, ..options(dir.path()) };
    let store = FjallStore::open(&accepting).unwrap();
    let report = store.open_report();
    assert!(report.accepted_loss && report.dropped[0].contains("damaged behind group"), "{report:?}");
    let kept = groups(&store);
    assert!((20..30).contains(&kept), "{kept}");
    assert!(fs::read(dir.path().join("lost-1").join("fjall").join("0.jnl")).unwrap() == bytes);
    fill(&store, 3, 10);
    drop(store);
    let store = FjallStore::open(&options(dir.path())).unwrap();
    assert_eq!((groups(&store), store.open_report()), (kept + 3, OpenReport::default()));
}

/// The engine begins a new journal when one has grown, and removes those whose groups are all in tables.
#[test]
fn a_journal_that_is_missing_is_refused_also_when_those_before_it_went() {
    let dir = made(75, 1 << 20);
    let store = FjallStore::open(&options(dir.path())).unwrap();
    fill(&store, 5, 200);
    drop(store);
    let numbers = inspect::journals(&database(dir.path())).unwrap();
    let last = *numbers.last().unwrap();
    assert!(last > 0, "{numbers:?}");
    let last = database(dir.path()).join(format!("{last}.jnl"));
    assert_eq!(groups(&FjallStore::open(&options(dir.path())).unwrap()), 80);
    let bytes = fs::read(&last).unwrap();
    fs::remove_file(&last).unwrap();
    refused(dir.path());
    fs::write(&last, bytes).unwrap();
    assert_eq!(groups(&FjallStore::open(&options(dir.path())).unwrap()), 80);
}

#[test]
fn a_folder_that_is_removed_or_moved_away_ends_the_store() {
    for away in [false, true] {
        let dir = TempDir::new().unwrap();
        let folder = dir.path().join("data");
        let store = FjallStore::open(&options(&folder)).unwrap();
        fill(&store, 2, 10);
        let epoch = now(store.acquire("test")).unwrap();
        match away {
            true => fs::rename(&folder, dir.path().join("away")).unwrap(),
            false => fs::remove_dir_all(&folder).unwrap(),
        }
        let stream = StreamId::new(StreamKind::Quorum, EntityId::new("other").unwrap());
        let mut builder = AppendBuilder::new(stream, 0, ChainHash::default());
        builder.push(Timestamp::EPOCH, &"e").unwrap();
        let group = [builder.finish(Due::Unchanged, None)];
        for _ in 0..2 {
            let Err(Fault::Unavailable { reason }) = now(store.commit(epoch, Timestamp::EPOCH, &group))
            else {
                panic!("it was committed")
            };
            assert!(reason.contains("the data folder is gone"), "{reason}");
        }
    }
}
