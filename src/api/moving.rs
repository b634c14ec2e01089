//! A journal moved to another store, and what stands beside it in a data folder moved along.
//!
//! ```text
//!  journal ── every group ──► the new store opens, the old one never again ──► log ──► keys of data subjects
//!                                                                              └ folders only ┘
//! ```
//!
//! A move that is killed after the journal has arrived is begun again with the same places, and brings the rest.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::journal::Tip;
use crate::shell::{log_files, subjects};
use crate::store::moving::{self, Place, Progress};

/// What was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The end of the journal.
    pub tip: Tip,
    /// The folder that still has the keys of data subjects, where the journal moved into a database, which keeps none.
    pub keys_left: Option<PathBuf>,
}

/// Moves the journal in `from` to `to`, which is made. Between two folders the signed log and the keys of data subjects go along;
/// no key stays behind, so that one that is destroyed later is gone. `progress` hears of it often.
///
/// # Errors
/// `invalid_argument` when both are the same place or `to` holds another move, `store_foreign`, `store_moved`, and the faults of both stores.
/// Whatever it is, the same again goes on where it stood.
pub fn move_journal(from: &Place, to: &Place, progress: impl FnMut(Progress)) -> Result<Moved, Error> {
    let tip = moving::move_journal(from, to, progress)?;
    let keys_left = match (folder(from), folder(to)) {
        (Some(from), Some(to)) => {
            log_files::take_along(from, to)?;
            subjects::bring(from, to)?;
            None
        }
        (Some(from), None) => subjects::keys_in(from),
        (None, Some(_) | None) => None,
    };
    Ok(Moved { tip, keys_left })
}

fn folder(place: &Place) -> Option<&Path> {
    match place {
        Place::Folder(path) | Place::FolderOf(path, _) => Some(path),
        Place::Database(_) => None,
    }
}
