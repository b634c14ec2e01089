//! The first format kept the groups of the last commits in a second database, the ring. Converts such a folder.
//!
//! ```text
//! DIR/ring
//! ring-N      "g"                          → the group, or only its header when the group is in `large`
//! large       group number 8 · 0 · piece 4 → a piece of a group
//! meta        "made"                       → nothing
//! ```
//!
//! A crash in the middle leaves the first format until `FORMAT` is replaced in one step, and the second one after it.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;

use super::super::StoreOptions;
use super::acknowledged::Acknowledged;
use super::archive;
use super::disk::{Base, Disk, broken, corrupt, open_base};
use super::folder::Folder;
use super::log::segment;
use super::mark::{Mark, MarkFile};
use super::open::check_database;
use super::pieces;
use crate::group::{GROUP_HEADER, Group, GroupHeader};
use crate::{Fault, OpenReport, Tip};

/// Page cache of the ring while it is read.
const CACHE: u64 = 8 << 20;

/// Converts a folder of the first format. On return it is one of the second, and closed.
pub(super) fn convert(
    folder: &Folder,
    options: &StoreOptions,
    durable: bool,
) -> Result<(Disk, OpenReport), Fault> {
    if !folder.ring().join("db").exists() {
        return Err(corrupt("the ring is missing although a store was made here"));
    }
    if !options.accept_loss {
        check_database(&folder.database(), None)?;
        check_database(&folder.ring(), None)?;
    }
    let disk = Disk::open(&folder.database(), true, options)?;
    let archived = disk.archived()?;
    let (groups, damage) = {
        let ring = open_base(&folder.ring(), CACHE)?;
        if !ring.tree("meta")?.contains_key("made").map_err(broken)? {
            return Err(corrupt("the ring is empty although a store was made here"));
        }
        tail(&disk, &ring, &archived)?
    };
    let mut report = OpenReport { groups_replayed: groups.len() as u64, ..OpenReport::default() };
    if let Some(damage) = &damage {
        if !options.accept_loss {
            return Err(corrupt(damage.clone()));
        }
        report.dropped.push(format!("a loss was accepted. what was wrong: {damage}"));
        report.accepted_loss = true;
    }
    let tip = archive::write(&disk, &groups, options.pack_bytes)?.map_or(archived, |(tip, _)| tip);
    disk.remove_packs_after(tip.group)?;
    archive::restore_index(&disk, &tip)?;
    let database_end = Some(disk.make_durable_upto(None)?);
    let io = |e: std::io::Error| Fault::Unavailable {
        reason: format!("the folder cannot be converted. error={e}"),
    };
    fs::create_dir_all(folder.log()).map_err(io)?;
    // Left by a conversion that was cut off.
    segment::remove_below(&folder.log(), u64::MAX)?;
    let mark = Mark { database_end, ..Mark::new(tip, disk.epoch()?, 1) };
    Acknowledged::open(folder.path(), mark.identity, &mark.archived)?;
    MarkFile::make(folder.path(), mark, durable)?;
    folder.begin()?;
    folder.finish()?;
    match damage {
        None => remove(folder)?,
        Some(_) => fs::rename(folder.ring(), folder.make_lost()?.join("ring")).map_err(io)?,
    }
    Ok((disk, report))
}

/// Removes the ring of a folder that was converted.
pub(super) fn remove(folder: &Folder) -> Result<(), Fault> {
    match fs::remove_dir_all(folder.ring()) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(Fault::Unavailable { reason: format!("the former ring cannot be removed. error={e}") })
        }
        _ => Ok(()),
    }
}

/// The groups behind the archive, and what is wrong with those behind them.
type RingTail = (Vec<Arc<[u8]>>, Option<String>);

fn tail(disk: &Disk, ring: &Base, archived: &Tip) -> Result<RingTail, Fault> {
    let mut found: BTreeMap<u64, Arc<[u8]>> = BTreeMap::new();
    let mut damage = None;
    // Packs behind the mark are from a round that a crash cut short.
    for pack in disk.packs_after(archived.group) {
        for (number, bytes) in pack?.groups().filter(|(_, bytes)| bytes.sound) {
            found.insert(number, Arc::from(&*bytes));
        }
    }
    let large = ring.tree("large")?;
    for name in ring.db.tree_names() {
        let Some(slot) = std::str::from_utf8(&name).ok().and_then(|name| name.strip_prefix("ring-")) else {
            continue;
        };
        let Some(value) = ring.db.open_tree(&name).and_then(|tree| tree.get("g")).map_err(broken)? else {
            continue;
        };
        let header = GroupHeader::parse(&value);
        let bytes = match &header {
            // The pieces of an archived group are removed one by one, so what is left of them says nothing.
            Ok(header) if value.len() == GROUP_HEADER && header.number <= archived.group => continue,
            Ok(header) if value.len() == GROUP_HEADER => {
                Arc::from(pieces::get(&large, &header.number.to_be_bytes())?)
            }
            _ => Arc::from(&*value),
        };
        match Group::parse_checked(&bytes) {
            Ok(group) if group.header.number > archived.group => {
                found.insert(group.header.number, bytes.clone());
            }
            Ok(_) => {}
            Err(fault) => damage = Some(format!("a slot of the ring is damaged. slot={slot}, why={fault}")),
        }
    }
    let mut groups = Vec::new();
    let (mut last, mut hash, mut position) = (archived.group, archived.hash, archived.position);
    while let Some(bytes) = found.remove(&(last + 1)) {
        let group = Group::parse(&bytes)?;
        if (group.header.previous, group.header.first_position) != (hash, position + 1) {
            damage =
                Some(format!("a group does not follow the one before it. group={}", group.header.number));
            break;
        }
        (last, hash, position) = (group.header.number, group.hash, group.header.last_position());
        groups.push(bytes.clone());
    }
    // A group was written only after the one before it was on disk, so a sound one behind a gap proves a loss.
    if let (Some((first, bytes)), None) = (found.first_key_value(), &damage) {
        let next = GroupHeader::parse(bytes)?.first_position;
        damage = Some(format!(
            "a group in the ring stands behind a gap. missing: groups {} to {}, positions {} to {}",
            last + 1,
            first - 1,
            position + 1,
            next.saturating_sub(1)
        ));
    }
    Ok((groups, damage))
}
