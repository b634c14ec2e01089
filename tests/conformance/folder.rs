//! The data folder of persistent stores: refusals are typed and leave no trace.

use std::fs;
use std::path::Path;

use quorate_journal::Fault;
use quorate_journal::stores::{STORES, StoreEntry, StoreOptions, store_in};
use tempfile::TempDir;

fn persistent() -> impl Iterator<Item = &'static StoreEntry> {
    STORES.iter().filter(|entry| entry.persistent && !entry.database)
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

/// What `FORMAT` holds: its line, and the first 16 bytes of blake3 over it.
fn format(number: u32) -> String {
    let line = format!("quorate store {number}\n");
    let check: String =
        blake3::hash(line.as_bytes()).as_bytes()[..16].iter().map(|b| format!("{b:02x}")).collect();
    format!("{line}check {check}\n")
}

#[test]
fn a_newer_or_senseless_format_is_refused() {
    for entry in persistent() {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("FORMAT"), format(7)).unwrap();
        assert_eq!(open(entry, dir.path(), true), Fault::NewerVersion { found: 7, supported: 4 });
        for senseless in [&format(0), "quorate store many\n", "quorate store 7\n"] {
            fs::write(dir.path().join("FORMAT"), senseless).unwrap();
            assert!(matches!(open(entry, dir.path(), true), Fault::Corrupt { .. }), "{senseless}");
        }
        fs::remove_file(dir.path().join("FORMAT")).unwrap();
        fs::create_dir(dir.path().join("FORMAT")).unwrap();
        assert!(matches!(open(entry, dir.path(), true), Fault::Unavailable { .. }));
        assert_eq!(names(dir.path()), ["FORMAT"]);
    }
}

/// The layout of the folder of a store.
fn layout(entry: &StoreEntry) -> u32 {
    if entry.name == "fjall" { 4 } else { 2 }
}

/// Damage of `FORMAT` is told from a foreign folder and from a newer program, and everything is read all the same.
#[test]
fn a_damaged_format_is_damage_and_neither_foreign_nor_newer() {
    for entry in persistent() {
        let dir = TempDir::new().unwrap();
        let (path, file) = (dir.path().join("data"), dir.path().join("data").join("FORMAT"));
        let store = (entry.open)(&StoreOptions::at(&path)).unwrap();
        let epoch = super::support::now(store.acquire("test")).unwrap();
        super::support::now(store.commit(epoch, super::support::at(1), &[super::support::first("q")]))
            .unwrap();
        drop(store);
        let whole = fs::read(&file).unwrap();
        assert_eq!(whole, format(layout(entry)).into_bytes());
        let damaged = |bytes: Option<&[u8]>, what: &str| {
            match bytes {
                Some(bytes) => fs::write(&file, bytes).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
            let Fault::Corrupt { what: told } = open(entry, &path, false) else { panic!("{what}") };
            assert!(told.contains("FORMAT"), "{what}: {told}");
            assert!(matches!(open(entry, &path, true), Fault::Corrupt { .. }), "{what}");
        };
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            damaged(Some(&bytes), &format!("bit {bit}"));
        }
        // Without its check it is the file of an earlier version.
        let line = if entry.name == "sled" { "quorate store 2\n".len() } else { usize::MAX };
        for length in (0..whole.len()).filter(|length| *length != line) {
            damaged(Some(&whole[..length]), &format!("length {length}"));
        }
        for other in ["quorate store 1\n", "quorate store 3\n", "quorate store 2\ncheck \n", "letters\n"] {
            damaged(Some(other.as_bytes()), other);
        }
        damaged(None, "missing");
        let read = quorate_journal::stores::salvage::ReadStore::open(&path).unwrap();
        assert!(read.damage().is_none() && read.refusal().is_some_and(|why| why.contains("FORMAT")));
        let accepted = (entry.open)(&StoreOptions { accept_loss: true, ..StoreOptions::at(&path) }).unwrap();
        let report = accepted.open_report();
        assert!(report.repaired[0].contains("FORMAT") && report.dropped.is_empty(), "{report:?}");
        assert_eq!(super::support::now(accepted.tip()).unwrap().group, 1);
        drop(accepted);
        assert_eq!(fs::read(&file).unwrap(), whole);
    }
}

#[test]
fn a_format_without_a_check_is_that_of_an_earlier_version_and_gets_one() {
    // There are no earlier versions of other layouts.
    for entry in persistent().filter(|entry| entry.name == "sled") {
        let dir = TempDir::new().unwrap();
        drop((entry.open)(&StoreOptions::at(dir.path())).unwrap());
        fs::write(dir.path().join("FORMAT"), "quorate store 2\n").unwrap();
        let store = (entry.open)(&StoreOptions::at(dir.path())).unwrap();
        assert_eq!(store.open_report().repaired, Vec::<String>::new());
        assert_eq!(fs::read(dir.path().join("FORMAT")).unwrap(), format(2).into_bytes());
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

/// A folder says which store it was made with, and no other one opens it.
#[test]
fn a_folder_of_another_store_is_named_and_left_alone() {
    for entry in persistent() {
        let dir = TempDir::new().unwrap();
        assert!(store_in(dir.path()).is_none());
        drop((entry.open)(&StoreOptions::at(dir.path())).unwrap());
        let before = names(dir.path());
        assert_eq!(store_in(dir.path()).map(|store| store.name), Some(entry.name));
        for other in persistent().filter(|other| other.name != entry.name) {
            for accept_loss in [false, true] {
                let options = StoreOptions { accept_loss, ..StoreOptions::at(dir.path()) };
                let Some(Fault::Config { knob, value, range }) = (other.open)(&options).err() else {
                    panic!("{} opened a folder of {}", other.name, entry.name)
                };
                assert_eq!((knob, &*value), ("store", other.name));
                assert!(range.contains(entry.name), "{range}");
            }
        }
        assert_eq!(names(dir.path()), before);
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
    for entry in STORES.iter().filter(|entry| entry.persistent) {
        assert!(matches!((entry.open)(&StoreOptions::default()).err(), Some(Fault::Unavailable { .. })));
    }
}

#[test]
fn a_damaged_database_is_a_fault_and_not_a_panic_or_an_empty_store() {
    for entry in persistent() {
        let parts: &[&str] = match entry.name {
            "sled" => &["log/0000000000000001.log", "sled/db", "mark"],
            _ => &["fjall/0.jnl", "fjall/version", "fjall/keyspaces/0/current", "mark"],
        };
        for part in parts {
            let dir = TempDir::new().unwrap();
            let path = dir.path().join("data");
            let store = (entry.open)(&StoreOptions::at(&path)).unwrap();
            let epoch = super::support::now(store.acquire("test")).unwrap();
            super::support::now(store.commit(epoch, super::support::at(1), &[super::support::first("q")]))
                .unwrap();
            if *part == "sled/db" {
                // Before that the log makes up for it.
                super::support::now(store.close()).unwrap();
            }
            drop(store);
            let file = path.join(part);
            let length = fs::metadata(&file).unwrap().len() as usize;
            fs::write(&file, vec![0xaa; length]).unwrap();
            assert!(matches!(open(entry, &path, false), Fault::Corrupt { .. } | Fault::Unavailable { .. }));
        }
    }
}
