//! Where the journal is kept. One file or folder per store; [`STORES`] lists them.
//!
//! ```text
//!  heads    end of each stream, open deadlines, idempotency keys     ┐
//!  plan     checks a commit and builds its groups                    │ shared: every store uses these,
//!  walk     read, scan, settled_before: follows groups               │ so they cannot disagree
//!  verify   hashes, links, positions, chains                         ┘
//!  memory   groups in a vector                    for tests and simulation
//!  sled     a write-ahead log, packs behind it    the default on disk
//!  fjall    a database whose journal commits wait for   another on disk
//!  postgres a database, for several machines      one transaction per commit
//!  moving   from one store into another           one of them opens, never both
//!  salvage  the raw bytes of a folder             reads what is sound, writes nothing
//!  prune    a folder written anew without what is pruned   the old or the new one opens, whenever it is cut off
//!  backup   a journal as one file                     written, checked, made a folder of again
//!  faulty   any store, failing on plan            for tests
//! ```
//!
//! All stores keep the bytes of [`crate::group`] verbatim.

#[cfg(feature = "store-sled")]
pub mod backup;
#[cfg(any(feature = "store-fjall", feature = "store-postgres"))]
mod blocks;
pub mod check;
pub mod faulty;
#[cfg(feature = "store-fjall")]
pub mod fjall;
mod heads;
#[cfg(any(feature = "store-postgres", feature = "store-sled"))]
mod layout;
#[cfg(feature = "store-sled")]
mod local;
pub mod memory;
#[cfg(feature = "store-sled")]
pub mod migrate;
#[cfg(any(feature = "store-postgres", feature = "store-sled"))]
mod moved;
#[cfg(all(any(feature = "store-fjall", feature = "store-postgres"), feature = "store-sled"))]
pub mod moving;
mod plan;
#[cfg(feature = "store-postgres")]
pub mod postgres;
#[cfg(feature = "store-sled")]
pub mod prune;
#[cfg(feature = "store-sled")]
pub mod salvage;
#[cfg(feature = "store-sled")]
pub mod sled;
mod url;
mod verify;
// Stores in memory are never pruned, and look ends and keys up themselves.
#[cfg_attr(not(feature = "store-sled"), allow(dead_code))]
mod walk;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[cfg(feature = "store-sled")]
pub use self::local::store_in;
pub use self::url::DatabaseUrl;
pub use self::verify::check_next;
use serde::{Deserialize, Serialize};

use crate::{Fault, Store};

/// One kind of store.
pub struct StoreEntry {
    /// The name used in configuration.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// What is committed survives the end of the process; [`StoreOptions::path`] says where, or [`StoreOptions::url`].
    pub persistent: bool,
    /// It is kept in a database, named by [`StoreOptions::url`].
    pub database: bool,
    /// Opens or makes one.
    pub open: fn(&StoreOptions) -> Result<Arc<dyn Store>, Fault>,
}

impl std::fmt::Debug for StoreEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreEntry").field("name", &self.name).field("persistent", &self.persistent).finish()
    }
}

/// Every store of this build.
pub const STORES: &[StoreEntry] = &[
    StoreEntry {
        name: "memory",
        summary: "keeps everything in memory and loses it with the process",
        persistent: false,
        database: false,
        open: |options| Ok(Arc::new(memory::MemoryStore::with_options(options))),
    },
    #[cfg(feature = "store-sled")]
    StoreEntry {
        name: "sled",
        summary: "a folder on a local disk, one flush per commit",
        persistent: true,
        database: false,
        open: |options| Ok(Arc::new(self::sled::SledStore::open(options)?)),
    },
    #[cfg(feature = "store-fjall")]
    StoreEntry {
        name: "fjall",
        summary: "a folder on a local disk, kept by an engine that others maintain",
        persistent: true,
        database: false,
        open: |options| Ok(Arc::new(self::fjall::FjallStore::open(options)?)),
    },
    #[cfg(feature = "store-postgres")]
    StoreEntry {
        name: "postgres",
        summary: "a PostgreSQL database, which a process on another machine can take over",
        persistent: true,
        database: true,
        open: |options| Ok(Arc::new(self::postgres::PostgresStore::open(options)?)),
    },
];

/// What a returned commit has survived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Loss of power: the bytes were handed to the drive and the drive confirmed them (fdatasync).
    #[default]
    Power,
    /// The end of the process by any means, kill -9 included. Power loss may take what was committed last; opening
    /// then says what is missing, and may refuse until the loss is accepted.
    Process,
    /// Nothing in particular: commits reach the disk when the store finds time. For tests.
    None,
}

/// How a store is opened. Numbers outside their bounds are held at the bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreOptions {
    /// The data folder of a persistent store; the others do not look at it.
    pub path: Option<PathBuf>,
    /// The database of a store that is kept in one; the others do not look at it.
    #[serde(skip)]
    pub url: Option<DatabaseUrl>,
    /// Which shard of a journal the database holds, where it holds one; a journal that is a shard opens only as that one.
    #[cfg(feature = "store-postgres")]
    #[serde(skip)]
    pub part: Option<self::postgres::shards::Part>,
    /// How long the owner of a database may be silent before another process may take over, 500 ms to 10 minutes, default
    /// 5 s. Too short: a pause of the machine or the network costs the owner its journal. Too long: nobody decides
    /// anything for so long after an owner died. A folder has none: there the system knows who is alive.
    #[serde(rename = "lease_ms", with = "milliseconds")]
    pub lease: Duration,
    /// Make the store when the folder is missing or empty. Otherwise opening answers [`Fault::Missing`] and
    /// leaves no trace.
    pub create: bool,
    /// What a returned commit has survived.
    pub durability: Durability,
    /// Opens in spite of damage, with what can be read up to it; what stands behind it is put aside and reported. It
    /// may keep less than what verifies, which `quorate recover` keeps. Otherwise opening refuses with
    /// [`Fault::Corrupt`] and changes nothing. Default false.
    pub accept_loss: bool,
    /// Bytes of page cache, 8 MiB to 64 GiB, default 64 MiB. Too small: point reads of older streams go to the
    /// disk (about ten times slower). Too large: memory taken from everything else.
    pub cache_bytes: u64,
    /// Bytes of archived groups kept under one key, 1 kB to 120 kB, default 28 kB. Too small: more index work
    /// per event. Too large: reading one group loads many, and archiving writes more than once.
    pub pack_bytes: usize,
    /// Bytes of one commit group, 1 kB to 120 kB, default 120 kB; a larger append stands alone in a larger
    /// group. Too small: a busy commit is cut into many groups. Too large: reading one record loads more.
    pub slot_bytes: usize,
    /// How many commit groups may wait to be archived, 2 to 65,536, default 8,192, and never more than 32 MiB of them.
    /// Too small: commits wait for the archiver under load. Too large: more to replay when opening. In a folder of fjall, set
    /// when it is made: it holds 4 KiB in memory for each, 64 KiB to 64 MiB, before they become a table.
    pub slots: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions {
            path: None,
            url: None,
            #[cfg(feature = "store-postgres")]
            part: None,
            lease: Duration::from_secs(5),
            create: true,
            durability: Durability::default(),
            accept_loss: false,
            cache_bytes: 64 << 20,
            pack_bytes: 28_000,
            slot_bytes: 120_000,
            slots: 8_192,
        }
    }
}

impl StoreOptions {
    /// The default options for a data folder.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        StoreOptions { path: Some(path.into()), ..Self::default() }
    }

    /// The default options for a database.
    pub fn in_database(url: DatabaseUrl) -> Self {
        StoreOptions { url: Some(url), ..Self::default() }
    }

    /// These options with every number inside its bounds.
    fn bounded(&self) -> Self {
        StoreOptions {
            cache_bytes: self.cache_bytes.clamp(8 << 20, 64 << 30),
            pack_bytes: self.pack_bytes.clamp(1_000, 120_000),
            slot_bytes: self.slot_bytes.clamp(1_000, 120_000),
            slots: self.slots.clamp(2, 65_536),
            lease: self.lease.clamp(Duration::from_millis(500), Duration::from_secs(600)),
            ..self.clone()
        }
    }
}

/// Locks; a panic elsewhere does not spread, because every change under these locks is made in one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Durations as whole milliseconds, as files name them.
mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}
