//! Writes what is sound of a folder into a new one.

use std::path::Path;

use super::ReadStore;
use crate::group::Group;
use crate::stores::backup::NewJournal;
use crate::stores::local;
use crate::{ChainHash, Epoch, Fault, Record, Tip};

impl ReadStore {
    /// Shows the groups from the first on, up to the first that is missing.
    #[cfg(feature = "store-fjall")]
    pub(in crate::stores) fn unbroken_groups(
        &self,
        mut visit: impl FnMut(Vec<u8>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.line[..self.unbroken()].iter().try_for_each(|found| visit(self.sound(found)?.to_vec()))
    }

    /// Writes the groups from the first on into a new store of the same kind in `to`, byte for byte, up to the first that is
    /// missing. It stands there when all of it is durable, and what `beside` puts into the folder that it is told; before,
    /// nothing does. The next owner gets a higher epoch than `epoch`. Returns that end.
    ///
    /// # Errors
    /// [`Fault::Foreign`] when there is something in `to` already, but for what was left by a restore that was cut off;
    /// [`Fault::Unavailable`] when a disk does not answer; those of `beside`.
    pub fn restore(
        &self,
        to: &Path,
        epoch: Epoch,
        beside: impl FnOnce(&Path) -> Result<(), Fault>,
    ) -> Result<Tip, Fault> {
        let mut journal = NewJournal::begin_in(local::name_in(&self.dir), to)?;
        for found in &self.line[..self.unbroken()] {
            journal.add(&self.sound(found)?)?;
        }
        journal.finish(self.epoch.max(epoch), beside)
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
