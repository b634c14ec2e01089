//! Groups, frames and payloads.

use proptest::prelude::*;
use quorate::core::ids::{EntityId, IdempotencyKey, StreamId, StreamKind};
use quorate::core::time::Timestamp;
use quorate::core::{
    agent, algorithms, cell, durations, flow, gate, job, load, proposal, quorum, topology, worker,
};
use quorate::journal::chain::group_hash;
use quorate::journal::codec::{AppendBuilder, decode};
use quorate::journal::group::{GROUP_TRAILER, Group, GroupBuilder};
use quorate::journal::{ChainHash, Due, Fault};
use serde::de::DeserializeOwned;

use super::{cases, corpus, edit, edits, panics};

fn stream(id: &str) -> StreamId {
    StreamId::new(StreamKind::Quorum, EntityId::new(id).unwrap())
}

fn sound_group() -> Vec<u8> {
    let mut group = GroupBuilder::new(7, 40, 3, Timestamp::from_millis(9), &ChainHash([1; 32]));
    for (id, revision, events) in [("a", 0, 2), ("b", 4, 1), ("c", 9, 5)] {
        let mut append = AppendBuilder::new(stream(id), revision, ChainHash::default());
        for n in 0..events {
            append.push(Timestamp::from_millis(n), &("event", n)).unwrap();
        }
        let key = (revision == 0).then(|| IdempotencyKey::new("key").unwrap());
        group.push(&append.finish(if revision == 4 { Due::Clear } else { Due::Unchanged }, key), revision);
    }
    group.finish().0
}

/// Reads everything that can be read of a group.
fn read_group(bytes: &[u8]) {
    let Ok(group) = Group::parse(bytes) else { return };
    let _ = Group::parse_checked(bytes);
    let _ = group.header.last_position();
    for frame in group.frames().chain(group.frames_that_settle()).flatten() {
        let _ = (frame.last_seq(), frame.last_position(), frame.hash());
        let _ = frame.records();
        let _ = frame.verify(ChainHash::default());
        assert!(group.frames_of(&frame.stream).count() > 0);
    }
}

fn repair(bytes: &mut Vec<u8>) {
    let body = bytes.len().saturating_sub(GROUP_TRAILER);
    bytes.truncate(body);
    let hash = group_hash(bytes);
    bytes.extend_from_slice(&hash.0);
}

/// Decodes a payload as what its kind stores.
pub fn decode_as(kind: StreamKind, bytes: &[u8]) -> Result<(), Fault> {
    fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<(), Fault> {
        decode::<T>(bytes).map(drop)
    }
    match kind {
        StreamKind::Quorum => read::<quorum::Event>(bytes),
        StreamKind::Proposal => read::<proposal::Event>(bytes),
        StreamKind::Algorithms => read::<algorithms::Event>(bytes),
        StreamKind::Cell => read::<cell::event::Event>(bytes),
        StreamKind::Budget => read::<cell::budget::Event>(bytes),
        StreamKind::Topology => read::<topology::Event>(bytes),
        StreamKind::Job => read::<job::Event>(bytes),
        StreamKind::Gate => read::<gate::Event>(bytes),
        StreamKind::Worker => read::<worker::Event>(bytes),
        StreamKind::Durations => read::<durations::Event>(bytes),
        StreamKind::Flow => read::<flow::record::Event>(bytes),
        StreamKind::Load => read::<load::Event>(bytes),
        StreamKind::Agent => read::<agent::Event>(bytes),
    }
}

proptest! {
    #![proptest_config(cases(2_000, 1))]

    #[test]
    fn groups_of_any_bytes_are_read_or_refused(
        edits in edits(),
        body in any::<Option<(u32, u32, u32)>>(),
    ) {
        let mut bytes = sound_group();
        edit(&mut bytes, &edits);
        if let Some((frames, records, length)) = body
            && bytes.len() > 45
        {
            bytes[33..37].copy_from_slice(&frames.to_be_bytes());
            bytes[37..41].copy_from_slice(&records.to_be_bytes());
            if length.is_multiple_of(2) {
                bytes[41..45].copy_from_slice(&length.to_be_bytes());
            }
        }
        read_group(&bytes);
        repair(&mut bytes);
        read_group(&bytes);
    }

    #[test]
    fn noise_is_no_group(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_group(&bytes);
    }

    #[test]
    fn payloads_of_every_kind_are_decoded_or_refused(
        edits in edits(),
        which in any::<usize>(),
        other in any::<usize>(),
    ) {
        let before = panics();
        for (kind, payloads) in corpus::payloads().values() {
            let mut bytes = payloads[which % payloads.len()].to_vec();
            edit(&mut bytes, &edits);
            let _ = decode_as(*kind, &bytes);
            // And as something else than it was.
            let _ = decode_as(StreamKind::ALL[other % StreamKind::ALL.len()], &bytes);
        }
        prop_assert_eq!(panics(), before);
    }
}

#[test]
fn a_giant_length_asks_for_no_memory() {
    // A text of 2^63 bytes, as a length of eight bytes says it; one of 2^40; and both inside of a list.
    for length in [u64::MAX, 1 << 63, 1 << 40, 1 << 33] {
        let text = [&[253][..], &length.to_le_bytes(), b"abc"].concat();
        assert!(matches!(decode::<String>(&text), Err(Fault::Corrupt { .. })));
        assert!(matches!(decode::<Vec<u8>>(&text), Err(Fault::Corrupt { .. })));
        assert!(matches!(decode::<Vec<u64>>(&text), Err(Fault::Corrupt { .. })));
        assert!(matches!(decode::<Vec<String>>(&[&[1][..], &text].concat()), Err(Fault::Corrupt { .. })));
    }
}

#[test]
fn a_giant_count_of_records_asks_for_no_memory() {
    let mut bytes = sound_group();
    let frame = Group::parse(&bytes).unwrap().frames().next().unwrap().unwrap();
    let count = frame.count.to_be_bytes();
    // Header, then flags, kind, id, first seq, previous group and key; then the count.
    let at = 88 + 2 + 2 + 1 + 8 + 8 + 2 + 3;
    assert_eq!(bytes[at..at + 4], count);
    bytes[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
    repair(&mut bytes);
    let group = Group::parse_checked(&bytes).unwrap();
    let frame = group.frames().next().unwrap().unwrap();
    assert!(matches!(frame.records(), Err(Fault::Corrupt { .. })));
}

#[test]
fn the_corpus_holds_records_of_every_kind() {
    let kinds = corpus::payloads();
    let missing: Vec<_> = StreamKind::ALL.iter().filter(|kind| !kinds.contains_key(&kind.code())).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for (kind, payloads) in kinds.values() {
        payloads.iter().for_each(|payload| decode_as(*kind, payload).unwrap());
    }
}
