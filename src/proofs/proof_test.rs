use super::*;
use quorate_core::kernel::ids::{EntityId, StreamId, StreamKind};
use quorate_core::kernel::time::Timestamp;

use crate::checkpoint::LogKey;
use crate::tree::Tree;
use crate::tree::tests::Kept;

/// A log over so many records of two entities, with its key and the records.
fn log(count: u64) -> (Tree<Kept>, LogKey, Vec<(ChainHash, Record)>) {
    let key = LogKey::from_text(&LogKey::generate("quorate/test", [3; 32])).unwrap();
    let mut tree = Tree::new(Kept::default());
    let mut heads = [(0, ChainHash::default()); 2];
    let mut records = Vec::new();
    for position in 1..=count {
        let which = usize::from(position % 3 == 0);
        let id = EntityId::stored(["q", "r"][which]).unwrap();
        let (seq, previous) = (heads[which].0 + 1, heads[which].1);
        let mut record = Record {
            position,
            stream: StreamId::new(StreamKind::Quorum, id),
            seq,
            at: Timestamp::from_micros(position.cast_signed() * 7),
            payload: vec![position as u8; 5],
            hash: previous,
            settles: false,
            by: None,
        };
        record.hash = record_hash(&previous, &record.stream, &record_bytes(&record));
        heads[which] = (seq, record.hash);
        tree.push(Entry::from(&record).leaf()).unwrap();
        records.push((previous, record));
    }
    (tree, key, records)
}

fn checkpoint(tree: &Tree<Kept>, key: &LogKey, size: u64) -> String {
    key.sign(size, &tree.root_at(size).unwrap()).unwrap()
}

fn inclusion(log: &(Tree<Kept>, LogKey, Vec<(ChainHash, Record)>), index: u64, size: u64) -> Inclusion {
    let (tree, key, records) = log;
    let (previous, record) = &records[index as usize];
    let hashes = tree.inclusion(index, size).unwrap();
    let shown = Some((*previous, record));
    Inclusion::new(key.public(), checkpoint(tree, key, size), &Entry::from(record), &hashes, shown)
}

#[test]
fn a_proof_shows_the_record_and_its_event() {
    let log = log(40);
    for index in [0, 1, 31, 32, 39] {
        let proof = inclusion(&log, index, 40);
        let shown = proof.check(log.1.public()).unwrap();
        let record = &log.2[index as usize].1;
        assert_eq!((shown.entry, shown.payload), (Entry::from(record), Some(record.payload.clone())));
        let kept_back = Inclusion { record: None, ..proof };
        assert_eq!(kept_back.check(log.1.public()).unwrap().payload, None);
    }
}

#[test]
fn no_part_of_a_proof_can_be_changed() {
    let log = log(40);
    let proof = inclusion(&log, 17, 40);
    let other = inclusion(&log, 18, 40);
    let older = inclusion(&log, 17, 39);
    let foreign = LogKey::from_text(&LogKey::generate("quorate/test", [4; 32])).unwrap();
    let (record, other_record) = (proof.record.clone().unwrap(), other.record.clone().unwrap());
    let mut shorter = proof.hashes.clone();
    shorter.pop();
    let mut turned = proof.hashes.clone();
    turned.reverse();
    let forged = foreign.sign(40, &log.0.root().unwrap()).unwrap();
    let flip = |text: &str| {
        let last = if text.ends_with('0') { '1' } else { '0' };
        format!("{}{last}", &text[..text.len() - 1])
    };
    let changed = [
        Inclusion { format: "quorate.inclusion.v2".into(), ..proof.clone() },
        Inclusion { leaf_index: 18, ..proof.clone() },
        Inclusion { entry: other.entry.clone(), ..proof.clone() },
        Inclusion { entry: flip(&proof.entry), ..proof.clone() },
        Inclusion { leaf_index: 18, entry: other.entry, ..proof.clone() },
        Inclusion { hashes: shorter, ..proof.clone() },
        Inclusion { hashes: turned, ..proof.clone() },
        Inclusion { hashes: other.hashes, ..proof.clone() },
        Inclusion { hashes: Vec::new(), ..proof.clone() },
        Inclusion { checkpoint: older.checkpoint, ..proof.clone() },
        Inclusion { checkpoint: forged, ..proof.clone() },
        Inclusion { record: Some(other_record.clone()), ..proof.clone() },
        Inclusion {
            record: Some(ShownRecord { bytes: flip(&record.bytes), ..record.clone() }),
            ..proof.clone()
        },
        Inclusion {
            record: Some(ShownRecord { previous_hash: other_record.previous_hash, ..record }),
            ..proof.clone()
        },
        Inclusion { leaf_index: u64::MAX, ..proof.clone() },
    ];
    for (number, changed) in changed.iter().enumerate() {
        assert!(changed.check(log.1.public()).is_err(), "change {number}");
    }
    assert!(matches!(proof.check(foreign.public()), Err(Refusal::Unsigned { .. })));
    assert!(proof.check(log.1.public()).is_ok());
}

#[test]
fn an_entry_that_stands_at_another_place_than_it_says_is_refused() {
    let (_, key, records) = log(2);
    let mut turned = Tree::new(Kept::default());
    records.iter().rev().for_each(|(_, record)| turned.push(Entry::from(record).leaf()).unwrap());
    let entry = Entry::from(&records[1].1);
    let text = checkpoint(&turned, &key, 2);
    let proof = Inclusion::new(key.public(), text, &entry, &turned.inclusion(0, 2).unwrap(), None);
    // The path holds; the second record stands first.
    let misplaced = Inclusion { leaf_index: 0, ..proof };
    assert!(matches!(misplaced.check(key.public()), Err(Refusal::Misfit { .. })));
}

#[test]
fn a_newer_checkpoint_is_shown_to_go_on_from_an_older_one_and_a_fork_is_not() {
    let whole = log(300);
    let (tree, key, _) = &whole;
    for old in [1, 2, 255, 256, 257, 300] {
        let proof = Consistency::new(
            key.public(),
            checkpoint(tree, key, old),
            checkpoint(tree, key, 300),
            &tree.consistency(old, 300).unwrap(),
        );
        let (before, after) = proof.check(key.public()).unwrap();
        assert_eq!((before.size, after.size), (old, 300));
        let backwards = Consistency {
            old_checkpoint: proof.checkpoint.clone(),
            checkpoint: proof.old_checkpoint.clone(),
            ..proof.clone()
        };
        assert_eq!(backwards.check(key.public()).is_ok(), old == 300);
        // The same key over a tree in which one record is another.
        let mut fork = Tree::new(Kept::default());
        for number in 0..300 {
            let other = number == old - 1;
            let leaf = if other {
                tlog_tiles::record_hash(b"x")
            } else {
                Entry::from(&whole.2[number as usize].1).leaf()
            };
            fork.push(leaf).unwrap();
        }
        let forked = Consistency {
            checkpoint: checkpoint(&fork, key, 300),
            hashes: fork.consistency(old, 300).unwrap().iter().map(Hash::to_string).collect(),
            ..proof
        };
        assert!(matches!(forked.check(key.public()), Err(Refusal::Misfit { .. })));
    }
    let empty = key.sign(0, &tlog_tiles::EMPTY_HASH).unwrap();
    let first = Consistency::new(key.public(), empty, checkpoint(tree, key, 300), &[]);
    assert!(first.check(key.public()).is_ok());
}

#[test]
fn a_file_with_a_field_nobody_knows_is_refused() {
    let log = log(3);
    let mut file = serde_json::to_value(inclusion(&log, 1, 3)).unwrap();
    assert!(serde_json::from_value::<Inclusion>(file.clone()).is_ok());
    file["extra"] = true.into();
    assert!(serde_json::from_value::<Inclusion>(file).is_err());
}
