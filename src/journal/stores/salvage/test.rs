use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::codec::AppendBuilder;
use crate::stores::sled::SledStore;
use crate::stores::{Durability, StoreOptions};
use crate::{Append, Due, Pending, Record, Store, VerifyCursor};
use quorate_core::kernel::ids::{EntityId, StreamKind};

/// Numbers that look random and are the same in every run.
struct Rng(quorate_core::kernel::rng::Rng);

impl Rng {
    fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }
}

fn now<T>(mut pending: Pending<'_, T>) -> Result<T, Fault> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match pending.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("the store answers when polled once"),
    }
}

fn stream(n: u64) -> StreamId {
    StreamId::new(StreamKind::Quorum, EntityId::new(format!("q{n}")).unwrap())
}

fn append(store: &SledStore, n: u64, payload: &str, due: Due) -> Append {
    let stream = stream(n);
    let head = now(store.head(&stream)).unwrap();
    let (revision, hash) = head.map(|head| (head.revision, head.hash)).unwrap_or_default();
    let mut builder = AppendBuilder::new(stream, revision, hash);
    builder.push(Timestamp::from_millis(1), &payload).unwrap();
    builder.finish(due, None)
}

struct Folder {
    dir: TempDir,
    records: Vec<Record>,
    tip: Tip,
}

/// A folder with `commits` commits, one of them larger than any value of the database, closed or killed.
fn folder(commits: u64, large: bool, closed: bool) -> Folder {
    let dir = TempDir::new().unwrap();
    let options =
        StoreOptions { durability: Durability::Process, pack_bytes: 2_000, ..StoreOptions::at(dir.path()) };
    let store = SledStore::open(&options).unwrap();
    let epoch = now(store.acquire("test")).unwrap();
    for n in 0..commits {
        let size = if large && n == commits / 2 { 300_000 } else { 40 };
        let group = [
            append(&store, n % 7, &"x".repeat(size), Due::At(Timestamp::from_millis(n as i64))),
            append(&store, 10 + n % 3, "y", Due::Clear),
        ];
        now(store.commit(epoch, Timestamp::from_millis(n as i64), &group)).unwrap();
    }
    let records = now(store.scan(0, usize::MAX >> 1)).unwrap();
    let tip = now(store.tip()).unwrap();
    if closed {
        now(store.close()).unwrap();
    }
    drop(store);
    Folder { dir, records, tip }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(files(&path));
        } else {
            out.push(path);
        }
    }
    out.sort();
    out
}

fn bytes(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(dir).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(&path, target).unwrap();
    }
}

fn all(store: &ReadStore) -> Result<Vec<Record>, Fault> {
    now(store.scan(0, usize::MAX >> 1))
}

#[test]
fn everything_is_read_without_the_database_and_no_byte_changes() {
    for (large, closed) in [(false, true), (false, false), (true, true), (true, false)] {
        let made = folder(40, large, closed);
        let before = bytes(made.dir.path());
        for _ in 0..2 {
            let store = ReadStore::open(made.dir.path()).unwrap();
            assert!(store.damage().is_none(), "{:?}", store.damage());
            assert_eq!(now(Store::tip(&store)).unwrap(), made.tip);
            assert_eq!(all(&store).unwrap(), made.records);
            let of_one: Vec<_> = made.records.iter().filter(|r| r.stream == stream(3)).cloned().collect();
            assert_eq!(now(store.read(&stream(3), 0, 99)).unwrap(), of_one);
            assert_eq!(now(store.deadlines(None, 99)).unwrap().len(), 7);
            let step = now(store.verify(VerifyCursor::default(), 999)).unwrap();
            assert_eq!((step.done, step.broken), (true, None));
            assert!(matches!(now(store.acquire("me")), Err(Fault::Unavailable { .. })));
        }
        assert!(bytes(made.dir.path()) == before, "reading changed the folder");
    }
}

#[test]
fn a_folder_that_is_open_is_locked_and_a_reader_locks_nobody_out() {
    let made = folder(3, false, true);
    let reader = ReadStore::open(made.dir.path()).unwrap();
    let owner = SledStore::open(&StoreOptions::at(made.dir.path())).unwrap();
    assert!(matches!(ReadStore::open(made.dir.path()), Err(Fault::Locked { .. })));
    drop(owner);
    drop(reader);
    assert!(matches!(ReadStore::open(&made.dir.path().join("none")), Err(Fault::Missing { .. })));
}

/// Damages one file of a copy; answers how, and whether bytes of a group stand where they stood.
fn damage(path: &Path, n: usize, rng: &mut Rng) -> (String, bool) {
    let mut content = std::fs::read(path).unwrap();
    let at = rng.below(content.len().max(1) as u64) as usize;
    match n % 8 {
        6 => {
            std::fs::remove_file(path).unwrap();
            return (format!("{n}: {} is removed", path.display()), false);
        }
        7 => {
            content.truncate(at);
            std::fs::write(path, content).unwrap();
            return (format!("{n}: {} is cut to {at}", path.display()), false);
        }
        _ => {}
    }
    if let Some(byte) = content.get_mut(at) {
        *byte ^= 1 << rng.below(8);
    }
    std::fs::write(path, content).unwrap();
    (format!("{n}: a bit of {} is flipped at {at}", path.display()), true)
}

/// Whatever is damaged: everything is there, or what is missing is named; what is sound goes into a new store.
#[test]
fn one_flipped_bit_is_named_and_the_rest_is_recovered() {
    let mut rng = Rng(quorate_core::kernel::rng::Rng::new(11));
    let (mut missing, mut restored) = (0, 0);
    for closed in [true, false] {
        let made = folder(40, true, closed);
        let logs: Vec<PathBuf> = files(made.dir.path())
            .into_iter()
            .filter(|path| !path.ends_with("LOCK") && !path.ends_with("conf"))
            .collect();
        for n in 0..120 {
            let copied = TempDir::new().unwrap();
            copy(made.dir.path(), copied.path());
            // Most of the damage where most of the bytes are.
            let original = if n % 3 == 0 {
                &logs[rng.below(logs.len() as u64) as usize]
            } else {
                logs.iter().max_by_key(|path| std::fs::metadata(path).unwrap().len()).unwrap()
            };
            let path = copied.path().join(original.strip_prefix(made.dir.path()).unwrap());
            let (what, flipped) = damage(&path, n, &mut rng);
            let store = ReadStore::open(copied.path()).unwrap();
            let found = all(&store).unwrap();
            if found == made.records {
                continue;
            }
            missing += 1;
            assert!(!store.damage().is_none(), "silent loss: {what}");
            assert!(found.iter().all(|record| made.records.contains(record)), "{what}");
            let broken = now(store.verify(VerifyCursor::default(), 999)).unwrap().broken.unwrap();
            let named = broken.why.contains("offset=") && broken.position.is_some();
            assert!(named || !flipped, "{what}: {broken:?}");
            if restored == 12 {
                continue;
            }
            restored += 1;
            let to = TempDir::new().unwrap();
            let new = to.path().join("new");
            let tip = store.restore(&new, 0, |_| Ok(())).unwrap();
            let mut beyond = Vec::new();
            let add = |record| {
                beyond.push(record);
                Ok(())
            };
            store.beyond(add).unwrap();
            let again = SledStore::open(&StoreOptions::at(&new)).unwrap();
            assert_eq!(now(again.tip()).unwrap(), tip);
            let step = now(again.verify(VerifyCursor::default(), 999)).unwrap();
            assert_eq!((step.done, step.broken), (true, None));
            let kept = now(again.scan(0, 9_999)).unwrap();
            assert_eq!(
                [kept, beyond].concat(),
                found,
                "{what}: what is sound is in the new store or behind the gap"
            );
            assert!(now(again.acquire("next")).unwrap() > 1, "a new owner comes after the old one");
        }
    }
    assert!(missing > 5, "{missing}");
}
