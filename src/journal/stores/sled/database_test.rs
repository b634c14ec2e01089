//! A database that lost its end, or is damaged, beside a log and a mark that are sound.

use super::super::super::salvage::ReadStore;
use super::*;

/// The log still holds what an older, cut or missing database does not have.
#[test]
fn a_database_that_ends_before_the_mark_opens_when_the_log_reaches_back() {
    let dir = TempDir::new().unwrap();
    let (path, older, whole) = (dir.path().join("data"), dir.path().join("older"), dir.path().join("whole"));
    let store = SledStore::open(&options(&path, 64)).unwrap();
    let epoch = now(store.acquire("test")).unwrap();
    fill(&store, epoch, 3);
    archive_all(&store);
    copy(&path, &older);
    fill(&store, epoch, 3);
    archive_all(&store);
    fill(&store, epoch, 2);
    let records = now(store.scan(0, 99)).unwrap();
    copy(&path, &whole);
    drop(store);
    let opens = |what: &str, told: &str, change: &dyn Fn(&Path)| {
        copy(&whole, &path);
        change(&path.join("sled"));
        let before = content(&path);
        let read = ReadStore::open(&path).unwrap();
        assert_eq!((read.refusal(), read.damage().is_none()), (None, true), "{what}");
        assert!(content(&path) == before, "{what}: looking changed the folder");
        // Once more, as if the process had died before anything was archived.
        for _ in 0..2 {
            let mut store = SledStore::open(&options(&path, 64)).unwrap();
            stop_archiver(&mut store);
            let report = store.open_report();
            assert!(report.dropped.is_empty() && report.repaired[0].contains(told), "{what}: {report:?}");
            assert_eq!(now(store.scan(0, 99)).unwrap(), records, "{what}");
            assert_eq!(now(store.deadlines(None, 9)).unwrap(), [(at(8), stream("q"))], "{what}");
        }
        let store = SledStore::open(&options(&path, 64)).unwrap();
        let epoch = now(store.acquire("test")).unwrap();
        fill(&store, epoch, 1);
        now(store.close()).unwrap();
        assert_eq!(now(store.verify(VerifyCursor::default(), 99)).unwrap().broken, None, "{what}");
        drop(store);
        let store = SledStore::open(&options(&path, 64)).unwrap();
        assert_eq!(store.open_report(), OpenReport::default(), "{what}");
        assert_eq!(now(store.tip()).unwrap().group, 9, "{what}");
    };
    opens("older", "groups 4 to 6", &|sled| copy(&older.join("sled"), sled));
    opens("missing", "groups 1 to 6", &|sled| fs::remove_dir_all(sled).unwrap());
    opens("empty", "groups 1 to 6", &|sled| fs::write(sled.join("db"), "").unwrap());
    // Where something is truly missing, opening refuses and names it, and changes nothing.
    copy(&whole, &path);
    let store = SledStore::open(&options(&path, 64)).unwrap();
    now(store.close()).unwrap();
    drop(store);
    copy(&older.join("sled"), &path.join("sled"));
    let before = content(&path);
    let what = refused(&path);
    assert!(what.contains("missing: groups 4 to 8, positions 4 to 8"), "{what}");
    assert!(content(&path) == before);
    let read = ReadStore::open(&path).unwrap();
    assert!(!read.damage().is_none(), "{:?}", read.damage());
    // Another store's database is refused, also where this one's log goes back to the first group.
    let other = dir.path().join("other");
    let store = SledStore::open(&options(&other, 64)).unwrap();
    let epoch = now(store.acquire("test")).unwrap();
    for round in 0..5 {
        let mut builder = AppendBuilder::new(stream(&format!("other {round}")), 0, ChainHash::default());
        builder.push(at(0), &"born").unwrap();
        now(store.commit(epoch, at(0), &[builder.finish(Due::Unchanged, None)])).unwrap();
    }
    archive_all(&store);
    drop(store);
    copy(&whole, &path);
    copy(&other.join("sled"), &path.join("sled"));
    let before = content(&path);
    refused(&path);
    assert!(content(&path) == before);
}

/// The history may be whole where the folder will not open.
#[test]
fn a_damaged_database_is_told_to_those_who_only_read() {
    let dir = TempDir::new().unwrap();
    let store = SledStore::open(&options(dir.path(), 64)).unwrap();
    let epoch = now(store.acquire("test")).unwrap();
    fill(&store, epoch, 9);
    now(store.close()).unwrap();
    drop(store);
    assert_eq!(ReadStore::open(dir.path()).unwrap().refusal(), None);
    let copied = TempDir::new().unwrap();
    let folder = copied.path().join("data");
    let whole = fs::read(dir.path().join("sled").join("db")).unwrap();
    let said: Vec<usize> = (20..whole.len()).filter(|at| whole[*at] != 0).collect();
    let mut told = 0;
    for at in said.iter().step_by(said.len() / 40) {
        copy(dir.path(), &folder);
        let mut bytes = whole.clone();
        bytes[*at] ^= 4;
        fs::write(folder.join("sled").join("db"), bytes).unwrap();
        let read = ReadStore::open(&folder).unwrap();
        match SledStore::open(&options(&folder, 64)) {
            Err(Fault::Corrupt { what }) => assert_eq!(read.refusal(), Some(&*what), "byte {at}"),
            Ok(_) => assert_eq!(read.refusal(), None, "byte {at}"),
            Err(other) => panic!("{other:?}"),
        }
        told += usize::from(read.refusal().is_some() && read.damage().is_none());
    }
    assert!(told > 3, "{told}");
}
