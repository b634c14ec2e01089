//! Opening: reads the log behind the mark and decides what the journal is.
//!
//! Mark, log and database each say how far the journal reached, and each was on disk before the next was changed on
//! the strength of it. A group counts when it follows the one before it without a gap, fits its hash and links to the
//! hash of the group before. Nothing is written here unless somebody accepted a loss.
//!
//! | found | means |
//! |---|---|
//! | the log goes on behind the mark | it is replayed |
//! | its last frame was never finished and never acknowledged | it is dropped, and reported |
//! | a frame is damaged, or one is sound behind a gap | damage |
//! | the database ends before the mark | it lost its end: replayed from the log if that reaches back, damage if not |
//! | the log ends before what was acknowledged | it lost its end: damage |
//! | what was acknowledged is not said, though the folder was opened before | the file was taken away: damage |
//! | the log ends before the database, the mark is older than what it marks | an older file was put back: damage |

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::super::heads::{Changes, Index};
use super::acknowledged::{self, Acknowledged, Witness};
use super::archive;
use super::disk::{Disk, corrupt};
use super::folder::Folder;
use super::format::{self, Format};
use super::log::scan::{self, FoundGroup, Scan};
use super::log::{Place, SECTOR, segment};
use super::mark::{self, Mark, MarkFile};
use crate::group::Group;
use crate::{Fault, OpenReport, Tip};

/// A group that is in the log and not yet archived.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub bytes: Arc<[u8]>,
    /// Where its frame starts, and where the next one does.
    pub frame: Place,
    pub end: Place,
}

/// What mark and log say.
#[derive(Debug)]
pub(super) struct Found {
    pub mark: Mark,
    pub scan: Scan,
    /// The database lost its end, and the log makes up for it.
    pub reaches_back: bool,
}

/// The journal behind what is archived.
#[derive(Debug)]
pub(super) struct Tail {
    pub archived: Tip,
    pub tip: Tip,
    pub groups: VecDeque<Waiting>,
    pub index: Index,
    pub report: OpenReport,
}

/// Reads mark and log. Changes nothing.
///
/// # Errors
/// [`Fault::Corrupt`] for everything that is no unfinished write.
pub(super) fn look(folder: &Folder) -> Result<Found, Fault> {
    look_at(folder.path(), &folder.log())
}

/// As [`look`], in a folder that is not held.
pub(super) fn look_at(folder: &Path, log: &Path) -> Result<Found, Fault> {
    let (_, mark) = mark::read(folder)?;
    let dir = log.to_owned();
    if mark.closed {
        // Nothing stood in it, so without its folder nothing is missing.
        let numbers = if dir.exists() { segment::numbers(&dir)? } else { Vec::new() };
        for number in numbers.into_iter().filter(|number| *number >= mark.begin.segment) {
            if !scan::is_empty(&dir, number)? {
                return Err(corrupt(format!(
                    "the mark is older than the log: it says that the store was closed. segment={number}"
                )));
            }
        }
        let scan = Scan::nothing(mark.begin);
        check_acknowledged(folder, &mark, &scan)?;
        return Ok(Found { mark, scan, reaches_back: false });
    }
    let archived = &mark.archived;
    let follows = Some((archived.group, archived.hash));
    let scan = scan::scan(&dir, &mark.identity, mark.begin, follows, archived.group)?;
    if let Some(trouble) = scan.trouble.as_ref().filter(|trouble| trouble.damage) {
        let end = scan.groups().last().map_or(archived.group, |group| group.header.number);
        return Err(corrupt(format!(
            "the log is damaged behind group {end}: {}. {}, missing: {}",
            trouble.why, scan.end, trouble.lost
        )));
    }
    let before = Place { offset: mark.frame, ..mark.begin };
    if mark.frame > 0 && !scan::is_written(&dir, before)? {
        return Err(corrupt(format!(
            "the log ends before what is archived, so it is an older one. {before}, archived_group={}",
            archived.group
        )));
    }
    check_acknowledged(folder, &mark, &scan)?;
    Ok(Found { mark, scan, reaches_back: false })
}

/// Checks that everything is there that was acknowledged. A log whose end became zeros again looks like one that ended
/// earlier; only what stands outside of it tells the two apart.
fn check_acknowledged(folder: &Path, mark: &Mark, scan: &Scan) -> Result<(), Fault> {
    let (group, position) = match acknowledged::read(folder, &mark.identity)? {
        Witness::Upto { group, position } => (group, position),
        Witness::Damaged => return Ok(()),
        // Nobody was ever given an epoch to commit under.
        Witness::Missing if mark.epoch == 0 => return Ok(()),
        Witness::Missing
            if matches!(
                format::look(folder)?,
                Format::Layout { number: format::NEWEST.., checked: true }
            ) =>
        {
            return Err(corrupt(format!(
                "the file {} is missing, so nothing says whether the log lost its end. {}",
                acknowledged::NAME,
                scan.end
            )));
        }
        // From before there was such a file.
        Witness::Missing => return Ok(()),
    };
    let archived = (mark.archived.group, mark.archived.position);
    let last =
        scan.groups().last().map_or(archived, |last| (last.header.number, last.header.last_position()));
    if group > last.0 {
        return Err(corrupt(format!(
            "the log ends before what was acknowledged. {}, missing: groups {} to {group}, positions {} to {position}",
            scan.end,
            last.0 + 1,
            last.1 + 1
        )));
    }
    Ok(())
}

/// Compares what was found with the database and puts the tail in order.
pub(super) fn settle(disk: &Disk, folder: &Folder, found: &mut Found) -> Result<Tail, Fault> {
    let mut report = OpenReport::default();
    let database = disk.archived()?;
    let archived = compare(&folder.log(), found, &database)?;
    if found.mark.closed && !folder.log().exists() {
        report
            .repaired
            .push("the folder of the log was missing, in which nothing stood, and is made anew".into());
    }
    if found.reaches_back {
        report.repaired.push(if database.group < found.mark.archived.group {
            format!(
                "the database had lost groups {} to {}, which the log still held",
                database.group + 1,
                found.mark.archived.group
            )
        } else {
            "the database had lost its end, in which nothing of the journal stood".to_owned()
        });
    }
    if acknowledged::read(folder.path(), &found.mark.identity)? == Witness::Damaged {
        report.repaired.push(format!("the file {} was damaged, and is written anew", acknowledged::NAME));
    }
    if let Some(trouble) = &found.scan.trouble {
        report.dropped.push(format!(
            "the end of the log was never finished, and nobody was told that it was written. {}, {}",
            found.scan.end, trouble.lost
        ));
    }
    let mut tail =
        Tail { tip: archived.clone(), archived, groups: VecDeque::new(), index: Index::default(), report };
    let mut changes = Changes::default();
    for frame in &found.scan.frames {
        for group in frame.groups.iter().filter(|group| group.header.number > tail.archived.group) {
            changes.fold(&Group::parse(&group.bytes)?, |stream| disk.entry(stream), |_, _| ())?;
            tail.tip = tip_of(group);
            tail.report.groups_replayed += 1;
            let waiting = Waiting { bytes: group.bytes.clone(), frame: frame.place, end: frame.end };
            tail.groups.push_back(waiting);
        }
    }
    tail.index.apply(changes);
    Ok(tail)
}

/// Compares mark and log with how far the database reaches. Answers the tip behind which the log is replayed; when the
/// database ends before the mark, `found` is what the log holds behind the database.
pub(super) fn compare(log: &Path, found: &mut Found, database: &Tip) -> Result<Tip, Fault> {
    let marked = found.mark.archived.clone();
    if database.group < marked.group {
        found.scan = reach_back(log, &found.mark, database)?;
        found.reaches_back = true;
        return Ok(database.clone());
    }
    let known = match database.group.checked_sub(marked.group) {
        Some(0) => Some(marked.hash),
        _ => found.scan.groups().find(|g| g.header.number == database.group).map(|group| group.hash),
    };
    if known != Some(database.hash) {
        return Err(corrupt(format!(
            "log and mark end before the database, or are of another store: they are older ones. \
             marked_group={}, database_group={}",
            marked.group, database.group
        )));
    }
    // What the database has beyond the mark may have been read back from a file that does not have it.
    Ok(marked)
}

fn tip_of(group: &FoundGroup) -> Tip {
    let header = &group.header;
    Tip { position: header.last_position(), group: header.number, at: header.at, hash: group.hash }
}

/// Looks for what the database has lost in the files of the log that are still there.
fn reach_back(dir: &Path, mark: &Mark, database: &Tip) -> Result<Scan, Fault> {
    let marked = &mark.archived;
    let missing = || {
        corrupt(format!(
            "the database ends before the mark, and the log does not reach back: an older or cut file. \
             missing: groups {} to {}, positions {} to {}",
            database.group + 1,
            marked.group,
            database.position + 1,
            marked.position
        ))
    };
    if mark.closed {
        return Err(missing());
    }
    let Some(first) = segment::numbers(dir)?.first().copied() else { return Err(missing()) };
    let from = Place { segment: first, offset: SECTOR as u64 };
    let scan = scan::scan(dir, &mark.identity, from, None, database.group)?;
    let whole = scan.trouble.as_ref().is_none_or(|trouble| !trouble.damage);
    let reaches = scan.groups().any(|group| (group.header.number, group.hash) == (marked.group, marked.hash));
    if whole && reaches && follows(&scan, database).next().is_some() {
        return Ok(scan);
    }
    Err(missing())
}

/// The groups that follow a tip without a gap.
fn follows<'a>(scan: &'a Scan, tip: &Tip) -> impl Iterator<Item = &'a FoundGroup> {
    let mut last = (tip.group, tip.hash);
    scan.groups().filter(move |group| group.header.number > last.0).take_while(move |group| {
        let fits = (group.header.number, group.header.previous) == (last.0 + 1, last.1);
        last = (group.header.number, group.hash);
        fits
    })
}

/// Opens in spite of damage: keeps what sled reads of the database and the most groups of the log that follow it, moves
/// log and mark aside and starts new ones. Records may verify that are not kept: sled reads up to the first bad place.
pub(super) fn accept_loss(
    disk: &Disk,
    folder: &Folder,
    lost: &Path,
    pack_bytes: usize,
    durable: bool,
    damage: &str,
) -> Result<OpenReport, Fault> {
    let database = disk.archived()?;
    let groups = longest(folder, &database)?;
    let bytes: Vec<_> = groups.iter().map(|group| group.bytes.clone()).collect();
    let tip = groups.last().map_or(database, tip_of);
    disk.remove_packs_after(tip.group)?;
    archive::write(disk, &bytes, pack_bytes)?;
    archive::restore_index(disk, &tip)?;
    let database_end = Some(disk.make_durable_upto(None)?);
    let epoch = mark::read(folder.path()).map_or(0, |(_, mark)| mark.epoch).max(disk.epoch()?);
    let aside = || {
        for name in ["log", "mark", acknowledged::NAME] {
            if folder.path().join(name).exists() {
                fs::rename(folder.path().join(name), lost.join(name))?;
            }
        }
        segment::sync_dir(lost)?;
        fs::create_dir(folder.log())?;
        folder.sync_names()
    };
    aside().map_err(|e: std::io::Error| Fault::Unavailable {
        reason: format!("the damaged log cannot be put aside. error={e}"),
    })?;
    let mark = Mark { database_end, ..Mark::new(tip.clone(), epoch, 1) };
    // A mark without it is damage.
    Acknowledged::open(folder.path(), mark.identity, &tip)?;
    MarkFile::make(folder.path(), mark, durable)?;
    let dropped = format!(
        "a loss was accepted: the journal ends with group {}, position {}. what was wrong: {damage}. \
         log and mark were moved to {}. `quorate recover DIR --to NEW`, of a copy from before, keeps everything that \
         verifies, which may be more",
        tip.group,
        tip.position,
        lost.display()
    );
    Ok(OpenReport { dropped: vec![dropped], accepted_loss: true, ..OpenReport::default() })
}

/// The most groups of the log that follow the database, read from its first file or from the mark on.
fn longest(folder: &Folder, database: &Tip) -> Result<Vec<FoundGroup>, Fault> {
    let dir = folder.log();
    let Ok(numbers) = segment::numbers(&dir) else { return Ok(Vec::new()) };
    let mark = mark::read(folder.path()).ok().map(|(_, mark)| mark);
    let starts = numbers.iter().map(|number| Place { segment: *number, offset: SECTOR as u64 });
    let mut best: Vec<FoundGroup> = Vec::new();
    for from in mark.iter().map(|mark| mark.begin).chain(starts) {
        let Some(identity) = scan::identity_of(&dir, from.segment)? else { continue };
        let scan = scan::scan(&dir, &identity, from, None, database.group)?;
        let groups: Vec<_> = follows(&scan, database).cloned().collect();
        if groups.len() > best.len() {
            best = groups;
        }
    }
    Ok(best)
}
