//! For those who read a folder without opening it, and make one of groups.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::heads::Changes;
use super::super::local::Local;
use super::super::lock;
use super::super::sled::acknowledged::{self, Witness};
use super::super::sled::restore::{Said, sound};
use super::super::sled::{format, mark, moved};
use super::super::walk::View;
use super::{FjallStore, Shared, open, tip_of};
use crate::group::Group;
use crate::{Epoch, Fault, Position, Tip};

/// Damage as a sentence.
fn sentence<T>(looked: Result<T, Fault>) -> Result<Option<String>, Fault> {
    match looked {
        Ok(_) => Ok(None),
        Err(Fault::Corrupt { what }) => Ok(Some(what)),
        Err(fault) => Err(fault),
    }
}

/// Reads mark and database of a data folder and changes nothing.
pub(in crate::stores) fn said(dir: &Path, checked: bool) -> Result<(Said, Option<(PathBuf, u64)>), Fault> {
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
    let mut torn = None;
    match open::look(dir, checked) {
        Ok((_, seen)) => torn = seen.torn.map(|torn| (torn.path, torn.upto)),
        Err(Fault::Corrupt { what }) => said.refusal = Some(what),
        Err(fault) => return Err(fault),
    }
    if said.refusal.is_none() {
        said.refusal = match moved::read(dir) {
            Ok(note) => note.map(|note| note.refusal().to_string()),
            Err(fault) => sentence(Err::<(), _>(fault))?,
        };
    }
    Ok((said, torn))
}

impl Shared {
    /// Appends groups that follow the last one. The next owner gets a higher epoch than `epoch`.
    pub(super) fn take_in(&self, epoch: Epoch, groups: &[Arc<[u8]>]) -> Result<(), Fault> {
        let mut writer = lock(&self.writer);
        self.alive()?;
        let epoch = writer.epoch.max(epoch);
        if let Some(last) = groups.last() {
            let mut changes = Changes::default();
            for bytes in groups {
                changes.fold(&Group::parse(bytes)?, |stream| self.entry(stream), |_, _| ())?;
            }
            let tip = tip_of(&Group::parse(last)?);
            self.fatal(self.write(&writer, groups, changes, epoch, tip))?;
        }
        let tip = self.tip();
        let marked = lock(&self.mark).change(|mark| (mark.epoch, mark.archived) = (epoch, tip));
        self.fatal(marked)?;
        writer.epoch = epoch;
        Ok(())
    }
}

impl Local for FjallStore {
    fn take_in(&self, epoch: Epoch, groups: &[Arc<[u8]>]) -> Result<(), Fault> {
        self.shared.take_in(epoch, groups)
    }

    fn keep_projection(&self, name: &str, at: Position, bytes: &[u8]) -> Result<(), Fault> {
        self.shared.save_projection(name, at, bytes)
    }

    fn end_of_journal(&self) -> Tip {
        self.shared.tip()
    }

    fn sound_group(&self, number: u64) -> Result<Arc<[u8]>, Fault> {
        sound(&self.shared, number)
    }

    fn stop(&self) -> Result<(), Fault> {
        self.shared.close()
    }

    fn layout(&self, _pruned: bool) -> u32 {
        format::FJALL
    }
}
