//! The data folder of persistent stores: refusals are typed and leave no trace.

use std::fs;
use std::path::Path;

use quorate::journal::Fault;
use quorate::store::{STORES, StoreEntry, StoreOptions};
use tempfile::TempDir;

fn persistent() -> impl Iterator<Item = &'static StoreEntry> {
    STORES.iter().filter(|entry| entry.persistent)
}

fn open(entry: &StoreEntry, path: &Path, create: bool) -> Fault {
    match (entry.open)(&StoreOptions { create, ..StoreOptions::at(path) }) {
        Ok(_) => panic!("{} opened {}", entry.name, path.display()),
        Err(fault) => fault,
    }
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(path).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_missing_or_empty_folder_is_missing_unless_it_may_be_made() {
    for entry in persistent() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("a").join("b");
        assert_eq!(open(entry, &path, false), Fault::Missing { path: path.display().to_string() });
        assert_eq!(names(dir.path()), Vec::<String>::new());
        assert!(matches!(open(entry, dir.path(), false), Fault::Missing { .. }));
        assert_eq!(names(dir.path()), Vec::<String>::new());
        drop((entry.open)(&StoreOptions::at(&path)).unwrap());
        drop((entry.open)(&StoreOptions { create: false, ..StoreOptions::at(&path) }).unwrap());
    }
}

#[test]
fn a_folder_with_something_else_in_it_is_foreign_and_left_alone() {
    for entry in persistent() {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("letters.txt"), "dear").unwrap();
        assert!(matches!(open(entry, dir.path(), true), Fault::Foreign { .. }));
        assert!(matches!(open(entry, &dir.path().join("letters.txt"), true), Fault::Foreign { .. }));
        assert_eq!(names(dir.path()), ["letters.txt"]);
        fs::write(dir.path().join("FORMAT"), "something else 1\n").unwrap();
        assert!(matches!(open(entry, dir.path(), true), Fault::Foreign { .. }));
        fs::write(dir.path().join("FORMAT"), [0xff, 0xfe]).unwrap();
        assert!(matches!(open(entry, dir.path(), true), Fault::Foreign { .. }));
        assert_eq!(names(dir.path()), ["FORMAT", "letters.txt"]);
    }
}

#[test]
fn a_newer_or_senseless_format_is_refused() {
    for entry in persistent() {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("FORMAT"), "quorate store 7\n").unwrap();
        assert_eq!(open(entry, dir.path(), true), Fault::NewerVersion { found: 7, supported: 2 });
        fs::write(dir.path().join("FORMAT"), "quorate store many\n").unwrap();
        assert!(matches!(open(entry, dir.path(), true), Fault::Corrupt { .. }));
        fs::remove_file(dir.path().join("FORMAT")).unwrap();
        fs::create_dir(dir.path().join("FORMAT")).unwrap();
        assert!(matches!(open(entry, dir.path(), true), Fault::Unavailable { .. }));
        assert_eq!(names(dir.path()), ["FORMAT"]);
    }
}

#[test]
fn a_store_is_held_by_one_handle_and_free_as_soon_as_it_is_dropped() {
    for entry in persistent() {
        let dir = TempDir::new().unwrap();
        let store = (entry.open)(&StoreOptions::at(dir.path())).unwrap();
        super::support::now(store.acquire("the first owner")).unwrap();
        let Fault::Locked { holder } = open(entry, dir.path(), true) else { panic!("not locked") };
        assert!(holder.contains(&format!("pid={}", std::process::id())), "{holder}");
        assert!(holder.contains("since=20") && holder.contains("the first owner"), "{holder}");
        for _ in 0..3 {
            drop((entry.open)(&StoreOptions::at(dir.path().join("other"))).err());
        }
        drop(store);
        drop((entry.open)(&StoreOptions::at(dir.path())).unwrap());
    }
}

#[test]
fn a_store_left_half_made_is_finished() {
    for entry in persistent() {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("LOCK"), "pid=1").unwrap();
        fs::write(dir.path().join("FORMAT.new"), "quor").unwrap();
        assert!(matches!(open(entry, dir.path(), false), Fault::Missing { .. }));
        drop((entry.open)(&StoreOptions::at(dir.path())).unwrap());
    }
}

#[test]
fn a_persistent_store_without_a_path_says_so() {
    for entry in persistent() {
        assert!(matches!((entry.open)(&StoreOptions::default()).err(), Some(Fault::Unavailable { .. })));
    }
}

#[test]
fn a_damaged_database_is_a_fault_and_not_a_panic_or_an_empty_store() {
    for entry in persistent() {
        for part in ["log/0000000000000001.log", "sled/db", "mark"] {
            let dir = TempDir::new().unwrap();
            let path = dir.path().join("data");
            let store = (entry.open)(&StoreOptions::at(&path)).unwrap();
            let epoch = super::support::now(store.acquire("test")).unwrap();
            super::support::now(store.commit(epoch, super::support::at(1), &[super::support::first("q")]))
                .unwrap();
            drop(store);
            let file = path.join(part);
            let length = fs::metadata(&file).unwrap().len() as usize;
            fs::write(&file, vec![0xaa; length]).unwrap();
            assert!(matches!(open(entry, &path, false), Fault::Corrupt { .. } | Fault::Unavailable { .. }));
        }
    }
}
