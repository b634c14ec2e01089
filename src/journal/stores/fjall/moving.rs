//! A folder as one end of a move.

use std::sync::Arc;

use super::super::local::Local;
use super::super::lock;
use super::super::moved::Note;
use super::super::moving::End;
use super::super::sled::moved;
use super::super::sled::moving::{remove, write};
use super::super::walk::View;
use super::{FjallStore, StoreOptions};
use crate::{Epoch, Fault, Tip};

impl FjallStore {
    /// Opens a folder whatever it says of a move.
    pub(in crate::stores) fn open_to_move(options: &StoreOptions) -> Result<Self, Fault> {
        Self::open_unless(options, |_| None)
    }
}

impl End for FjallStore {
    fn note(&self) -> Result<Option<Note>, Fault> {
        moved::read(self.shared.folder.path())
    }

    fn end(&self) -> Result<Tip, Fault> {
        Ok(self.shared.tip())
    }

    fn epoch(&self) -> Result<Epoch, Fault> {
        Ok(lock(&self.shared.writer).epoch)
    }

    fn groups(&self, first: u64, bytes: usize) -> Result<Vec<Arc<[u8]>>, Fault> {
        let (mut groups, mut sum, mut number) = (Vec::new(), 0, first);
        while sum < bytes
            && let Some(group) = self.shared.group(number)?
        {
            sum += group.len();
            groups.push(Arc::from(&*group));
            number += 1;
        }
        Ok(groups)
    }

    /// The lock of the folder is held since it was opened.
    fn own(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn begin(&self, from: &str) -> Result<(), Fault> {
        write(self.shared.folder.path(), &Note::Into(from.to_owned()))
    }

    fn take_in(&self, groups: &[Arc<[u8]>]) -> Result<(), Fault> {
        Local::take_in(self, 0, groups)
    }

    fn give_up(&self, to: &str) -> Result<(), Fault> {
        write(self.shared.folder.path(), &Note::Away(to.to_owned()))
    }

    fn take_over(&self, epoch: Epoch) -> Result<(), Fault> {
        Local::take_in(self, epoch, &[])?;
        self.shared.close()?;
        remove(self.shared.folder.path())
    }
}
