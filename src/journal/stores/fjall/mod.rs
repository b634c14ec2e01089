//! A folder on a local disk, kept by [fjall](https://docs.rs/fjall/3), whose own journal is what commits wait for.
//!
//! ```text
//!  commit ─► plan ─► one batch: groups · heads · deadlines · keys · end ─► journal of fjall, one fdatasync ─► memory
//!                                                                           │
//!                               visible ◄── acknowledged ◄──────────────────┘      tables, in the background
//! ```
//!
//! There is no log of ours before it and nothing to archive: a commit is one batch, which the engine keeps as a whole or not
//! at all. What it cannot be relied on for is to notice that its files are not what it wrote: it cuts its journal off at the
//! first byte that it cannot read. So `inspect` reads everything before it does, and what is outside of it says how far the
//! journal reached: `mark`, on disk before anybody owns the journal, and `acknowledged`, written with every commit, as beside
//! the default store.
//!
//! A write that fails ends the store, a full disk among them: the engine refuses everything until it is opened again.

mod disk;
pub(in crate::stores) mod inspect;
mod loss;
mod moving;
mod open;
mod port;
mod restore;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use self::disk::{Disk, PROJECTION, Row, SNAPSHOT};
pub(in crate::stores) use self::restore::said;
use super::blocks::Blocks;
use super::heads::{Changes, Entry};
use super::layout::stream_key;
use super::plan::{Limits, Plan, plan};
use super::sled::acknowledged::{self, Acknowledged};
use super::sled::folder::Folder;
use super::sled::mark::MarkFile;
use super::sled::note::Note;
use super::walk::{GroupBytes, Trails, View};
use super::{StoreOptions, lock};
use crate::group::Group;
use crate::{
    Append, Appended, ChainHash, Epoch, Fault, Mark, OpenReport, Position, Seq, Snapshot, Tip, codec,
};
use quorate_core::kernel::ids::{IdempotencyKey, StreamId};
use quorate_core::kernel::time::Timestamp;

/// The folder of the database in the data folder.
pub(in crate::stores) const FOLDER: &str = "fjall";
/// Streams whose end is remembered.
const HEADS_KEPT: usize = 100_000;

/// A journal in a data folder. Dropping it without [`close`](crate::Store::close) is safe.
#[derive(Debug)]
pub struct FjallStore {
    shared: Shared,
    report: OpenReport,
}

/// What commits and reads share. Fields are dropped in order: the folder is let go last.
#[derive(Debug)]
struct Shared {
    disk: Disk,
    group_bytes: usize,
    writer: Mutex<Writer>,
    mark: Mutex<MarkFile>,
    state: Mutex<State>,
    blocks: Blocks,
    trails: Trails,
    note: Note,
    folder: Folder,
}

/// One commit at a time.
#[derive(Debug)]
struct Writer {
    epoch: Epoch,
    closed: bool,
    acknowledged: Acknowledged,
}

#[derive(Debug)]
struct State {
    tip: Tip,
    /// Ends of streams that were written last.
    heads: HashMap<StreamId, Entry>,
    /// Why the store refuses work.
    dead: Option<String>,
}

impl FjallStore {
    /// Opens the data folder named by the options.
    ///
    /// # Errors
    /// [`Fault::Missing`], [`Fault::Foreign`], [`Fault::Locked`], [`Fault::NewerVersion`], [`Fault::Moved`],
    /// [`Fault::Moving`] as they say; [`Fault::Config`] for the folder of another store; [`Fault::Corrupt`] when something
    /// that was acknowledged is damaged or missing; [`Fault::Unavailable`] when no path was given or the disk does not answer.
    pub fn open(options: &StoreOptions) -> Result<Self, Fault> {
        Self::open_unless(options, |note| Some(note.refusal()))
    }

    /// Opens the folder unless what it says of a move forbids it.
    fn open_unless(
        options: &StoreOptions,
        forbids: impl FnOnce(&super::moved::Note) -> Option<Fault>,
    ) -> Result<Self, Fault> {
        let options = options.bounded();
        let open::Opened { folder, disk, mark, acknowledged, tip, report } = open::open(&options, forbids)?;
        let shared = Shared {
            disk,
            group_bytes: options.slot_bytes,
            writer: Mutex::new(Writer { epoch: mark.get().epoch, closed: false, acknowledged }),
            mark: Mutex::new(mark),
            state: Mutex::new(State { tip, heads: HashMap::new(), dead: None }),
            blocks: Blocks::default(),
            trails: Trails::default(),
            note: Note::in_folder(folder.path()),
            folder,
        };
        Ok(FjallStore { shared, report })
    }
}

/// The folder of the database.
fn database(dir: &Path) -> std::path::PathBuf {
    dir.join(FOLDER)
}

/// The end that a group makes.
fn tip_of(group: &Group<'_>) -> Tip {
    let header = &group.header;
    Tip { position: header.last_position(), group: header.number, at: header.at, hash: group.hash }
}

impl View for Shared {
    fn tip(&self) -> Tip {
        lock(&self.state).tip.clone()
    }

    fn entry(&self, stream: &StreamId) -> Result<Option<Entry>, Fault> {
        let known = lock(&self.state).heads.get(stream).cloned();
        known.map_or_else(|| self.disk.entry(stream), |entry| Ok(Some(entry)))
    }

    fn key(&self, key: &IdempotencyKey) -> Result<Option<StreamId>, Fault> {
        self.disk.key(key)
    }

    fn pruned(&self, mark: &Mark) -> Result<Option<u64>, Fault> {
        self.disk.pruned(mark)
    }

    fn group(&self, number: u64) -> Result<Option<GroupBytes>, Fault> {
        if let Some(found) = self.blocks.find(number) {
            return Ok(Some(found));
        }
        let (first, last) = self.blocks.worth(number);
        self.blocks.keep(self.disk.groups(first, last)?);
        if let Some(found) = self.blocks.find(number) {
            return Ok(Some(found));
        }
        // One that is being committed is there before it is in any range.
        self.blocks.keep(self.disk.groups(number, number)?);
        Ok(self.blocks.find(number))
    }
}

impl Shared {
    /// Ends the store; the first reason is the one that is told.
    fn refuse(&self, reason: &str) {
        lock(&self.state).dead.get_or_insert_with(|| reason.to_owned());
    }

    fn alive(&self) -> Result<(), Fault> {
        match &lock(&self.state).dead {
            None => Ok(()),
            Some(why) => Err(Fault::Unavailable {
                reason: format!(
                    "a write failed and the store refuses work until it is opened again. cause={why}"
                ),
            }),
        }
    }

    fn fatal<T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.inspect_err(|fault| self.refuse(&fault.to_string()))
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
        let writer = lock(&self.writer);
        self.alive()?;
        if writer.closed {
            return Err(Fault::Unavailable { reason: "it was closed; open it again".into() });
        }
        if epoch != writer.epoch {
            return Err(Fault::Fenced { held: writer.epoch, given: epoch });
        }
        let limits = Limits { group_bytes: self.group_bytes, groups: usize::MAX };
        let plan = plan(self, &self.tip(), (epoch, at), appends, limits).map_err(|fault| match fault {
            // What failed before anything was written ends nothing.
            Fault::Unavailable { reason } => Fault::Full { reason },
            fault => fault,
        })?;
        let Plan { answers, groups, changes, tip } = plan;
        if !groups.is_empty() {
            self.fatal(self.write(&writer, &groups, changes, epoch, tip))?;
        }
        Ok(answers)
    }

    /// Writes groups that follow the last one, durable and visible on return.
    fn write(
        &self,
        writer: &Writer,
        groups: &[Arc<[u8]>],
        changes: Changes,
        epoch: Epoch,
        tip: Tip,
    ) -> Result<(), Fault> {
        let first = tip.group + 1 - groups.len() as u64;
        let row = Row { identity: lock(&self.mark).get().identity, first, epoch, tip };
        self.disk.commit(groups, &changes, &row, |stream| self.entry(stream))?;
        if !self.folder.is_in_place() {
            return Err(Fault::Unavailable {
                reason: format!("the data folder is gone. path={}", self.folder.path().display()),
            });
        }
        writer.acknowledged.write(&row.tip).map_err(|e| Fault::Unavailable {
            reason: format!("the file {} cannot be written. error={e}", acknowledged::NAME),
        })?;
        let mut state = lock(&self.state);
        if state.heads.len() > HEADS_KEPT {
            state.heads.clear();
        }
        state.heads.extend(changes.entries);
        state.tip = row.tip;
        Ok(())
    }

    fn save_snapshot(&self, stream: &StreamId, snapshot: &Snapshot) -> Result<(), Fault> {
        let Snapshot { revision, hash, version, state } = snapshot;
        let bytes = codec::encode(&(revision, hash, version, state))?;
        self.disk.keep(SNAPSHOT, &stream_key(stream), &bytes)
    }

    fn load_snapshot(&self, stream: &StreamId) -> Result<Option<Snapshot>, Fault> {
        let Some(bytes) = self.disk.kept(SNAPSHOT, &stream_key(stream))? else { return Ok(None) };
        // Written by a program with another layout: as good as lost.
        let Ok((revision, hash, version, state)) = codec::decode::<(Seq, ChainHash, u16, Vec<u8>)>(&bytes)
        else {
            return Ok(None);
        };
        let known = self.entry(stream)?.map_or(0, |entry| entry.revision);
        Ok((revision <= known).then_some(Snapshot { revision, hash, version, state }))
    }

    fn save_projection(&self, name: &str, at: Position, bytes: &[u8]) -> Result<(), Fault> {
        self.disk.keep(PROJECTION, name.as_bytes(), &[&at.to_be_bytes(), bytes].concat())
    }

    fn load_projection(&self, name: &str) -> Result<Option<(Position, Vec<u8>)>, Fault> {
        let bytes = self.disk.kept(PROJECTION, name.as_bytes())?;
        let Some((at, bytes)) = bytes.as_deref().and_then(|bytes| bytes.split_first_chunk()) else {
            return Ok(None);
        };
        let at = Position::from_be_bytes(*at);
        Ok((at <= self.tip().position).then(|| (at, bytes.to_vec())))
    }

    fn close(&self) -> Result<(), Fault> {
        let mut writer = lock(&self.writer);
        self.alive()?;
        writer.closed = true;
        let tip = self.tip();
        let marked = lock(&self.mark).change(|mark| (mark.closed, mark.archived) = (true, tip));
        self.fatal(marked)
    }
}

#[cfg(test)]
#[path = "test.rs"]
mod tests;
