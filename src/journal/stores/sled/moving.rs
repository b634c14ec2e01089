//! A folder as one end of a move.

use std::path::Path;

use super::super::lock;
use super::super::moving::Folder;
use super::{SledStore, StoreOptions};
use crate::{Epoch, Fault};

impl SledStore {
    /// Opens a folder whatever it says of a move.
    pub(in crate::stores) fn open_to_move(options: &StoreOptions) -> Result<Self, Fault> {
        Self::open_unless(options, |_| None)
    }
}

impl Folder for SledStore {
    fn path(&self) -> &Path {
        self.shared.folder.path()
    }

    fn epoch_in_force(&self) -> Epoch {
        lock(&self.shared.writer).epoch
    }
}
