//! Folders on a local disk: which store stands in one, and what those need of it who make one of groups.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "store-fjall")]
use super::fjall::FjallStore;
use super::sled::SledStore;
use super::sled::format::{self, Format};
use super::{STORES, StoreEntry, StoreOptions};
use crate::{Epoch, Fault, Position, Store, Tip};

/// A store in a folder, as those use it that make one of groups or put another into its place.
pub(super) trait Local: Store + Debug {
    /// Appends groups that follow the last one, byte for byte, and makes them durable. The next owner gets a higher
    /// epoch than `epoch`.
    fn take_in(&self, epoch: Epoch, groups: &[Arc<[u8]>]) -> Result<(), Fault>;
    /// Keeps a projection.
    fn keep_projection(&self, name: &str, at: Position, bytes: &[u8]) -> Result<(), Fault>;
    /// The end of the journal.
    fn end_of_journal(&self) -> Tip;
    /// The stored bytes of a group, if they fit their hash.
    fn sound_group(&self, number: u64) -> Result<Arc<[u8]>, Fault>;
    /// Closes the store and goes on holding the folder; what was taken in is durable.
    fn stop(&self) -> Result<(), Fault>;
    /// The layout of its folder, with a journal that was pruned or one that was not.
    fn layout(&self, pruned: bool) -> u32;
}

/// The name of the store of folders of which nothing else is said.
pub(super) const DEFAULT: &str = "sled";

fn name_of(layout: u32) -> &'static str {
    if layout == format::FJALL { "fjall" } else { DEFAULT }
}

/// The store that stands in a folder, as far as this build has it; none where there is none yet, or something else.
pub fn store_in(path: &Path) -> Option<&'static StoreEntry> {
    let layout = match format::look(path) {
        Ok(Format::Layout { number, .. }) => number,
        Ok(Format::Damaged { looks_like, .. }) => looks_like,
        Ok(Format::Nothing) | Err(_) => return None,
    };
    STORES.iter().find(|entry| entry.name == name_of(layout))
}

/// The name of the store that stands in a folder, and that of the default one where none does.
pub(super) fn name_in(path: &Path) -> &'static str {
    store_in(path).map_or(DEFAULT, |entry| entry.name)
}

/// Opens the store of this name in a folder.
pub(super) fn open(name: &str, options: &StoreOptions) -> Result<Box<dyn Local>, Fault> {
    match name {
        DEFAULT => Ok(Box::new(SledStore::open(options)?)),
        #[cfg(feature = "store-fjall")]
        "fjall" => Ok(Box::new(FjallStore::open(options)?)),
        other => Err(no_folder(other)),
    }
}

/// The names of the stores that this build keeps in folders.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    STORES.iter().filter(|entry| entry.persistent && !entry.database).map(|entry| entry.name)
}

/// Refuses the name of a store that this build does not keep in folders.
pub(super) fn check(name: &str) -> Result<(), Fault> {
    if names().any(|here| here == name) { Ok(()) } else { Err(no_folder(name)) }
}

/// The refusal of the name of a store that this build does not keep in folders.
pub(super) fn no_folder(name: &str) -> Fault {
    let range = "a store that keeps its data in a folder".into();
    Fault::Config { knob: "store", value: name.to_owned(), range }
}
