//! A data folder written anew without the streams that are pruned, in the place of the old one.
//!
//! ```text
//!  DIR ─────────────────────── opens ───────────────────┐
//!  DIR.pruning/new.restoring   written, opens never     │ one exchange of two names
//!  DIR.pruning/new             whole and durable ───────┴──► DIR; what was DIR is removed
//! ```
//!
//! A crash before the exchange leaves the old folder, one behind it the new; what lies in `DIR.pruning` is removed by whoever
//! prunes next. Nobody opens `DIR.pruning` itself.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::StoreOptions;
use super::backup::NewJournal;
use super::local::{self, Local};
use crate::group::{Frame, Group, GroupBuilder, Part};
use crate::{Append, ChainHash, Epoch, Fault, Mark, Position, Pruned, Record, Store, Tip};
use quorate_core::kernel::ids::StreamId;
use quorate_core::kernel::time::Timestamp;

/// Records whose leavings stand in one group at most: about as many bytes as a pack has.
const RUN: usize = 800;
/// What of the folder is made anew, and so not taken along.
const MADE_ANEW: [&str; 16] = [
    // Keys that may be destroyed later are never copied: whoever prunes takes the files themselves along.
    "subjects",
    "FORMAT",
    "FORMAT.new",
    "LOCK",
    "MOVE",
    "MOVE.new",
    "NOTE",
    "acknowledged",
    "fjall",
    "index",
    "log",
    "mark",
    "mark.new",
    "ring",
    "sled",
    "tlog",
];

fn unavailable(what: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::Unavailable { reason: format!("{what}. path={}, cause={error}", path.display()) }
}

/// A data folder that is held to be pruned.
#[derive(Debug)]
pub struct Held {
    store: Box<dyn Local>,
    /// Which one it is.
    name: &'static str,
    folder: PathBuf,
}

/// The folder in which the new one is made.
fn beside(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(".pruning");
    PathBuf::from(name)
}

fn remove(path: &Path) -> Result<(), Fault> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(unavailable("folder cannot be removed", path, &e))
        }
        _ => Ok(()),
    }
}

/// Removes what a pruning left that was cut off, and nothing else.
fn clear(beside: &Path) -> Result<(), Fault> {
    let names = match fs::read_dir(beside) {
        Ok(names) => names,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(unavailable("folder cannot be looked at", beside, &e)),
    };
    for name in names {
        let name = name.map_err(|e| unavailable("folder cannot be looked at", beside, &e))?.file_name();
        if name != "new" && name != "new.restoring" {
            return Err(Fault::Foreign { path: beside.display().to_string() });
        }
    }
    remove(beside)
}

fn sync(path: &Path) -> Result<(), Fault> {
    let synced = File::open(path).and_then(|dir| dir.sync_all());
    synced.map_err(|e| unavailable("folder cannot be synced", path, &e))
}

impl Held {
    /// Opens a data folder that nobody else has open, and removes what a pruning left there that was cut off.
    ///
    /// # Errors
    /// Those of opening the store, [`Fault::Locked`] among them; [`Fault::Foreign`] when something else stands where the new
    /// folder is made.
    pub fn take(folder: &Path) -> Result<Self, Fault> {
        let name = local::name_in(folder);
        let store = local::open(name, &StoreOptions { create: false, ..StoreOptions::at(folder) })?;
        // Under its own name, so that what is exchanged is the folder and not a link to it.
        let folder = folder.canonicalize().map_err(|e| unavailable("folder cannot be named", folder, &e))?;
        clear(&beside(&folder))?;
        Ok(Held { store, name, folder })
    }

    /// The journal.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The folder, under its own name.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Begins the new folder.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when a disk does not answer.
    pub fn begin(&self, pruning: u64) -> Result<Rewrite, Fault> {
        let work = beside(&self.folder);
        fs::create_dir_all(&work).map_err(|e| unavailable("folder cannot be made", &work, &e))?;
        let target = NewJournal::begin_in(self.name, &work.join("new"))?;
        // Whoever could look into the former folder can look into the new one, and nobody else.
        let shown = fs::metadata(&self.folder).map(|meta| meta.permissions());
        shown
            .and_then(|shown| fs::set_permissions(work.join("new.restoring"), shown))
            .map_err(|e| unavailable("folder cannot be made", &work, &e))?;
        Ok(Rewrite {
            target,
            pruning,
            groups: HashMap::new(),
            run: None,
            last: (0, Timestamp::MIN),
            position: 0,
            done: 0,
        })
    }

    /// Puts the new folder in the place of the old one, and removes the old one. Answers whether it is removed; what is left of
    /// it otherwise is of no use.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when a disk does not answer, or does not exchange two folders: then the old one is in its place.
    pub fn replace_by(
        self,
        rewrite: Rewrite,
        epoch: Epoch,
        take_along: impl FnOnce(&Path) -> Result<(), Fault>,
    ) -> Result<bool, Fault> {
        let Held { store, folder, .. } = self;
        let work = beside(&folder);
        let new = work.join("new");
        rewrite.target.finish(epoch, |into| {
            copy_others(&folder, into)?;
            take_along(into)?;
            give_to_same(&folder, into)
        })?;
        sync(&work)?;
        // Nothing is written to the old one any more, and nobody else opens it while it has its name.
        store.stop()?;
        renameat_with(CWD, &new, CWD, &folder, RenameFlags::EXCHANGE).map_err(|e| {
            unavailable("the file system does not exchange two folders in one step", &folder, &e.into())
        })?;
        let parent = folder.parent().unwrap_or(Path::new("/"));
        // The old folder goes only once the exchange survives a loss of power.
        sync(&work)?;
        sync(parent)?;
        drop(store);
        Ok(remove(&work).and_then(|()| sync(parent)).is_ok())
    }
}

/// Gives the new folder to whom the old one belongs, so that whoever served the one can serve the other.
fn give_to_same(from: &Path, to: &Path) -> Result<(), Fault> {
    let give = || {
        let meta = fs::metadata(from)?;
        fs::set_permissions(to, meta.permissions())?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let made = fs::metadata(to)?;
            if (made.uid(), made.gid()) != (meta.uid(), meta.gid()) {
                give_all(to, meta.uid(), meta.gid())?;
            }
        }
        Ok(())
    };
    give().map_err(|e: io::Error| unavailable("folder cannot be given to the owner of the old one", to, &e))
}

#[cfg(unix)]
fn give_all(path: &Path, user: u32, group: u32) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        for item in fs::read_dir(path)? {
            give_all(&item?.path(), user, group)?;
        }
    }
    std::os::unix::fs::chown(path, Some(user), Some(group))
}

/// Takes along what is not of the store itself.
fn copy_others(from: &Path, to: &Path) -> Result<(), Fault> {
    let copy = || {
        for item in fs::read_dir(from)? {
            let item = item?;
            if !MADE_ANEW.iter().any(|name| item.file_name() == *name) {
                copy_item(&item.path(), &to.join(item.file_name()))?;
            }
        }
        // When somebody was alive last. It is no part of the journal, and is synced with the folder.
        match fs::copy(from.join("NOTE"), to.join("NOTE")) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    };
    copy().map_err(|e: io::Error| unavailable("folder cannot be copied", from, &e))
}

fn copy_item(from: &Path, to: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(from)?.file_type();
    if kind.is_dir() {
        fs::create_dir_all(to)?;
        for item in fs::read_dir(from)? {
            let item = item?;
            copy_item(&item.path(), &to.join(item.file_name()))?;
        }
        return File::open(to)?.sync_all();
    }
    // Sockets and the like belong to a process that is gone.
    if kind.is_file() {
        fs::copy(from, to)?;
        File::open(to)?.sync_all()?;
    }
    Ok(())
}

/// A journal on its way into the new folder.
#[derive(Debug)]
pub struct Rewrite {
    target: NewJournal,
    pruning: u64,
    /// The last new group of each stream that is kept.
    groups: HashMap<StreamId, u64>,
    /// What pruned records left that is in no group yet.
    run: Option<Pruned>,
    /// Epoch and instant of the last old group.
    last: (Epoch, Timestamp),
    /// Position of the last record that was looked at.
    position: Position,
    /// Groups that were looked at.
    done: u64,
}

impl Rewrite {
    /// Takes the next group of the old journal, without the streams that are pruned. `leaf` is the hash of a record in the log over
    /// all records. Answers how many groups are done, and how many there are.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] for a group that is damaged; [`Fault::Unavailable`] when a disk does not answer.
    pub fn step(
        &mut self,
        held: &Held,
        prunes: &dyn Fn(&StreamId) -> bool,
        leaf: &dyn Fn(&Record) -> [u8; 32],
    ) -> Result<(u64, u64), Fault> {
        let all = held.store.end_of_journal().group;
        if self.done >= all {
            return Ok((all, all));
        }
        let bytes = held.store.sound_group(self.done + 1)?;
        let group = Group::parse_checked(&bytes)?;
        if group.header.first_position != self.position + 1 {
            let what = format!("positions have a gap. group={}", group.header.number);
            return Err(Fault::Corrupt { what });
        }
        self.last = (group.header.epoch, group.header.at);
        let mut builder = None;
        for part in group.parts() {
            match part? {
                Part::Frame(frame) if prunes(&frame.stream) => self.prune(&frame, &mut builder, leaf)?,
                Part::Frame(frame) => self.keep(&frame, &mut builder),
                Part::Pruned(run) => {
                    self.position = run.last_position();
                    self.leave(run, &mut builder)?;
                }
            }
        }
        if let Some(builder) = builder {
            self.seal(builder)?;
        }
        self.done += 1;
        Ok((self.done, all))
    }

    fn new_group(&self, first_position: Position) -> GroupBuilder {
        let tip = self.target.tip();
        GroupBuilder::rewritten(tip.group + 1, first_position, self.last.0, self.last.1, &tip.hash)
    }

    fn keep(&mut self, frame: &Frame<'_>, builder: &mut Option<GroupBuilder>) {
        let run = self.run.take();
        let first = run.as_ref().map_or(frame.first_position, |run| run.first_position);
        let builder = builder.get_or_insert_with(|| self.new_group(first));
        if let Some(run) = run {
            builder.push_pruned(&run);
        }
        let number = self.target.tip().group + 1;
        let before = self.groups.insert(frame.stream.clone(), number).unwrap_or(0);
        builder.push_kept(frame, before);
        self.position = frame.last_position();
    }

    fn prune(
        &mut self,
        frame: &Frame<'_>,
        builder: &mut Option<GroupBuilder>,
        leaf: &dyn Fn(&Record) -> [u8; 32],
    ) -> Result<(), Fault> {
        let mut marks: Vec<Mark> = frame.key.iter().map(Mark::of_key).collect();
        if frame.first_seq == 1 {
            marks.push(Mark::of_stream(&frame.stream));
        }
        let leaves = frame.records()?.iter().map(leaf).collect();
        self.position = frame.last_position();
        let run = Pruned { first_position: frame.first_position, pruning: self.pruning, leaves, marks };
        self.leave(run, builder)
    }

    /// Adds to what was left so far; what is long enough, or of another pruning, goes into a group.
    fn leave(&mut self, run: Pruned, builder: &mut Option<GroupBuilder>) -> Result<(), Fault> {
        match &mut self.run {
            Some(open) if open.pruning == run.pruning && open.leaves.len() + run.leaves.len() <= RUN => {
                open.leaves.extend(run.leaves);
                open.marks.extend(run.marks);
            }
            _ => {
                self.let_go(builder)?;
                self.run = Some(run);
            }
        }
        Ok(())
    }

    /// Puts what was left into the open group, or into one of its own.
    fn let_go(&mut self, builder: &mut Option<GroupBuilder>) -> Result<(), Fault> {
        let Some(run) = self.run.take() else { return Ok(()) };
        if let Some(builder) = builder {
            builder.push_pruned(&run);
            return Ok(());
        }
        let mut alone = self.new_group(run.first_position);
        alone.push_pruned(&run);
        self.seal(alone)
    }

    fn seal(&mut self, builder: GroupBuilder) -> Result<(), Fault> {
        self.target.add(&builder.finish().0)
    }

    /// Adds one last append behind everything, once all groups are done. Answers the end of the new journal.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when a disk does not answer.
    pub fn add_last(&mut self, epoch: Epoch, at: Timestamp, append: &Append) -> Result<Tip, Fault> {
        self.let_go(&mut None)?;
        self.last = (epoch, at.max(self.last.1));
        let mut builder = self.new_group(self.position + 1);
        builder.push(append, self.groups.get(&append.stream).copied().unwrap_or(0));
        self.seal(builder)?;
        Ok(self.target.tip().clone())
    }

    /// Keeps what the runtime derived from the journal up to a position.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when a disk does not answer.
    pub fn keep_projection(&self, name: &str, at: Position, bytes: &[u8]) -> Result<(), Fault> {
        self.target.keep_projection(name, at, bytes)
    }

    /// The hash of the last new group.
    pub fn tip_hash(&self) -> ChainHash {
        self.target.tip().hash
    }
}

#[cfg(test)]
#[path = "prune_test.rs"]
mod tests;
