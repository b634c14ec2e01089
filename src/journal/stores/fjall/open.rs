//! Opens a data folder: looks at everything first, and lets the engine at its files only when nothing was refused.
//!
//! | found | means |
//! |---|---|
//! | a batch at the end of the journal that was never finished, and never acknowledged | it is cut off, and reported |
//! | a file that does not fit its checksum, or is missing | damage |
//! | the journal ends before what was acknowledged, or before the mark | it lost its end: damage |
//! | the journal goes on behind the mark of a store that was closed | the mark is older: damage |
//! | the journal is another store's | damage |
//! | what was acknowledged is not said, though the folder was owned before | the file was taken away: damage |

use std::fs::{self, File};
use std::path::Path;

use super::super::heads::Entry;
use super::super::layout::corrupt;
use super::super::moved::Note;
use super::super::sled::acknowledged::{self, Acknowledged, Witness};
use super::super::sled::folder::Folder;
use super::super::sled::log::segment::sync_dir;
use super::super::sled::mark::{self, Mark, MarkFile};
use super::super::sled::{format, moved};
use super::super::{Durability, StoreOptions};
use super::disk::{Disk, Row};
use super::inspect::{Seen, Torn, inspect};
use super::{database, loss, tip_of};
use crate::group::{GROUP_TRAILER, Group};
use crate::{ChainHash, Fault, OpenReport, Tip};
use quorate_core::kernel::time::Timestamp;

/// A folder that is open.
#[derive(Debug)]
pub(super) struct Opened {
    pub folder: Folder,
    pub disk: Disk,
    pub mark: MarkFile,
    pub acknowledged: Acknowledged,
    pub tip: Tip,
    pub report: OpenReport,
}

/// The end of a journal with nothing in it.
pub(super) fn nothing() -> Tip {
    Tip { position: 0, group: 0, at: Timestamp::MIN, hash: ChainHash::default() }
}

pub(super) fn unavailable(what: &str, path: &Path, error: &std::io::Error) -> Fault {
    Fault::Unavailable { reason: format!("{what}. path={}, error={error}", path.display()) }
}

pub(super) fn open(
    options: &StoreOptions,
    forbids: impl FnOnce(&Note) -> Option<Fault>,
) -> Result<Opened, Fault> {
    let Some(path) = &options.path else {
        return Err(Fault::Unavailable { reason: "no data folder was named; give the store a path".into() });
    };
    let durable = options.durability != Durability::None;
    let folder = Folder::open(path, options.create, options.accept_loss, format::FJALL)?;
    if let Some(refusal) = moved::read(path)?.as_ref().and_then(forbids) {
        return Err(refusal);
    }
    let mut report = OpenReport::default();
    let (disk, tip) = match folder.format {
        None => make(&folder, options, durable)?,
        Some(_) => match read(&folder, options, &mut report) {
            Ok(read) => read,
            Err(Fault::Corrupt { what }) if options.accept_loss => {
                report = loss::accept(&folder, options, &what)?;
                read(&folder, options, &mut report)?
            }
            Err(fault) => return Err(fault),
        },
    };
    let mut mark = MarkFile::open(path, durable)?;
    let epoch = disk.row()?.map_or(0, |row| row.epoch);
    mark.change(|mark| {
        mark.closed = false;
        mark.archived = tip.clone();
        mark.epoch = mark.epoch.max(epoch);
    })?;
    let acknowledged = Acknowledged::open(path, mark.get().identity, &tip)?;
    if let Some(what) = &folder.damage {
        folder.begin().and_then(|()| folder.finish())?;
        report.repaired.push(format!("{what}, and is written anew"));
    }
    Ok(Opened { folder, disk, mark, acknowledged, tip, report })
}

/// Makes a store where there is none.
fn make(folder: &Folder, options: &StoreOptions, durable: bool) -> Result<(Disk, Tip), Fault> {
    let database = database(folder.path());
    // Left by a making that was cut off.
    remove(&database)?;
    let disk = Disk::open(&database, options)?;
    let mark = Mark::new(nothing(), 0, 0);
    Acknowledged::open(folder.path(), mark.identity, &nothing())?;
    MarkFile::make(folder.path(), mark, durable)?;
    folder.finish()?;
    Ok((disk, nothing()))
}

/// Removes a folder, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), Fault> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(unavailable("folder cannot be removed", path, &e))
        }
        _ => Ok(()),
    }
}

/// Reads mark and database, and compares them with what was acknowledged. Changes nothing.
///
/// # Errors
/// [`Fault::Corrupt`] for everything that is no unfinished write.
pub(super) fn look(dir: &Path, checked: bool) -> Result<(Mark, Seen), Fault> {
    let (_, mark) = mark::read(dir)?;
    let seen = inspect(&database(dir))?;
    if let Some(row) = &seen.row {
        compare(dir, checked, &mark, Some(row))?;
    }
    Ok((mark, seen))
}

/// Compares what the journal ends with, with what is known of it outside.
fn compare(dir: &Path, checked: bool, mark: &Mark, row: Option<&Row>) -> Result<(), Fault> {
    let tip = row.map_or_else(nothing, |row| row.tip.clone());
    if row.is_some_and(|row| row.identity != mark.identity) {
        return Err(corrupt("the database is that of another store, or the mark is"));
    }
    let before = |what: &str, group: u64, position: u64| {
        Err(corrupt(format!(
            "the journal ends before {what}. missing: groups {} to {group}, positions {} to {position}",
            tip.group + 1,
            tip.position + 1
        )))
    };
    match acknowledged::read(dir, &mark.identity)? {
        Witness::Upto { group, position } if group > tip.group => {
            return before("what was acknowledged", group, position);
        }
        // Nobody was ever given an epoch to commit under.
        Witness::Missing if mark.epoch > 0 && checked => {
            return Err(corrupt(format!(
                "the file {} is missing, so nothing says whether the journal lost its end. group={}",
                acknowledged::NAME,
                tip.group
            )));
        }
        Witness::Upto { .. } | Witness::Missing | Witness::Damaged => {}
    }
    let marked = &mark.archived;
    if marked.group > tip.group {
        return before("what the mark says", marked.group, marked.position);
    }
    if marked.group < tip.group && mark.closed {
        return Err(corrupt(format!(
            "the mark is older than the journal: it says that the store was closed. marked_group={}, group={}",
            marked.group, tip.group
        )));
    }
    if marked.group == tip.group && marked.hash != tip.hash {
        return Err(corrupt(format!("the mark speaks of another journal. group={}", tip.group)));
    }
    Ok(())
}

/// Reads everything there is. Damage is a fault.
fn read(folder: &Folder, options: &StoreOptions, report: &mut OpenReport) -> Result<(Disk, Tip), Fault> {
    let (mark, seen) = look(folder.path(), folder.checked)?;
    if let Some(torn) = &seen.torn {
        cut_off(folder, torn, seen.row.is_none())?;
        report.dropped.push(format!(
            "the end of the journal was never finished, and nobody was told that it was written. file={}, offset={}",
            torn.path.display(),
            torn.upto
        ));
    }
    let path = database(folder.path());
    // The engine makes its lock file with the database and nothing stands in it.
    let lock = path.join("lock");
    File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&lock)
        .map_err(|e| unavailable("file cannot be opened", &lock, &e))?;
    let disk = Disk::open(&path, options)?;
    let row = disk.row()?;
    compare(folder.path(), folder.checked, &mark, row.as_ref())?;
    agree(&disk, &seen, row.as_ref())?;
    if acknowledged::read(folder.path(), &mark.identity)? == Witness::Damaged {
        report.repaired.push(format!("the file {} was damaged, and is written anew", acknowledged::NAME));
    }
    Ok((disk, row.map_or_else(nothing, |row| row.tip)))
}

/// Cuts an unfinished batch off, as the engine would do, but for one that it refuses.
fn cut_off(folder: &Folder, torn: &Torn, alone: bool) -> Result<(), Fault> {
    let cut = || {
        if alone {
            // Without a whole commit before it nothing in the journal says that it is the end.
            let lost = folder.make_lost().map_err(std::io::Error::other)?;
            fs::copy(&torn.path, lost.join("journal"))?;
            File::open(lost.join("journal"))?.sync_all()?;
            sync_dir(&lost)?;
            sync_dir(folder.path())?;
        }
        let file = File::options().write(true).open(&torn.path)?;
        file.set_len(torn.upto)?;
        file.sync_all()
    };
    cut().map_err(|e| unavailable("the end of the journal cannot be cut off", &torn.path, &e))
}

/// Checks that what the engine shows is what its files held: the end, the groups around each journal, and the heads of the
/// last group.
fn agree(disk: &Disk, seen: &Seen, row: Option<&Row>) -> Result<(), Fault> {
    if let Some(said) = &seen.row
        && row != Some(said)
    {
        return Err(corrupt(format!(
            "the database does not end where its journal does. journal_group={}, group={}",
            said.tip.group,
            row.map_or(0, |row| row.tip.group)
        )));
    }
    let group = |number: u64| {
        let found = disk.groups(number, number)?.pop();
        found.ok_or_else(|| corrupt(format!("a group is missing. number={number}"))).map(|(_, bytes)| bytes)
    };
    for span in &seen.spans {
        let (first, previous) = span.first;
        for number in [first, span.last] {
            group(number)?;
        }
        if first > 1 && !group(first - 1)?.ends_with(&previous.0) {
            return Err(corrupt(format!("a group does not follow the one before it. number={first}")));
        }
    }
    let Some(Row { tip, .. }) = row else { return Ok(()) };
    let bytes = group(tip.group)?;
    let last = Group::parse_checked(&bytes)?;
    debug_assert!(bytes.len() > GROUP_TRAILER);
    if (tip_of(&last).position, last.hash, last.header.number) != (tip.position, tip.hash, tip.group) {
        return Err(corrupt(format!(
            "the last group is not the one that was committed last. number={}",
            tip.group
        )));
    }
    for frame in last.frames() {
        let stream = frame?.stream;
        if disk.entry(&stream)?.is_none_or(|Entry { last_group, .. }| last_group != tip.group) {
            return Err(corrupt(format!("the index does not agree with the last group. stream={stream}")));
        }
    }
    Ok(())
}
