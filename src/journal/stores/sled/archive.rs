//! The archiver: moves durable groups into packs and writes what they did to the index, many at a time.
//!
//! ```text
//! commit ──► log + tail (memory) ──► packs · heads · deadlines · keys ──flush, fdatasync──► mark ──► segments go
//! ```
//!
//! Everything behind the mark can be written again, so a crash anywhere only repeats a round. When the database fails,
//! because the disk is full for instance, it is opened again after a pause: the log still has everything.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::super::heads::Changes;
use super::super::walk::GroupBytes;
use super::super::{Durability, lock};
use super::disk::{Disk, corrupt, damaged};
use super::log::segment;
use super::replay::Waiting;
use super::{Shared, State};
use crate::group::Group;
use crate::{Due, Fault, Tip};
use quorate_core::kernel::ids::StreamId;
use quorate_core::kernel::time::Timestamp;

/// How long a short tail rests after the last commit before it is archived.
const QUIET: Duration = Duration::from_millis(250);
/// How often the folder is looked for while nothing is written.
const IDLE: Duration = Duration::from_secs(1);
/// Bytes of the tail; above it commits wait for the archiver.
pub(super) const TAIL_BYTES: usize = 32 << 20;
/// Archived heads kept at hand; above it all are dropped and read from the database again when needed.
const HEADS_KEPT: usize = 100_000;
/// Pauses before the database is opened again after it failed: doubled up to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How long the tail gets before it is archived under load. A round writes each stream once and flushes once, so
/// fewer rounds are cheaper; the other half takes commits meanwhile.
pub(super) fn is_long(state: &State, slots: usize) -> bool {
    state.tail.len() >= slots / 2 || state.tail_bytes >= TAIL_BYTES / 2
}

/// Runs until the store is dropped. Damage makes the store refuse work.
pub(super) fn run(shared: &Shared) {
    let _stopped = Stopped(shared);
    while let Some(work) = next_work(shared) {
        let done = match work {
            Work::Round(groups) => round(shared, &groups),
            Work::Check => shared.disk().and_then(|disk| disk.make_durable()),
        };
        if let Err(fault) = done
            && !recover(shared, fault)
        {
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

/// What the archiver does next.
enum Work {
    /// Archives these groups.
    Round(Vec<Waiting>),
    /// Finds out whether the database still works.
    Check,
}

/// Waits until a round is worth it; `None` when the store is dropped.
fn next_work(shared: &Shared) -> Option<Work> {
    let mut state = lock(&shared.state);
    loop {
        if state.stop || state.dead.is_some() {
            return None;
        }
        let waiting = state.tail.len();
        if std::mem::take(&mut state.suspect) {
            return Some(Work::Check);
        }
        if is_long(&state, shared.options.slots) || waiting > 0 && state.hurry {
            return Some(Work::Round(oldest(&state)));
        }
        let pause = if waiting == 0 { IDLE } else { QUIET };
        let seen = state.tip.group;
        let (next, timeout) = shared.work.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner);
        state = next;
        if timeout.timed_out() {
            if !shared.folder.is_in_place() {
                drop(state);
                shared.refuse("the data folder was moved or removed while it was in use");
                return None;
            }
            if state.tip.group == seen && !state.tail.is_empty() {
                return Some(Work::Round(oldest(&state)));
            }
        }
    }
}

/// What the next round archives: everything, or a part of it after a round that failed. On a disk that is nearly full
/// there may be room for a part, and what it leaves behind in the log makes room for the next one.
fn oldest(state: &State) -> Vec<Waiting> {
    let some = if state.stalled.is_some() { state.tail.len().div_ceil(8) } else { state.tail.len() };
    // The mark stands between two frames.
    let frame = some.checked_sub(1).and_then(|last| state.tail.get(last)).map(|last| last.frame);
    let whole = |(at, waiting): &(usize, &Waiting)| *at < some || Some(waiting.frame) == frame;
    state.tail.iter().enumerate().take_while(whole).map(|(_, waiting)| waiting.clone()).collect()
}

/// Archives groups, which are the oldest of the tail.
fn round(shared: &Shared, groups: &[Waiting]) -> Result<(), Fault> {
    let Some(last) = groups.last() else { return Ok(()) };
    if !shared.folder.is_in_place() {
        shared.refuse("the data folder was moved or removed while it was in use");
        return Err(corrupt("the data folder was moved or removed"));
    }
    let disk = shared.disk()?;
    let bytes: Vec<_> = groups.iter().map(|waiting| waiting.bytes.clone()).collect();
    if shared.options.durability == Durability::Process {
        // The database must never be ahead of the log, whatever survives.
        let file = lock(&shared.state).log.clone();
        file.sync_data().map_err(|e| corrupt(format!("the log cannot be synced. error={e}")))?;
    }
    let Some((tip, changes)) = write(&disk, &bytes, shared.options.pack_bytes)? else { return Ok(()) };
    let before = lock(&shared.mark).get().database_end;
    let end = disk.make_durable_upto(before)?;
    // A mark whose sync failed may or may not be on disk; nothing is removed, and no later one is believed.
    let marked = lock(&shared.mark).change(|mark| {
        mark.archived = tip.clone();
        mark.begin = last.end;
        mark.frame = last.frame.offset;
        mark.database_end = Some(end);
    });
    marked.map_err(|fault| corrupt(fault.to_string()))?;
    // What is left is removed by a later round.
    let _ = segment::remove_below(&shared.folder.log(), last.end.segment);

    let mut state = lock(&shared.state);
    state.tail.drain(..groups.len());
    state.tail_bytes -= bytes.iter().map(|bytes| bytes.len()).sum::<usize>();
    state.stalled = None;
    if state.clean.len() > HEADS_KEPT {
        state.clean.clear();
    }
    for stream in changes.entries.into_keys() {
        if let Some(entry) = state.dirty.take_until(&stream, tip.group) {
            state.clean.insert(stream, entry);
        }
    }
    for key in changes.keys.keys() {
        state.dirty.forget_key(key);
    }
    state.archived = tip;
    drop(state);
    shared.room.notify_all();
    Ok(())
}

/// Opens the database again after it failed. Answers whether the archiver goes on.
fn recover(shared: &Shared, mut fault: Fault) -> bool {
    let mut pause = PAUSES.0;
    loop {
        if damaged(&fault) {
            shared.refuse(&format!("archiving failed: {fault}"));
            return false;
        }
        let mut state = lock(&shared.state);
        state.stalled = Some(fault.to_string());
        shared.room.notify_all();
        let (state, _) = shared
            .work
            .wait_timeout_while(state, pause, |state| !state.stop && state.dead.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        if state.stop || state.dead.is_some() {
            return false;
        }
        drop(state);
        pause = (pause * 2).min(PAUSES.1);
        match shared.reopen_disk() {
            Ok(()) => return true,
            Err(again) => fault = again,
        }
    }
}

/// Writes groups, what they did to the index, and that they are archived. Nothing is flushed.
pub(super) fn write(
    disk: &Disk,
    groups: &[Arc<[u8]>],
    pack_bytes: usize,
) -> Result<Option<(Tip, Changes)>, Fault> {
    let Some(last) = groups.last() else { return Ok(None) };
    let last = Group::parse(last)?;
    write_packs(disk, groups, pack_bytes)?;
    let changes = write_index(disk, groups)?;
    // Within one database a crash keeps a prefix of what was written, so this never stands without its packs.
    let tip = Tip {
        position: last.header.last_position(),
        group: last.header.number,
        at: last.header.at,
        hash: last.hash,
    };
    disk.write_archived(&tip)?;
    Ok(Some((tip, changes)))
}

/// Builds the index anew when it knows more than the journal has: a round was cut off, and what it had begun to
/// archive is lost.
pub(super) fn restore_index(disk: &Disk, tip: &Tip) -> Result<(), Fault> {
    if disk.newest_head()? <= tip.group {
        return Ok(());
    }
    disk.clear_index()?;
    let mut some = Vec::new();
    for pack in disk.packs_after(0) {
        for (number, group) in pack?.groups().filter(|(number, _)| *number <= tip.group) {
            let GroupBytes { sound: true, .. } = group else {
                return Err(corrupt(format!("the index cannot be built anew: group {number} is damaged")));
            };
            some.push(Arc::from(&*group));
        }
        if some.len() >= 1_000 {
            write_index(disk, &std::mem::take(&mut some))?;
        }
    }
    write_index(disk, &some).map(drop)
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
    if let Some(last) = groups.last().filter(|_| !changes.pruned.is_empty()) {
        let marks = changes.pruned.iter().map(|(mark, pruning)| (*mark, *pruning));
        disk.write_pruned(marks, Group::parse(last)?.header.number)?;
    }
    Ok(changes)
}
