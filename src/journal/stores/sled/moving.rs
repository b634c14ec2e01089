//! A folder as one end of a move.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::super::local::Local;
use super::super::lock;
use super::super::moved::Note;
use super::super::moving::End;
use super::super::walk::View;
use super::log::segment::sync_dir;
use super::moved::{self, text, unavailable};
use super::{SledStore, StoreOptions};
use crate::{Epoch, Fault, Tip};

/// Replaces what the folder says, durably; whoever reads it sees the one or the other.
pub(in crate::stores) fn write(dir: &Path, note: &Note) -> Result<(), Fault> {
    let path = dir.join(moved::NAME);
    let write = || {
        let new = dir.join(moved::NEW);
        let mut file = File::create(&new)?;
        file.write_all(text(note).as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        sync_dir(dir)
    };
    write().map_err(|e: io::Error| unavailable(&path, &e))
}

/// Says nothing any more, durably.
pub(in crate::stores) fn remove(dir: &Path) -> Result<(), Fault> {
    let path = dir.join(moved::NAME);
    let remove = || {
        fs::remove_file(&path)?;
        sync_dir(dir)
    };
    remove().map_err(|e: io::Error| unavailable(&path, &e))
}

impl SledStore {
    /// Opens a folder whatever it says of a move.
    pub(in crate::stores) fn open_to_move(options: &StoreOptions) -> Result<Self, Fault> {
        Self::open_unless(options, |_| None)
    }
}

impl End for SledStore {
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
