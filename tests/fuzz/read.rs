//! Reads groups and payloads whatever their bytes. The targets of cargo-fuzz share this file.

use quorate_core::capacity::cell;
use quorate_core::jobs::durations;
use quorate_core::jobs::gate;
use quorate_core::jobs::manager as job;
use quorate_core::jobs::worker;
use quorate_core::kernel::ids::{EntityId, IdempotencyKey, StreamId, StreamKind};
use quorate_core::kernel::time::Timestamp;
use quorate_core::load::flow;
use quorate_core::load::record as load;
use quorate_core::network::{coordinate, datacenter, route};
use quorate_core::trust::identity;
use quorate_core::voting::agent;
use quorate_core::voting::algorithms;
use quorate_core::voting::proposal;
use quorate_core::voting::quorum;
use quorate_core::voting::session;
use quorate_core::voting::topology;
use quorate_core::voting::voter;
use quorate_journal::chain::group_hash;
use quorate_journal::codec::{AppendBuilder, decode};
use quorate_journal::group::{GROUP_TRAILER, Group, GroupBuilder};
use quorate_journal::{ChainHash, Due, Fault};
use serde::de::DeserializeOwned;

fn stream(id: &str) -> StreamId {
    StreamId::new(StreamKind::Quorum, EntityId::new(id).unwrap())
}

/// A group of three frames that fits its hash.
pub fn sound_group() -> Vec<u8> {
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
pub fn read_group(bytes: &[u8]) {
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

/// Gives the bytes the hash that fits them.
pub fn repair(bytes: &mut Vec<u8>) {
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
        StreamKind::Identity => read::<identity::Event>(bytes),
        StreamKind::Retention => read::<quorate_core::trust::retention::Event>(bytes),
        StreamKind::Member => read::<quorate_core::network::member::record::Event>(bytes),
        StreamKind::Stops => read::<quorate_core::trust::stop::Event>(bytes),
        StreamKind::Subjects => read::<quorate_core::trust::subject::Event>(bytes),
        StreamKind::Hook => read::<quorate_core::trust::hook::Event>(bytes),
        StreamKind::Flow => read::<flow::record::Event>(bytes),
        StreamKind::Load => read::<load::Event>(bytes),
        StreamKind::Voter => read::<voter::Event>(bytes),
        StreamKind::Session => read::<session::Event>(bytes),
        StreamKind::Agent => read::<agent::Event>(bytes),
        StreamKind::Datacenter => read::<datacenter::Event>(bytes),
        StreamKind::Route => read::<route::record::Event>(bytes),
        StreamKind::Coordinate => read::<coordinate::record::Event>(bytes),
    }
}
