//! Opens a data folder: reads and decides first, and writes only when nothing was refused.

use std::fs;
use std::path::Path;

use super::super::moved::Note;
use super::super::{Durability, StoreOptions};
use super::acknowledged::Acknowledged;
use super::disk::{Disk, corrupt};
use super::folder::Folder;
use super::inspect::{self, End};
use super::log::{self, Log, segment};
use super::mark::{Mark, MarkFile};
use super::replay::{self, Found, Tail};
use super::{caches, format, inspect_tip, moved, ring};
use crate::{ChainHash, Fault, OpenReport, Tip};
use quorate_core::kernel::time::Timestamp;

/// A folder that is open.
#[derive(Debug)]
pub(super) struct Opened {
    pub folder: Folder,
    pub disk: Disk,
    pub log: Log,
    pub mark: MarkFile,
    pub tail: Tail,
    pub acknowledged: Acknowledged,
}

pub(super) fn open(
    options: &StoreOptions,
    forbids: impl FnOnce(&Note) -> Option<Fault>,
) -> Result<Opened, Fault> {
    let Some(path) = &options.path else {
        return Err(Fault::Unavailable { reason: "no data folder was named; give the store a path".into() });
    };
    let durable = options.durability != Durability::None;
    let folder = Folder::open(path, options.create, options.accept_loss, format::NEWEST)?;
    if let Some(refusal) = moved::read(path)?.as_ref().and_then(forbids) {
        return Err(refusal);
    }
    let mut disk = None;
    let mut before = None;
    match folder.format {
        None => disk = Some(make(&folder, options, durable)?),
        Some(1) => {
            let (converted, report) = ring::convert(&folder, options, durable)?;
            (disk, before) = (Some(converted), Some(report));
        }
        Some(_) => ring::remove(&folder)?,
    }
    let (disk, mut found, mut tail) = read(&folder, options, durable, disk)?;
    if let Some(before) = before {
        tail.report.groups_replayed += before.groups_replayed;
        tail.report.accepted_loss |= before.accepted_loss;
        tail.report.dropped.splice(..0, before.dropped);
    }
    let mut mark = MarkFile::open(folder.path(), durable)?;
    disk.remove_packs_after(tail.tip.group)?;
    let log = go_on(&folder, options, &mut mark, &mut found, &disk)?;
    let acknowledged = Acknowledged::open(folder.path(), found.mark.identity, &tail.tip)?;
    say_format(&folder, &mut tail.report)?;
    Ok(Opened { folder, disk, log, mark, tail, acknowledged })
}

/// Writes `FORMAT` anew when it was damaged, or had no check.
fn say_format(folder: &Folder, report: &mut OpenReport) -> Result<(), Fault> {
    // Converting wrote it.
    if folder.checked || folder.format == Some(1) {
        return Ok(());
    }
    let written = folder.begin().and_then(|()| folder.finish());
    match &folder.damage {
        Some(what) => {
            written?;
            report.repaired.push(format!("{what}, and is written anew"));
        }
        // The next opening tries again.
        None => drop(written),
    }
    Ok(())
}

/// Makes the folder of the log, where it is missing.
fn make_log(folder: &Folder) -> Result<(), Fault> {
    let make = || {
        fs::create_dir_all(folder.log())?;
        segment::sync_dir(folder.path())
    };
    make().map_err(|e: std::io::Error| Fault::Unavailable {
        reason: format!("the folder of the log cannot be made. path={}, error={e}", folder.log().display()),
    })
}

/// Makes a store where there is none.
fn make(folder: &Folder, options: &StoreOptions, durable: bool) -> Result<Disk, Fault> {
    make_log(folder)?;
    // Left by a making that was cut off.
    segment::remove_below(&folder.log(), u64::MAX)?;
    let disk = Disk::open(&folder.database(), false, options)?;
    let nothing = Tip { position: 0, group: 0, at: Timestamp::MIN, hash: ChainHash::default() };
    if disk.archived()? != nothing {
        return Err(corrupt("the database holds a journal although no store was made here"));
    }
    let database_end = Some(disk.make_durable_upto(None)?);
    let mark = Mark { database_end, ..Mark::new(nothing.clone(), 0, 1) };
    Acknowledged::open(folder.path(), mark.identity, &nothing)?;
    MarkFile::make(folder.path(), mark, durable)?;
    folder.finish()?;
    Ok(disk)
}

/// Reads everything there is. Damage is a fault, unless a loss was accepted.
fn read(
    folder: &Folder,
    options: &StoreOptions,
    durable: bool,
    disk: Option<Disk>,
) -> Result<(Disk, Found, Tail), Fault> {
    let found = replay::look(folder).and_then(|mut found| {
        if disk.is_none() && look_at_database(folder.path(), &mut found)? {
            caches::set_aside(&folder.database())?;
        }
        Ok(found)
    });
    let open_disk = |disk: Option<Disk>, made: bool| {
        disk.map_or_else(|| Disk::open(&folder.database(), made, options), Ok)
    };
    let (disk, damage) = match found {
        Ok(mut found) => {
            // A database that is empty and should not be was seen to be made up for by the log.
            let disk = open_disk(disk, !found.reaches_back)?;
            match replay::settle(&disk, folder, &mut found) {
                Ok(tail) => return Ok((disk, found, tail)),
                Err(fault) => (Some(disk), fault),
            }
        }
        Err(fault) => (disk, fault),
    };
    let what = match damage {
        Fault::Corrupt { what } if options.accept_loss => what,
        fault => return Err(fault),
    };
    let lost = folder.make_lost()?;
    let go_on = || {
        if disk.is_none() && folder.database().exists() {
            // sled clears what it takes for the unfinished end of its file.
            copy(&folder.database(), &lost.join("sled"))?;
        }
        let disk = open_disk(disk, false)?;
        let report = replay::accept_loss(&disk, folder, &lost, options.pack_bytes, durable, &what)?;
        Ok((disk, report))
    };
    let went = go_on();
    // Gone only if nothing was put into it.
    let _ = fs::remove_dir(&lost);
    let (disk, report) = went?;
    let mut found = replay::look(folder)?;
    let mut tail = replay::settle(&disk, folder, &mut found)?;
    tail.report = report;
    Ok((disk, found, tail))
}

/// Reads the files of the database before sled does, compares it with log and mark, and writes nothing. One that would
/// be rolled back is no loss when the log holds everything behind the place it would be rolled back to: `found` then
/// says so. Answers whether the caches of the database are damaged.
///
/// # Errors
/// [`Fault::Corrupt`] when something is missing, or log and mark are older than the database.
pub(super) fn look_at_database(folder: &Path, found: &mut Found) -> Result<bool, Fault> {
    let (database, log) = (folder.join("sled"), folder.join("log"));
    let what = match inspect::inspect(&database, found.mark.database_end) {
        Ok(report) => {
            // Before sled opens its files, so that a refusal leaves them as they are.
            replay::compare(&log, found, &inspect_tip::archived(&database, report.end.lsn)?)?;
            return Ok(report.snapshot_damaged);
        }
        Err(Fault::Corrupt { what }) => what,
        Err(fault) => return Err(fault),
    };
    // By itself, it may be sound up to an earlier end.
    let report = match inspect::inspect(&database, None) {
        Ok(report) => report,
        Err(Fault::Corrupt { .. }) => return Err(corrupt(what)),
        Err(fault) => return Err(fault),
    };
    let tip = inspect_tip::archived(&database, report.end.lsn)?;
    match replay::compare(&log, found, &tip) {
        Ok(_) => {
            found.reaches_back = true;
            Ok(report.snapshot_damaged)
        }
        Err(Fault::Corrupt { what: missing }) => Err(corrupt(format!("{what}. {missing}"))),
        Err(fault) => Err(fault),
    }
}

/// Reads the files of the database before sled does, which takes damage for the end of its log.
pub(super) fn check_database(path: &Path, end: Option<End>) -> Result<(), Fault> {
    let report = inspect::inspect(path, end)?;
    if report.snapshot_damaged {
        caches::set_aside(path)?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), Fault> {
    let copy = || {
        let items = fs::read_dir(from)?;
        fs::create_dir_all(to)?;
        for item in items {
            let item = item?;
            if item.file_type()?.is_file() {
                fs::copy(item.path(), to.join(item.file_name()))?;
            }
        }
        segment::sync_dir(to)
    };
    copy().map_err(|e: std::io::Error| Fault::Unavailable {
        reason: format!("the damaged database cannot be copied. path={}, error={e}", to.display()),
    })
}

/// Takes up the log where it ends.
fn go_on(
    folder: &Folder,
    options: &StoreOptions,
    mark: &mut MarkFile,
    found: &mut Found,
    disk: &Disk,
) -> Result<Log, Fault> {
    // Opening moves the end of the database.
    let before = mark.get().database_end.filter(|_| !found.reaches_back);
    let database_end = Some(disk.make_durable_upto(before)?);
    let dir = folder.log();
    let log_options =
        log::Options { dir: dir.clone(), identity: found.mark.identity, durability: options.durability };
    if found.mark.closed {
        make_log(folder)?;
        // What is still there was archived, or never used.
        segment::remove_below(&dir, u64::MAX)?;
        let log = Log::begin(log_options, found.mark.begin.segment)?;
        let begin = log.place();
        mark.change(|mark| {
            mark.closed = false;
            mark.begin = begin;
            mark.frame = 0;
            mark.database_end = database_end;
        })?;
        return Ok(log);
    }
    mark.change(|mark| mark.database_end = database_end)?;
    for unused in segment::numbers(&dir)?.into_iter().filter(|number| *number > found.scan.end.segment) {
        segment::remove(&dir, unused)?;
    }
    segment::remove_below(&dir, found.mark.begin.segment.min(first_needed(found)))?;
    let upto = found.scan.trouble.as_ref().map_or(found.scan.end.offset, |trouble| trouble.upto);
    let unsealed = found.scan.frames.last().filter(|frame| !frame.sealed).map(|frame| frame.place);
    Log::resume(log_options, (found.scan.end, found.scan.size), upto, unsealed)
}

/// The oldest segment that holds something the database does not have.
fn first_needed(found: &Found) -> u64 {
    found.scan.frames.first().map_or(u64::MAX, |frame| frame.place.segment)
}

/// Opens the database of a folder again after it failed.
pub(super) fn reopen(folder: &Folder, options: &StoreOptions, mark: &mut MarkFile) -> Result<Disk, Fault> {
    check_database(&folder.database(), mark.get().database_end)?;
    let disk = Disk::open(&folder.database(), true, options)?;
    let (archived, marked) = (disk.archived()?, &mark.get().archived);
    if archived.group < marked.group {
        return Err(corrupt(format!(
            "the database lost groups {} to {} while it failed",
            archived.group + 1,
            marked.group
        )));
    }
    let end = disk.make_durable_upto(mark.get().database_end)?;
    mark.change(|mark| mark.database_end = Some(end))?;
    Ok(disk)
}
