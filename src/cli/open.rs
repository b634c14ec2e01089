//! Where a command keeps its journal: a data folder, a temporary one, or memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;

use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::journal::{Fault, Store};
use crate::store::memory::MemoryStore;
use crate::store::{STORES, StoreEntry, StoreOptions};

/// How long a store that the run before has not quite let go of is waited for.
const RELEASE: (u32, Duration) = (250, Duration::from_millis(20));

/// The store of data folders: the first of the table that keeps anything.
pub(super) fn persistent() -> Result<&'static StoreEntry, Error> {
    STORES.iter().find(|store| store.persistent).ok_or_else(|| {
        Error::invalid("store", "none", "a build with a store that keeps its data, such as the default build")
    })
}

/// The settings of a runtime on a data folder. Only with `create` is a missing one made.
pub(super) fn folder(path: &Path, create: bool) -> Result<Config, Error> {
    let store_options = StoreOptions { path: Some(path.to_owned()), create, ..StoreOptions::default() };
    Ok(Config { store: persistent()?.name.into(), store_options, ..Config::default() })
}

/// A journal that can be opened again and again, as after a crash.
#[derive(Debug)]
pub(super) enum Place {
    /// In memory; kept here between two lives of a runtime.
    Memory(MemoryStore),
    /// In a folder; a temporary one is removed when this is dropped.
    Folder {
        /// Which store.
        entry: &'static StoreEntry,
        /// Where.
        options: StoreOptions,
        /// The folder to remove.
        _scratch: Option<Scratch>,
    },
}

impl Place {
    /// What `--store` and `--data` ask for. Without both, the store named by `default`.
    pub(super) fn asked(matches: &ArgMatches, default: &'static StoreEntry) -> Result<Self, Error> {
        let data = matches.get_one::<PathBuf>("data");
        let named = matches.get_one::<String>("store");
        let entry = match (named, data) {
            (Some(name), _) => STORES.iter().find(|store| store.name == *name).unwrap_or(default),
            (None, Some(_)) => persistent()?,
            (None, None) => default,
        };
        match data {
            Some(path) if entry.persistent => Ok(Place::at(entry, path.clone(), None)),
            Some(_) => Err(Error::invalid("store", entry.name, "a store that keeps its data, with --data")),
            None if entry.persistent => {
                let scratch = Scratch::new()?;
                Ok(Place::at(entry, scratch.0.clone(), Some(scratch)))
            }
            None => Ok(Place::Memory(MemoryStore::new())),
        }
    }

    fn at(entry: &'static StoreEntry, path: PathBuf, scratch: Option<Scratch>) -> Self {
        Place::Folder { entry, options: StoreOptions::at(path), _scratch: scratch }
    }

    /// The name of the store.
    pub(super) fn store_name(&self) -> &'static str {
        match self {
            Place::Memory(_) => "memory",
            Place::Folder { entry, .. } => entry.name,
        }
    }

    /// Opens the journal. After a crash of this process's own runtime, waits until that has let go.
    pub(super) async fn open(&self, after_crash: bool) -> Result<Arc<dyn Store>, Error> {
        let (entry, options) = match self {
            Place::Memory(store) => return Ok(Arc::new(store.reopen())),
            Place::Folder { entry, options, .. } => (entry, options),
        };
        let mut tries = if after_crash { RELEASE.0 } else { 0 };
        loop {
            match (entry.open)(options) {
                Err(Fault::Locked { .. }) if tries > 0 => {
                    tries -= 1;
                    tokio::time::sleep(RELEASE.1).await;
                }
                opened => return Ok(opened?),
            }
        }
    }
}

/// A temporary folder, removed when dropped.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Error> {
        let path = std::env::temp_dir().join(format!("quorate-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path).map_err(|e| {
            Error::new(
                ErrorKind::StoreError,
                format!("no temporary folder. path={}, cause={e}", path.display()),
            )
        })?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A folder that cannot be removed is left to the system's own cleaning.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
