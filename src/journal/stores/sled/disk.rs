//! The database: its keyspaces and how keys and values are laid out. All integers are big-endian.
//!
//! ```text
//! packs       first group number 8         → groups back to back, or one header when the group is in `large`
//!             the number before 8 · 255 · 0–7 → nothing; keeps packs on pages of their own
//! large       group number 8 · 0 · piece 4 → a piece of a group
//! heads       kind 1 · id                  → version 1 · revision 8 · hash 32 · last group 8 · [due 8]
//! deadlines   due 8 · kind 1 · id          → nothing
//! keys        idempotency key              → kind 1 · id
//!             255 · mark 2 · pruning 8 · group 8 → the other 15 bytes of each mark that begins so
//! meta        "archived"                   → group 8 · position 8 · committed at 8 · hash 32
//!             "epoch"                      → epoch 8, as the first format kept it
//!             "migration" · number 4       → digest 32
//! ```
//!
//! Only the archiver writes here, many groups at a time. What a commit waits for is the log.

use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::sled::{Db, IVec, Tree};

use super::super::heads::Entry;
use super::super::{Durability, StoreOptions, migrate};
use super::inspect::{self, End};
use super::layout::{Fields, decode_due, decode_entry, decode_stream, due_key, encode_entry, stream_key};
use super::{caches, pieces};
use crate::group::{GROUP_HEADER, GroupHeader};
use crate::{ChainHash, Epoch, Fault, Mark, Tip};
use quorate_core::kernel::ids::{IdempotencyKey, StreamId};
use quorate_core::kernel::time::Timestamp;

/// Larger groups are cut into pieces. Above every `slot_bytes` and `pack_bytes`.
const LARGE: usize = 124_000;
/// Bytes of a segment of sled's log. Larger ones make fewer, longer stalls; pages must stay below a quarter.
pub(super) const SEGMENT: usize = 8 << 20;
/// Before the marks of what was pruned. No idempotency key begins so: it is UTF-8.
const PRUNED_KEY: u8 = 0xff;
/// Bytes of a mark that are part of the key: the kind, and the first of the hash.
const MARK_BUCKET: usize = 2;
/// Half of what a page of sled holds.
const PACK_SPACERS: u8 = 8;

/// One sled database.
#[derive(Debug)]
pub(super) struct Base {
    pub db: Db,
    /// The same file the database writes, for fdatasync.
    data: File,
}

/// The open database.
#[derive(Debug)]
pub(super) struct Disk {
    durability: Durability,
    path: PathBuf,
    base: Base,
    pub packs: Tree,
    pub large: Tree,
    pub heads: Tree,
    pub deadlines: Tree,
    pub keys: Tree,
    meta: Tree,
    pub snapshots: Tree,
    pub projections: Tree,
    /// Something was pruned, so that names are looked up among what was.
    any_pruned: AtomicBool,
}

/// What sled said, as a fault.
pub(super) fn broken(error: ::sled::Error) -> Fault {
    match error {
        ::sled::Error::Corruption { .. } => corrupt(format!("the database: {error}")),
        _ => Fault::Unavailable { reason: format!("the database failed: {error}") },
    }
}

pub(super) fn damaged(fault: &Fault) -> bool {
    matches!(fault, Fault::Corrupt { .. })
}

pub(super) fn corrupt(what: impl Into<String>) -> Fault {
    Fault::Corrupt { what: what.into() }
}

impl Base {
    pub fn tree(&self, name: &str) -> Result<Tree, Fault> {
        self.db.open_tree(name).map_err(broken)
    }

    fn flush(&self) -> Result<(), Fault> {
        self.db.flush().map(drop).map_err(broken)
    }

    fn sync(&self) -> Result<(), Fault> {
        // sled's flush ends in sync_file_range, which waits neither for metadata nor for the drive.
        self.data.sync_data().map_err(|e| Fault::Unavailable { reason: format!("fdatasync failed: {e}") })
    }
}

impl Disk {
    /// Opens the database and brings its keyspaces up to date. `made` says that it was in use before.
    pub fn open(path: &Path, made: bool, options: &StoreOptions) -> Result<Self, Fault> {
        let base = open_base(path, options.cache_bytes)?;
        let meta = base.tree("meta")?;
        apply_migrations(&base, &meta, made)?;
        let keys = base.tree("keys")?;
        let any_pruned = keys.scan_prefix([PRUNED_KEY]).next().transpose().map_err(broken)?.is_some();
        Ok(Disk {
            any_pruned: AtomicBool::new(any_pruned),
            durability: options.durability,
            path: path.to_owned(),
            packs: base.tree("packs")?,
            large: base.tree("large")?,
            heads: base.tree("heads")?,
            deadlines: base.tree("deadlines")?,
            keys,
            snapshots: base.tree("snapshots")?,
            projections: base.tree("projections")?,
            meta,
            base,
        })
    }

    /// Puts everything on disk: the log is given up on the strength of it.
    pub fn make_durable(&self) -> Result<(), Fault> {
        self.base.flush()?;
        if self.durability == Durability::None { Ok(()) } else { self.base.sync() }
    }

    /// As [`Disk::make_durable`]; answers how far the file is on disk, given what was answered before.
    pub fn make_durable_upto(&self, since: Option<End>) -> Result<End, Fault> {
        self.base.flush()?;
        // Looked at before the sync, so that all of it is on disk after it.
        let end = inspect::end(&self.path, since)?;
        if self.durability != Durability::None {
            self.base.sync()?;
        }
        Ok(end)
    }

    /// Writes one pack: one group of any size, or several small ones.
    pub fn write_pack(&self, first: u64, bytes: &[u8]) -> Result<(), Fault> {
        let value = shorten(&self.large, first, bytes)?;
        self.packs.insert(first.to_be_bytes(), value).map(drop).map_err(broken)
    }

    /// The groups that the value of a pack stands for.
    pub fn pack_bytes(&self, value: &[u8]) -> Result<Arc<[u8]>, Fault> {
        lengthen(&self.large, value)
    }

    /// Makes the pages of the packs keyspace hold about one pack each.
    ///
    /// sled fills a page with 16 values, writes each of them, and writes the whole page again with every tenth
    /// change: each pack would be written more than twice. A page that holds only these empty values is split
    /// before its packs arrive, and each pack is then written once. They sort before their pack and after
    /// everything up to the pack before, so no look-up meets them.
    pub fn keep_packs_apart(&self, first: u64) -> Result<(), Fault> {
        for n in 0..PACK_SPACERS {
            let key = [&(first - 1).to_be_bytes()[..], &[0xff, n]].concat();
            self.packs.insert(key, &[]).map_err(broken)?;
        }
        Ok(())
    }

    /// The newest group that the index knows of.
    pub fn newest_head(&self) -> Result<u64, Fault> {
        self.heads
            .iter()
            .values()
            .try_fold(0, |newest, value| Ok(decode_entry(&value.map_err(broken)?)?.last_group.max(newest)))
    }

    /// Removes the index and everything that was derived from the journal.
    pub fn clear_index(&self) -> Result<(), Fault> {
        for tree in [&self.heads, &self.deadlines, &self.keys, &self.snapshots, &self.projections] {
            tree.clear().map_err(broken)?;
        }
        Ok(())
    }

    pub fn entry(&self, stream: &StreamId) -> Result<Option<Entry>, Fault> {
        let value = self.heads.get(stream_key(stream)).map_err(broken)?;
        value.map(|bytes| decode_entry(&bytes)).transpose()
    }

    /// Writes the end of a stream and its deadline; `earlier` are deadlines it had since the archived mark.
    ///
    /// The deadlines go first: when a crash comes between, the head still names the old deadline and the next
    /// round, which starts at the same mark, removes both.
    pub fn write_entry(&self, stream: &StreamId, entry: &Entry, earlier: &[Timestamp]) -> Result<(), Fault> {
        let before = self.entry(stream)?.and_then(|entry| entry.due);
        for t in earlier.iter().copied().chain(before).filter(|t| Some(*t) != entry.due) {
            self.deadlines.remove(due_key(t, stream)).map_err(broken)?;
        }
        if let Some(t) = entry.due {
            self.deadlines.insert(due_key(t, stream), &[]).map_err(broken)?;
        }
        self.heads.insert(stream_key(stream), encode_entry(entry)).map(drop).map_err(broken)
    }

    /// Stored deadlines after the given one, soonest first.
    pub fn deadlines(
        &self,
        after: Option<&(Timestamp, StreamId)>,
    ) -> impl Iterator<Item = Result<(Timestamp, StreamId), Fault>> + use<> {
        use std::ops::Bound::{Excluded, Unbounded};
        let start = after.map_or(Unbounded, |(t, stream)| Excluded(due_key(*t, stream)));
        self.deadlines
            .range::<Vec<u8>, _>((start, Unbounded))
            .keys()
            .map(|key| decode_due(&key.map_err(broken)?))
    }

    pub fn key(&self, key: &IdempotencyKey) -> Result<Option<StreamId>, Fault> {
        let value = self.keys.get(key.as_str()).map_err(broken)?;
        value.map(|bytes| decode_stream(&bytes)).transpose()
    }

    pub fn write_key(&self, key: &IdempotencyKey, stream: &StreamId) -> Result<(), Fault> {
        self.keys.insert(key.as_str(), stream_key(stream)).map(drop).map_err(broken)
    }

    /// The pruning that took what has this mark.
    pub fn pruned(&self, mark: &Mark) -> Result<Option<u64>, Fault> {
        if !self.any_pruned.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let (bucket, rest) = mark.0.split_at(MARK_BUCKET);
        for item in self.keys.scan_prefix([&[PRUNED_KEY][..], bucket].concat()) {
            let (key, marks) = item.map_err(broken)?;
            if marks.chunks_exact(rest.len()).any(|other| other == rest) {
                return Fields(&key[1 + MARK_BUCKET..]).u64().map(Some);
            }
        }
        Ok(None)
    }

    /// Adds marks, of groups of which `group` is the last. Many stand in one value: a key for each would take more room than
    /// what it stands for.
    pub fn write_pruned(&self, marks: impl Iterator<Item = (Mark, u64)>, group: u64) -> Result<(), Fault> {
        let mut buckets: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for (mark, pruning) in marks {
            let (bucket, rest) = mark.0.split_at(MARK_BUCKET);
            let key = [&[PRUNED_KEY][..], bucket, &pruning.to_be_bytes(), &group.to_be_bytes()].concat();
            buckets.entry(key).or_default().extend_from_slice(rest);
        }
        for (key, marks) in buckets {
            self.any_pruned.store(true, Ordering::Relaxed);
            self.keys.insert(key, marks).map_err(broken)?;
        }
        Ok(())
    }

    /// The epoch of the first format; the mark keeps later ones.
    pub fn epoch(&self) -> Result<Epoch, Fault> {
        match self.meta.get("epoch").map_err(broken)? {
            None => Ok(0),
            Some(bytes) => Fields(&bytes).u64(),
        }
    }

    /// The last group that is in the packs and in the index.
    pub fn archived(&self) -> Result<Tip, Fault> {
        let Some(bytes) = self.meta.get("archived").map_err(broken)? else {
            return Ok(Tip { position: 0, group: 0, at: Timestamp::MIN, hash: ChainHash::default() });
        };
        tip_from(&bytes)
    }

    pub fn write_archived(&self, tip: &Tip) -> Result<(), Fault> {
        let mut bytes = Vec::with_capacity(56);
        bytes.extend_from_slice(&tip.group.to_be_bytes());
        bytes.extend_from_slice(&tip.position.to_be_bytes());
        bytes.extend_from_slice(&tip.at.as_micros().to_be_bytes());
        bytes.extend_from_slice(&tip.hash.0);
        self.meta.insert("archived", bytes).map(drop).map_err(broken)
    }
}

/// The tip that a value under `archived` says.
pub(super) fn tip_from(value: &[u8]) -> Result<Tip, Fault> {
    let mut fields = Fields(value);
    Ok(Tip { group: fields.u64()?, position: fields.u64()?, at: fields.instant()?, hash: fields.hash()? })
}

/// The value kept for a group: its bytes, or only its header after its pieces were written.
fn shorten(large: &Tree, number: u64, bytes: &[u8]) -> Result<IVec, Fault> {
    if bytes.len() <= LARGE {
        return Ok(IVec::from(bytes));
    }
    pieces::put(large, &number.to_be_bytes(), bytes)?;
    Ok(IVec::from(&bytes[..GROUP_HEADER]))
}

/// The bytes a value stands for.
fn lengthen(large: &Tree, value: &[u8]) -> Result<Arc<[u8]>, Fault> {
    if value.len() == GROUP_HEADER
        && let Ok(header) = GroupHeader::parse(value)
    {
        let bytes = pieces::get(large, &header.number.to_be_bytes())?;
        // Without its pieces the header is all there is, and says which group is missing.
        return Ok(if bytes.is_empty() { Arc::from(value) } else { Arc::from(bytes) });
    }
    Ok(Arc::from(value))
}

pub(super) fn open_base(path: &Path, cache_bytes: u64) -> Result<Base, Fault> {
    let db = open_db(path, cache_bytes)?;
    let data = File::options().read(true).write(true).open(path.join("db")).map_err(|e| {
        Fault::Unavailable { reason: format!("the database file cannot be opened. error={e}") }
    })?;
    Ok(Base { db, data })
}

fn open_db(path: &Path, cache_bytes: u64) -> Result<Db, Fault> {
    caches::prepare(path)?;
    match open_once(path, cache_bytes) {
        // Snapshots are caches of the log behind them and the first thing that is read.
        Err(fault) if damaged(&fault) && caches::set_aside(path)? => open_once(path, cache_bytes),
        opened => opened,
    }
}

fn open_once(path: &Path, cache_bytes: u64) -> Result<Db, Fault> {
    let config = ::sled::Config::new()
        .path(path)
        .cache_capacity(cache_bytes)
        .segment_size(SEGMENT)
        .flush_every_ms(None);
    // sled asserts on some damaged files instead of answering an error.
    catch_unwind(AssertUnwindSafe(|| open_when_free(&config)))
        .map_err(|_| corrupt("the database cannot be opened; sled gave up while reading it"))?
        .map_err(broken)
}

/// How often, and how long after each other, a database is tried to open whose lock is still held.
const RELEASE: (u32, Duration) = (500, Duration::from_millis(20));

/// Opens a database. Its last handle may be gone before sled's own threads have let go of its lock; whoever opens it again
/// at once waits for them. Only for who holds the folder, so that nobody else can be the holder.
pub(super) fn open_when_free(config: &::sled::Config) -> ::sled::Result<Db> {
    let mut tries = RELEASE.0;
    loop {
        match config.open() {
            Err(::sled::Error::Io(e)) if tries > 0 && e.to_string().contains("lock") => {
                tries -= 1;
                std::thread::sleep(RELEASE.1);
            }
            opened => return opened,
        }
    }
}

fn apply_migrations(base: &Base, meta: &Tree, made: bool) -> Result<(), Fault> {
    let prefix = b"migration";
    let mut applied = Vec::new();
    for item in meta.scan_prefix(prefix) {
        let (key, value) = item.map_err(broken)?;
        applied.push((Fields(&key[prefix.len()..]).u32()?, Fields(&value).hash()?));
    }
    if made && applied.is_empty() {
        // sled takes a file it cannot read from its start for a new one.
        return Err(corrupt("the database is empty although a store was made here"));
    }
    let known = migrate::known()?;
    for migration in migrate::pending(&known, &applied)? {
        for keyspace in migration.keyspaces.iter().filter(|keyspace| keyspace.database == "sled") {
            base.tree(&keyspace.name)?;
        }
        let key = [&prefix[..], &migration.number.to_be_bytes()].concat();
        meta.insert(key, &migration.digest.0).map_err(broken)?;
    }
    Ok(())
}
