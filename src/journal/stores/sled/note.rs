//! The note: a few bytes beside the databases that outlive the process at once, without a flush of a database.
//!
//! ```text
//! DIR/NOTE   ┌ slot 0, at byte 0 ────────────────────────────────┬ slot 1, at byte 512, the same
//!            │ version 1 · number 8 · length 2 · bytes · hash 32 │
//! ```
//!
//! The slots are written in turn, so that a write that tears leaves the note before it. The hash (blake3) covers
//! everything before it. A note that cannot be read is as good as none.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::super::lock;
use crate::Fault;
use crate::chain::digest;

const VERSION: u8 = 1;
/// Disks write at least this many bytes as a whole.
const SLOT: usize = 512;
const HEAD: usize = 1 + 8 + 2;
const HASH: usize = 32;

/// The file of the note.
#[derive(Debug)]
pub(in crate::stores) struct Note {
    path: PathBuf,
    /// Opened at the first write, with the number of the last note in it.
    open: Mutex<Option<(File, u64)>>,
}

impl Note {
    pub fn in_folder(folder: &Path) -> Self {
        Note { path: folder.join("NOTE"), open: Mutex::new(None) }
    }

    /// The newest note that is whole.
    pub fn load(&self) -> Option<Vec<u8>> {
        newest(&read(&self.path)).map(|(_, note)| note)
    }

    /// Replaces the note. With `synced` it survives a loss of power too.
    pub fn save(&self, note: &[u8], synced: bool) -> Result<(), Fault> {
        let written = self.write(note, synced);
        written.map_err(|e| Fault::Unavailable {
            reason: format!("note cannot be written. path={}, error={e}", self.path.display()),
        })
    }

    fn write(&self, note: &[u8], synced: bool) -> io::Result<()> {
        let mut open = lock(&self.open);
        if open.is_none() {
            let last = newest(&read(&self.path)).map_or(0, |(number, _)| number);
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(&self.path)?;
            *open = Some((file, last));
        }
        let Some((file, last)) = open.as_mut() else { return Ok(()) };
        let number = last.wrapping_add(1);
        let bytes = slot(number, note).ok_or(io::ErrorKind::InvalidInput)?;
        file.seek(SeekFrom::Start((number % 2) * SLOT as u64))?;
        file.write_all(&bytes)?;
        *last = number;
        if synced { file.sync_all() } else { Ok(()) }
    }
}

fn read(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What is not there or cannot be read holds no note.
    let _ = File::open(path).and_then(|file| file.take(2 * SLOT as u64).read_to_end(&mut bytes));
    bytes
}

fn slot(number: u64, note: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(note.len()).ok().filter(|_| HEAD + note.len() + HASH <= SLOT)?;
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(note);
    let hash = digest(&bytes);
    bytes.extend_from_slice(&hash.0);
    Some(bytes)
}

fn newest(file: &[u8]) -> Option<(u64, Vec<u8>)> {
    file.chunks(SLOT).filter_map(whole).max_by_key(|(number, _)| *number)
}

fn whole(slot: &[u8]) -> Option<(u64, Vec<u8>)> {
    let (&[VERSION, ref numbers @ ..], rest) = slot.split_first_chunk::<HEAD>()? else { return None };
    let number = u64::from_be_bytes(*numbers.first_chunk()?);
    let length = u16::from_be_bytes(*numbers.last_chunk()?) as usize;
    let note = rest.get(..length)?;
    let hash = rest.get(length..length + HASH)?;
    (digest(&slot[..HEAD + length]).0 == hash).then(|| (number, note.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_whole_note_counts_and_a_torn_one_leaves_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let note = || Note::in_folder(dir.path());
        assert_eq!(note().load(), None);
        note().save(b"one", true).unwrap();
        note().save(b"two", false).unwrap();
        let open = note();
        open.save(b"three", false).unwrap();
        open.save(b"four", false).unwrap();
        assert_eq!(note().load().as_deref(), Some(&b"four"[..]));
        let path = dir.path().join("NOTE");
        let bytes = std::fs::read(&path).unwrap();
        // The fourth note stands in the first slot.
        for at in [0, 5, 10, 12, 30] {
            let mut torn = bytes.clone();
            torn[at] ^= 1;
            std::fs::write(&path, torn).unwrap();
            assert_eq!(note().load().as_deref(), Some(&b"three"[..]), "byte {at}");
        }
        std::fs::write(&path, &bytes[..40]).unwrap();
        assert_eq!(note().load(), None);
        assert!(note().save(&[0; SLOT], false).is_err());
        note().save(b"anew", false).unwrap();
        assert_eq!(note().load().as_deref(), Some(&b"anew"[..]));
    }
}
