//! Accepts a loss: the groups up to the first that is missing become the database, and what was there is put aside.
//!
//! ```text
//!  DIR/fjall.new   made of what fits its hash ──one exchange of two names──► DIR/fjall; what was DIR/fjall ──► DIR/lost-N
//! ```

use std::fs;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::super::StoreOptions;
use super::super::heads::Changes;
use super::super::salvage::ReadStore;
use super::super::sled::acknowledged::Acknowledged;
use super::super::sled::folder::Folder;
use super::super::sled::log::segment::sync_dir;
use super::super::sled::mark::{self, Mark, MarkFile};
use super::disk::{Disk, Row};
use super::open::{nothing, remove, unavailable};
use super::{database, tip_of};
use crate::group::Group;
use crate::{Fault, OpenReport};

/// Bytes of groups written at a time.
const BATCH: usize = 8 << 20;

/// Keeps what can be read. `what` says what is wrong.
pub(super) fn accept(folder: &Folder, options: &StoreOptions, what: &str) -> Result<OpenReport, Fault> {
    let read = ReadStore::open_held(folder.path())?;
    let (path, new) = (database(folder.path()), folder.path().join("fjall.new"));
    remove(&new)?;
    let epoch = mark::read(folder.path()).map_or(0, |(_, mark)| mark.epoch).max(read.epoch());
    let mut mark = Mark::new(nothing(), epoch, 0);
    {
        let disk = Disk::open(&new, options)?;
        let (mut groups, mut bytes) = (Vec::new(), 0);
        let mut write = |groups: &mut Vec<Vec<u8>>| {
            let groups = std::mem::take(groups);
            let Some(last) = groups.last() else { return Ok(()) };
            let (mut changes, first) = (Changes::default(), mark.archived.group + 1);
            for group in &groups {
                changes.fold(&Group::parse(group)?, |stream| disk.entry(stream), |_, _| ())?;
            }
            mark.archived = tip_of(&Group::parse(last)?);
            let row = Row { identity: mark.identity, first, epoch, tip: mark.archived.clone() };
            disk.commit(&groups, &changes, &row, |stream| disk.entry(stream))
        };
        read.unbroken_groups(|group| {
            bytes += group.len();
            groups.push(group);
            if bytes >= BATCH {
                bytes = 0;
                write(&mut groups)?;
            }
            Ok(())
        })?;
        write(&mut groups)?;
    }
    let lost = folder.make_lost()?;
    let exchange = || {
        if path.exists() {
            renameat_with(CWD, &new, CWD, &path, RenameFlags::EXCHANGE)?;
            sync_dir(folder.path())?;
            fs::rename(&new, lost.join(super::FOLDER))?;
        } else {
            fs::rename(&new, &path)?;
        }
        sync_dir(&lost)?;
        sync_dir(folder.path())
    };
    exchange().map_err(|e| unavailable("the damaged database cannot be put aside", &path, &e))?;
    // Gone only if nothing was put into it.
    let _ = fs::remove_dir(&lost);
    Acknowledged::open(folder.path(), mark.identity, &mark.archived)?;
    MarkFile::make(folder.path(), mark, true)?;
    Ok(OpenReport {
        dropped: vec![format!("a loss was accepted. what was wrong: {what}")],
        accepted_loss: true,
        ..OpenReport::default()
    })
}
