//! Does today's code still read the journals of every past version?
//!
//! `tests/golden/v1/*.bin` are groups as version 1 wrote them. They are never edited. Write them anew, only when
//! a file is added, with `QUORATE_REWRITE_GOLDEN=1 cargo test --test golden`. `tests/golden/folder1` holds a whole data
//! folder of the first format, which nothing writes any more.

mod capacity;
mod events;
mod filler;
#[cfg(feature = "store-sled")]
mod folder;
mod identities;
mod jobs;
mod network;
mod registries;
mod sessions;
mod states;
mod voting;

use std::fs;
use std::path::PathBuf;

use quorate_core::kernel::ids::{EntityId, IdempotencyKey, StreamId, StreamKind};
use quorate_core::kernel::time::Timestamp;
use quorate_journal::codec::{AppendBuilder, decode};
use quorate_journal::group::{Group, GroupBuilder};
use quorate_journal::{Append, ChainHash, Due, Seq};

/// A text that stands for every event: what the entities store is theirs to keep readable.
type Event = (u32, Option<String>, i64);

/// The golden journal: per group its appends, each with the group that last held the stream.
fn journal() -> Vec<(&'static str, Vec<(Append, u64)>)> {
    let quorum = |name: &str| StreamId::new(StreamKind::Quorum, EntityId::new(name).unwrap());
    let mesh = StreamId::new(StreamKind::Topology, EntityId::new("mesh").unwrap());
    let at = Timestamp::from_micros;
    let key = IdempotencyKey::new("request-é").unwrap();
    let build = |stream: &StreamId, known: (Seq, ChainHash), events: &[(i64, Event)], due, key| {
        let mut builder = AppendBuilder::new(stream.clone(), known.0, known.1);
        for (t, event) in events {
            builder.push(at(*t), event).unwrap();
        }
        builder.finish(due, key)
    };
    let opened = build(
        &quorum("vote on 窓"),
        (0, ChainHash::default()),
        &[(-5_726_000_000_000_000, (1, Some("opened".into()), -7)), (0, (2, None, i64::MAX))],
        Due::At(at(1_700_000_000_000_000)),
        Some(key),
    );
    let placed =
        build(&mesh, (0, ChainHash::default()), &[(9, (3, Some(String::new()), 0))], Due::Unchanged, None);
    let settled = build(&opened.stream, (2, opened.hash), &[(10, (u32::MAX, None, -1))], Due::Clear, None);
    let large = (4, Some("x".repeat(3_000)), 251);
    let moved = build(&mesh, (1, placed.hash), &[(11, large)], Due::At(at(-1)), None);
    vec![
        ("0001_two_streams", vec![(opened, 0), (placed, 0)]),
        ("0002_settled", vec![(settled, 1)]),
        ("0003_large", vec![(moved, 1)]),
    ]
}

/// The bytes of the golden journal as today's code writes them.
fn written() -> Vec<(&'static str, Vec<u8>)> {
    let mut hash = ChainHash::default();
    let mut position = 1;
    let mut out = Vec::new();
    for ((name, appends), number) in journal().into_iter().zip(1..) {
        let at = Timestamp::from_millis(number as i64);
        let mut builder = GroupBuilder::new(number, position, 7, at, &hash);
        for (append, previous) in &appends {
            builder.push(append, *previous);
        }
        position += u64::from(builder.records());
        let (bytes, next) = builder.finish();
        hash = next;
        out.push((name, bytes));
    }
    out
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1").join(format!("{name}.bin"))
}

#[test]
fn version_1_is_written_to_the_same_bytes() {
    for (name, bytes) in written() {
        if std::env::var_os("QUORATE_REWRITE_GOLDEN").is_some() {
            fs::create_dir_all(file(name).parent().unwrap()).unwrap();
            fs::write(file(name), &bytes).unwrap();
        }
        assert!(fs::read(file(name)).unwrap() == bytes, "{name} is written otherwise than by version 1");
    }
}

#[test]
fn version_1_is_read_to_the_same_records() {
    let mut position = 0;
    let mut previous = ChainHash::default();
    for ((name, appends), number) in journal().into_iter().zip(1..) {
        let bytes = fs::read(file(name)).unwrap();
        let group = Group::parse_checked(&bytes).unwrap();
        assert_eq!((group.header.number, group.header.epoch, group.header.previous), (number, 7, previous));
        assert_eq!(group.header.at, Timestamp::from_millis(number as i64));
        previous = group.hash;
        let frames: Vec<_> = group.frames().collect::<Result<_, _>>().unwrap();
        assert_eq!(frames.len(), appends.len(), "{name}");
        for (frame, (append, previous_group)) in frames.iter().zip(&appends) {
            assert_eq!((&frame.stream, frame.previous_group), (&append.stream, *previous_group));
            assert_eq!((frame.due, &frame.key), (append.due, &append.key));
            assert_eq!((frame.first_seq, frame.hash().unwrap()), (append.expected + 1, append.hash));
            for record in frame.records().unwrap() {
                position += 1;
                assert_eq!(record.position, position);
                decode::<Event>(&record.payload).unwrap();
            }
        }
    }
    assert_eq!(position, 5);
}

#[test]
fn the_golden_records_hold_what_was_written() {
    let bytes = fs::read(file("0001_two_streams")).unwrap();
    let group = Group::parse_checked(&bytes).unwrap();
    let frame = group.frames().next().unwrap().unwrap();
    let records = frame.records().unwrap();
    assert_eq!(frame.stream.to_string(), "quorum/vote on 窓");
    assert_eq!(frame.key.as_ref().unwrap().as_str(), "request-é");
    assert_eq!(decode::<Event>(&records[0].payload).unwrap(), (1, Some("opened".into()), -7));
    assert_eq!(decode::<Event>(&records[1].payload).unwrap(), (2, None, i64::MAX));
    assert_eq!(records[0].at.as_micros(), -5_726_000_000_000_000);
    assert_eq!(frame.due, Due::At(Timestamp::from_micros(1_700_000_000_000_000)));
}
