use super::super::Seq;
use super::super::codec::{AppendBuilder, decode};
use super::*;
use quorate_core::kernel::ids::{EntityId, IdempotencyKey, StreamKind};

fn stream(id: &str) -> StreamId {
    StreamId::new(StreamKind::Quorum, EntityId::new(id).unwrap())
}

fn append(id: &str, revision: Seq, hash: ChainHash, events: &[&str], due: Due) -> Append {
    let mut builder = AppendBuilder::new(stream(id), revision, hash);
    for event in events {
        builder.push(Timestamp::from_millis(-5), event).unwrap();
    }
    builder.finish(due, (revision == 0).then(|| IdempotencyKey::new("key").unwrap()))
}

fn two_frame_group() -> (Vec<u8>, ChainHash) {
    let mut builder = GroupBuilder::new(7, 40, 3, Timestamp::from_millis(9), &ChainHash([1; 32]));
    builder.push(&append("a", 0, ChainHash::default(), &["x", "y"], Due::At(Timestamp::from_millis(-1))), 0);
    builder.push(&append("b", 4, ChainHash([2; 32]), &["z"], Due::Clear), 6);
    builder.finish()
}

#[test]
fn a_group_reads_back_as_it_was_written() {
    let (bytes, hash) = two_frame_group();
    let group = Group::parse_checked(&bytes).unwrap();
    assert_eq!(group.hash, hash);
    assert_eq!((group.header.number, group.header.first_position, group.header.last_position()), (7, 40, 42));
    assert_eq!(group.header.total_len(), bytes.len());
    let frames: Vec<_> = group.frames().collect::<Result<_, _>>().unwrap();
    assert_eq!(frames[0].due, Due::At(Timestamp::from_millis(-1)));
    assert_eq!(frames[0].key.as_ref().unwrap().as_str(), "key");
    assert_eq!((frames[1].previous_group, frames[1].first_seq), (6, 5));
    let records = frames[0].records().unwrap();
    assert_eq!(decode::<String>(&records[1].payload).unwrap(), "y");
    assert_eq!(records[1].at, Timestamp::from_millis(-5));
    assert!(!records[1].settles && frames[1].records().unwrap()[0].settles);
    assert_eq!(frames[0].verify(ChainHash::default()).unwrap(), frames[0].hash().unwrap());
    assert!(frames[1].verify(ChainHash::default()).is_err());
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let (bytes, _) = two_frame_group();
    for at in 0..bytes.len() {
        assert!(Group::parse_checked(&bytes[..at]).is_err(), "cut at {at}");
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        assert!(Group::parse_checked(&bad).is_err(), "flipped byte {at}");
    }
}

#[test]
fn unwanted_frames_are_stepped_over_and_positions_still_count() {
    let (bytes, _) = two_frame_group();
    let group = Group::parse_checked(&bytes).unwrap();
    let of_b: Vec<_> = group.frames_of(&stream("b")).collect::<Result<_, _>>().unwrap();
    assert_eq!((of_b.len(), of_b[0].first_position), (1, 42));
    let settling: Vec<_> = group.frames_that_settle().collect::<Result<_, _>>().unwrap();
    assert_eq!(settling, of_b);
    assert_eq!(group.frames_of(&stream("c")).count(), 0);
}

#[test]
fn a_record_names_the_identity_it_was_made_under_and_the_chain_covers_that() {
    let made = |by: Option<&str>| {
        let by = by.map(|name| EntityId::new(name).unwrap());
        let mut builder = AppendBuilder::new(stream("a"), 0, ChainHash::default());
        builder.push(Timestamp::from_millis(1), &"settled").unwrap();
        builder.push_by(Timestamp::from_millis(2), by.as_ref(), &"asked").unwrap();
        builder.finish(Due::Unchanged, None)
    };
    let read = |append: &Append| {
        let mut group = GroupBuilder::new(1, 1, 1, Timestamp::from_millis(3), &ChainHash::default());
        group.push(append, 0);
        let (bytes, _) = group.finish();
        let group = Group::parse_checked(&bytes).unwrap();
        let frame = group.frames().next().unwrap().unwrap();
        assert_eq!(frame.verify(ChainHash::default()).unwrap(), append.hash);
        frame.records().unwrap()
    };
    let (nobody, ann, bob) = (made(None), made(Some("ann")), made(Some("bob")));
    let records = read(&ann);
    let by: Vec<Option<&str>> =
        records.iter().map(|record| record.by.as_ref().map(EntityId::as_str)).collect();
    assert_eq!(by, [None, Some("ann")]);
    assert_eq!(decode::<String>(&records[1].payload).unwrap(), "asked");
    assert!(read(&nobody).iter().all(|record| record.by.is_none()));
    assert_eq!(nobody.bytes.len() + 4, ann.bytes.len(), "a record without one is as long as it ever was");
    assert!(ann.hash != bob.hash && ann.hash != nobody.hash);
    let long = EntityId::new("x".repeat(256)).unwrap();
    let mut builder = AppendBuilder::new(stream("a"), 0, ChainHash::default());
    assert!(builder.push_by(Timestamp::EPOCH, Some(&long), &"asked").is_err());
}
