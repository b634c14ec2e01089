//! A data folder of the first format, written by the program of that time and killed while it served: two databases,
//! the archive and a ring with the last groups. Two quorums have 700 named voters, so that their groups are in pieces;
//! one of them is archived and one is not.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use flate2::read::GzDecoder;
use quorate_core::kernel::ids::{EntityId, StreamId, StreamKind};
use quorate_journal::stores::StoreOptions;
use quorate_journal::stores::sled::SledStore;
use quorate_journal::{Fault, Pending, Store, VerifyCursor};
use tempfile::TempDir;

/// Eight commands were answered before the kill; the one that approves made two records.
const GROUPS: u64 = 8;
const RECORDS: u64 = 9;
const TIP: &str = "ea6fb7fd7d34bba2dbce3c5c9b6d0e52b8628ab06d420aceeed421f29eba8ca6";

/// Lays the folder out: name length 2, name, length 8, bytes, for each file.
fn laid_out() -> (TempDir, PathBuf) {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/folder1/folder.gz");
    let mut bytes = Vec::new();
    GzDecoder::new(&fs::read(packed).unwrap()[..]).read_to_end(&mut bytes).unwrap();
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("data");
    let mut rest = &bytes[..];
    while let Some((length, more)) = rest.split_first_chunk::<2>() {
        let (name, more) = more.split_at(u16::from_be_bytes(*length).into());
        let (length, more) = more.split_first_chunk::<8>().unwrap();
        let (content, more) = more.split_at(u64::from_be_bytes(*length) as usize);
        let file = path.join(std::str::from_utf8(name).unwrap());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
        rest = more;
    }
    (dir, path)
}

fn now<T>(mut pending: Pending<'_, T>) -> Result<T, Fault> {
    match pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a store answers when polled once"),
    }
}

fn open(path: &Path, accept_loss: bool) -> Result<Arc<dyn Store>, Fault> {
    let options = StoreOptions { create: false, accept_loss, ..StoreOptions::at(path) };
    Ok(Arc::new(SledStore::open(&options)?))
}

/// The ring as sled keeps it, to do things to it.
fn ring(path: &Path) -> sled::Db {
    sled::Config::new().path(path.join("ring")).segment_size(8 << 20).open().unwrap()
}

fn group_number(value: &[u8]) -> u64 {
    u64::from_be_bytes(value[1..9].try_into().unwrap())
}

/// The slots of the ring and the numbers of their groups, ascending.
fn slots(db: &sled::Db) -> Vec<(u64, sled::Tree)> {
    let trees = db.tree_names().into_iter().filter(|name| name.starts_with(b"ring-"));
    let trees = trees.map(|name| db.open_tree(name).unwrap());
    let mut out: Vec<_> =
        trees.filter_map(|tree| Some((group_number(&tree.get("g").unwrap()?), tree))).collect();
    out.sort_by_key(|(number, _)| *number);
    out
}

#[test]
fn a_folder_of_the_first_format_opens_verifies_and_goes_on() {
    let (_dir, path) = laid_out();
    let store = open(&path, false).unwrap();
    let tip = now(store.tip()).unwrap();
    assert_eq!((tip.group, tip.position, tip.hash.to_string()), (GROUPS, RECORDS, TIP.to_owned()));
    let report = store.open_report();
    assert!(report.groups_replayed > 0 && report.dropped.is_empty(), "{report:?}");
    let verified = now(store.verify(VerifyCursor::default(), usize::MAX)).unwrap();
    assert!(verified.done && verified.broken.is_none(), "{verified:?}");
    for name in ["one", "many", "late", "last"] {
        let stream = StreamId::new(StreamKind::Quorum, EntityId::new(name).unwrap());
        assert!(!now(store.read(&stream, 0, 99)).unwrap().is_empty(), "{name}");
    }
    assert!(fs::read_to_string(path.join("FORMAT")).unwrap().starts_with("quorate store 2\ncheck "));
    assert!(!path.join("ring").exists());
    assert!(now(store.acquire("test")).unwrap() > 1);
    drop(store);
    let store = open(&path, false).unwrap();
    assert_eq!(now(store.tip()).unwrap(), tip);
}

/// The old program died of this: it took what was left of the pieces for a group.
#[test]
fn a_large_group_half_cleared_from_the_ring_is_no_damage() {
    let (_dir, path) = laid_out();
    {
        let db = ring(&path);
        let archived = slots(&db).into_iter().find(|(_, tree)| tree.get("g").unwrap().unwrap().len() == 88);
        let (number, _) = archived.unwrap();
        let key = [&number.to_be_bytes()[..], &[0], &1u32.to_be_bytes()].concat();
        db.open_tree("large").unwrap().insert(key, &b"yyyy what is left of it"[..]).unwrap();
        db.flush().unwrap();
    }
    let store = open(&path, false).unwrap();
    assert_eq!(now(store.tip()).unwrap().hash.to_string(), TIP);
}

#[test]
fn a_group_missing_from_the_ring_before_a_sound_one_is_refused_and_accepted_on_demand() {
    let (_dir, path) = laid_out();
    {
        let db = ring(&path);
        let slots = slots(&db);
        let (number, tree) = &slots[slots.len() - 2];
        assert_eq!(*number, GROUPS - 1);
        tree.remove("g").unwrap();
        db.flush().unwrap();
    }
    match open(&path, false) {
        Err(Fault::Corrupt { what }) => {
            assert!(what.contains(&format!("groups {0} to {0}", GROUPS - 1)), "{what}");
        }
        other => panic!("{:?}", other.err()),
    }
    assert_eq!(fs::read_to_string(path.join("FORMAT")).unwrap(), "quorate store 1\n");
    let store = open(&path, true).unwrap();
    assert_eq!(now(store.tip()).unwrap().group, GROUPS - 2);
    assert!(store.open_report().accepted_loss);
    assert!(path.join("lost-1/ring/db").exists());
    drop(store);
    assert_eq!(now(open(&path, false).unwrap().tip()).unwrap().group, GROUPS - 2);
}

/// A conversion that was cut off at any of its steps is done again.
#[test]
fn a_conversion_that_was_cut_off_is_done_again() {
    for left in ["log", "mark", "FORMAT.new"] {
        let (_dir, path) = laid_out();
        match left {
            "log" => {
                fs::create_dir(path.join("log")).unwrap();
                fs::write(path.join("log/0000000000000001.log"), "half").unwrap();
            }
            name => fs::write(path.join(name), "half").unwrap(),
        }
        let store = open(&path, false).unwrap();
        assert_eq!(now(store.tip()).unwrap().hash.to_string(), TIP, "{left}");
    }
    // After the last step only the removal of the ring is left.
    let (_dir, path) = laid_out();
    drop(open(&path, false).unwrap());
    fs::create_dir(path.join("ring")).unwrap();
    fs::write(path.join("ring/db"), "left").unwrap();
    assert_eq!(now(open(&path, false).unwrap().tip()).unwrap().hash.to_string(), TIP);
    assert!(!path.join("ring").exists());
}

/// The file that names the format is older than the rest.
#[test]
fn a_former_format_file_does_not_undo_the_conversion() {
    let (_dir, path) = laid_out();
    drop(open(&path, false).unwrap());
    fs::write(path.join("FORMAT"), "quorate store 1\n").unwrap();
    assert!(matches!(open(&path, false), Err(Fault::Corrupt { .. })));
}
