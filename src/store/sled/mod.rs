//! The default store: a folder on a local disk, kept by [sled](https://docs.rs/sled/0.34).
//!
//! ```text
//!            ┌ ring: one key per slot, group N in slot N mod slots ┐
//!  commit ──►│ written, flushed and fdatasynced once per commit    │──► visible ──► acknowledged
//!            └───────────────────────┬─────────────────────────────┘
//!                  archiver, in the background, coalesced
//!            ┌───────────────────────▼─────────────────────────────┐
//!            │ packs: groups for good    heads · deadlines · keys  │
//!            └─────────────────────────────────────────────────────┘
//! ```
//!
//! sled spends most of its time per key, so the hot path writes one key per group and none per event. Everything
//! in the ring is also held in memory until it is archived; after a crash, opening replays the ring.
//!
//! A failed write or flush ends the store: what reached the disk is unknown until it is opened again.

mod archive;
mod disk;
mod folder;
mod layout;
mod note;
mod packs;
mod pieces;
mod port;
mod replay;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use self::disk::{Disk, corrupt};
use self::folder::Folder;
use self::note::Note;
use self::packs::PackCache;
use super::heads::{Entry, Index};
use super::plan::{Limits, Plan, plan};
use super::walk::{GroupBytes, Trails, View};
use super::{StoreOptions, lock};
use crate::core::ids::{IdempotencyKey, StreamId};
use crate::core::time::Timestamp;
use crate::journal::{
    Append, Appended, ChainHash, Epoch, Fault, OpenReport, Position, Seq, Snapshot, Tip, codec,
};

/// A journal in a data folder. Dropping it without [`close`](crate::journal::Store::close) is safe and means a
/// replay at the next open.
#[derive(Debug)]
pub struct SledStore {
    shared: Arc<Shared>,
    archiver: Option<JoinHandle<()>>,
    report: OpenReport,
}

/// What commits, reads and the archiver share. Fields are dropped in order: the folder is let go last.
#[derive(Debug)]
struct Shared {
    disk: Disk,
    options: StoreOptions,
    writer: Mutex<Writer>,
    state: Mutex<State>,
    /// Wakes the archiver.
    work: Condvar,
    /// Wakes those who wait for the archiver.
    room: Condvar,
    packs: PackCache,
    trails: Trails,
    note: Note,
    folder: Folder,
}

/// One commit at a time.
#[derive(Debug)]
struct Writer {
    epoch: Epoch,
    closed: bool,
}

#[derive(Debug)]
struct State {
    tip: Tip,
    archived: Tip,
    /// The groups after `archived`, up to `tip`.
    tail: VecDeque<Arc<[u8]>>,
    /// What the tail did to the index.
    dirty: Index,
    /// Heads that are archived and kept at hand.
    clean: HashMap<StreamId, Entry>,
    /// Somebody waits for the archiver.
    hurry: bool,
    stop: bool,
    /// Why the store refuses work.
    dead: Option<String>,
}

impl SledStore {
    /// Opens the data folder named by the options.
    ///
    /// # Errors
    /// [`Fault::Missing`], [`Fault::Foreign`], [`Fault::Locked`], [`Fault::NewerVersion`] as they say, without
    /// touching the folder; [`Fault::Corrupt`] when a group in the middle or the database itself is damaged;
    /// [`Fault::Unavailable`] when no path was given or the disk does not answer.
    pub fn open(options: &StoreOptions) -> Result<Self, Fault> {
        let options = options.bounded();
        let Some(path) = &options.path else {
            return Err(Fault::Unavailable {
                reason: "no data folder was named; give the store a path".into(),
            });
        };
        let folder = Folder::open(path, options.create)?;
        let disk = Disk::open(&folder.ring(), &folder.database(), folder.made, &options)?;
        disk.make_ring_durable()?;
        disk.make_durable()?;
        folder.finish()?;
        let tail = replay::replay(&disk, options.slots)?;
        let state = State {
            tip: tail.tip,
            archived: disk.archived()?,
            tail: tail.groups,
            dirty: tail.index,
            clean: HashMap::new(),
            hurry: false,
            stop: false,
            dead: None,
        };
        let shared = Arc::new(Shared {
            writer: Mutex::new(Writer { epoch: disk.epoch()?, closed: false }),
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
            packs: PackCache::default(),
            trails: Trails::default(),
            note: Note::in_folder(path),
            disk,
            options,
            folder,
        });
        if !tail.in_place {
            // The ring had another size; its slots must not be overwritten before they are archived.
            let groups: Vec<_> = lock(&shared.state).tail.iter().cloned().collect();
            archive::round(&shared, &groups)?;
        }
        let archiver = std::thread::Builder::new().name("quorate-archiver".into()).spawn({
            let shared = shared.clone();
            move || archive::run(&shared)
        });
        let archiver = archiver
            .map_err(|e| Fault::Unavailable { reason: format!("the archiver thread cannot start: {e}") })?;
        Ok(SledStore { shared, archiver: Some(archiver), report: tail.report })
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        lock(&self.shared.state).stop = true;
        self.shared.work.notify_all();
        if let Some(archiver) = self.archiver.take() {
            // A panic of the archiver was already told to every caller.
            let _ = archiver.join();
        }
    }
}

impl View for Shared {
    fn tip(&self) -> Tip {
        lock(&self.state).tip.clone()
    }

    fn entry(&self, stream: &StreamId) -> Result<Option<Entry>, Fault> {
        // Under the lock, so that no entry moves from memory to disk between the two looks.
        let state = lock(&self.state);
        if let Some(entry) = state.dirty.entry(stream).or_else(|| state.clean.get(stream)) {
            return Ok(Some(entry.clone()));
        }
        let entry = self.disk.entry(stream)?;
        if entry.as_ref().is_some_and(|entry| entry.last_group > state.archived.group) {
            return Err(corrupt(format!("the index is ahead of the journal. stream={stream}")));
        }
        Ok(entry)
    }

    fn key(&self, key: &IdempotencyKey) -> Result<Option<StreamId>, Fault> {
        let state = lock(&self.state);
        match state.dirty.key(key) {
            Some(stream) => Ok(Some(stream.clone())),
            None => self.disk.key(key),
        }
    }

    fn group(&self, number: u64) -> Result<Option<GroupBytes>, Fault> {
        {
            let state = lock(&self.state);
            if number == 0 || number > state.tip.group {
                return Ok(None);
            }
            if let Some(at) = number.checked_sub(state.archived.group + 1) {
                return Ok(state.tail.get(at as usize).cloned().map(GroupBytes::whole));
            }
        }
        self.packs.group(&self.disk, number)
    }
}

impl Shared {
    /// Ends the store; the first reason is the one that is told.
    fn refuse(&self, reason: &str) {
        lock(&self.state).dead.get_or_insert_with(|| reason.to_owned());
        self.work.notify_all();
        self.room.notify_all();
    }

    fn alive(&self) -> Result<(), Fault> {
        alive(&lock(&self.state))
    }

    fn fatal<T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(fault) = &result {
            self.refuse(&fault.to_string());
        }
        result
    }

    fn acquire(&self, owner: &str) -> Result<Epoch, Fault> {
        let mut writer = lock(&self.writer);
        self.alive()?;
        let epoch = writer.epoch + 1;
        self.fatal(self.disk.write_epoch(epoch).and_then(|()| self.disk.make_durable()))?;
        writer.epoch = epoch;
        // The text only informs; the lock and the epoch protect.
        let _ = self.folder.sign(owner);
        Ok(epoch)
    }

    fn commit(&self, epoch: Epoch, at: Timestamp, appends: &[Append]) -> Result<Vec<Appended>, Fault> {
        let writer = lock(&self.writer);
        self.alive()?;
        if writer.closed {
            return Err(Fault::Unavailable { reason: "it was closed; open it again".into() });
        }
        if epoch != writer.epoch {
            return Err(Fault::Fenced { held: writer.epoch, given: epoch });
        }
        let limits = Limits { group_bytes: self.options.slot_bytes, groups: self.options.slots };
        let mut answers = Vec::with_capacity(appends.len());
        while answers.len() < appends.len() {
            let tip = self.tip();
            let plan = self.fatal(plan(self, &tip, (epoch, at), &appends[answers.len()..], limits))?;
            answers.extend_from_slice(&plan.answers);
            if !plan.groups.is_empty() {
                self.wait_for_room(plan.groups.len())?;
                self.fatal(self.write(tip.group, &plan.groups))?;
                self.publish(plan);
            }
        }
        Ok(answers)
    }

    fn wait_for_room(&self, groups: usize) -> Result<(), Fault> {
        let mut state = lock(&self.state);
        while state.tail.len() + groups > self.options.slots {
            alive(&state)?;
            state.hurry = true;
            self.work.notify_one();
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.hurry = false;
        alive(&state)
    }

    fn write(&self, last: u64, groups: &[Arc<[u8]>]) -> Result<(), Fault> {
        for (number, bytes) in (last + 1..).zip(groups) {
            self.disk.write_slot(number, bytes)?;
        }
        self.disk.make_ring_durable()
    }

    fn publish(&self, plan: Plan) {
        let mut state = lock(&self.state);
        let enough = archive::enough(self.options.slots);
        let before = state.tail.len();
        state.tail.extend(plan.groups);
        state.tip = plan.tip;
        state.dirty.apply(plan.changes);
        // The archiver sleeps for good while the tail is empty; in between it looks by itself.
        if before == 0 || before < enough && state.tail.len() >= enough {
            self.work.notify_one();
        }
    }

    fn deadlines(
        &self,
        after: Option<&(Timestamp, StreamId)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, StreamId)>, Fault> {
        // Under the lock, so that no deadline moves from memory to disk while both are merged.
        let state = lock(&self.state);
        alive(&state)?;
        let mut fresh = state.dirty.deadlines(after).peekable();
        let mut out = Vec::new();
        for stored in self.disk.deadlines(after) {
            let stored = stored?;
            while out.len() < limit && fresh.peek().is_some_and(|due| **due < stored) {
                out.extend(fresh.next().cloned());
            }
            if out.len() >= limit {
                return Ok(out);
            }
            if state.dirty.entry(&stored.1).is_none() {
                out.push(stored);
            }
        }
        out.extend(fresh.take(limit - out.len()).cloned());
        Ok(out)
    }

    fn save_snapshot(&self, stream: &StreamId, snapshot: &Snapshot) -> Result<(), Fault> {
        self.alive()?;
        let Snapshot { revision, hash, version, state } = snapshot;
        let bytes = codec::encode(&(revision, hash, version, state))?;
        pieces::put_checked(&self.disk.snapshots, &layout::stream_key(stream), &bytes)
    }

    fn load_snapshot(&self, stream: &StreamId) -> Result<Option<Snapshot>, Fault> {
        self.alive()?;
        let Some(bytes) = pieces::get_checked(&self.disk.snapshots, &layout::stream_key(stream))? else {
            return Ok(None);
        };
        // Written by a program with another layout: as good as lost.
        let Ok((revision, hash, version, state)) = codec::decode::<(Seq, ChainHash, u16, Vec<u8>)>(&bytes)
        else {
            return Ok(None);
        };
        // After a crash the snapshot may have survived records that did not.
        let known = self.entry(stream)?.map_or(0, |entry| entry.revision);
        Ok((revision <= known).then_some(Snapshot { revision, hash, version, state }))
    }

    fn save_projection(&self, name: &str, at: Position, bytes: &[u8]) -> Result<(), Fault> {
        self.alive()?;
        let bytes = [&at.to_be_bytes(), bytes].concat();
        pieces::put_checked(&self.disk.projections, name.as_bytes(), &bytes)
    }

    fn load_projection(&self, name: &str) -> Result<Option<(Position, Vec<u8>)>, Fault> {
        self.alive()?;
        let bytes = pieces::get_checked(&self.disk.projections, name.as_bytes())?;
        let Some((at, bytes)) = bytes.as_deref().and_then(|bytes| bytes.split_first_chunk()) else {
            return Ok(None);
        };
        let at = Position::from_be_bytes(*at);
        Ok((at <= self.tip().position).then(|| (at, bytes.to_vec())))
    }

    fn close(&self) -> Result<(), Fault> {
        lock(&self.writer).closed = true;
        let mut state = lock(&self.state);
        while !state.tail.is_empty() {
            alive(&state)?;
            state.hurry = true;
            self.work.notify_one();
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.hurry = false;
        alive(&state)?;
        drop(state);
        self.fatal(self.disk.make_durable())
    }
}

fn alive(state: &State) -> Result<(), Fault> {
    match &state.dead {
        None => Ok(()),
        Some(why) => Err(Fault::Unavailable {
            reason: format!(
                "a write failed and the store refuses work until it is opened again. cause={why}"
            ),
        }),
    }
}

#[cfg(test)]
#[path = "test.rs"]
mod tests;
