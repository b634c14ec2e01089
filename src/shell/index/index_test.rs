use std::sync::atomic::AtomicBool;

use super::*;
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::core::kernel::time::Timestamp;
use crate::journal::Due;
use crate::journal::codec::AppendBuilder;
use crate::store::memory::MemoryStore;

/// A journal of so many records; that at a position has the terms 1, 2 + position % 7, and 100 + position.
fn journal(records: u64, salt: i64) -> MemoryStore {
    let store = MemoryStore::new();
    let epoch = wait(store.acquire("test")).unwrap();
    let stream = StreamId::new(StreamKind::Quorum, EntityId::new("q").unwrap());
    let (mut hash, mut at) = (Default::default(), 0);
    while at < records {
        let mut append = AppendBuilder::new(stream.clone(), at, hash);
        for _ in 0..(records - at).min(5) {
            at += 1;
            append.push(Timestamp::from_micros(salt + at as i64), &at).unwrap();
        }
        let append = append.finish(Due::Unchanged, None);
        hash = append.hash;
        wait(store.commit(epoch, Timestamp::from_micros(salt + at as i64), &[append])).unwrap();
    }
    store
}

fn terms_of(record: Record, terms: &mut Vec<u64>) -> Result<(), Fault> {
    terms.extend([
        term(0, "all"),
        term(0, &format!("by {}", record.position % 7)),
        term(1, &record.position.to_string()),
    ]);
    Ok(())
}

fn at(folder: &std::path::Path, writes: bool) -> Index {
    let mut config = Config { index_block: 16, ..Config::memory() };
    config.store_options.path = Some(folder.to_owned());
    Index::new(&config, !writes)
}

fn advance(index: &Index, store: &dyn Store) {
    index.advance(store, &mut terms_of, &|| false).unwrap();
}

/// The positions that the index finds, and how far it reaches.
fn found(index: &Index, store: &dyn Store, all_of: &[Vec<u64>]) -> (Vec<Position>, Position) {
    let (mut all, mut reach) = (Vec::new(), 0);
    for block in index.blocks(store).unwrap() {
        let Some(hits) = index.hits(&block, all_of) else { break };
        all.extend(hits.into_iter().map(|hit| block.first + u64::from(hit)));
        reach = block.upto();
    }
    (all, reach)
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder.join(FOLDER))
        .unwrap()
        .map(|item| item.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_found_is_what_has_the_terms_and_blocks_become_larger_ones() {
    let dir = tempfile::tempdir().unwrap();
    let store = journal(16 * 16 * 2 + 16 * 3 + 9, 0);
    let index = at(dir.path(), true);
    advance(&index, &store);
    assert_eq!(
        names(dir.path()),
        [
            "000000000001-000000000256",
            "000000000257-000000000512",
            "000000000513-000000000528",
            "000000000529-000000000544",
            "000000000545-000000000560",
        ]
    );
    let reads = at(dir.path(), false);
    for index in [&index, &reads] {
        let (all, reach) = found(index, &store, &[vec![term(0, "all")]]);
        assert_eq!((all.len(), reach), (560, 560));
        let (some, _) = found(index, &store, &[vec![term(0, "by 3"), term(0, "by 5")], vec![term(0, "all")]]);
        let expected: Vec<u64> = (1..=560).filter(|at| [3, 5].contains(&(at % 7))).collect();
        assert_eq!(some, expected);
        assert_eq!(found(index, &store, &[vec![term(1, "300")]]).0, [300]);
        assert_eq!(found(index, &store, &[vec![term(0, "by 3")], vec![term(0, "by 4")]]).0, [0_u64; 0]);
        assert_eq!(found(index, &store, &[vec![term(1, "nobody")]]).0, [0_u64; 0]);
    }
}

#[test]
fn no_damage_of_a_byte_hides_a_record() {
    let dir = tempfile::tempdir().unwrap();
    let store = journal(16 * 16 + 16, 0);
    advance(&at(dir.path(), true), &store);
    for name in names(dir.path()) {
        let path = dir.path().join(FOLDER).join(&name);
        let sound = std::fs::read(&path).unwrap();
        for byte in (0..sound.len()).step_by(3) {
            let mut bad = sound.clone();
            bad[byte] ^= 1 << (byte % 8);
            std::fs::write(&path, &bad).unwrap();
            let reads = at(dir.path(), false);
            for at in [1_u64, 100, 256, 257, 272] {
                for block in reads.blocks(&store).unwrap() {
                    let covers = (block.first..=block.upto()).contains(&at);
                    if let Some(hits) =
                        reads.hits(&block, &[vec![term(1, &at.to_string())]]).filter(|_| covers)
                    {
                        assert_eq!(hits, [(at - block.first) as u16], "{name} byte {byte}");
                    }
                }
            }
        }
        for length in [0, 10, sound.len() / 2, sound.len() - 1] {
            std::fs::write(&path, &sound[..length]).unwrap();
            let reads = at(dir.path(), false);
            for block in reads.blocks(&store).unwrap() {
                let all = reads.hits(&block, &[vec![term(0, "all")]]);
                assert!(all.is_none_or(|hits| hits.len() as u64 == block.upto() + 1 - block.first));
            }
        }
        std::fs::write(&path, &sound).unwrap();
    }
}

#[test]
fn a_damaged_or_missing_block_is_made_again_by_an_owner_and_by_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = journal(16 * 16 + 32, 0);
    advance(&at(dir.path(), true), &store);
    let before = names(dir.path());
    let first = dir.path().join(FOLDER).join(&before[0]);
    let sound = std::fs::read(&first).unwrap();
    for bad in [Vec::new(), vec![7; 300], sound[..sound.len() - 1].to_vec()] {
        std::fs::write(&first, &bad).unwrap();
        std::fs::write(dir.path().join(FOLDER).join("000000000001-000000000256.new"), b"cut").unwrap();
        let reads = at(dir.path(), false);
        found(&reads, &store, &[vec![term(0, "all")]]);
        advance(&reads, &store);
        assert_eq!(std::fs::read(&first).unwrap(), bad, "who only reads changes nothing");
        let owner = at(dir.path(), true);
        found(&owner, &store, &[vec![term(0, "all")]]);
        advance(&owner, &store);
        assert_eq!(names(dir.path()), before);
        assert_eq!(std::fs::read(&first).unwrap(), sound);
    }
    std::fs::remove_dir_all(dir.path().join(FOLDER)).unwrap();
    advance(&at(dir.path(), true), &store);
    assert_eq!(std::fs::read(&first).unwrap(), sound);
}

#[test]
fn blocks_of_a_journal_that_ended_otherwise_are_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    advance(&at(dir.path(), true), &journal(16 * 20, 0));
    assert_eq!(names(dir.path()).len(), 5);
    // A shorter one: what reaches beyond its end goes.
    let shorter = journal(16 * 18 + 3, 0);
    assert_eq!(found(&at(dir.path(), false), &shorter, &[vec![term(0, "all")]]).1, 16 * 18);
    // As long, and the same up to the last block but one.
    let store = journal(16 * 18, 0);
    let epoch = wait(store.acquire("other")).unwrap();
    let head =
        wait(store.head(&StreamId::new(StreamKind::Quorum, EntityId::new("q").unwrap()))).unwrap().unwrap();
    let other = StreamId::new(StreamKind::Quorum, EntityId::new("q").unwrap());
    let mut append = AppendBuilder::new(other, head.revision, head.hash);
    (0..40).for_each(|n| append.push(Timestamp::from_micros(9_000_000), &n).unwrap());
    wait(store.commit(epoch, Timestamp::from_micros(9_000_000), &[append.finish(Due::Unchanged, None)]))
        .unwrap();
    let owner = at(dir.path(), true);
    assert_eq!(found(&owner, &store, &[vec![term(0, "all")]]).1, 16 * 18);
    assert_eq!(names(dir.path()).len(), 3, "the others are gone");
    advance(&owner, &store);
    assert_eq!(found(&owner, &store, &[vec![term(0, "all")]]).1, 16 * 20);
    // Another journal altogether.
    let another = at(dir.path(), true);
    assert_eq!(found(&another, &journal(16 * 20, 5), &[vec![term(0, "all")]]).1, 0);
    assert!(names(dir.path()).is_empty());
}

#[test]
fn making_blocks_stops_when_it_is_to_and_at_what_cannot_be_read() {
    let store = journal(16 * 40, 0);
    let memory = Index::new(&Config { index_block: 16, ..Config::memory() }, false);
    let asked = AtomicBool::new(false);
    memory.advance(&store, &mut terms_of, &|| asked.swap(true, Ordering::Relaxed)).unwrap();
    assert_eq!(memory.blocks(&store).unwrap().len(), 0, "it was to stop within the first one");
    let mut reads = 0;
    let refused = memory.advance(
        &store,
        &mut |record, terms| {
            reads += 1;
            match record.position {
                100 => Err(Fault::Corrupt { what: "planted".into() }),
                _ => terms_of(record, terms),
            }
        },
        &|| false,
    );
    assert!(refused.is_err());
    assert_eq!(found(&memory, &store, &[vec![term(0, "all")]]).1, 96);
    // It is not tried again and again.
    let before = reads;
    advance(&memory, &store);
    assert_eq!((found(&memory, &store, &[vec![term(0, "all")]]).1, before), (96, 100));
    let none = Index::new(&Config { index_block: 0, ..Config::memory() }, false);
    advance(&none, &store);
    assert!(none.blocks(&store).unwrap().is_empty());
}

#[test]
fn lists_come_back_as_they_were_written() {
    for list in [
        vec![],
        vec![0],
        vec![65_535],
        vec![0, 1, 2, 3, 400, 65_535],
        (0..=65_535).collect::<Vec<u16>>(),
        (0..2_000).map(|n| n * 30).collect(),
    ] {
        let mut bytes = Vec::new();
        postings::write(&mut bytes, &list);
        bytes.push(9);
        let mut rest = &bytes[..];
        assert_eq!(postings::read(&mut rest, true), Some(list));
        assert_eq!(rest, [9]);
    }
}
