//! A journal into one file, and out of it into a new folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use quorate_proofs::checkpoint::{LogKey, PublicKey};
use quorate_proofs::entry::Entry;
use quorate_proofs::tree::Tree;

use super::dto::{GroupPage, LogCheckpoint};
use super::on_thread;
use crate::core::kernel::time::Timestamp;
use crate::error::Error;
use crate::journal::group::{Group, GroupHeader, Part};
use crate::journal::{Fault, first_epoch_of_life, next_life};
use crate::shell::clock::Clock;
use crate::shell::log_files;
use crate::shell::transparency::Nowhere;
use crate::store::backup::{BackupReader, BackupWriter, Header, LogPart, NewJournal};

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackedUp {
    /// The file.
    pub file: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// Commit groups in it.
    pub groups: u64,
    /// Records in it: everything up to this position.
    pub records: u64,
    /// Hash of its last group: covers everything before it.
    pub tip_hash: String,
    /// The name of the log over all records, if there is one.
    pub log: Option<String>,
    /// Does it hold the key with which that log is signed?
    pub log_key: bool,
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Restored {
    /// The new folder.
    pub folder: PathBuf,
    /// Commit groups in it.
    pub groups: u64,
    /// Records in it.
    pub records: u64,
    /// Hash of its last group.
    pub tip_hash: String,
    /// When the backup was made.
    pub made_at: String,
    /// Tokens of jobs that are minted in the new folder are above this number, so that none is one that the journal the backup
    /// was made of has minted since.
    pub tokens_above: u64,
    /// The name of the log over all records, if the backup knows one.
    pub log: Option<String>,
    /// Does the new folder go on with that log? Without its key it begins another one, under another name.
    pub log_goes_on: bool,
}

/// The present instant, as the machine tells it.
pub(in crate::api) fn now() -> Timestamp {
    Clock::system(Timestamp::MIN, None).now()
}

fn unavailable(what: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::Unavailable { reason: format!("{what}. path={}, cause={error}", path.display()) }
}

/// A backup in the making. It stands beside its place, under its name with `.partial` behind it, until it is whole.
#[derive(Debug)]
pub struct Backup {
    writer: BackupWriter<BufWriter<File>>,
    place: PathBuf,
    partial: PathBuf,
    log: Option<String>,
    log_key: bool,
}

impl Backup {
    /// Begins a backup of the data folder `folder`, whose journal ends as `page` says; the groups in it are the first of the
    /// backup. `log` is the newest checkpoint from before, and with `with_key` the backup holds the key that signs.
    ///
    /// # Errors
    /// `invalid_argument` when there is a file in its place already, `store_locked` while another backup is made there,
    /// `store_corrupt` for a journal that does not fit its hashes, `store_error` when a disk does not answer.
    pub fn begin(
        folder: &Path,
        place: &Path,
        page: &GroupPage,
        log: Option<LogCheckpoint>,
        with_key: bool,
    ) -> Result<Self, Error> {
        if place.try_exists().map_err(|e| unavailable("file cannot be looked at", place, &e))? {
            let expected = "the name of a new file: a backup replaces nothing";
            return Err(Error::invalid("to", place.display().to_string(), expected));
        }
        let mut name = place.as_os_str().to_owned();
        name.push(".partial");
        let partial = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&partial).map_err(|e| unavailable("file cannot be made", &partial, &e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = format!("another backup is made there. path={}", partial.display());
                return Err(Fault::Locked { holder }.into());
            }
            Err(TryLockError::Error(e)) => {
                return Err(unavailable("file cannot be locked", &partial, &e).into());
            }
        }
        // What an earlier one left that was cut off.
        file.set_len(0).map_err(|e| unavailable("file cannot be emptied", &partial, &e))?;
        let part = |log: LogCheckpoint| -> Result<LogPart, Fault> {
            let key = if with_key { log_files::key_text(folder)? } else { None };
            Ok(LogPart { public_key: log.public_key, checkpoint: log.checkpoint, signing_key: key })
        };
        let origin = log.as_ref().map(|log| log.origin.clone());
        let log = log.map(part).transpose()?;
        let log_key = log.as_ref().is_some_and(|log| log.signing_key.is_some());
        // A journal that was pruned begins with a group in the newer form.
        let first = page.bytes()?.first().map(|group| GroupHeader::parse(group)).transpose()?;
        let header = Header {
            group_version: first.map_or(1, |first| first.version),
            groups: page.tip_group,
            records: page.tip_position,
            tip_hash: page.tip_hash.clone(),
            ..Header::new(
                page.epoch,
                now().to_string(),
                concat!("quorate ", env!("CARGO_PKG_VERSION")).to_owned(),
                log,
            )
        };
        let writer = BackupWriter::begin(BufWriter::new(file), header)?;
        let mut backup = Backup { writer, place: place.to_owned(), partial, log: origin, log_key };
        backup.add(page)?;
        Ok(backup)
    }

    /// The number of the last group that is in it.
    pub fn after(&self) -> u64 {
        self.writer.group()
    }

    /// Are all groups in it?
    pub fn is_whole(&self) -> bool {
        self.writer.is_whole()
    }

    /// Adds the groups that follow; those behind the cut are left out.
    ///
    /// # Errors
    /// `store_corrupt` for a group that does not fit, `store_error` when the disk does not answer.
    pub fn add(&mut self, page: &GroupPage) -> Result<(), Error> {
        for group in page.bytes()? {
            self.writer.add(&group)?;
        }
        Ok(())
    }

    /// Makes it durable and puts it into its place.
    ///
    /// # Errors
    /// `store_corrupt` when the journal does not end as it said; `store_error` when the disk does not answer.
    pub fn finish(self) -> Result<BackedUp, Error> {
        let header = self.writer.header().clone();
        let failed = |e: &io::Error| unavailable("the backup cannot be written", &self.partial, e);
        let file = self.writer.finish()?.into_inner().map_err(|e| failed(e.error()))?;
        file.sync_all().map_err(|e| failed(&e))?;
        let bytes = file.metadata().map_err(|e| failed(&e))?.len();
        fs::rename(&self.partial, &self.place).map_err(|e| failed(&e))?;
        let parent = self.place.parent().filter(|parent| !parent.as_os_str().is_empty());
        let synced = File::open(parent.unwrap_or(Path::new("."))).and_then(|parent| parent.sync_all());
        synced.map_err(|e| failed(&e))?;
        Ok(BackedUp {
            file: self.place,
            bytes,
            groups: header.groups,
            records: header.records,
            tip_hash: header.tip_hash,
            log: self.log,
            log_key: self.log_key,
        })
    }
}

/// Restores a backup into the new folder `to`, of the store of this name or of the default one. Every byte of the file is checked
/// before anything of it is written; then the folder is made beside its place, and put there when all of it is durable.
/// `progress` hears how many groups of how many are checked, and then written.
///
/// # Errors
/// `store_corrupt` that names the first thing that does not fit, `store_version` for a file of a later program,
/// `store_foreign` when there is something in `to` already, `store_locked` while another restore is at work there,
/// `invalid_argument` for the name of a store that this build does not keep in folders, `store_error` when a disk does not
/// answer.
pub async fn restore(
    file: PathBuf,
    to: PathBuf,
    store: Option<String>,
    mut progress: impl FnMut(u64, u64) + Send + 'static,
) -> Result<Restored, Error> {
    on_thread(move || {
        let open = || {
            let opened =
                File::open(&file).map_err(|e| unavailable("the backup cannot be read", &file, &e))?;
            BackupReader::open(BufReader::with_capacity(1 << 20, opened))
        };
        let mut reader = open()?;
        let header = reader.header().clone();
        let mut log = header.log.as_ref().map(SignedOver::of).transpose()?;
        while let Some(group) = reader.next_group()? {
            if let Some(log) = &mut log {
                log.add(&group)?;
            }
            progress(reader.group(), header.groups * 2);
        }
        let origin = log.map(SignedOver::check).transpose()?;
        let mut journal = match &store {
            Some(store) => NewJournal::begin_in(store, &to)?,
            None => NewJournal::begin(&to)?,
        };
        // Read anew, and checked anew: the file may have changed meanwhile.
        let mut reader = open()?;
        if *reader.header() != header {
            return Err(Fault::Corrupt { what: "the backup has changed while it was read".into() });
        }
        while let Some(group) = reader.next_group()? {
            journal.add(&group)?;
            progress(header.groups + reader.group(), header.groups * 2);
        }
        let epoch = next_life(header.epoch, now());
        let key = header.log.as_ref().and_then(|log| Some((log.signing_key.as_ref()?, &log.checkpoint)));
        let tip = journal.finish(epoch, |folder| match key {
            Some((key, checkpoint)) => log_files::adopt(folder, key, Some((checkpoint.as_str(), true))),
            None => Ok(()),
        })?;
        Ok(Restored {
            folder: to,
            groups: tip.group,
            records: tip.position,
            tip_hash: tip.hash.to_string(),
            made_at: header.made_at.clone(),
            tokens_above: first_epoch_of_life(epoch),
            log: origin,
            log_goes_on: key.is_some(),
        })
    })
    .await
}

/// The records of a backup beside what its checkpoint was signed over.
struct SignedOver {
    key: PublicKey,
    size: u64,
    root: quorate_proofs::Hash,
    tree: Tree<Nowhere>,
}

fn misfit(why: &str) -> Fault {
    Fault::Corrupt { what: format!("the backup is damaged or made up: {why}") }
}

impl SignedOver {
    fn of(log: &LogPart) -> Result<Self, Fault> {
        let key = PublicKey::from_text(&log.public_key).map_err(|e| misfit(&e.to_string()))?;
        if let Some(text) = &log.signing_key {
            let signing = LogKey::from_text(text).map_err(|e| misfit(&e.to_string()))?;
            if signing.public().to_string() != key.to_string() {
                return Err(misfit("its signing key is not that of its log"));
            }
        }
        let signed = key.read(&log.checkpoint).map_err(|e| misfit(&e.to_string()))?;
        Ok(SignedOver { key, size: signed.size, root: signed.root, tree: Tree::new(Nowhere) })
    }

    fn add(&mut self, group: &[u8]) -> Result<(), Fault> {
        for part in Group::parse(group)?.parts() {
            let leaves: Vec<_> = match part? {
                Part::Frame(frame) => {
                    frame.records()?.iter().map(|record| Entry::from(record).leaf()).collect()
                }
                Part::Pruned(run) => run.leaves.into_iter().map(quorate_proofs::Hash).collect(),
            };
            for leaf in leaves {
                if self.tree.size() < self.size {
                    self.tree.push(leaf).map_err(|e| misfit(&e.to_string()))?;
                }
            }
        }
        Ok(())
    }

    /// The name of the log, when the checkpoint was signed over these records.
    fn check(self) -> Result<String, Fault> {
        let root = self.tree.root().map_err(|e| misfit(&e.to_string()))?;
        if (self.tree.size(), root) != (self.size, self.root) {
            return Err(misfit("its records are not those that its checkpoint was signed over"));
        }
        Ok(self.key.name().to_owned())
    }
}
