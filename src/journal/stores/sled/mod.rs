//! The default store: a folder on a local disk. A write-ahead log in front,
//! [sled](https://docs.rs/sled/0.34) behind it for state and history.
//!
//! ```text
//!            ┌ log: one frame per commit, one write and one fdatasync ┐
//!  commit ──►│            then its seal, then                         │──► visible ──► acknowledged
//!            └───────────────────────┬────────────────────────────────┘
//!                  archiver, in the background, many groups at a time
//!            ┌───────────────────────▼────────────────────────────────┐
//!            │ packs: groups for good    heads · deadlines · keys     │ sled, one flush a round
//!            └───────────────────────┬────────────────────────────────┘
//!                                 mark: how far, outside of both; then segments of the log go
//! ```
//!
//! No acknowledgement waits for sled, and the end of the journal is known without it. Everything in the log that is
//! not archived is also held in memory; after a crash, opening replays it (`replay.rs`).
//!
//! A failed write or sync of the log ends the store: what reached the disk is unknown until it is opened again. A
//! failure of sled does not: the log has everything, and sled is opened again.

pub(super) mod acknowledged;
mod archive;
mod caches;
mod disk;
pub(super) mod folder;
pub(super) mod format;
mod inspect;
pub(super) mod inspect_format;
pub(super) mod inspect_page;
mod inspect_tip;
pub(super) mod log;
pub(super) mod mark;
pub(super) mod moved;
#[cfg(any(feature = "store-fjall", feature = "store-postgres"))]
pub(super) mod moving;
pub(super) mod note;
mod open;
mod packs;
mod pieces;
mod port;
mod replay;
pub(super) mod restore;
mod ring;

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use self::acknowledged::Acknowledged;
use self::disk::{Disk, corrupt};
use self::folder::Folder;
use self::log::{AppendError, Log, Place, segment};
use self::mark::MarkFile;
use self::note::Note;
use self::packs::PackCache;
use self::replay::Waiting;
use super::heads::{Entry, Index};
use super::layout;
use super::plan::{Limits, Plan, plan};
use super::walk::{GroupBytes, Trails, View};
use super::{StoreOptions, lock};
use crate::{
    Append, Appended, ChainHash, Epoch, Fault, Mark, OpenReport, Position, Seq, Snapshot, Tip, codec,
};
use quorate_core::kernel::ids::{IdempotencyKey, StreamId};
use quorate_core::kernel::time::Timestamp;

/// A journal in a data folder. Dropping it without [`close`](crate::Store::close) is safe and means a
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
    /// None while it is opened again after a failure.
    disk: Mutex<Option<Arc<Disk>>>,
    options: StoreOptions,
    writer: Mutex<Writer>,
    mark: Mutex<MarkFile>,
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
    log: Log,
    acknowledged: Acknowledged,
}

#[derive(Debug)]
struct State {
    tip: Tip,
    archived: Tip,
    /// The groups after `archived`, up to `tip`.
    tail: VecDeque<Waiting>,
    tail_bytes: usize,
    /// The segment that was written last.
    log: Arc<File>,
    /// What the tail did to the index.
    dirty: Index,
    /// Heads that are archived and kept at hand.
    clean: HashMap<StreamId, Entry>,
    /// Somebody waits for the archiver.
    hurry: bool,
    /// Why the archiver makes no progress for now.
    stalled: Option<String>,
    /// Somebody saw the database fail.
    suspect: bool,
    stop: bool,
    /// Why the store refuses work.
    dead: Option<String>,
}

impl SledStore {
    /// Opens the data folder named by the options.
    ///
    /// # Errors
    /// [`Fault::Missing`], [`Fault::Foreign`], [`Fault::Locked`], [`Fault::NewerVersion`], [`Fault::Moved`],
    /// [`Fault::Moving`] as they say, and [`Fault::Corrupt`] when something that was acknowledged is damaged or missing, without touching the folder
    /// (the last as far as it is seen before sled opens its files); [`Fault::Unavailable`] when no path was given or
    /// the disk does not answer.
    pub fn open(options: &StoreOptions) -> Result<Self, Fault> {
        Self::open_unless(options, |note| Some(note.refusal()))
    }

    /// Opens the folder unless what it says of a move forbids it.
    fn open_unless(
        options: &StoreOptions,
        forbids: impl FnOnce(&super::moved::Note) -> Option<Fault>,
    ) -> Result<Self, Fault> {
        let options = options.bounded();
        let open::Opened { folder, disk, log, mark, tail, acknowledged } = open::open(&options, forbids)?;
        let tail_bytes = tail.groups.iter().map(|waiting| waiting.bytes.len()).sum();
        let state = State {
            tip: tail.tip,
            archived: tail.archived,
            tail: tail.groups,
            tail_bytes,
            log: log.file(),
            dirty: tail.index,
            clean: HashMap::new(),
            hurry: false,
            stalled: None,
            suspect: false,
            stop: false,
            dead: None,
        };
        let epoch = mark.get().epoch.max(disk.epoch()?);
        let shared = Arc::new(Shared {
            writer: Mutex::new(Writer { epoch, closed: false, log, acknowledged }),
            mark: Mutex::new(mark),
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
            packs: PackCache::default(),
            trails: Trails::default(),
            note: Note::in_folder(folder.path()),
            disk: Mutex::new(Some(Arc::new(disk))),
            options,
            folder,
        });
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
        let entry = self.disk()?.entry(stream)?;
        if entry.as_ref().is_some_and(|entry| entry.last_group > state.archived.group) {
            return Err(corrupt(format!("the index is ahead of the journal. stream={stream}")));
        }
        Ok(entry)
    }

    fn key(&self, key: &IdempotencyKey) -> Result<Option<StreamId>, Fault> {
        let state = lock(&self.state);
        match state.dirty.key(key) {
            Some(stream) => Ok(Some(stream.clone())),
            None => self.disk()?.key(key),
        }
    }

    fn pruned(&self, mark: &Mark) -> Result<Option<u64>, Fault> {
        self.disk()?.pruned(mark)
    }

    fn group(&self, number: u64) -> Result<Option<GroupBytes>, Fault> {
        {
            let state = lock(&self.state);
            if number == 0 || number > state.tip.group {
                return Ok(None);
            }
            if let Some(at) = number.checked_sub(state.archived.group + 1) {
                let bytes = state.tail.get(at as usize).map(|waiting| waiting.bytes.clone());
                return Ok(bytes.map(GroupBytes::whole));
            }
        }
        self.packs.group(&*self.disk()?, number)
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

    /// Has the database looked at, and opened again if it must be.
    fn suspect(&self, fault: &Fault) {
        if let Fault::Unavailable { .. } | Fault::Full { .. } = fault {
            lock(&self.state).suspect = true;
            self.work.notify_all();
        }
    }

    fn fatal<T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(fault) = &result {
            self.refuse(&fault.to_string());
        }
        result
    }

    fn disk(&self) -> Result<Arc<Disk>, Fault> {
        lock(&self.disk).clone().ok_or_else(|| Fault::Unavailable {
            reason: "the database is opened again after it failed; try again".into(),
        })
    }

    /// Opens the database again after it failed. What it has not archived is in the log and in memory.
    fn reopen_disk(&self) -> Result<(), Fault> {
        drop(lock(&self.disk).take());
        let disk = open::reopen(&self.folder, &self.options, &mut lock(&self.mark))?;
        *lock(&self.disk) = Some(Arc::new(disk));
        Ok(())
    }

    fn acquire(&self, owner: &str) -> Result<Epoch, Fault> {
        let mut writer = lock(&self.writer);
        self.alive()?;
        let epoch = writer.epoch + 1;
        let marked = lock(&self.mark).change(|mark| mark.epoch = epoch);
        self.fatal(marked)?;
        writer.epoch = epoch;
        // The text only informs; the lock and the epoch protect.
        let _ = self.folder.sign(owner);
        Ok(epoch)
    }

    fn commit(&self, epoch: Epoch, at: Timestamp, appends: &[Append]) -> Result<Vec<Appended>, Fault> {
        let mut writer = lock(&self.writer);
        self.alive()?;
        if writer.closed {
            return Err(Fault::Unavailable { reason: "it was closed; open it again".into() });
        }
        if epoch != writer.epoch {
            return Err(Fault::Fenced { held: writer.epoch, given: epoch });
        }
        let limits = Limits { group_bytes: self.options.slot_bytes, groups: self.options.slots };
        let mut answers = Vec::with_capacity(appends.len());
        let mut written = false;
        while answers.len() < appends.len() {
            match self.commit_some(&mut writer, (epoch, at), &appends[answers.len()..], limits) {
                Ok((some, wrote)) => {
                    answers.extend(some);
                    written |= wrote;
                }
                // A part of the group is on disk and cannot be told from the rest by the caller.
                Err(fault) if written || !matches!(fault, Fault::Full { .. }) => {
                    return self.fatal(Err(fault));
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(answers)
    }

    /// Commits as many appends as fit one frame. Answers whether anything was written.
    fn commit_some(
        &self,
        writer: &mut Writer,
        by: (Epoch, Timestamp),
        appends: &[Append],
        limits: Limits,
    ) -> Result<(Vec<Appended>, bool), Fault> {
        let tip = self.tip();
        let plan = plan(self, &tip, by, appends, limits).map_err(no_room)?;
        let answers = plan.answers.clone();
        if plan.groups.is_empty() {
            return Ok((answers, false));
        }
        self.wait_for_room(&plan)?;
        match writer.log.append(tip.group + 1, &plan.groups) {
            Ok(frame) => {
                writer.acknowledged.write(&plan.tip).map_err(|e| Fault::Unavailable {
                    reason: format!("the file {} cannot be written. error={e}", acknowledged::NAME),
                })?;
                self.publish(plan, frame, &writer.log);
                Ok((answers, true))
            }
            Err(AppendError::NoRoom(fault)) => Err(no_room(fault)),
            Err(AppendError::Unknown(fault)) => Err(fault),
        }
    }

    fn wait_for_room(&self, plan: &Plan) -> Result<(), Fault> {
        let bytes: usize = plan.groups.iter().map(|group| group.len()).sum();
        let mut state = lock(&self.state);
        while state.tail.len() + plan.groups.len() > self.options.slots
            || state.tail_bytes > 0 && state.tail_bytes + bytes > archive::TAIL_BYTES
        {
            alive(&state)?;
            if let Some(why) = &state.stalled {
                return Err(Fault::Full { reason: why.clone() });
            }
            state.hurry = true;
            self.work.notify_one();
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.hurry = false;
        alive(&state)
    }

    fn publish(&self, plan: Plan, frame: Place, log: &Log) {
        let mut state = lock(&self.state);
        let before = (state.tail.is_empty(), archive::is_long(&state, self.options.slots));
        state.tail_bytes += plan.groups.iter().map(|group| group.len()).sum::<usize>();
        let end = log.place();
        state.tail.extend(plan.groups.into_iter().map(|bytes| Waiting { bytes, frame, end }));
        state.tip = plan.tip;
        state.dirty.apply(plan.changes);
        if frame.offset == log::SECTOR as u64 {
            state.log = log.file();
        }
        // The archiver sleeps for good while the tail is empty; in between it looks by itself.
        if before.0 || !before.1 && archive::is_long(&state, self.options.slots) {
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
        for stored in self.disk()?.deadlines(after) {
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
        pieces::put_checked(&self.disk()?.snapshots, &layout::stream_key(stream), &bytes)
    }

    fn load_snapshot(&self, stream: &StreamId) -> Result<Option<Snapshot>, Fault> {
        self.alive()?;
        let Some(bytes) = pieces::get_checked(&self.disk()?.snapshots, &layout::stream_key(stream))? else {
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
        pieces::put_checked(&self.disk()?.projections, name.as_bytes(), &bytes)
    }

    fn load_projection(&self, name: &str) -> Result<Option<(Position, Vec<u8>)>, Fault> {
        self.alive()?;
        let bytes = pieces::get_checked(&self.disk()?.projections, name.as_bytes())?;
        let Some((at, bytes)) = bytes.as_deref().and_then(|bytes| bytes.split_first_chunk()) else {
            return Ok(None);
        };
        let at = Position::from_be_bytes(*at);
        Ok((at <= self.tip().position).then(|| (at, bytes.to_vec())))
    }

    fn close(&self) -> Result<(), Fault> {
        let mut writer = lock(&self.writer);
        writer.closed = true;
        let mut state = lock(&self.state);
        while !state.tail.is_empty() {
            alive(&state)?;
            if let Some(why) = &state.stalled {
                return Err(Fault::Full { reason: why.clone() });
            }
            state.hurry = true;
            self.work.notify_one();
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.hurry = false;
        alive(&state)?;
        drop(state);
        writer.log.end();
        let ended = self.end_log(writer.log.place().segment);
        self.fatal(ended)
    }

    /// Says that the log holds nothing any more, and removes it.
    fn end_log(&self, last: u64) -> Result<(), Fault> {
        let mut mark = lock(&self.mark);
        if mark.get().closed {
            return Ok(());
        }
        let end = self.disk()?.make_durable_upto(mark.get().database_end)?;
        let dir = self.folder.log();
        let newest = segment::numbers(&dir)?.last().copied().unwrap_or(0);
        let next = newest.max(last) + 1;
        mark.change(|mark| {
            mark.closed = true;
            mark.begin = Place { segment: next, offset: 0 };
            mark.frame = 0;
            mark.database_end = Some(end);
        })?;
        segment::remove_below(&dir, next)
    }
}

/// What failed before anything was written ends nothing.
fn no_room(fault: Fault) -> Fault {
    match fault {
        Fault::Unavailable { reason } => Fault::Full { reason },
        fault => fault,
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
