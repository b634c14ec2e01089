//! The archiver: moves durable groups from the ring into packs and writes what they did to the index.
//!
//! ```text
//! commit ──► ring + tail (memory) ──► packs · heads · deadlines · keys ──► mark ──flush──► slots free
//! ```
//!
//! Everything before the mark can be written again, so a crash anywhere only repeats a round.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::super::heads::Changes;
use super::super::lock;
use super::Shared;
use super::disk::Disk;
use crate::core::ids::StreamId;
use crate::core::time::Timestamp;
use crate::journal::group::Group;
use crate::journal::{Due, Fault, Tip};

/// How long a little-filled ring rests after the last commit before it is archived.
const QUIET: Duration = Duration::from_millis(75);
/// Archived heads kept at hand; above it all are dropped and read from the database again when needed.
const HEADS_KEPT: usize = 100_000;

/// How full the ring gets before it is archived under load. A round writes each stream once, so fewer rounds are
/// cheaper; the other half of the ring takes commits meanwhile.
pub(super) fn enough(slots: usize) -> usize {
    slots / 2
}

/// Runs until the store is dropped. A fault makes the store refuse work.
pub(super) fn run(shared: &Shared) {
    let _stopped = Stopped(shared);
    while let Some(groups) = next_round(shared) {
        if let Err(fault) = round(shared, &groups) {
            shared.refuse(&format!("archiving failed: {fault}"));
            return;
        }
    }
}

/// Tells waiting commits when the archiver ends, also by a panic: nobody will make room for them.
struct Stopped<'a>(&'a Shared);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        if !lock(&self.0.state).stop {
            self.0.refuse("the archiver ended");
        }
    }
}

/// Waits until a round is worth it and answers its groups; `None` when the store is dropped.
fn next_round(shared: &Shared) -> Option<Vec<Arc<[u8]>>> {
    let enough = enough(shared.options.slots);
    let mut state = lock(&shared.state);
    loop {
        if state.stop || state.dead.is_some() {
            return None;
        }
        let waiting = state.tail.len();
        if waiting >= enough || waiting > 0 && state.hurry {
            return Some(state.tail.iter().cloned().collect());
        }
        if waiting == 0 {
            state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        let seen = state.tip.group;
        let (next, timeout) = shared.work.wait_timeout(state, QUIET).unwrap_or_else(PoisonError::into_inner);
        state = next;
        if timeout.timed_out() && state.tip.group == seen {
            return Some(state.tail.iter().cloned().collect());
        }
    }
}

/// Archives groups, which are the oldest of the tail.
pub(super) fn round(shared: &Shared, groups: &[Arc<[u8]>]) -> Result<(), Fault> {
    let Some(last) = groups.last() else { return Ok(()) };
    let last = Group::parse(last)?;
    write_packs(&shared.disk, groups, shared.options.pack_bytes)?;
    let changes = write_index(&shared.disk, groups)?;
    // Within one database a crash keeps a prefix of what was written, so the mark never stands without its packs.
    let mark = Tip {
        position: last.header.last_position(),
        group: last.header.number,
        at: last.header.at,
        hash: last.hash,
    };
    shared.disk.write_archived(&mark)?;
    shared.disk.make_durable()?;
    shared.disk.clear_ring_pieces(mark.group)?;

    let mut state = lock(&shared.state);
    state.tail.drain(..groups.len());
    if state.clean.len() > HEADS_KEPT {
        state.clean.clear();
    }
    for stream in changes.entries.into_keys() {
        if let Some(entry) = state.dirty.take_until(&stream, mark.group) {
            state.clean.insert(stream, entry);
        }
    }
    for key in changes.keys.keys() {
        state.dirty.forget_key(key);
    }
    state.archived = mark;
    drop(state);
    shared.room.notify_all();
    Ok(())
}

pub(super) fn write_packs(disk: &Disk, groups: &[Arc<[u8]>], pack_bytes: usize) -> Result<(), Fault> {
    let mut packs: Vec<(u64, &[Arc<[u8]>])> = Vec::new();
    let mut bytes = usize::MAX;
    for (at, group) in groups.iter().enumerate() {
        bytes = bytes.saturating_add(group.len());
        match packs.last_mut() {
            Some((_, pack)) if bytes <= pack_bytes => *pack = &groups[at - pack.len()..=at],
            _ => {
                bytes = group.len();
                packs.push((Group::parse(group)?.header.number, std::slice::from_ref(group)));
            }
        }
    }
    // All the small keys first, so that almost no pack stands in the page they go through.
    for (first, _) in &packs {
        disk.keep_packs_apart(*first)?;
    }
    for (first, pack) in packs {
        match pack {
            [group] => disk.write_pack(first, group)?,
            several => disk.write_pack(first, &several.concat())?,
        }
    }
    Ok(())
}

/// Writes each touched stream once, however many groups touched it.
pub(super) fn write_index(disk: &Disk, groups: &[Arc<[u8]>]) -> Result<Changes, Fault> {
    let mut changes = Changes::default();
    let mut dues: HashMap<StreamId, Vec<Timestamp>> = HashMap::new();
    for bytes in groups {
        let group = Group::parse(bytes)?;
        changes.fold(
            &group,
            |stream| disk.entry(stream),
            |stream, due| {
                if let Due::At(t) = due {
                    dues.entry(stream.clone()).or_default().push(t);
                }
            },
        )?;
    }
    for (stream, entry) in &changes.entries {
        disk.write_entry(stream, entry, dues.get(stream).map_or(&[], Vec::as_slice))?;
    }
    for (key, stream) in &changes.keys {
        disk.write_key(key, stream)?;
    }
    Ok(changes)
}
