//! Moves a journal from one store to another, byte for byte: the same groups, hashes and positions, and an epoch above
//! every earlier one.
//!
//! ```text
//!  FROM in force ─copy─► TO begun ─copy─► TO complete ─► FROM moved away ─► TO in force
//!       opens            refuses          refuses        refuses both       opens, FROM refuses
//! ```
//!
//! Each step is durable before the next begins, so at no instant both stores open. A move that was cut off anywhere goes
//! on where it stood when it is begun again, and only between the last two steps neither store opens until it is.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(feature = "store-fjall")]
use super::fjall::FjallStore;
use super::local::{self, Local};
use super::moved::Note;
#[cfg(feature = "store-postgres")]
use super::postgres::PostgresStore;
use super::sled::SledStore;
use super::sled::folder::private;
use super::sled::format::{self, Format};
use super::sled::log::segment::sync_dir;
use super::sled::moved::{self, remove, write};
use super::{DatabaseUrl, StoreOptions};
use crate::group::Group;
use crate::{Epoch, Fault, Tip};

/// Bytes of groups taken at a time.
const BATCH: usize = 4 << 20;
const FORMAT: &str = "FORMAT";

/// Where a journal is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A data folder; one that is not there yet is made by the default store.
    Folder(PathBuf),
    /// A data folder of the store of this name.
    FolderOf(PathBuf, String),
    /// A database.
    Database(DatabaseUrl),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Folder(path) | Place::FolderOf(path, _) => write!(f, "{}", path.display()),
            Place::Database(url) => write!(f, "{url}"),
        }
    }
}

impl Place {
    /// The same place, with the store that stands there or is to be made there.
    fn settled(&self) -> Place {
        match self {
            Place::Folder(path) => Place::FolderOf(path.clone(), local::name_in(path).to_owned()),
            Place::FolderOf(..) | Place::Database(_) => self.clone(),
        }
    }

    /// What the other end writes down: the same for the same place, wherever it is called from.
    fn name(&self) -> Result<String, Fault> {
        let (Place::Folder(path) | Place::FolderOf(path, _)) = self else { return Ok(self.to_string()) };
        let absolute = std::path::absolute(path).map_err(|e| Fault::Unavailable {
            reason: format!("the folder cannot be named. path={}, error={e}", path.display()),
        })?;
        // One that is not there yet has no other name.
        Ok(absolute.canonicalize().unwrap_or(absolute).display().to_string())
    }
}

/// One end of a move, opened by the move alone.
pub(super) trait End {
    /// What it says of a move.
    fn note(&self) -> Result<Option<Note>, Fault>;
    /// The end of its journal.
    fn end(&self) -> Result<Tip, Fault>;
    /// The epoch in force.
    fn epoch(&self) -> Result<Epoch, Fault>;
    /// Groups from this number on, about as many bytes; empty behind the last.
    fn groups(&self, first: u64, bytes: usize) -> Result<Vec<Arc<[u8]>>, Fault>;
    /// Nobody else writes from here on.
    fn own(&self) -> Result<(), Fault>;
    /// Says durably that its journal comes from there; it is empty, or said so before.
    fn begin(&self, from: &str) -> Result<(), Fault>;
    /// Appends groups that follow its last one, durably.
    fn take_in(&self, groups: &[Arc<[u8]>]) -> Result<(), Fault>;
    /// Says durably that its journal has gone there.
    fn give_up(&self, to: &str) -> Result<(), Fault>;
    /// Opens for everybody, at an epoch of at least this.
    fn take_over(&self, epoch: Epoch) -> Result<(), Fault>;
}

/// A store in a folder, as a move needs it beside what [`Local`] has.
pub(super) trait Folder: Local {
    /// Where the folder is.
    fn path(&self) -> &Path;
    /// The epoch of the latest owner.
    fn epoch_in_force(&self) -> Epoch;
}

impl<F: Folder> End for F {
    fn note(&self) -> Result<Option<Note>, Fault> {
        moved::read(self.path())
    }

    fn end(&self) -> Result<Tip, Fault> {
        Ok(self.end_of_journal())
    }

    fn epoch(&self) -> Result<Epoch, Fault> {
        Ok(self.epoch_in_force())
    }

    fn groups(&self, first: u64, bytes: usize) -> Result<Vec<Arc<[u8]>>, Fault> {
        let (mut groups, mut sum) = (Vec::new(), 0);
        for number in first..=self.end_of_journal().group {
            let group = self.sound_group(number)?;
            sum += group.len();
            groups.push(group);
            if sum >= bytes {
                break;
            }
        }
        Ok(groups)
    }

    /// The lock of the folder is held since it was opened.
    fn own(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn begin(&self, from: &str) -> Result<(), Fault> {
        write(self.path(), &Note::Into(from.to_owned()))
    }

    fn take_in(&self, groups: &[Arc<[u8]>]) -> Result<(), Fault> {
        Local::take_in(self, 0, groups)
    }

    fn give_up(&self, to: &str) -> Result<(), Fault> {
        write(self.path(), &Note::Away(to.to_owned()))
    }

    fn take_over(&self, epoch: Epoch) -> Result<(), Fault> {
        Local::take_in(self, epoch, &[])?;
        self.stop()?;
        remove(self.path())
    }
}

/// How far a move is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Groups that stand in the new store.
    pub done: u64,
    /// Groups there are.
    pub of: u64,
}

fn open_folder(path: &Path, store: &str, create: bool) -> Result<Box<dyn End>, Fault> {
    let options = StoreOptions { create, ..StoreOptions::at(path) };
    match store {
        local::DEFAULT => Ok(Box::new(SledStore::open_to_move(&options)?)),
        #[cfg(feature = "store-fjall")]
        "fjall" => Ok(Box::new(FjallStore::open_to_move(&options)?)),
        other => Err(local::no_folder(other)),
    }
}

fn open(place: &Place, create: bool) -> Result<Box<dyn End>, Fault> {
    Ok(match place {
        Place::Folder(path) => open_folder(path, local::name_in(path), create)?,
        Place::FolderOf(path, store) => open_folder(path, store, create)?,
        #[cfg(feature = "store-postgres")]
        Place::Database(url) => {
            Box::new(PostgresStore::open(&StoreOptions { create, ..StoreOptions::in_database(url.clone()) })?)
        }
        #[cfg(not(feature = "store-postgres"))]
        Place::Database(url) => {
            let range = "a folder: this build has no store in a database".into();
            return Err(Fault::Config { knob: "store", value: url.to_string(), range });
        }
    })
}

/// Moves the journal in `from` to `to`, which is made, and is empty or the place of the same move that was cut off.
/// `progress` hears of it often. Returns the end of the journal.
///
/// # Errors
/// [`Fault::Config`] when both are the same place; [`Fault::Foreign`] when `to` holds something else;
/// [`Fault::Moved`] when `from` was moved elsewhere, [`Fault::Moving`] when it is itself the target of a move that was cut
/// off; [`Fault::Locked`] when either has an owner; the others as they say. After an error the move may be begun again.
pub fn move_journal(from: &Place, to: &Place, mut progress: impl FnMut(Progress)) -> Result<Tip, Fault> {
    let (from_name, to_name) = (from.name()?, to.name()?);
    if from_name == to_name {
        return Err(Fault::Config { knob: "to", value: to_name, range: "another place than `from`".into() });
    }
    let source = open(from, false)?;
    let gone = match source.note()? {
        None => false,
        Some(Note::Away(place)) if place == to_name => true,
        Some(note) => return Err(note.refusal()),
    };
    if let Some(first) = source.groups(1, 1)?.first()
        && Group::parse(first)?.header.version > 1
    {
        let range =
            "a journal that was not pruned; `quorate backup` and `quorate restore` copy one that was".into();
        return Err(Fault::Config { knob: "from", value: from_name, range });
    }
    // Once what was copied is cleared, the folder does not say any more which store it is of.
    let to = to.settled();
    if !gone {
        announce(&to, &from_name)?;
    }
    let target = match open(&to, !gone) {
        // Cut off in the middle of a copy, between what the database holds and what the mark says of it: the source has all.
        Err(Fault::Corrupt { .. }) if !gone && clear_announced(&to, &from_name)? => open(&to, true)?,
        opened => opened?,
    };
    let begun = match target.note()? {
        Some(Note::Into(place)) if place == from_name => true,
        Some(note) => return Err(note.refusal()),
        None => false,
    };
    if gone && !begun {
        // The last step was done; only its answer was lost.
        return arrived(&*source, &*target, &to_name);
    }
    target.own()?;
    if !begun {
        if target.end()?.group != 0 {
            return Err(Fault::Foreign { path: to_name });
        }
        target.begin(&from_name)?;
    }
    if !gone {
        // Most of it while somebody may still write; what comes meanwhile follows below.
        copy(&*source, &*target, &mut progress)?;
        source.own()?;
    }
    let tip = copy(&*source, &*target, &mut progress)?;
    let epoch = source.epoch()?;
    if !gone {
        source.give_up(&to_name)?;
    }
    target.take_over(epoch)?;
    Ok(tip)
}

fn unwritten(path: &Path, error: &io::Error) -> Fault {
    Fault::Unavailable { reason: format!("folder cannot be written. path={}, error={error}", path.display()) }
}

/// Says in a folder of which nothing is there yet where its journal comes from: so it is at no instant an empty store.
fn announce(to: &Place, from: &str) -> Result<(), Fault> {
    let (Place::Folder(path) | Place::FolderOf(path, _)) = to else { return Ok(()) };
    if format::look(path)? != Format::Nothing || moved::read(path)?.is_some() {
        return Ok(());
    }
    private(path).map_err(|e| unwritten(path, &e))?;
    write(path, &Note::Into(from.to_owned()))
}

/// Takes away what a move that was cut off had copied, if the journal of the folder is to come from there; what says so
/// stays. False when it is not.
fn clear_announced(to: &Place, from: &str) -> Result<bool, Fault> {
    let (Place::Folder(path) | Place::FolderOf(path, _)) = to else { return Ok(false) };
    if moved::read(path)? != Some(Note::Into(from.to_owned())) {
        return Ok(false);
    }
    let clear = || {
        for item in fs::read_dir(path)? {
            let item = item?;
            if item.file_type()?.is_dir() {
                fs::remove_dir_all(item.path())?;
            } else if item.file_name() != moved::NAME && item.file_name() != FORMAT {
                fs::remove_file(item.path())?;
            }
        }
        sync_dir(path)?;
        // Last, so that what is cut off here is still a store of which too little is there, and is cleared again.
        match fs::remove_file(path.join(FORMAT)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            Ok(()) | Err(_) => {}
        }
        sync_dir(path)
    };
    clear().map_err(|e: io::Error| unwritten(path, &e))?;
    Ok(true)
}

/// Copies what the target does not have.
fn copy(source: &dyn End, target: &dyn End, progress: &mut impl FnMut(Progress)) -> Result<Tip, Fault> {
    let end = source.end()?;
    let mut tip = target.end()?;
    if tip.group > end.group {
        return Err(Fault::Corrupt {
            what: format!(
                "the target has more groups than the source. target={}, source={}",
                tip.group, end.group
            ),
        });
    }
    loop {
        progress(Progress { done: tip.group, of: end.group });
        if tip.group >= end.group {
            break;
        }
        let groups = source.groups(tip.group + 1, BATCH)?;
        for bytes in &groups {
            let group = Group::parse_checked(bytes)?;
            let header = &group.header;
            if header.number != tip.group + 1
                || header.previous != tip.hash
                || header.first_position != tip.position + 1
            {
                return Err(Fault::Corrupt {
                    what: format!("a group does not follow the one before it. number={}", tip.group + 1),
                });
            }
            tip = Tip {
                position: header.last_position(),
                group: header.number,
                at: header.at,
                hash: group.hash,
            };
        }
        if groups.is_empty() {
            return Err(Fault::Corrupt { what: format!("a group is missing. number={}", tip.group + 1) });
        }
        target.take_in(&groups)?;
    }
    Ok(tip)
}

/// A move that had ended: the target holds everything the source had.
fn arrived(source: &dyn End, target: &dyn End, to: &str) -> Result<Tip, Fault> {
    let (end, tip) = (source.end()?, target.end()?);
    let same = match end.group {
        0 => true,
        number => target
            .groups(number, 1)?
            .first()
            .map(|bytes| Group::parse_checked(bytes).map(|group| group.hash == end.hash))
            .transpose()?
            .unwrap_or(false),
    };
    if same { Ok(tip) } else { Err(Fault::Moved { to: to.to_owned() }) }
}

#[cfg(test)]
#[path = "moving_test.rs"]
mod tests;
