use std::fs::File;

use tempfile::TempDir;

use super::*;
use crate::codec::AppendBuilder;
use crate::stores::Durability;
use crate::stores::local::{Local, store_in};
use crate::{Due, Pending, Record};
use quorate_core::kernel::ids::{EntityId, StreamId, StreamKind};
use quorate_core::kernel::time::Timestamp;

fn now<T>(mut pending: Pending<'_, T>) -> Result<T, Fault> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match pending.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("the store answers when polled once"),
    }
}

fn options(path: &Path) -> StoreOptions {
    StoreOptions { durability: Durability::Process, ..StoreOptions::at(path) }
}

/// A folder with a journal of twenty groups, and what stands in it.
fn source(path: &Path) -> Vec<Record> {
    let store = SledStore::open(&options(path)).unwrap();
    let store: &dyn Local = &store;
    let epoch = now(store.acquire("test")).unwrap();
    let name = StreamId::new(StreamKind::Quorum, EntityId::new("q").unwrap());
    for n in 0..20 {
        let (revision, hash) =
            now(store.head(&name)).unwrap().map(|head| (head.revision, head.hash)).unwrap_or_default();
        let mut builder = AppendBuilder::new(name.clone(), revision, hash);
        builder.push(Timestamp::from_millis(n), &"event").unwrap();
        now(store.commit(epoch, Timestamp::from_millis(n), &[builder.finish(Due::Unchanged, None)])).unwrap();
    }
    records(store)
}

fn records(store: &dyn Local) -> Vec<Record> {
    now(store.scan(0, usize::MAX >> 1)).unwrap()
}

fn is_moving(store: &str, path: &Path) -> bool {
    matches!(local::open(store, &options(path)), Err(Fault::Moving { .. }))
}

/// Moves it, and finds all of it there, in a folder of this store.
fn arrives(from: &Path, to: &Place, store: &str, expected: &[Record]) {
    let tip = move_journal(&Place::Folder(from.to_owned()), to, |_| ()).unwrap();
    assert_eq!(tip.position, expected.len() as u64);
    let (Place::Folder(path) | Place::FolderOf(path, _)) = to else { panic!("{to} is no folder") };
    assert_eq!(store_in(path).map(|entry| entry.name), Some(store));
    assert_eq!(records(&*local::open(store, &options(path)).unwrap()), expected);
    assert!(matches!(SledStore::open(&options(from)), Err(Fault::Moved { .. })));
}

#[test]
fn a_folder_says_where_its_journal_comes_from_before_a_store_stands_in_it() {
    for store in local::names() {
        let dir = TempDir::new().unwrap();
        let (from, path) = (dir.path().join("from"), dir.path().join("to"));
        let expected = source(&from);
        let to = Place::FolderOf(path.clone(), store.to_owned());
        // Held by somebody else, so that the move ends before it makes anything of a store.
        fs::create_dir(&path).unwrap();
        let held = File::create(path.join("LOCK")).unwrap();
        held.lock().unwrap();
        let moved = move_journal(&Place::Folder(from.clone()), &to, |_| ());
        assert!(matches!(moved, Err(Fault::Locked { .. })), "{moved:?}");
        assert!(!path.join("FORMAT").exists() && !path.join("FORMAT.new").exists());
        drop(held);
        assert!(local::names().all(|store| is_moving(store, &path)), "nobody makes an empty store of it");
        arrives(&from, &to, store, &expected);
        assert!(!path.join("MOVE").exists());
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_a_move_makes_shows_nothing_to_others() {
    use std::os::unix::fs::PermissionsExt;
    for store in local::names() {
        let dir = TempDir::new().unwrap();
        let (from, path) = (dir.path().join("from"), dir.path().join("deep").join("to"));
        let expected = source(&from);
        arrives(&from, &Place::FolderOf(path.clone(), store.to_owned()), store, &expected);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
}

/// A copy that was cut off so that it does not open, and then its removal, after each of its steps.
#[test]
fn a_copy_that_does_not_open_is_made_anew_wherever_its_removal_was_cut_off() {
    for (store, database) in local::names().zip(["sled", "fjall"]) {
        for gone in
            [&["mark"][..], &["mark", "LOCK", database], &["mark", "LOCK", database, "acknowledged", "log"]]
        {
            let dir = TempDir::new().unwrap();
            let (from, path) = (dir.path().join("from"), dir.path().join("to"));
            let expected = source(&from);
            let begun = |groups: Vec<Arc<[u8]>>| {
                let to = open_folder(&path, store, true).unwrap();
                to.begin(&Place::Folder(from.clone()).name().unwrap()).unwrap();
                to.take_in(&groups).unwrap();
            };
            begun(open_folder(&from, local::DEFAULT, false).unwrap().groups(1, 400).unwrap());
            for name in gone {
                let path = path.join(name);
                if path.is_dir() {
                    // The folder itself stands a while longer than what was in it.
                    fs::remove_dir_all(&path).unwrap();
                    fs::create_dir(&path).unwrap();
                } else if path.exists() {
                    fs::remove_file(path).unwrap();
                }
            }
            let opened = open_folder(&path, store, true).map(|_| ());
            assert!(matches!(opened, Err(Fault::Corrupt { .. })), "{store} without {gone:?}: {opened:?}");
            assert!(local::open(store, &options(&path)).is_err());
            // The folder says which store it is of.
            arrives(&from, &Place::Folder(path), store, &expected);
        }
    }
}

#[test]
fn a_copy_that_does_not_open_stays_when_it_is_of_another_move() {
    let dir = TempDir::new().unwrap();
    let (from, path) = (dir.path().join("from"), dir.path().join("to"));
    source(&from);
    open_folder(&path, local::DEFAULT, true).unwrap().begin("elsewhere").unwrap();
    fs::remove_file(path.join("mark")).unwrap();
    let moved = move_journal(&Place::Folder(from), &Place::Folder(path.clone()), |_| ());
    assert!(matches!(moved, Err(Fault::Corrupt { .. })), "{moved:?}");
    assert!(path.join("sled").exists());
}
