//! A file that is replaced as a whole, together with the token of whoever replaced it.
//!
//! ```text
//!  NAME        quorate guarded file 1. token=7, bytes=5 ⏎ hello
//!  NAME.new    the next one, while it is written
//!  NAME.lock   empty; locked while somebody compares and replaces
//! ```
//!
//! To replace: lock, read the token that is there, compare, write NAME.new, flush it, rename it to NAME, flush the
//! folder, unlock. A crash at any point leaves the old file or the new one, each with its own token. The lock belongs
//! to the open file, so it excludes other processes and other handles of this one, and ends with its process. A
//! reader needs no lock.
//!
//! Two writers cannot pass each other between comparing and renaming. A writer that is stopped while it holds the lock
//! keeps its successor waiting, and not the other way round: [`GuardedFile::try_replace`] does not wait.
//!
//! # Source
//! T. Pillai et al., *All File Systems Are Not Created Equal*, OSDI 2014: flush, rename, flush of the folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Refusal, StopSource, admit};
use crate::core::jobs::protocol::token::FenceToken;
use crate::core::kernel::ids::EntityId;

const PREFIX: &[u8] = b"quorate guarded file 1. token=";

/// What a guarded file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Of whoever wrote it.
    pub token: FenceToken,
    /// What was written.
    pub bytes: Vec<u8>,
}

/// A file on a local file system that only the latest leader can replace.
///
/// ```
/// use quorate::FenceToken;
/// use quorate::guard::{GuardedFile, Refusal};
///
/// # let folder = tempfile::tempdir().unwrap();
/// let file = GuardedFile::new(folder.path().join("schedule"));
/// file.replace(FenceToken::shown(8), b"by the successor")?;
/// let late = file.replace(FenceToken::shown(7), b"by the old leader");
/// assert!(matches!(late, Err(Refusal::Stale { .. })));
/// # Ok::<(), Refusal>(())
/// ```
#[derive(Clone, Debug)]
pub struct GuardedFile {
    path: PathBuf,
    stops: Option<Under>,
}

/// In whose name, and for which class of jobs, the file is written; and where is asked whether that is stopped.
#[derive(Clone, Debug)]
struct Under {
    source: Arc<dyn StopSource>,
    parties: Vec<String>,
    job_class: Option<EntityId>,
}

impl GuardedFile {
    /// A guard of the file at this path, which need not exist yet; its folder must. Touches nothing.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        GuardedFile { path: path.into(), stops: None }
    }

    /// The same file as it is written in the name of these parties, for a job of this class if it is for one. A stop that
    /// covers them and was engaged before the last look, under the lock and just before the rename, leaves the file as it
    /// is. One that is engaged between that look and the rename does not: the file and the journal have no common order.
    pub fn under<'n>(
        self,
        source: Arc<dyn StopSource>,
        parties: impl IntoIterator<Item = &'n str>,
        job_class: Option<EntityId>,
    ) -> Self {
        let parties = parties.into_iter().map(str::to_owned).collect();
        GuardedFile { stops: Some(Under { source, parties, job_class }), ..self }
    }

    /// What the file holds, or `None` before it is first written.
    ///
    /// # Errors
    /// [`Refusal::Damaged`] when this guard did not write it, [`Refusal::Io`] when it cannot be read.
    pub fn read(&self) -> Result<Option<Contents>, Refusal> {
        match fs::read(&self.path) {
            Ok(bytes) => parse(&bytes).map(Some).ok_or_else(|| Refusal::Damaged { file: shown(&self.path) }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(failed("reading", &self.path, cause)),
        }
    }

    /// Replaces the file when the token is not stale. Waits while another writer is at it. When it returns the new file
    /// is durable. The same again does no harm.
    ///
    /// # Errors
    /// [`Refusal::Stale`] and [`Refusal::NotMinted`] for the token; [`Refusal::Damaged`] when this guard did not write what is
    /// there; [`Refusal::Io`].
    pub fn replace(&self, token: FenceToken, bytes: &[u8]) -> Result<(), Refusal> {
        let (lock, at) = self.lock_file()?;
        lock.lock().map_err(|cause| failed("locking", &at, cause))?;
        self.replace_locked(token, bytes)
    }

    /// The same, but does not wait for another writer.
    ///
    /// # Errors
    /// As [`GuardedFile::replace`], and [`Refusal::Busy`].
    pub fn try_replace(&self, token: FenceToken, bytes: &[u8]) -> Result<(), Refusal> {
        let (lock, at) = self.lock_file()?;
        match lock.try_lock() {
            Ok(()) => self.replace_locked(token, bytes),
            Err(TryLockError::WouldBlock) => Err(Refusal::Busy { file: shown(&at) }),
            Err(TryLockError::Error(cause)) => Err(failed("locking", &at, cause)),
        }
    }

    /// The lock file is never removed: who waits for a removed one would hold nothing.
    fn lock_file(&self) -> Result<(File, PathBuf), Refusal> {
        let at = beside(&self.path, ".lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&at);
        lock.map(|lock| (lock, at.clone())).map_err(|cause| failed("opening", &at, cause))
    }

    fn replace_locked(&self, token: FenceToken, bytes: &[u8]) -> Result<(), Refusal> {
        let held = self.read()?.map_or(FenceToken::NONE, |contents| contents.token);
        admit(held, token)?;
        // As late as can be, under the lock.
        if let Some(Under { source, parties, job_class }) = &self.stops {
            let parties: Vec<&str> = parties.iter().map(String::as_str).collect();
            if let Some(stopped) = source.stopped(&parties, job_class.as_ref()) {
                return Err(Refusal::Stopped(stopped));
            }
        }
        let mut all = PREFIX.to_vec();
        all.extend(format!("{token}, bytes={}\n", bytes.len()).into_bytes());
        all.extend_from_slice(bytes);
        replace_whole(&self.path, &all)
    }
}

/// Replaces a file by one rename; durable when it returns.
pub(super) fn replace_whole(path: &Path, bytes: &[u8]) -> Result<(), Refusal> {
    let new = beside(path, ".new");
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|cause| failed("writing", &new, cause))?;
    fs::rename(&new, path).map_err(|cause| failed("renaming", path, cause))?;
    flush_folder(path)
}

/// The rename is durable when the folder is.
#[cfg(unix)]
fn flush_folder(path: &Path) -> Result<(), Refusal> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flushed = File::open(folder).and_then(|folder| folder.sync_all());
    flushed.map_err(|cause| failed("flushing", folder, cause))
}

/// Elsewhere a folder cannot be opened as a file, and the file system orders renames itself.
#[cfg(not(unix))]
fn flush_folder(_path: &Path) -> Result<(), Refusal> {
    Ok(())
}

fn parse(bytes: &[u8]) -> Option<Contents> {
    let rest = bytes.strip_prefix(PREFIX)?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (head, tail) = rest.split_at(end);
    let (token, length) = std::str::from_utf8(head).ok()?.split_once(", bytes=")?;
    let bytes = tail.get(1..)?;
    (length.parse() == Ok(bytes.len()))
        .then(|| Some(Contents { token: FenceToken::shown(token.parse().ok()?), bytes: bytes.to_vec() }))?
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}

pub(super) fn failed(doing: &'static str, path: &Path, cause: io::Error) -> Refusal {
    Refusal::Io { doing, file: shown(path), cause }
}

#[cfg(test)]
#[path = "file_test.rs"]
mod tests;
