//! Takes in groups that were written by another store.

use std::sync::Arc;

use super::super::lock;
use super::{SledStore, archive};
use crate::journal::group::Group;
use crate::journal::{Epoch, Fault, Tip};

impl SledStore {
    /// Appends groups that follow the last one, byte for byte, and makes them durable. The next owner gets a higher
    /// epoch than `epoch`, and so than any that signed something in them.
    pub(in crate::store) fn take_in(&self, epoch: Epoch, groups: &[Arc<[u8]>]) -> Result<(), Fault> {
        let Some(last) = groups.last() else { return Ok(()) };
        let shared = &self.shared;
        let mut writer = lock(&shared.writer);
        let last = Group::parse(last)?;
        let end = Tip {
            position: last.header.last_position(),
            group: last.header.number,
            at: last.header.at,
            hash: last.hash,
        };
        archive::write_packs(&shared.disk, groups, shared.options.pack_bytes)?;
        archive::write_index(&shared.disk, groups)?;
        shared.disk.write_epoch(epoch)?;
        shared.disk.write_archived(&end)?;
        shared.disk.make_durable()?;
        writer.epoch = writer.epoch.max(epoch);
        let mut state = lock(&shared.state);
        state.tip = end.clone();
        state.archived = end;
        Ok(())
    }

    /// Closes the store; what was taken in is durable.
    pub(in crate::store) fn end(self) -> Result<(), Fault> {
        self.shared.close()
    }
}
