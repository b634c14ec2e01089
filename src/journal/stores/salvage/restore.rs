//! Writes what is sound of a folder into a new one.

use std::path::Path;
use std::sync::Arc;

use super::ReadStore;
use super::scan::unreadable;
use crate::group::Group;
use crate::stores::{StoreOptions, local};
use crate::{ChainHash, Epoch, Fault, Record, Tip};
use quorate_core::kernel::time::Timestamp;

/// Bytes of groups written at a time.
const BATCH: usize = 8 << 20;

impl ReadStore {
    /// Shows the groups from the first on, up to the first that is missing.
    #[cfg(feature = "store-fjall")]
    pub(in crate::stores) fn unbroken_groups(
        &self,
        mut visit: impl FnMut(Vec<u8>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.line[..self.unbroken()].iter().try_for_each(|found| visit(self.sound(found)?.to_vec()))
    }

    /// Writes the groups from the first on into a new store of the same kind in `to`, byte for byte, up to the first that is missing. The
    /// next owner gets a higher epoch than `epoch`. Returns the end of the new journal.
    ///
    /// # Errors
    /// [`Fault::Foreign`] when there is something in `to` already; [`Fault::Unavailable`] when a disk does not answer.
    pub fn restore(&self, to: &Path, epoch: Epoch) -> Result<Tip, Fault> {
        let taken = match std::fs::read_dir(to) {
            Ok(mut entries) => entries.next().is_some(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => false,
            Err(e) => return Err(unreadable(to, &e)),
        };
        if taken {
            return Err(Fault::Foreign { path: to.display().to_string() });
        }
        let store = local::open(local::name_in(&self.dir), &StoreOptions::at(to))?;
        let mut tip = Tip { position: 0, group: 0, at: Timestamp::MIN, hash: ChainHash::default() };
        let (mut batch, mut bytes, mut epoch) = (Vec::new(), 0, self.epoch.max(epoch));
        for found in &self.line[..self.unbroken()] {
            let group: Arc<[u8]> = Arc::from(&*self.sound(found)?);
            bytes += group.len();
            batch.push(group);
            epoch = epoch.max(found.header.epoch);
            tip = Tip {
                position: found.header.last_position(),
                group: found.header.number,
                at: found.header.at,
                hash: found.hash,
            };
            if bytes >= BATCH {
                store.take_in(epoch, &std::mem::take(&mut batch))?;
                bytes = 0;
            }
        }
        store.take_in(epoch, &batch)?;
        store.stop()?;
        Ok(tip)
    }

    /// Shows every record behind the first gap, in order.
    ///
    /// # Errors
    /// Those of `visit`, and [`Fault::Unavailable`] when the disk does not answer.
    pub fn beyond(&self, mut visit: impl FnMut(Record) -> Result<(), Fault>) -> Result<u64, Fault> {
        let mut count = 0;
        for found in &self.line[self.unbroken()..] {
            for frame in Group::parse(&self.sound(found)?)?.frames() {
                for record in frame?.records()? {
                    count += 1;
                    visit(record)?;
                }
            }
        }
        Ok(count)
    }

    /// How many groups follow each other without a gap from the first on.
    fn unbroken(&self) -> usize {
        let (mut hash, mut position) = (ChainHash::default(), 0);
        let mut count = 0;
        for found in &self.line {
            let header = &found.header;
            if header.number != count as u64 + 1
                || header.previous != hash
                || header.first_position != position + 1
            {
                break;
            }
            (hash, position) = (found.hash, header.last_position());
            count += 1;
        }
        count
    }
}
