use std::fs;
use std::io::BufReader;

use tempfile::TempDir;

use super::*;
use crate::codec::AppendBuilder;
use crate::group::Group;
use crate::stores::memory::MemoryStore;
use crate::stores::{Durability, StoreOptions, local, store_in};
use crate::{Append, Due, Pending, Record, Store, Tip, VerifyCursor, first_epoch_of_life, next_life};
use quorate_core::kernel::ids::{EntityId, StreamId, StreamKind};
use quorate_core::kernel::time::Timestamp;

fn now<T>(mut pending: Pending<'_, T>) -> Result<T, Fault> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match pending.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("the store answers when polled once"),
    }
}

fn append(store: &dyn Store, id: u64, payload: &str) -> Append {
    let stream = StreamId::new(StreamKind::Quorum, EntityId::new(format!("q{id}")).unwrap());
    let head = now(store.head(&stream)).unwrap();
    let (revision, hash) = head.map(|head| (head.revision, head.hash)).unwrap_or_default();
    let mut builder = AppendBuilder::new(stream, revision, hash);
    builder.push(Timestamp::from_millis(1), &payload).unwrap();
    builder.finish(Due::Unchanged, None)
}

fn fill(store: &dyn Store, commits: u64) {
    let epoch = now(store.acquire("test")).unwrap();
    for n in 0..commits {
        let group = [append(store, n % 3, &"x".repeat(n as usize % 50)), append(store, 7 + n % 2, "y")];
        now(store.commit(epoch, Timestamp::from_millis(n as i64), &group)).unwrap();
    }
}

fn header(tip: &Tip) -> Header {
    Header {
        groups: tip.group,
        records: tip.position,
        tip_hash: tip.hash.to_string(),
        ..Header::new(3, "2026-11-29T00:00:00Z".into(), "quorate test".into(), None)
    }
}

/// The backup of a store, page by page.
fn backup(store: &dyn Store) -> Vec<u8> {
    let mut writer = BackupWriter::begin(Vec::new(), header(&now(store.tip()).unwrap())).unwrap();
    while !writer.is_whole() {
        let page = now(store.groups(writer.group(), 700)).unwrap();
        assert!(!page.is_empty());
        page.iter().for_each(|group| writer.add(group).unwrap());
    }
    writer.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
    let mut reader = BackupReader::open(BufReader::new(bytes))?;
    let mut groups = Vec::new();
    while let Some(group) = reader.next_group()? {
        groups.push(group);
    }
    Ok(groups)
}

fn records(store: &dyn Store) -> Vec<Record> {
    now(store.scan(0, usize::MAX >> 1)).unwrap()
}

fn refused(bytes: &[u8]) -> String {
    match read(bytes) {
        Err(Fault::Corrupt { what }) => what,
        other => panic!("taken for sound, or for something else: {other:?}"),
    }
}

#[test]
fn a_store_comes_back_from_its_backup_record_by_record() {
    local::names().for_each(comes_back_as);
}

fn comes_back_as(name: &str) {
    let from = MemoryStore::new();
    fill(&from, 40);
    let (bytes, tip) = (backup(&from), now(from.tip()).unwrap());
    let dir = TempDir::new().unwrap();
    let to = dir.path().join("new");
    let mut journal = NewJournal::begin_in(name, &to).unwrap();
    read(&bytes).unwrap().iter().for_each(|group| journal.add(group).unwrap());
    assert!(!to.exists(), "nothing stands in the place before all of it is there");
    let told = journal.finish(next_life(3, Timestamp::from_millis(9_000)), |_| Ok(())).unwrap();
    assert_eq!(told, tip);
    assert_eq!(store_in(&to).map(|store| store.name), Some(name));
    let store = local::open(name, &StoreOptions::at(&to)).unwrap();
    assert_eq!((records(&*store), now(store.tip()).unwrap()), (records(&from), tip));
    let step = now(store.verify(VerifyCursor::default(), 999)).unwrap();
    assert_eq!((step.done, step.broken), (true, None));
    let epoch = now(store.acquire("next")).unwrap();
    assert_eq!(epoch, (9 << 20) + 1, "a life of its own, that began at the ninth second");
    fill(&*store, 3);
    assert_eq!(records(&*store)[..80], records(&from)[..]);
}

#[test]
fn lives_begin_where_no_earlier_one_can_have_come_to() {
    let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
    assert_eq!(first_epoch_of_life(77), 0, "a journal that was never restored");
    let first = next_life(77, at(1_000));
    assert_eq!(first, 1_000 << 20);
    // However often it was opened, and however many leaders a job had: fewer than a million a second.
    assert_eq!(first_epoch_of_life(first + 5_000), first);
    assert!(next_life(first + 5_000, at(1_001)) > first + 5_000);
    // A clock that went back takes nothing back.
    assert_eq!(next_life(first + 5_000, at(3)), 1_001 << 20);
    assert_eq!(next_life(0, Timestamp::MIN), 1 << 20);
    assert_eq!(next_life(u64::MAX, at(1)), u64::MAX >> 20 << 20, "numbers that ran out do not begin again");
}

#[test]
fn what_is_recorded_while_a_backup_is_made_is_not_in_it() {
    let from = MemoryStore::new();
    fill(&from, 10);
    let tip = now(from.tip()).unwrap();
    let mut writer = BackupWriter::begin(Vec::new(), header(&tip)).unwrap();
    writer.add(&now(from.groups(0, 1)).unwrap()[0]).unwrap();
    fill(&from, 10);
    for group in now(from.groups(1, 1 << 20)).unwrap() {
        writer.add(&group).unwrap();
    }
    let groups = read(&writer.finish().unwrap()).unwrap();
    assert_eq!(groups.len() as u64, tip.group);
    assert_eq!(Group::parse(groups.last().unwrap()).unwrap().hash, tip.hash);
}

#[test]
fn a_bit_flipped_anywhere_in_the_file_is_refused_and_named() {
    let from = MemoryStore::new();
    fill(&from, 6);
    let sound = backup(&from);
    assert_eq!(read(&sound).unwrap().len(), 6);
    let (mut of_groups, mut of_header) = (0, 0);
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 1 << (at % 8);
        let why = refused(&bytes);
        assert!(why.contains("at_byte="), "{at}: {why}");
        of_groups += usize::from(why.contains("group "));
        of_header += usize::from(why.contains("header") || why.contains("first line"));
    }
    assert!(of_groups > 800 && of_header > 200, "{of_groups} {of_header}");
}

#[test]
fn a_file_that_was_cut_put_together_or_gone_on_with_is_refused() {
    let (one, other) = (MemoryStore::new(), MemoryStore::new());
    fill(&one, 6);
    fill(&other, 5);
    let (sound, shorter) = (backup(&one), backup(&other));
    for length in 0..sound.len() {
        refused(&sound[..length]);
    }
    refused(&[&sound[..], b"\n"].concat());
    refused(&[&sound[..], &sound[..]].concat());
    let groups = read(&sound).unwrap();
    let first = sound.len() - groups.iter().map(Vec::len).sum::<usize>() - 69;
    let rebuilt = |order: &[usize]| {
        let body: Vec<u8> = order.iter().flat_map(|at| groups[*at].clone()).collect();
        [&sound[..first], &body, &sound[sound.len() - 69..]].concat()
    };
    assert_eq!(rebuilt(&[0, 1, 2, 3, 4, 5]), sound);
    for order in
        [&[0, 2, 1, 3, 4, 5][..], &[0, 1, 2, 3, 5], &[0, 1, 1, 2, 3, 4, 5], &[1, 2, 3, 4, 5], &[0, 1, 2]]
    {
        assert!(refused(&rebuilt(order)).contains("group"), "{order:?}");
    }
    // The header of one before the groups of the other.
    refused(&[&sound[..first], &shorter[shorter.len() - 500..]].concat());
}

#[test]
fn a_file_of_a_later_program_is_told_from_damage() {
    let later = |header: Header, version: u32| {
        let lines = format!("{PREFIX}{version}\n{}\n", serde_json::to_string(&header).unwrap());
        let text = format!("{lines}{CHECK}{}\n", digest(lines.as_bytes()));
        BackupReader::open(BufReader::new(text.as_bytes())).unwrap_err()
    };
    let tip = now(MemoryStore::new().tip()).unwrap();
    assert!(matches!(later(header(&tip), 2), Fault::NewerVersion { found: 2, supported: 1 }));
    let records = Header { record_version: 9, ..header(&tip) };
    assert!(matches!(later(records, 1), Fault::NewerVersion { found: 9, .. }));
}

#[test]
fn a_damaged_journal_is_not_backed_up() {
    let from = MemoryStore::new();
    fill(&from, 3);
    let groups = now(from.groups(0, 1 << 20)).unwrap();
    let mut writer = BackupWriter::begin(Vec::new(), header(&now(from.tip()).unwrap())).unwrap();
    let mut bytes = groups[0].to_vec();
    bytes[120] ^= 1;
    assert!(matches!(writer.add(&bytes), Err(Fault::Corrupt { .. })));
    assert!(matches!(writer.add(&groups[1]), Err(Fault::Corrupt { .. })), "one is left out");
    writer.add(&groups[0]).unwrap();
    assert!(matches!(writer.finish(), Err(Fault::Corrupt { .. })), "the end is missing");
}

#[test]
fn what_a_restore_left_that_was_cut_off_is_opened_by_nobody_and_is_no_hindrance() {
    local::names().for_each(cut_off_in);
    // The name of none is refused before anything is cleared.
    let dir = TempDir::new().unwrap();
    let to = dir.path().join("new");
    fs::create_dir(&to).unwrap();
    fs::write(to.join(RESTORE_LEFT), "").unwrap();
    for name in ["memory", "postgres", "other"] {
        assert!(matches!(NewJournal::begin_in(name, &to), Err(Fault::Config { knob: "store", .. })));
        assert!(to.join(RESTORE_LEFT).exists());
    }
}

const RESTORE_LEFT: &str = "FORMAT.new";

fn cut_off_in(name: &str) {
    let from = MemoryStore::new();
    fill(&from, 40);
    let groups = read(&backup(&from)).unwrap();
    let dir = TempDir::new().unwrap();
    let (to, work) = (dir.path().join("new"), dir.path().join("new.restoring"));
    let options = |path| StoreOptions { durability: Durability::Process, ..StoreOptions::at(path) };
    let begun = || {
        let mut journal = NewJournal::begin_in(name, &to).unwrap();
        groups.iter().for_each(|group| journal.add(group).unwrap());
        journal
    };
    // Cut off before the end: what is there is no store.
    let journal = begun();
    assert!(matches!(NewJournal::begin_in(name, &to), Err(Fault::Locked { .. })), "one at a time");
    journal.store.take_in(1, &journal.batch).unwrap();
    drop(journal);
    assert!(!to.exists() && unfinished(&work).unwrap());
    assert!(matches!(local::open(name, &options(&work)), Err(Fault::Corrupt { .. })));
    // Cut off before it was called anything else than a store.
    fs::remove_dir_all(&work).unwrap();
    drop(local::open(name, &options(&work)).unwrap());
    drop(begun());
    // Cut off as soon as it had locked its folder.
    fs::remove_dir_all(&work).unwrap();
    fs::create_dir(&work).unwrap();
    fs::write(work.join("LOCK"), "4711").unwrap();
    drop(begun());
    // Cut off while an earlier one was cleared away: whatever is gone, what says that nothing counts goes last.
    for gone in ["log", "sled", "fjall", "mark"] {
        assert!(unfinished(&work).unwrap());
        let path = work.join(gone);
        if !path.exists() {
            continue;
        }
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }
    drop(begun());
    // Cut off when it stands in its place and is not named a store yet.
    let stopped = begun().finish(1, |work| {
        fs::rename(work, &to).unwrap();
        Err(Fault::Unavailable { reason: "stopped here".into() })
    });
    assert!(stopped.is_err() && unfinished(&to).unwrap());
    assert!(matches!(local::open(name, &options(&to)), Err(Fault::Corrupt { .. })));
    begun().finish(1, |_| Ok(())).unwrap();
    assert_eq!(records(&*local::open(name, &options(&to)).unwrap()), records(&from));
    assert!(!work.exists());
    // A store is no leftover, and neither is anything else.
    assert!(matches!(NewJournal::begin(&to), Err(Fault::Foreign { .. })));
    let other = dir.path().join("other");
    fs::create_dir(&other).unwrap();
    NewJournal::begin(&other).unwrap();
    fs::write(other.join("x"), "").unwrap();
    assert!(matches!(NewJournal::begin(&other), Err(Fault::Foreign { .. })));
}
