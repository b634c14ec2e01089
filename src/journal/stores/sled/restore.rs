//! For those who read a folder without opening it, and write what they found into a new one.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::super::local::Local;
use super::super::lock;
use super::super::walk::View;
use super::acknowledged::{self, Witness};
use super::log::SECTOR;
use super::log::segment::SegmentHeader;
use super::{SledStore, archive, format, inspect, mark, moved, open, replay};
use crate::{Epoch, Fault, Position, Tip};

/// What mark and log say of a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::stores) struct Said {
    /// The epoch in force, and the last group that was archived.
    pub archived: Option<(Epoch, Tip)>,
    /// Segment and offset behind which the log holds nothing that was acknowledged.
    pub log_ends: Option<(u64, u64)>,
    /// Last group and position that are known to have been acknowledged.
    pub acknowledged: Option<(u64, Position)>,
    /// What of them is damaged, as a sentence.
    pub damage: Option<String>,
    /// What opening would refuse the database for.
    pub refusal: Option<String>,
}

/// Reads mark, log and database of a data folder and changes nothing.
pub(in crate::stores) fn said(dir: &Path) -> Result<Said, Fault> {
    let mut said = Said::default();
    match mark::read(dir) {
        Ok((_, mark)) => {
            if let Witness::Upto { group, position } = acknowledged::read(dir, &mark.identity)? {
                said.acknowledged = Some((group, position));
            }
            said.archived = Some((mark.epoch, mark.archived));
        }
        Err(Fault::Corrupt { .. }) => {}
        Err(fault) => return Err(fault),
    }
    match replay::look_at(dir, &dir.join("log")) {
        Ok(mut found) => {
            said.log_ends = Some((found.scan.end.segment, found.scan.end.offset));
            said.refusal = refusal(open::look_at_database(dir, &mut found))?;
        }
        Err(Fault::Corrupt { what }) => said.damage = Some(what),
        Err(fault) => return Err(fault),
    }
    if said.refusal.is_none() {
        said.refusal = match moved::read(dir) {
            Ok(note) => note.map(|note| note.refusal().to_string()),
            Err(fault) => refusal(Err::<(), _>(fault))?,
        };
    }
    Ok(said)
}

/// As [`said`], for a folder of the first format, which has neither mark nor log.
pub(in crate::stores) fn said_of_first(dir: &Path) -> Result<Said, Fault> {
    let mut said = Said::default();
    for name in ["sled", "ring"] {
        said.refusal = said.refusal.or(refusal(inspect::inspect(&dir.join(name), None))?);
    }
    Ok(said)
}

/// How many bytes of a segment of the log may hold something: as many as its header says. A file that is no segment, or
/// whose header is damaged, has as many as there are.
pub(in crate::stores) fn length_said(file: &mut File, length: u64) -> io::Result<u64> {
    let mut first = Vec::new();
    Read::by_ref(file).take(SECTOR as u64).read_to_end(&mut first)?;
    Ok(SegmentHeader::read(&first).map_or(length, |header| header.size.min(length)))
}

/// Damage as a sentence.
fn refusal<T>(looked: Result<T, Fault>) -> Result<Option<String>, Fault> {
    match looked {
        Ok(_) => Ok(None),
        Err(Fault::Corrupt { what }) => Ok(Some(what)),
        Err(fault) => Err(fault),
    }
}

/// The stored bytes of a group, if they fit their hash.
pub(in crate::stores) fn sound(view: &impl View, number: u64) -> Result<Arc<[u8]>, Fault> {
    let bytes = view.group(number)?.filter(|bytes| bytes.sound);
    bytes
        .map(|bytes| Arc::from(&*bytes))
        .ok_or_else(|| Fault::Corrupt { what: format!("a group is missing or damaged. number={number}") })
}

impl Local for SledStore {
    fn take_in(&self, epoch: Epoch, groups: &[Arc<[u8]>]) -> Result<(), Fault> {
        let shared = &self.shared;
        let mut writer = lock(&shared.writer);
        let disk = shared.disk()?;
        let written = archive::write(&disk, groups, shared.options.pack_bytes)?;
        let mut mark = lock(&shared.mark);
        let end = disk.make_durable_upto(mark.get().database_end)?;
        mark.change(|mark| {
            mark.database_end = Some(end);
            mark.epoch = mark.epoch.max(epoch);
            if let Some((tip, _)) = &written {
                mark.archived = tip.clone();
            }
        })?;
        drop(mark);
        writer.epoch = writer.epoch.max(epoch);
        if let Some((tip, _)) = written {
            let mut state = lock(&shared.state);
            state.tip = tip.clone();
            state.archived = tip;
        }
        Ok(())
    }

    fn keep_projection(&self, name: &str, at: Position, bytes: &[u8]) -> Result<(), Fault> {
        self.shared.save_projection(name, at, bytes)
    }

    fn end_of_journal(&self) -> Tip {
        self.shared.tip()
    }

    fn sound_group(&self, number: u64) -> Result<Arc<[u8]>, Fault> {
        sound(&*self.shared, number)
    }

    fn stop(&self) -> Result<(), Fault> {
        self.shared.close()
    }

    fn layout(&self, pruned: bool) -> u32 {
        if pruned { format::PRUNED } else { format::NEWEST }
    }
}
