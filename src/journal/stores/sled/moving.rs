//! A folder as one end of a move.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::super::lock;
use super::super::moved::Note;
use super::super::moving::End;
use super::super::walk::View;
use super::folder::private;
use super::format::{self, Format};
use super::log::segment;
use super::moved::{self, text, unavailable};
use super::{SledStore, StoreOptions};
use crate::{Epoch, Fault, Tip};

/// Replaces what the folder says, durably; whoever reads it sees the one or the other.
fn write(dir: &Path, note: &Note) -> Result<(), Fault> {
    let path = dir.join(moved::NAME);
    let write = || {
        let new = dir.join(moved::NEW);
        let mut file = File::create(&new)?;
        file.write_all(text(note).as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        segment::sync_dir(dir)
    };
    write().map_err(|e: io::Error| unavailable(&path, &e))
}

/// Says nothing any more, durably.
fn remove(dir: &Path) -> Result<(), Fault> {
    let path = dir.join(moved::NAME);
    let remove = || {
        fs::remove_file(&path)?;
        segment::sync_dir(dir)
    };
    remove().map_err(|e: io::Error| unavailable(&path, &e))
}

impl SledStore {
    /// Says in a folder of which nothing is there yet where its journal comes from: so it is at no instant an empty store.
    pub(in crate::stores) fn announce(path: &Path, from: &str) -> Result<(), Fault> {
        if format::look(path)? != Format::Nothing || moved::read(path)?.is_some() {
            return Ok(());
        }
        private(path).map_err(|e| unavailable(path, &e))?;
        write(path, &Note::Into(from.to_owned()))
    }

    /// Takes away what a move that was cut off had copied, if the journal of the folder is to come from there; what says so
    /// stays. False when it is not.
    pub(in crate::stores) fn clear_announced(path: &Path, from: &str) -> Result<bool, Fault> {
        if moved::read(path)? != Some(Note::Into(from.to_owned())) {
            return Ok(false);
        }
        let clear = || {
            for item in fs::read_dir(path)? {
                let item = item?;
                if item.file_type()?.is_dir() {
                    fs::remove_dir_all(item.path())?;
                } else if item.file_name() != moved::NAME {
                    fs::remove_file(item.path())?;
                }
            }
            segment::sync_dir(path)
        };
        clear().map_err(|e: io::Error| unavailable(path, &e))?;
        Ok(true)
    }

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
        SledStore::take_in(self, 0, groups)
    }

    fn give_up(&self, to: &str) -> Result<(), Fault> {
        write(self.shared.folder.path(), &Note::Away(to.to_owned()))
    }

    fn take_over(&self, epoch: Epoch) -> Result<(), Fault> {
        SledStore::take_in(self, epoch, &[])?;
        self.shared.close()?;
        remove(self.shared.folder.path())
    }
}
