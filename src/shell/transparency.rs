//! The transparency log of this runtime: the tree over all durable records, and its newest signed checkpoint.
//!
//! ```text
//!  DIR/tlog/key            private and public key, mode 0600; made once
//!  DIR/tlog/checkpoint     the newest that was signed
//!  DIR/tlog/tile/L/NNN     full tiles, 8,192 bytes each; made again from the journal when they are lost. Those of level 0 over
//!                          nothing but pruned records are left out: the journal holds their hashes
//!
//!  bell ──► at most once a second: read new records ─► tree ─► sign ─► checkpoint
//! ```
//!
//! A checkpoint is a promise, so it is signed only over records that are durable, and only if the tree begins with what the
//! one before it was signed over. When it does not, the journal was changed behind the runtime's back: nothing is signed any
//! more, and who asks is told. A store that keeps nothing has its log in memory.

mod continued;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) use self::continued::Continued;
use quorate_proofs::checkpoint::{LogKey, PublicKey};
use quorate_proofs::entry::Entry;
use quorate_proofs::proof::{Consistency, Inclusion};
use quorate_proofs::tree::{Tiles, Tree};
use quorate_proofs::{Hash, Refusal};

use super::host::{Host, wait};
use super::leavings;
use super::lock;
use crate::config::Config;
use crate::journal::chain::{ChainHash, digest};
use crate::journal::{Fault, Position, Record, Store};

/// The folder of the log in a data folder.
pub(super) const FOLDER: &str = "tlog";
/// A checkpoint is signed so long after the first record that it is to hold.
const AFTER: Duration = Duration::from_millis(900);
/// Records read at a time.
const PAGE: usize = 2_048;

/// The log of one runtime. It is read when somebody needs it.
pub(crate) struct Transparency {
    /// Where it is kept; `None` in memory.
    folder: Option<PathBuf>,
    /// May it be signed and written here?
    writes: bool,
    /// Was a loss accepted when the store was opened? Then the log begins anew when it does not fit.
    accepts_loss: bool,
    /// What makes the same key again, in runs that are to be repeated.
    seed: Option<u64>,
    /// Where tiles of what was pruned are read from.
    store: Arc<dyn Store>,
    log: Mutex<Option<Log>>,
}

#[derive(Debug)]
pub(super) struct Log {
    key: LogKey,
    tree: Tree<Kept>,
    /// The newest checkpoint, and its size.
    checkpoint: (String, u64),
}

impl Log {
    /// How many records the newest checkpoint is signed over.
    pub(super) fn size(&self) -> u64 {
        self.checkpoint.1
    }

    /// The hashes that lead from a leaf to the root of the tree of this size.
    pub(super) fn path(&self, leaf: u64, size: u64) -> Result<Vec<Hash>, LogError> {
        Ok(self.tree.inclusion(leaf, size)?)
    }
}

/// Where full tiles are.
#[derive(Clone)]
enum Kept {
    Folder(PathBuf, Arc<dyn Store>),
    Memory(Arc<Mutex<BTreeMap<String, Vec<u8>>>>),
    /// Read from here, and what is missing is kept in memory.
    Read(PathBuf, Arc<Mutex<BTreeMap<String, Vec<u8>>>>, Arc<dyn Store>),
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Kept::Folder(folder, _) => f.debug_tuple("Folder").field(folder).finish(),
            Kept::Memory(_) => f.write_str("Memory"),
            Kept::Read(folder, ..) => f.debug_tuple("Read").field(folder).finish(),
        }
    }
}

impl Tiles for Kept {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        match self {
            Kept::Folder(folder, store) => {
                std::fs::read(folder.join(path)).ok().or_else(|| leavings::tile(store.as_ref(), path))
            }
            Kept::Memory(tiles) => lock(tiles).get(path).cloned(),
            Kept::Read(folder, tiles, store) => {
                let kept = lock(tiles).get(path).cloned();
                kept.or_else(|| std::fs::read(folder.join(path)).ok())
                    .or_else(|| leavings::tile(store.as_ref(), path))
            }
        }
    }

    fn write(&self, path: &str, hashes: &[u8]) -> Result<(), String> {
        match self {
            // A tile that a crash tears does not fit the tree, and is made again.
            Kept::Folder(_, store) if leavings::is_pruned(store.as_ref(), path) => Ok(()),
            Kept::Folder(folder, _) => put(&folder.join(path), hashes, false).map_err(|e| e.to_string()),
            Kept::Memory(tiles) | Kept::Read(_, tiles, _) => {
                lock(tiles).insert(path.to_owned(), hashes.to_vec());
                Ok(())
            }
        }
    }
}

/// Writes a file in one step. With `sync` it is on disk when this returns.
pub(super) fn put(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)?;
    let new = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    file.write_all(bytes)?;
    if sync {
        file.sync_all()?;
    }
    std::fs::rename(&new, path)?;
    if sync {
        std::fs::File::open(folder)?.sync_all()?;
        // The folder may be new itself.
        std::fs::File::open(folder.parent().unwrap_or(folder))?.sync_all()?;
    }
    Ok(())
}

/// A tree that keeps no tile: for roots as it grows.
#[derive(Clone, Debug)]
pub(crate) struct Nowhere;

impl Tiles for Nowhere {
    fn read(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn write(&self, _: &str, _: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

/// The newest checkpoint, with the key that signed it.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) key: PublicKey,
    pub(crate) checkpoint: String,
    pub(crate) size: u64,
}

/// What the journal says to a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contained {
    /// The size it was signed over.
    pub(crate) size: Option<u64>,
    /// Why it is not contained.
    pub(crate) why: Option<String>,
}

/// What the journal says to checkpoints.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compared {
    /// To the newest in the folder, if there is one.
    pub(crate) own: Option<Contained>,
    /// Why the log in the folder was not looked at: this process may not read its files.
    pub(crate) unread: Option<String>,
    /// To those that were given.
    pub(crate) given: Vec<Contained>,
}

/// Why the log does not answer.
#[derive(Debug)]
pub(crate) enum LogError {
    /// The store, or the files of the log.
    Fault(Fault),
    /// What was asked for is not of its form, or outside of the log.
    Refused(Refusal),
    /// The journal is not what was signed, and why.
    Diverged(String),
    /// There is no such record in a log of this size.
    NoRecord(u64),
    /// A folder that is only read, and has no log.
    NoLog,
    /// No public key was given and there is none in the folder, and why.
    NoKey(String),
}

impl std::fmt::Display for LogError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LogError::Fault(fault) => fault.fmt(f),
            LogError::Refused(refusal) => refusal.fmt(f),
            LogError::Diverged(why) => write!(
                f,
                "the journal is not the one whose checkpoint was signed: {why}; a copy of the folder, or the checkpoint \
                 kept elsewhere, says what was there"
            ),
            LogError::NoKey(why) => write!(f, "{why}, and no public key was given"),
            LogError::NoRecord(size) => write!(f, "there is no such record in the log. log_size={size}"),
            LogError::NoLog => {
                f.write_str("this folder has no log yet: `quorate serve` makes it, and can then be asked")
            }
        }
    }
}

impl From<Fault> for LogError {
    fn from(fault: Fault) -> Self {
        LogError::Fault(fault)
    }
}

impl From<Refusal> for LogError {
    fn from(refusal: Refusal) -> Self {
        LogError::Refused(refusal)
    }
}

fn unavailable(what: &str, path: &Path, error: &io::Error) -> LogError {
    Fault::Unavailable { reason: format!("{what}. path={}, cause={error}", path.display()) }.into()
}

impl Transparency {
    /// The log of a data folder, or of a store in memory.
    pub(crate) fn new(config: &Config, store: Arc<dyn Store>, reads_only: bool, accepts_loss: bool) -> Self {
        let folder = config.store_options.path.as_ref().map(|data| data.join(FOLDER));
        Transparency {
            folder,
            writes: !reads_only,
            accepts_loss,
            seed: config.seed,
            store,
            log: Mutex::new(None),
        }
    }

    /// Takes in what became durable, signs if there is anything new, and gives the newest checkpoint. Blocks its thread.
    ///
    /// # Errors
    /// [`LogError::Diverged`], [`LogError::NoLog`], and the faults of the store.
    pub(crate) fn advance(&self, store: &dyn Store) -> Result<Signed, LogError> {
        self.with(store, |log| {
            let (checkpoint, size) = log.checkpoint.clone();
            Ok(Signed { key: log.key.public().clone(), checkpoint, size })
        })
    }

    /// The proof that a record is in the log, under the newest checkpoint, and the record. Blocks its thread.
    ///
    /// # Errors
    /// [`LogError::NoRecord`], and as [`Transparency::advance`].
    pub(crate) fn inclusion(
        &self,
        store: &dyn Store,
        position: Position,
        shown: bool,
    ) -> Result<(Inclusion, Record), LogError> {
        self.with(store, |log| {
            let missing = || LogError::NoRecord(log.checkpoint.1);
            let before = position.checked_sub(1).ok_or_else(missing)?;
            let record = wait(store.scan(before, 1))?.pop().filter(|record| record.position == position);
            if record.is_none()
                && let Some(run) = wait(store.pruned(before, 1))?.pop()
            {
                let what = format!("the record at position {position}");
                return Err(Fault::Pruned { what, pruning: run.pruning }.into());
            }
            let (Some(record), true) = (record, position <= log.checkpoint.1) else {
                return Err(missing());
            };
            let hashes = log.tree.inclusion(before, log.checkpoint.1).map_err(LogError::from)?;
            let previous = match record.seq {
                0 | 1 => ChainHash::default(),
                seq => wait(store.read(&record.stream, seq - 2, 1))?.pop().ok_or_else(missing)?.hash,
            };
            let bytes = shown.then_some((previous, &record));
            let checkpoint = log.checkpoint.0.clone();
            let proof = Inclusion::new(log.key.public(), checkpoint, &Entry::from(&record), &hashes, bytes);
            Ok((proof, record))
        })
    }

    /// The proof that the log goes on from an older checkpoint of its own. Blocks its thread.
    ///
    /// # Errors
    /// [`LogError::Refused`] for a text that is no checkpoint of this log; as [`Transparency::advance`].
    pub(crate) fn consistency(&self, store: &dyn Store, old: String) -> Result<Consistency, LogError> {
        self.with(store, |log| {
            let key = log.key.public();
            let read = key.read(&old).map_err(LogError::from)?;
            let newest = log.checkpoint.1;
            if read.size > newest {
                return Err(LogError::Diverged(format!(
                    "it has {newest} records, the checkpoint {}",
                    read.size
                )));
            }
            let hashes = match read.size {
                0 => Vec::new(),
                size => log.tree.consistency(size, newest).map_err(LogError::from)?,
            };
            let proof = Consistency::new(key, old, log.checkpoint.0.clone(), &hashes);
            match proof.check(key) {
                Ok(_) => Ok(proof),
                Err(_) => {
                    Err(LogError::Diverged("the tree does not begin with that of the checkpoint".into()))
                }
            }
        })
    }

    /// Whether the journal begins with what each of these checkpoints was signed over, and with what the newest in the
    /// folder was, if there is one. Reads the whole journal; nothing is written. Blocks its thread.
    ///
    /// # Errors
    /// [`LogError::NoKey`] for checkpoints under no key, and the faults of the store.
    pub(crate) fn contained(
        &self,
        store: &dyn Store,
        key: Option<&PublicKey>,
        checkpoints: &[String],
    ) -> Result<Compared, LogError> {
        // The journal is whole without the files of its log: their damage is a finding, and that this process may not read
        // them is none.
        let (own, damaged, unread) = match self.kept() {
            Ok(own) => (own, None, None),
            Err(LogError::Fault(Fault::Unavailable { reason })) => (None, None, Some(reason)),
            Err(damage) => (None, Some(damage.to_string()), None),
        };
        let public = key.cloned().or_else(|| own.as_ref().map(|(key, _)| key.public().clone()));
        let mut asked: Vec<Result<_, String>> = Vec::new();
        for text in checkpoints {
            let Some(public) = &public else {
                let why = unread.clone().or_else(|| damaged.clone());
                return Err(LogError::NoKey(why.unwrap_or_else(|| "the folder has no log".into())));
            };
            asked.push(public.read(text).map_err(|e| e.to_string()));
        }
        let newest = own
            .as_ref()
            .and_then(|(key, newest)| Some(key.public().read(newest.as_ref()?).map_err(|e| e.to_string())));
        let has_own = newest.is_some();
        asked.extend(newest);
        let largest = asked.iter().flatten().map(|checkpoint| checkpoint.size).max().unwrap_or(0);
        let mut tree = Tree::new(Nowhere);
        let mut roots = BTreeMap::new();
        let sizes: Vec<u64> = asked.iter().flatten().map(|checkpoint| checkpoint.size).collect();
        loop {
            if sizes.contains(&tree.size()) {
                roots.insert(tree.size(), tree.root().map_err(LogError::from)?);
            }
            if tree.size() >= largest {
                break;
            }
            let leaves = leavings::leaves(store, tree.size(), PAGE)?;
            if leaves.is_empty() {
                break;
            }
            for leaf in leaves {
                tree.push(leaf).map_err(LogError::from)?;
                if sizes.contains(&tree.size()) {
                    roots.insert(tree.size(), tree.root().map_err(LogError::from)?);
                }
            }
        }
        let told = |asked: &Result<quorate_proofs::checkpoint::Checkpoint, String>| match asked {
            Err(why) => Contained { size: None, why: Some(why.clone()) },
            Ok(checkpoint) => {
                let why = match roots.get(&checkpoint.size) {
                    Some(root) if *root == checkpoint.root => None,
                    Some(_) => Some("a record up to there is not the one that was signed".to_owned()),
                    None => Some(format!("the journal has only {} records", tree.size())),
                };
                Contained { size: Some(checkpoint.size), why }
            }
        };
        let mut all: Vec<Contained> = asked.iter().map(told).collect();
        let own = if has_own { all.pop() } else { None };
        let own = own.or(damaged.map(|why| Contained { size: None, why: Some(why) }));
        Ok(Compared { own, unread, given: all })
    }

    /// Does something with the log as of now.
    pub(super) fn with<T>(
        &self,
        store: &dyn Store,
        act: impl FnOnce(&Log) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        let mut kept = lock(&self.log);
        // A log that could not be advanced is read anew: what is in memory may be ahead of what is on disk.
        let mut log = match kept.take() {
            Some(log) => log,
            None => self.open(store)?,
        };
        self.grow(&mut log, store)?;
        let done = act(&log);
        *kept = Some(log);
        done
    }

    fn grow(&self, log: &mut Log, store: &dyn Store) -> Result<(), LogError> {
        if !self.writes {
            return Ok(());
        }
        extend(&mut log.tree, store, wait(store.tip())?.position)?;
        let size = log.tree.size();
        if size == log.checkpoint.1 && !log.checkpoint.0.is_empty() {
            return Ok(());
        }
        let root = log.tree.root().map_err(LogError::from)?;
        let checkpoint = log.key.sign(size, &root).map_err(LogError::from)?;
        if let Some(folder) = &self.folder {
            let path = folder.join("checkpoint");
            put(&path, checkpoint.as_bytes(), true)
                .map_err(|e| unavailable("the checkpoint cannot be written", &path, &e))?;
        }
        log.checkpoint = (checkpoint, size);
        Ok(())
    }

    /// The key and the newest checkpoint in the folder, if there is a log.
    fn kept_in(folder: &Path) -> Result<Option<(LogKey, Option<String>)>, LogError> {
        let path = folder.join("key");
        let Some(text) = read(&path)? else { return Ok(None) };
        let key = LogKey::from_text(&text)
            .map_err(|e| Fault::Corrupt { what: format!("{e}. path={}", path.display()) })?;
        Ok(Some((key, read(&folder.join("checkpoint"))?)))
    }

    /// The key and the newest checkpoint that are kept, if there is a log.
    fn kept(&self) -> Result<Option<(LogKey, Option<String>)>, LogError> {
        match &self.folder {
            Some(folder) => Self::kept_in(folder),
            None => Ok(lock(&self.log).as_ref().map(|log| (log.key.clone(), Some(log.checkpoint.0.clone())))),
        }
    }

    /// Reads the log, or begins one.
    fn open(&self, store: &dyn Store) -> Result<Log, LogError> {
        let kept = self.folder.as_deref().map(Self::kept_in).transpose()?.flatten();
        let (key, newest) = match kept {
            Some(kept) => kept,
            None if self.writes => (self.new_key()?, None),
            None => return Err(LogError::NoLog),
        };
        match (self.resume(store, &key, newest), &self.folder) {
            (Err(error @ LogError::Diverged(_)), Some(folder)) if self.accepts_loss && self.writes => {
                // What was signed stays: whoever holds such a checkpoint sees that records are gone.
                tracing::warn!(%error, "the log begins anew, for the loss was accepted");
                let path = folder.join("checkpoint");
                std::fs::rename(&path, folder.join("checkpoint.before-loss"))
                    .map_err(|e| unavailable("the checkpoint cannot be put aside", &path, &e))?;
                self.resume(store, &key, None)
            }
            (resumed, _) => resumed,
        }
    }

    /// The log as it was when this checkpoint was signed.
    fn resume(&self, store: &dyn Store, key: &LogKey, newest: Option<String>) -> Result<Log, LogError> {
        let signed = newest.as_deref().map(|text| key.public().read(text)).transpose();
        let signed = signed.map_err(|e| LogError::Diverged(e.to_string()))?;
        let (size, root) = signed.as_ref().map_or((0, None), |signed| (signed.size, Some(signed.root)));
        let records = wait(store.tip())?.position;
        if size > records {
            return Err(LogError::Diverged(format!("it has {records} records, the checkpoint {size}")));
        }
        let memory = Arc::default();
        let tiles = match &self.folder {
            None => Kept::Memory(memory),
            Some(folder) if self.writes => Kept::Folder(folder.clone(), self.store.clone()),
            Some(folder) => Kept::Read(folder.clone(), memory, self.store.clone()),
        };
        let fits = |mut tree: Tree<Kept>| -> Result<Option<Tree<Kept>>, LogError> {
            extend(&mut tree, store, size)?;
            let fits = root.is_none_or(|root| tree.root().is_ok_and(|now| now == root));
            Ok(fits.then_some(tree))
        };
        let from_tiles = Tree::from_tiles(tiles.clone(), size).ok().map(fits).transpose()?.flatten();
        let tree = match from_tiles {
            Some(tree) => tree,
            // Tiles can be lost: they are made again from the journal.
            None => fits(Tree::new(tiles))?.ok_or_else(|| {
                LogError::Diverged("a record before the checkpoint is not the one that was signed".into())
            })?,
        };
        Ok(Log { key: key.clone(), tree, checkpoint: (newest.unwrap_or_default(), size) })
    }

    /// A key for a new log, durable before anything is signed with it.
    fn new_key(&self) -> Result<LogKey, LogError> {
        let random = match self.seed {
            Some(seed) => digest(format!("quorate log key {seed}").as_bytes()).0,
            None => {
                let mut random = [0; 32];
                getrandom::fill(&mut random).map_err(|e| Fault::Unavailable {
                    reason: format!("the system has no random bytes. cause={e}"),
                })?;
                random
            }
        };
        let name = digest(&[b"quorate log name", &random[..]].concat());
        let text = LogKey::generate(&format!("quorate/{}", &name.to_string()[..16]), random);
        if let Some(folder) = &self.folder {
            let path = folder.join("key");
            put(&path, text.as_bytes(), true)
                .map_err(|e| unavailable("the key of the log cannot be written", &path, &e))?;
        }
        LogKey::from_text(&text).map_err(LogError::from)
    }
}

/// Adds the records up to this position.
pub(crate) fn extend<T: Tiles>(tree: &mut Tree<T>, store: &dyn Store, to: Position) -> Result<(), LogError> {
    while tree.size() < to {
        let limit = PAGE.min(usize::try_from(to - tree.size()).unwrap_or(PAGE));
        let leaves = leavings::leaves(store, tree.size(), limit)?;
        if leaves.is_empty() {
            let what = format!("record {} cannot be read back", tree.size() + 1);
            return Err(Fault::Corrupt { what }.into());
        }
        for leaf in leaves {
            tree.push(leaf).map_err(LogError::from)?;
        }
    }
    Ok(())
}

/// The text of a file; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, LogError> {
    match std::fs::read(path) {
        // What is no text is no key and no checkpoint either, and is told as such.
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(unavailable("a file of the log cannot be read", path, &e)),
    }
}

/// Signs what is recorded, from now on until the runtime closes.
pub(crate) async fn follow(host: Arc<Host>) {
    let mut bell = host.bell.subscribe();
    // What an earlier process did not come to sign.
    bell.mark_changed();
    while bell.changed().await.is_ok() {
        tokio::time::sleep(AFTER).await;
        if host.is_closing() || host.writer.failure().is_some() {
            return;
        }
        bell.mark_unchanged();
        let at_work = host.clone();
        let done = tokio::task::spawn_blocking(move || at_work.transparency.advance(at_work.store.as_ref()));
        if let Ok(Err(error)) = done.await {
            tracing::error!(%error, "no checkpoint was signed");
        }
    }
}
