//! The data folder: what marks it as ours, and who holds it.
//!
//! ```text
//! DIR/FORMAT   which layout the folder has
//! DIR/LOCK     locked while the store is open; says by whom
//! DIR/NOTE     what outlives the process without a flush of a database
//! DIR/mark     how far the archive reached
//! DIR/acknowledged  how far commits were acknowledged
//! DIR/log/     the write-ahead log, which every commit writes
//! DIR/sled/    the database, which the archiver writes
//! DIR/fjall/   the database of a folder of fjall, which has neither log nor sled
//! DIR/MOVE     where the journal comes from or has gone, while a move is under way or when it has left
//! DIR/lost-N/  what was given up when somebody accepted a loss
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::format::{self, Format};
use crate::Fault;
use quorate_core::kernel::time::Timestamp;

/// How often, and how far apart, the lock is tried while a former handle of this process holds it.
const RELEASE: (u32, Duration) = (100, Duration::from_millis(20));

/// A data folder held by this handle until it is dropped.
#[derive(Debug)]
pub(in crate::stores) struct Folder {
    path: PathBuf,
    lock: File,
    /// The layout it gets.
    layout: u32,
    /// The layout of the store that was here when the folder was opened.
    pub format: Option<u32>,
    /// `FORMAT` has its check.
    pub checked: bool,
    /// What is wrong with `FORMAT`, for somebody who accepts a loss.
    pub damage: Option<String>,
}

/// Makes a folder that no other user of the machine can look into: what is recorded may be secret. One that is there stays as
/// it is.
pub(in crate::stores) fn private(path: &Path) -> io::Result<()> {
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    let mut folder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    match folder.create(path) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

impl Folder {
    /// Opens a data folder, or makes one of this layout. A refusal leaves no trace.
    pub fn open(path: &Path, create: bool, accept_loss: bool, layout: u32) -> Result<Self, Fault> {
        let (format, checked, damage) = match format::look(path)? {
            Format::Nothing => (None, true, None),
            Format::Layout { number, checked } => (Some(number), checked, None),
            Format::Damaged { what, looks_like } if accept_loss => (Some(looks_like), false, Some(what)),
            Format::Damaged { what, .. } => return Err(Fault::Corrupt { what }),
        };
        if let Some(found) = format.filter(|found| (*found == format::FJALL) != (layout == format::FJALL)) {
            let (asked, here) = if found == format::FJALL { ("sled", "fjall") } else { ("fjall", "sled") };
            let range = format!("{here}, which the folder was made with. path={}", path.display());
            return Err(Fault::Config { knob: "store", value: asked.into(), range });
        }
        if format.is_none() && !create {
            return Err(Fault::Missing { path: path.display().to_string() });
        }
        private(path).map_err(|e| unavailable("folder cannot be made", path, &e))?;
        let at = path.join("LOCK");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&at)
            .map_err(|e| unavailable("lock file cannot be opened", &at, &e))?;
        let mut tries = RELEASE.0;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    let holder = holder_of(&mut lock);
                    // A former handle of this process may still be ending its last thread.
                    if tries == 0 || !holder.starts_with(&own_pid()) {
                        return Err(Fault::Locked { holder });
                    }
                    tries -= 1;
                    std::thread::sleep(RELEASE.1);
                }
                Err(TryLockError::Error(e)) => {
                    return Err(unavailable("lock file cannot be locked", &at, &e));
                }
            }
        }
        let folder = Folder { path: path.to_owned(), lock, layout, format, checked, damage };
        if format.is_none() {
            folder.begin()?;
        }
        folder.sign("").map_err(|e| unavailable("lock file cannot be written", &at, &e))?;
        Ok(folder)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the ring of the first format.
    pub fn ring(&self) -> PathBuf {
        self.path.join("ring")
    }

    /// The folder of the log.
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The folder of the database.
    pub fn database(&self) -> PathBuf {
        self.path.join("sled")
    }

    /// Says what is to become of the folder; nothing counts before [`Folder::finish`].
    pub fn begin(&self) -> Result<(), Fault> {
        let begin = || {
            let mut file = File::create(self.path.join("FORMAT.new"))?;
            file.write_all(format::text(self.layout).as_bytes())?;
            file.sync_all()?;
            self.sync_names()
        };
        begin().map_err(|e: io::Error| unavailable("folder cannot be written", &self.path, &e))
    }

    /// Marks the folder as a store of this layout, now that all of it is on disk. From here on something that is
    /// missing was lost.
    pub fn finish(&self) -> Result<(), Fault> {
        let finish = || {
            self.sync_names()?;
            fs::rename(self.path.join("FORMAT.new"), self.path.join("FORMAT"))?;
            self.sync_names()
        };
        finish().map_err(|e: io::Error| unavailable("folder cannot be written", &self.path, &e))
    }

    /// A new folder for what is given up, its name with the first number that is free.
    pub fn make_lost(&self) -> Result<PathBuf, Fault> {
        let mut number = 1;
        loop {
            let path = self.path.join(format!("lost-{number}"));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(path),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(e) => return Err(unavailable("folder cannot be made", &path, &e)),
            }
        }
    }

    /// Whether the folder that is held still stands under its name.
    pub fn is_in_place(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let there = fs::metadata(self.path.join("LOCK")).map(|meta| (meta.dev(), meta.ino()));
            let held = self.lock.metadata().map(|meta| (meta.dev(), meta.ino()));
            // What cannot be looked at is no proof that it is gone.
            match (there, held) {
                (Ok(there), Ok(held)) => there == held,
                (Err(e), _) => e.kind() != ErrorKind::NotFound,
                (_, Err(_)) => true,
            }
        }
        #[cfg(not(unix))]
        true
    }

    /// Makes the names of the files durable, not only their contents.
    pub fn sync_names(&self) -> io::Result<()> {
        #[cfg(unix)]
        for dir in [
            Some(self.log()),
            Some(self.database()),
            Some(self.path.join("fjall")),
            Some(self.path.clone()),
            self.path.parent().map(Path::to_owned),
        ] {
            // A relative path of one component has the empty parent, which is the current folder.
            let dir = dir.filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| PathBuf::from("."));
            if dir.exists() {
                File::open(dir)?.sync_all()?;
            }
        }
        Ok(())
    }

    /// Says in the lock file who holds the store; others are shown this text.
    pub fn sign(&self, owner: &str) -> io::Result<()> {
        let program =
            std::env::current_exe().ok().and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()));
        let mut text = format!("{}program={}", own_pid(), program.as_deref().unwrap_or("unknown"));
        self.write(&text)?;
        // The file system's clock says when, so the store needs none.
        let modified = self.lock.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        text.push_str(&format!(", since={}", Timestamp::from_millis(modified.as_millis() as i64)));
        if !owner.is_empty() {
            text.push_str(&format!(", owner={owner:?}"));
        }
        self.write(&text)
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut file = &self.lock;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(text.as_bytes())
    }
}

fn unavailable(what: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::Unavailable { reason: format!("{what}. path={}, error={error}", path.display()) }
}

/// How the lock file of a holder of this process begins.
fn own_pid() -> String {
    format!("pid={}, ", std::process::id())
}

/// What the lock file says of the holder.
fn holder_of(lock: &mut File) -> String {
    let mut holder = String::new();
    let read = lock.rewind().and_then(|()| lock.read_to_string(&mut holder));
    let holder = holder.trim();
    if read.is_ok() && !holder.is_empty() { holder } else { "unknown" }.to_owned()
}
