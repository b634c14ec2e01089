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

/// As [`unarchived`] with three groups, its folder copied to `older`, then three more, and all of them archived.
fn six_and_an_older_three(path: &Path, older: &Path) {
    let store = unarchived(path, 64, 3);
    copy(path, older);
    let epoch = lock(&store.shared.writer).epoch;
    fill(&store, epoch, 3);
    drop(store);
    let store = SledStore::open(&options(path, 64)).unwrap();
    archive_all(&store);
}

#[test]
fn a_log_that_is_older_than_the_database_is_told_to_everybody_before_the_database_is_opened() {
    let dir = TempDir::new().unwrap();
    let (path, older) = (dir.path().join("data"), dir.path().join("older"));
    six_and_an_older_three(&path, &older);
    copy(&older.join("log"), &path.join("log"));
    for name in ["mark", acknowledged::NAME] {
        fs::copy(older.join(name), path.join(name)).unwrap();
    }
    let before = content(&path);
    let what = refused(&path);
    assert!(what.contains("log and mark end before the database"), "{what}");
    assert!(content(&path) == before, "the refusal changed the folder");
    assert_eq!(ReadStore::open(&path).unwrap().refusal(), Some(&*what));
    assert!(content(&path) == before);
    let store = SledStore::open(&accepting(&path)).unwrap();
    let report = store.open_report();
    assert!(report.dropped[0].contains("`quorate recover DIR --to NEW`"), "{report:?}");
    assert_eq!(now(store.tip()).unwrap().group, 6);
}

/// It may stand behind the tip, under the same text and with a value as long: sled writes pages again when it likes.
#[test]
fn an_idempotency_key_is_not_taken_for_the_tip_of_the_database() {
    let dir = TempDir::new().unwrap();
    let store = SledStore::open(&options(dir.path(), 64)).unwrap();
    let epoch = now(store.acquire("test")).unwrap();
    let name = stream(&"e".repeat(55));
    let mut builder = AppendBuilder::new(name.clone(), 0, ChainHash::default());
    builder.push(at(0), &"born").unwrap();
    let key = IdempotencyKey::new("archived").unwrap();
    let append = builder.finish(Due::Unchanged, Some(key.clone()));
    now(store.commit(epoch, at(0), &[append])).unwrap();
    archive_all(&store);
    // A value that stays the same is not written.
    disk(&store).write_key(&key, &stream(&"f".repeat(55))).unwrap();
    disk(&store).write_key(&key, &name).unwrap();
    let end = disk(&store).make_durable_upto(None).unwrap();
    let tip = inspect_tip::archived(&dir.path().join("sled"), end.lsn).unwrap();
    assert_eq!(tip, now(store.tip()).unwrap());
    now(store.close()).unwrap();
    drop(store);
    assert_eq!(ReadStore::open(dir.path()).unwrap().refusal(), None);
    assert_eq!(SledStore::open(&options(dir.path(), 64)).unwrap().open_report(), OpenReport::default());
}

#[test]
fn a_missing_file_of_what_was_acknowledged_is_refused_in_a_folder_that_had_one() {
    let dir = TempDir::new().unwrap();
    let (path, at_3, at_6) = (dir.path().join("data"), dir.path().join("at 3"), dir.path().join("at 6"));
    let store = unarchived(&path, 64, 3);
    copy(&path, &at_3);
    let epoch = lock(&store.shared.writer).epoch;
    fill(&store, epoch, 3);
    drop(store);
    copy(&path, &at_6);
    copy(&at_3.join("log"), &path.join("log"));
    let witness = path.join(acknowledged::NAME);
    for taken in [None, Some(vec![]), Some(vec![0; log::SECTOR])] {
        match taken {
            None => fs::remove_file(&witness).unwrap(),
            Some(bytes) => fs::write(&witness, bytes).unwrap(),
        }
        let before = content(&path);
        let what = refused(&path);
        assert!(what.contains("the file acknowledged is missing"), "{what}");
        assert!(content(&path) == before);
        assert_eq!(ReadStore::open(&path).unwrap().refusal(), Some(&*what));
    }
    let store = SledStore::open(&accepting(&path)).unwrap();
    assert!(store.open_report().accepted_loss);
    assert_eq!(now(store.tip()).unwrap().group, 3);
    drop(store);
    assert_eq!(SledStore::open(&options(&path, 64)).unwrap().open_report(), OpenReport::default());
    // Before `FORMAT` had a check there was no such file.
    copy(&at_6, &path);
    fs::remove_file(&witness).unwrap();
    fs::write(path.join("FORMAT"), "quorate store 2\n").unwrap();
    assert_eq!(ReadStore::open(&path).unwrap().refusal(), None);
    drop(SledStore::open(&options(&path, 64)).unwrap());
    fs::remove_file(&witness).unwrap();
    refused(&path);
    // Nobody ever had the folder to write to.
    let fresh = dir.path().join("fresh");
    drop(SledStore::open(&options(&fresh, 64)).unwrap());
    fs::remove_file(fresh.join(acknowledged::NAME)).unwrap();
    drop(SledStore::open(&options(&fresh, 64)).unwrap());
}

#[test]
fn a_loss_is_accepted_where_the_database_is_missing() {
    let dir = TempDir::new().unwrap();
    let (path, whole) = (dir.path().join("data"), dir.path().join("whole"));
    drop(unarchived(&whole, 64, 4));
    copy(&whole, &path);
    fs::remove_dir_all(path.join("sled")).unwrap();
    fs::write(path.join("mark"), [7; 1024]).unwrap();
    refused(&path);
    let store = SledStore::open(&accepting(&path)).unwrap();
    assert_eq!(now(store.tip()).unwrap().group, 4);
    drop(store);
    let lost = path.join("lost-1");
    assert!(lost.join("log").exists() && !lost.join("sled").exists());
    assert_eq!(SledStore::open(&options(&path, 64)).unwrap().open_report(), OpenReport::default());
    // What cannot be put aside leaves no empty folder.
    copy(&whole, &path);
    fs::remove_dir_all(path.join("sled")).unwrap();
    fs::write(path.join("sled"), "no folder").unwrap();
    fs::write(path.join("mark"), [7; 1024]).unwrap();
    assert!(SledStore::open(&accepting(&path)).is_err());
    assert!(!lost.exists());
}

#[test]
fn a_closed_store_without_the_empty_folder_of_its_log_opens_and_says_so() {
    let dir = TempDir::new().unwrap();
    let store = SledStore::open(&options(dir.path(), 64)).unwrap();
    let epoch = now(store.acquire("test")).unwrap();
    fill(&store, epoch, 3);
    now(store.close()).unwrap();
    drop(store);
    fs::remove_dir(dir.path().join("log")).unwrap();
    assert_eq!(ReadStore::open(dir.path()).unwrap().refusal(), None);
    assert!(!dir.path().join("log").exists());
    let store = SledStore::open(&options(dir.path(), 64)).unwrap();
    let report = store.open_report();
    assert!(report.repaired[0].contains("folder of the log was missing"), "{report:?}");
    let epoch = now(store.acquire("test")).unwrap();
    fill(&store, epoch, 1);
    drop(store);
    assert_eq!(now(SledStore::open(&options(dir.path(), 64)).unwrap().tip()).unwrap().group, 4);
}

#[test]
fn a_folder_that_looks_unfinished_and_holds_records_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("data");
    drop(unarchived(&path, 64, 5));
    fs::rename(path.join("FORMAT"), path.join("FORMAT.new")).unwrap();
    for gone in ["none", acknowledged::NAME, "mark"] {
        let _ = fs::remove_file(path.join(gone));
        let before = content(&path);
        assert_eq!(refused(&path), "the file FORMAT is missing", "{gone}");
        assert!(content(&path) == before, "{gone}");
    }
    let store = SledStore::open(&accepting(&path)).unwrap();
    assert_eq!(now(store.tip()).unwrap().group, 5);
    drop(store);
    // One that was made and not finished is made again.
    let fresh = dir.path().join("fresh");
    drop(SledStore::open(&options(&fresh, 64)).unwrap());
    fs::rename(fresh.join("FORMAT"), fresh.join("FORMAT.new")).unwrap();
    segment::remove(&fresh.join("log"), 1).unwrap();
    assert_eq!(SledStore::open(&options(&fresh, 64)).unwrap().open_report(), OpenReport::default());
}

#[test]
fn a_file_of_absurd_size_is_damage() {
    let dir = TempDir::new().unwrap();
    let (path, whole) = (dir.path().join("data"), dir.path().join("whole"));
    drop(unarchived(&whole, 64, 3));
    let lengthen = |file: &Path| File::options().write(true).open(file).unwrap().set_len(1 << 40).unwrap();
    let segment = segment_of(&path, 1);
    for (file, told) in [
        (segment.clone(), "has another length"),
        (path.join("mark"), "has another length"),
        (path.join("FORMAT"), "does not say which format"),
    ] {
        copy(&whole, &path);
        lengthen(&file);
        let what = refused(&path);
        assert!(what.contains(told), "{what}");
        assert_eq!(ReadStore::open(&path).unwrap().refusal(), Some(&*what));
    }
    copy(&whole, &path);
    fs::write(&segment, [7; 1024]).unwrap();
    lengthen(&segment);
    assert!(refused(&path).contains("the header of a file of the log is damaged"));
    copy(&whole, &path);
    lengthen(&path.join(acknowledged::NAME));
    let store = SledStore::open(&options(&path, 64)).unwrap();
    assert!(store.open_report().repaired[0].contains("acknowledged was damaged"));
    // A closed store has no segment in use, so one of any length is no empty one.
    now(store.close()).unwrap();
    drop(store);
    let next = mark::read(&path).unwrap().1.begin.segment;
    File::create(segment_of(&path, next)).unwrap().set_len(1 << 40).unwrap();
    refused(&path);
}
