//! A new data folder from groups, which counts only once all of it is there.
//!
//! ```text
//!  NEW.restoring/   made and filled; FORMAT is called FORMAT.new, so that nobody opens it
//!       │           all of it is on disk
//!       ▼ rename
//!  NEW/             still not opened by anybody
//!       ▼ FORMAT.new ──rename──► FORMAT
//!  NEW/             a store
//! ```

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::group::Group;
use crate::stores::StoreOptions;
use crate::stores::local::{self, Local};
use crate::stores::salvage::{ReadStore, free};
use crate::stores::sled::format::{self, Format};
use crate::stores::walk::View;
use crate::{ChainHash, Epoch, Fault, Position, Tip};
use quorate_core::kernel::time::Timestamp;

/// Bytes of groups written at a time.
const BATCH: usize = 8 << 20;
const FORMAT: &str = "FORMAT";
const NOT_YET: &str = "FORMAT.new";
const LOCK: &str = "LOCK";

/// A journal that is made of groups, byte for byte.
#[derive(Debug)]
pub struct NewJournal {
    target: PathBuf,
    work: PathBuf,
    pub(super) store: Box<dyn Local>,
    epoch: Epoch,
    pub(super) batch: Vec<Arc<[u8]>>,
    bytes: usize,
    tip: Tip,
    /// Is there a group of a journal that was pruned among them?
    pruned: bool,
}

fn unavailable(what: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::Unavailable { reason: format!("{what}. path={}, error={error}", path.display()) }
}

/// The folder in which a new journal is made that will stand in `to`.
///
/// # Errors
/// [`Fault::Foreign`] for a place without a name.
pub fn work_of(to: &Path) -> Result<PathBuf, Fault> {
    let no_name = || Fault::Foreign { path: to.display().to_string() };
    let mut name = to.file_name().ok_or_else(no_name)?.to_owned();
    name.push(".restoring");
    Ok(to.with_file_name(name))
}

/// Was a folder left by a restore that was cut off? Then nothing in it counts.
///
/// # Errors
/// [`Fault::Unavailable`] when the disk does not answer.
pub fn unfinished(path: &Path) -> Result<bool, Fault> {
    let there = |name: &str| path.join(name).try_exists();
    let look = || Ok(path.is_dir() && there(NOT_YET)? && !there(FORMAT)?);
    look().map_err(|e: io::Error| unavailable("folder cannot be looked at", path, &e))
}

/// Was the work cut off before `FORMAT` had its other name? Then it is a store without a group.
fn is_only_made(work: &Path) -> Result<bool, Fault> {
    let made =
        work.join(FORMAT).try_exists().map_err(|e| unavailable("folder cannot be looked at", work, &e))?;
    if !made {
        return Ok(false);
    }
    let store = ReadStore::open(work)?;
    Ok(store.refusal().is_none() && store.damage().is_none() && store.tip().group == 0)
}

/// Takes away what counts for nothing. What says so goes last, so that it is taken away whenever this is cut off.
fn remove(path: &Path) -> Result<(), Fault> {
    free(path)?;
    let clear = || {
        match fs::rename(path.join(FORMAT), path.join(NOT_YET)) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            Ok(()) | Err(_) => {}
        }
        for item in fs::read_dir(path)? {
            let item = item?;
            if item.file_type()?.is_dir() {
                fs::remove_dir_all(item.path())?;
            } else if item.file_name() != NOT_YET && item.file_name() != LOCK {
                fs::remove_file(item.path())?;
            }
        }
        fs::remove_dir_all(path)
    };
    clear().map_err(|e| unavailable("folder cannot be cleared", path, &e))
}

/// Makes room for a folder: what a restore left that was cut off goes, anything else stays and is refused.
fn clear(path: &Path) -> Result<(), Fault> {
    let is_empty = match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_none(),
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(unavailable("folder cannot be looked at", path, &e)),
    };
    if is_empty {
        return Ok(());
    }
    // Cut off before or after there was anything of a store.
    if unfinished(path)? || format::look(path)? == Format::Nothing {
        return remove(path);
    }
    Err(Fault::Foreign { path: path.display().to_string() })
}

fn sync(path: &Path) -> Result<(), Fault> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(|e| unavailable("folder cannot be synced", path, &e))
}

fn rename(from: &Path, to: &Path) -> Result<(), Fault> {
    fs::rename(from, to).map_err(|e| unavailable("name cannot be changed", from, &e))
}

impl NewJournal {
    /// Begins one of the default store that will stand in the folder `to`, which is missing or empty, or was left by a restore
    /// that was cut off.
    ///
    /// # Errors
    /// [`Fault::Foreign`] when there is something in it, or beside it under the name of the work; [`Fault::Locked`] while
    /// another restore is at work there; [`Fault::Unavailable`] when a disk does not answer.
    pub fn begin(to: &Path) -> Result<Self, Fault> {
        Self::begin_in(local::DEFAULT, to)
    }

    /// As [`NewJournal::begin`], a folder of the store of this name.
    ///
    /// # Errors
    /// [`Fault::Config`] for the name of a store that this build does not keep in folders, before anything is touched; the
    /// others as there.
    pub fn begin_in(store: &str, to: &Path) -> Result<Self, Fault> {
        local::check(store)?;
        let work = work_of(to)?;
        clear(to)?;
        match is_only_made(&work)? {
            true => remove(&work)?,
            false => clear(&work)?,
        }
        let store = local::open(store, &StoreOptions::at(&work))?;
        // From here on nobody opens it; before, there is nothing in it.
        rename(&work.join(FORMAT), &work.join(NOT_YET))?;
        sync(&work)?;
        let tip = Tip { position: 0, group: 0, at: Timestamp::MIN, hash: ChainHash::default() };
        Ok(NewJournal {
            target: to.to_owned(),
            work,
            store,
            epoch: 0,
            batch: Vec::new(),
            bytes: 0,
            tip,
            pruned: false,
        })
    }

    /// Adds the group that follows, which must be sound.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] for one that does not follow; [`Fault::Unavailable`] when the disk does not answer.
    pub fn add(&mut self, group: &[u8]) -> Result<(), Fault> {
        let header = Group::parse_checked(group)?;
        let (hash, header) = (header.hash, header.header);
        if header.number != self.tip.group + 1 || header.previous != self.tip.hash {
            return Err(Fault::Corrupt { what: format!("group does not follow. number={}", header.number) });
        }
        self.epoch = self.epoch.max(header.epoch);
        self.pruned |= header.version > 1;
        self.tip = Tip { position: header.last_position(), group: header.number, at: header.at, hash };
        self.bytes += group.len();
        self.batch.push(Arc::from(group));
        if self.bytes >= BATCH {
            self.bytes = 0;
            self.store.take_in(self.epoch, &std::mem::take(&mut self.batch))?;
        }
        Ok(())
    }

    /// The end of the journal so far.
    pub fn tip(&self) -> &Tip {
        &self.tip
    }

    /// Keeps what the runtime derived from the journal up to a position; losing it costs only time.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when the disk does not answer.
    pub fn keep_projection(&self, name: &str, at: Position, bytes: &[u8]) -> Result<(), Fault> {
        self.store.keep_projection(name, at, bytes)
    }

    /// Makes all of it durable and puts it into its place. `beside` is told the folder before, to put files into it. The next
    /// owner gets a higher epoch than `epoch`.
    ///
    /// # Errors
    /// Those of `beside`; [`Fault::Unavailable`] when the disk does not answer: then nothing stands in the place.
    pub fn finish(self, epoch: Epoch, beside: impl FnOnce(&Path) -> Result<(), Fault>) -> Result<Tip, Fault> {
        self.store.take_in(self.epoch.max(epoch), &self.batch)?;
        self.store.stop()?;
        let layout = self.store.layout(self.pruned);
        drop(self.store);
        beside(&self.work)?;
        if self.pruned {
            // Still called FORMAT.new: nobody opens it, and earlier programs never will.
            let path = self.work.join(NOT_YET);
            let write = || {
                let mut file = File::create(&path)?;
                file.write_all(format::text(layout).as_bytes())?;
                file.sync_all()
            };
            write().map_err(|e| unavailable("file cannot be written", &path, &e))?;
        }
        sync(&self.work)?;
        // An empty folder in the place is replaced by it.
        rename(&self.work, &self.target)?;
        sync(self.target.parent().unwrap_or(Path::new(".")))?;
        rename(&self.target.join(NOT_YET), &self.target.join(FORMAT))?;
        sync(&self.target)?;
        Ok(self.tip)
    }
}
