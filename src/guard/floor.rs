//! The highest token seen of each resource, for guards that keep it themselves.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::file::{beside, failed, replace_whole, shown};
use super::{Refusal, admit};
use crate::core::jobs::protocol::token::FenceToken;
use crate::core::kernel::ids::EntityId;

/// Keeps the highest token seen of each resource.
///
/// Whoever implements it compares and raises in one step, and returns only when the raised floor is as durable as what it
/// guards: a floor that is forgotten in a crash lets a replaced leader in again.
pub trait TokenFloor: Send + Sync + 'static {
    /// Takes a token that is not below the floor of the resource, and raises the floor to it. May block. The same again
    /// does no harm. `true`: the floor was raised.
    ///
    /// # Errors
    /// [`Refusal::Stale`] or [`Refusal::NotMinted`] for the token; others when the floor cannot be kept.
    fn admit(&self, resource: &EntityId, token: FenceToken) -> Result<bool, Refusal>;
}

/// A floor that ends with the process: for what ends with the process too, and for tests.
#[derive(Debug, Default)]
pub struct MemoryFloor(Mutex<BTreeMap<EntityId, FenceToken>>);

impl TokenFloor for MemoryFloor {
    fn admit(&self, resource: &EntityId, token: FenceToken) -> Result<bool, Refusal> {
        // Nothing in between can panic and leave it half changed.
        let mut floors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = floors.get(resource).copied().unwrap_or(FenceToken::NONE);
        let raises = admit(held, token)?;
        if raises {
            floors.insert(resource.clone(), token);
        }
        Ok(raises)
    }
}

const FIRST_LINE: &str = "quorate token floors 1";

/// A floor in a file, which outlives the process and the power.
///
/// ```text
/// NAME        quorate token floors 1 ⏎ 7 job-a ⏎ 12 job-b ⏎ end
/// NAME.new    the next one, while it is written
/// NAME.lock   locked while the floor is open
/// ```
///
/// The whole file is replaced whenever a floor is raised, that is when a leader changes. A thousand resources are some
/// 30 kB. It is held by one process at a time.
#[derive(Debug)]
pub struct FileFloor {
    path: PathBuf,
    held: Mutex<Held>,
    /// Released when the floor is dropped.
    _lock: File,
}

#[derive(Debug)]
struct Held {
    floors: BTreeMap<EntityId, FenceToken>,
    /// A write failed: what is on disk is not known.
    broken: bool,
}

impl FileFloor {
    /// Opens or makes the floor at this path; its folder must exist.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when it is open already, [`Refusal::Damaged`] when the file is another or cut short,
    /// [`Refusal::Io`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Refusal> {
        let path = path.into();
        let at = beside(&path, ".lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&at);
        let lock = lock.map_err(|cause| failed("opening", &at, cause))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Refusal::Busy { file: shown(&at) }),
            Err(TryLockError::Error(cause)) => return Err(failed("locking", &at, cause)),
        }
        let floors = match fs::read_to_string(&path) {
            Ok(text) => parse(&text).ok_or_else(|| Refusal::Damaged { file: shown(&path) })?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                return Err(Refusal::Damaged { file: shown(&path) });
            }
            Err(cause) => return Err(failed("reading", &path, cause)),
        };
        Ok(FileFloor { path, held: Mutex::new(Held { floors, broken: false }), _lock: lock })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenFloor for FileFloor {
    fn admit(&self, resource: &EntityId, token: FenceToken) -> Result<bool, Refusal> {
        let mut held = self.held();
        let floor = held.floors.get(resource).copied().unwrap_or(FenceToken::NONE);
        // A token that is stale is so whatever became of a write.
        let raises = admit(floor, token)?;
        if held.broken {
            return Err(Refusal::Broken { file: shown(&self.path) });
        }
        if raises {
            held.floors.insert(resource.clone(), token);
            if let Err(refusal) = replace_whole(&self.path, text(&held.floors).as_bytes()) {
                held.broken = true;
                return Err(refusal);
            }
        }
        Ok(raises)
    }
}

/// A resource is an id, so it holds no line break.
fn text(floors: &BTreeMap<EntityId, FenceToken>) -> String {
    let lines = floors.iter().map(|(resource, token)| format!("{token} {resource}\n"));
    format!("{FIRST_LINE}\n{}end\n", lines.collect::<String>())
}

fn parse(text: &str) -> Option<BTreeMap<EntityId, FenceToken>> {
    let lines = text.strip_prefix(FIRST_LINE)?.strip_prefix('\n')?.strip_suffix("end\n")?;
    let mut floors = BTreeMap::new();
    for line in lines.split_terminator('\n') {
        let (token, resource) = line.split_once(' ')?;
        let token = FenceToken::shown(token.parse().ok()?);
        let again = floors.insert(EntityId::stored(resource).ok()?, token);
        if again.is_some() {
            return None;
        }
    }
    Some(floors)
}

#[cfg(test)]
#[path = "floor_test.rs"]
mod tests;
