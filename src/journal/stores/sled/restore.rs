//! For those who read a folder without opening it, and write what they found into a new one.

use std::path::Path;
use std::sync::Arc;

use super::super::lock;
use super::{SledStore, archive, mark, replay};
use crate::{Epoch, Fault, Tip};

/// What mark and log say of a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::stores) struct Said {
    /// The epoch in force, and the last group that was archived.
    pub archived: Option<(Epoch, Tip)>,
    /// Segment and offset behind which the log holds nothing that was acknowledged.
    pub log_ends: Option<(u64, u64)>,
    /// What of them is damaged, as a sentence.
    pub damage: Option<String>,
}

/// Reads mark and log of a data folder and changes nothing.
pub(in crate::stores) fn said(dir: &Path) -> Result<Said, Fault> {
    let mut said = Said::default();
    match mark::read(dir) {
        Ok((_, mark)) => said.archived = Some((mark.epoch, mark.archived)),
        Err(Fault::Corrupt { .. }) => {}
        Err(fault) => return Err(fault),
    }
    match replay::look_at(dir, &dir.join("log")) {
        Ok(found) => said.log_ends = Some((found.scan.end.segment, found.scan.end.offset)),
        Err(Fault::Corrupt { what }) => said.damage = Some(what),
        Err(fault) => return Err(fault),
    }
    Ok(said)
}

impl SledStore {
    /// Appends groups that follow the last one, byte for byte, and makes them durable. The next owner gets a higher
    /// epoch than `epoch`.
    pub(in crate::stores) fn take_in(&self, epoch: Epoch, groups: &[Arc<[u8]>]) -> Result<(), Fault> {
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

    /// Closes the store; what was taken in is durable.
    pub(in crate::stores) fn end(self) -> Result<(), Fault> {
        self.shared.close()
    }
}
