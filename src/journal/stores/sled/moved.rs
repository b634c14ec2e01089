//! The file `MOVE`: the folder takes part in a move of its journal, or its journal has gone.
//!
//! ```text
//! DIR/MOVE   "into" or "away" · the other place · a check, as in FORMAT
//! ```

#[cfg(any(feature = "store-fjall", feature = "store-postgres"))]
use std::fs::{self, File};
#[cfg(any(feature = "store-fjall", feature = "store-postgres"))]
use std::io::Write;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::super::moved::Note;
use super::disk::corrupt;
use super::log::segment;
use crate::Fault;
use crate::chain::digest;

pub(in crate::stores) const NAME: &str = "MOVE";
/// The file before it has that name.
pub(super) const NEW: &str = "MOVE.new";
/// Bytes of the file that are read; a path has fewer.
const LONGEST: usize = 64 << 10;

/// What a folder says of a move; nothing when it takes part in none.
///
/// # Errors
/// [`Fault::Corrupt`] for a file that is damaged, [`Fault::Unavailable`] when the disk does not answer.
pub(in crate::stores) fn read(dir: &Path) -> Result<Option<Note>, Fault> {
    let path = dir.join(NAME);
    let bytes = match segment::read_upto(&path, LONGEST) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(unavailable(&path, &e)),
    };
    let said = String::from_utf8_lossy(&bytes);
    let mut lines = said.lines();
    let note = match (lines.next(), lines.next()) {
        (Some("into"), Some(from)) => Note::Into(from.to_owned()),
        (Some("away"), Some(to)) => Note::Away(to.to_owned()),
        _ => return Err(damaged(&path)),
    };
    if text(&note).as_bytes() == bytes { Ok(Some(note)) } else { Err(damaged(&path)) }
}

fn damaged(path: &Path) -> Fault {
    corrupt(format!("the file does not say which move the folder takes part in. path={}", path.display()))
}

fn unavailable(path: &Path, error: &io::Error) -> Fault {
    Fault::Unavailable {
        reason: format!(
            "what the folder says of a move is out of reach. path={}, error={error}",
            path.display()
        ),
    }
}

fn text(note: &Note) -> String {
    let (word, place) = match note {
        Note::Into(from) => ("into", from),
        Note::Away(to) => ("away", to),
    };
    let lines = format!("{word}\n{place}\n");
    let check: String = digest(lines.as_bytes()).0[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{lines}check {check}\n")
}

/// Replaces what the folder says, durably; whoever reads it sees the one or the other.
#[cfg(any(feature = "store-fjall", feature = "store-postgres"))]
pub(in crate::stores) fn write(dir: &Path, note: &Note) -> Result<(), Fault> {
    let path = dir.join(NAME);
    let write = || {
        let new = dir.join(NEW);
        let mut file = File::create(&new)?;
        file.write_all(text(note).as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        segment::sync_dir(dir)
    };
    write().map_err(|e: io::Error| unavailable(&path, &e))
}

/// Says nothing any more, durably.
#[cfg(any(feature = "store-fjall", feature = "store-postgres"))]
pub(in crate::stores) fn remove(dir: &Path) -> Result<(), Fault> {
    let path = dir.join(NAME);
    let remove = || {
        fs::remove_file(&path)?;
        segment::sync_dir(dir)
    };
    remove().map_err(|e: io::Error| unavailable(&path, &e))
}
