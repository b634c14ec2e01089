//! The database behind the store, and every key in it.
//!
//! ```text
//! DIR/fjall   journal     g · group number 8           → the group, verbatim
//!                         h · stream                   → head 1 · revision 8 · hash 32 · last group 8 · [due 8]
//!                         d · due instant 8 · stream   → nothing
//!                         k · idempotency key          → stream
//!                         p · mark of what was pruned  → number of the pruning 8
//!                         t                            → identity 16 · first group of the commit 8 · epoch 8 · group 8 ·
//!                                                        position 8 · committed at 8 · hash 32
//!             caches      s · stream, o · name         → digest 32 · snapshot, projection
//! ```
//!
//! A commit is one batch over the first of them, so a crash keeps all of it or nothing. All of it is in one tree: what the
//! engine has written to tables is what was committed up to some instant, index and groups alike.

use std::io;
use std::path::Path;

use ::fjall::{
    CompressionType, Database, Error, Iter, Keyspace, KeyspaceCreateOptions, LsmError, PersistMode, UserValue,
};

use super::super::heads::{Changes, Entry};
use super::super::layout::corrupt;
use super::super::layout::{
    Fields, decode_due, decode_entry, decode_stream, due_key, encode_entry, stream_key,
};
use super::super::sled::log::segment::sync_dir;
use super::super::{Durability, StoreOptions};
use crate::chain::digest;
use crate::group::GroupHeader;
use crate::{ChainHash, Epoch, Fault, Mark, Tip};
use quorate_core::kernel::ids::{IdempotencyKey, StreamId};
use quorate_core::kernel::time::Timestamp;

/// Keyspaces there are, one of the engine's own among them.
pub(super) const KEYSPACES: u64 = 3;
pub(super) const GROUP: u8 = b'g';
const HEAD: u8 = b'h';
const DUE: u8 = b'd';
const KEY: u8 = b'k';
const PRUNED: u8 = b'p';
pub(super) const TIP: u8 = b't';
pub(super) const SNAPSHOT: u8 = b's';
pub(super) const PROJECTION: u8 = b'o';
/// Bytes held in memory before they become a table, for each group that may wait.
const WAITING: u64 = 4 << 10;
/// The least and the most of them.
const MEMORY: (u64, u64) = (64 << 10, 64 << 20);

/// The end of the journal, as each commit says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub identity: [u8; 16],
    /// The first group of the commit.
    pub first: u64,
    pub epoch: Epoch,
    pub tip: Tip,
}

impl Row {
    pub const BYTES: usize = 16 + 4 * 8 + 8 + 32;

    fn bytes(&self) -> Vec<u8> {
        let Row { identity, first, epoch, tip } = self;
        let mut out = Vec::with_capacity(Self::BYTES);
        out.extend_from_slice(identity);
        for number in [*first, *epoch, tip.group, tip.position] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&tip.at.as_micros().to_be_bytes());
        out.extend_from_slice(&tip.hash.0);
        out
    }

    pub fn parse(value: &[u8]) -> Option<Self> {
        let (identity, rest) = value.split_first_chunk()?;
        let mut fields = Fields(rest);
        let (first, epoch) = (fields.u64().ok()?, fields.u64().ok()?);
        let (group, position) = (fields.u64().ok()?, fields.u64().ok()?);
        let (at, hash) = (fields.instant().ok()?, fields.hash().ok()?);
        let tip = Tip { group, position, at, hash };
        fields.0.is_empty().then_some(Row { identity: *identity, first, epoch, tip })
    }
}

/// The open database. Fields are dropped in order: the database is let go last.
pub(super) struct Disk {
    journal: Keyspace,
    caches: Keyspace,
    mode: PersistMode,
    db: Database,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// What the engine said, as a fault.
fn broken(error: Error) -> Fault {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    match &error {
        Error::Io(e) | Error::Storage(LsmError::Io(e))
            if !matches!(e.kind(), InvalidData | UnexpectedEof) =>
        {
            Fault::Unavailable { reason: format!("the database failed: {e}") }
        }
        Error::Poisoned => Fault::Unavailable { reason: "the database failed before".into() },
        Error::Locked => Fault::Unavailable { reason: "the database is open elsewhere".into() },
        _ => corrupt(format!("the database: {error}")),
    }
}

/// Makes the names of the trees durable: the engine syncs what stands in the folder of a tree, and not that it is there.
fn sync_names(path: &Path) -> io::Result<()> {
    let trees = path.join("keyspaces");
    for keyspace in 0..KEYSPACES {
        sync_dir(&trees.join(keyspace.to_string()))?;
    }
    sync_dir(&trees)?;
    sync_dir(path)
}

fn key(kind: u8, rest: &[u8]) -> Vec<u8> {
    [&[kind], rest].concat()
}

impl Disk {
    /// Opens the database, or makes it.
    pub fn open(path: &Path, options: &StoreOptions) -> Result<Self, Fault> {
        let db = Database::builder(path)
            .cache_size(options.cache_bytes)
            .journal_compression(CompressionType::None)
            .worker_threads(2)
            .open()
            .map_err(broken)?;
        let waiting = (options.slots as u64 * WAITING).clamp(MEMORY.0, MEMORY.1);
        let keyspace = |name: &str| {
            let made = || KeyspaceCreateOptions::default().max_memtable_size(waiting);
            db.keyspace(name, made).map_err(broken)
        };
        let mode = match options.durability {
            Durability::Power => PersistMode::SyncData,
            Durability::Process | Durability::None => PersistMode::Buffer,
        };
        let disk = Disk { journal: keyspace("journal")?, caches: keyspace("caches")?, mode, db };
        sync_names(path).map_err(|e| Fault::Unavailable {
            reason: format!("the names in the database cannot be synced. path={}, error={e}", path.display()),
        })?;
        Ok(disk)
    }

    /// Writes groups, what they do to the index and the end of the journal: all of it or nothing, durable on return.
    /// `before` answers the entry a stream had.
    pub fn commit(
        &self,
        groups: &[impl AsRef<[u8]>],
        changes: &Changes,
        row: &Row,
        before: impl Fn(&StreamId) -> Result<Option<Entry>, Fault>,
    ) -> Result<(), Fault> {
        let mut batch = self.db.batch().durability(Some(self.mode));
        let journal = &self.journal;
        for group in groups {
            let group = group.as_ref();
            batch.insert(journal, key(GROUP, &GroupHeader::parse(group)?.number.to_be_bytes()), group);
        }
        for (stream, entry) in &changes.entries {
            let due = before(stream)?.and_then(|entry| entry.due);
            if due != entry.due {
                if let Some(t) = due {
                    batch.remove(journal, key(DUE, &due_key(t, stream)));
                }
                if let Some(t) = entry.due {
                    batch.insert(journal, key(DUE, &due_key(t, stream)), &[][..]);
                }
            }
            batch.insert(journal, key(HEAD, &stream_key(stream)), encode_entry(entry));
        }
        for (name, stream) in &changes.keys {
            batch.insert(journal, key(KEY, name.as_str().as_bytes()), stream_key(stream));
        }
        for (mark, pruning) in &changes.pruned {
            batch.insert(journal, key(PRUNED, &mark.0), &pruning.to_be_bytes()[..]);
        }
        batch.insert(journal, [TIP], row.bytes());
        batch.commit().map_err(broken)
    }

    fn get(&self, kind: u8, rest: &[u8]) -> Result<Option<UserValue>, Fault> {
        self.journal.get(key(kind, rest)).map_err(broken)
    }

    /// What the last commit said.
    pub fn row(&self) -> Result<Option<Row>, Fault> {
        let Some(value) = self.get(TIP, &[])? else { return Ok(None) };
        Row::parse(&value).map(Some).ok_or_else(|| corrupt("the end of the journal is not said"))
    }

    pub fn entry(&self, stream: &StreamId) -> Result<Option<Entry>, Fault> {
        self.get(HEAD, &stream_key(stream))?.map(|bytes| decode_entry(&bytes)).transpose()
    }

    pub fn key(&self, name: &IdempotencyKey) -> Result<Option<StreamId>, Fault> {
        self.get(KEY, name.as_str().as_bytes())?.map(|bytes| decode_stream(&bytes)).transpose()
    }

    /// The pruning that took what has this mark.
    pub fn pruned(&self, mark: &Mark) -> Result<Option<u64>, Fault> {
        self.get(PRUNED, &mark.0)?.map(|bytes| Fields(&bytes).u64()).transpose()
    }

    /// The groups from `first` to `last`, as far as they are there.
    pub fn groups(&self, first: u64, last: u64) -> Result<Vec<(u64, Vec<u8>)>, Fault> {
        if first == last {
            let value = self.get(GROUP, &first.to_be_bytes())?;
            return Ok(value.map(|value| (first, value.to_vec())).into_iter().collect());
        }
        let range = key(GROUP, &first.to_be_bytes())..=key(GROUP, &last.to_be_bytes());
        let mut rows = Vec::new();
        for item in self.journal.range(range) {
            let (key, value) = item.into_inner().map_err(broken)?;
            rows.push((Fields(&key[1..]).u64()?, value.to_vec()));
        }
        Ok(rows)
    }

    /// Deadlines after the given one, soonest first.
    pub fn deadlines(
        &self,
        after: Option<&(Timestamp, StreamId)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, StreamId)>, Fault> {
        use std::ops::Bound::{Excluded, Included};
        let start = match after {
            Some((t, stream)) => Excluded(key(DUE, &due_key(*t, stream))),
            None => Included(vec![DUE]),
        };
        let found: Iter = self.journal.range((start, Excluded(vec![DUE + 1])));
        found.take(limit).map(|item| decode_due(&item.key().map_err(broken)?[1..])).collect()
    }

    /// Keeps a value that may be lost, with a digest over its name and its bytes.
    pub fn keep(&self, kind: u8, name: &[u8], bytes: &[u8]) -> Result<(), Fault> {
        let name = key(kind, name);
        let sum = digest(&[&name, bytes].concat());
        self.caches.insert(name, [&sum.0, bytes].concat()).map_err(broken)
    }

    /// A value that was kept. Absent when it was never written or is damaged.
    pub fn kept(&self, kind: u8, name: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let name = key(kind, name);
        let value = match self.caches.get(&name).map_err(broken) {
            Ok(Some(value)) => value,
            Ok(None) | Err(Fault::Corrupt { .. }) => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let Some((sum, bytes)) = value.split_first_chunk::<32>() else { return Ok(None) };
        Ok((digest(&[&name, bytes].concat()) == ChainHash(*sum)).then(|| bytes.to_vec()))
    }
}
