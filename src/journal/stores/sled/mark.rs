//! How far the archive reached, kept outside of the database and of the log, so that neither can lose its end unseen.
//!
//! ```text
//! DIR/mark   two slots of one sector, written in turn; the later one counts
//! slot       magic 8 "quomark1" · count 8 · closed 1 · reserved 7 · log identity 16 · epoch 8
//!            archived: group 8 · position 8 · at 8 · hash 32
//!            log begins: segment 8 · offset 8 · start of the frame before 8 · end of the database 24 · check 32
//! ```
//!
//! A sector is written whole or not at all and both slots are sound from the start, so one that does not verify was
//! damaged. The mark is on disk before any file of the log is removed on the strength of it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::disk::corrupt;
use super::inspect::End;
use super::log::{Identity, Place, SECTOR, segment, write_at};
use crate::chain::digest;
use crate::{ChainHash, Epoch, Fault, Tip};
use quorate_core::kernel::time::Timestamp;

pub(in crate::stores) const MAGIC: &[u8; 8] = b"quomark1";
const NAME: &str = "mark";

/// What the mark says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::stores) struct Mark {
    /// Everything is in the database and the log holds nothing.
    pub closed: bool,
    pub identity: Identity,
    /// The epoch in force.
    pub epoch: Epoch,
    /// The last group that is in the database for good.
    pub archived: Tip,
    /// Where the log goes on behind it.
    pub begin: Place,
    /// Where the frame before `begin` starts in the same segment; 0 for none.
    pub frame: u64,
    /// How far the file of the database was on disk, as [`inspect`](super::inspect) says it; all ones when not known.
    pub database_end: Option<End>,
}

impl Mark {
    /// The mark of a store with nothing in it, and of a new log behind everything in the database.
    pub fn new(archived: Tip, epoch: Epoch, segment: u64) -> Self {
        let begin = Place { segment, offset: 0 };
        Mark { closed: true, identity: identity(), epoch, archived, begin, frame: 0, database_end: None }
    }

    fn bytes(&self, count: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(SECTOR);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&count.to_be_bytes());
        out.extend_from_slice(&[u8::from(self.closed), 0, 0, 0, 0, 0, 0, 0]);
        out.extend_from_slice(&self.identity);
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&self.archived.group.to_be_bytes());
        out.extend_from_slice(&self.archived.position.to_be_bytes());
        out.extend_from_slice(&self.archived.at.as_micros().to_be_bytes());
        out.extend_from_slice(&self.archived.hash.0);
        out.extend_from_slice(&self.begin.segment.to_be_bytes());
        out.extend_from_slice(&self.begin.offset.to_be_bytes());
        out.extend_from_slice(&self.frame.to_be_bytes());
        out.extend_from_slice(&self.database_end.map_or([0xff; End::BYTES], End::to_bytes));
        out.extend_from_slice(&[0xff; 4]);
        let check = digest(&out);
        out.extend_from_slice(&check.0);
        out.resize(SECTOR, 0);
        out
    }

    fn parse(slot: &[u8]) -> Option<(u64, Self)> {
        let u64_at = |at: usize| slot[at..at + 8].iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
        let mut identity = Identity::default();
        identity.copy_from_slice(&slot[24..40]);
        let mut hash = ChainHash::default();
        hash.0.copy_from_slice(&slot[72..104]);
        let mut database_end = [0; End::BYTES];
        database_end.copy_from_slice(&slot[128..128 + End::BYTES]);
        let mark = Mark {
            closed: slot[16] == 1,
            identity,
            epoch: u64_at(40),
            archived: Tip {
                group: u64_at(48),
                position: u64_at(56),
                at: Timestamp::from_micros(u64_at(64).cast_signed()),
                hash,
            },
            begin: Place { segment: u64_at(104), offset: u64_at(112) },
            frame: u64_at(120),
            database_end: (database_end != [0xff; End::BYTES]).then(|| End::from_bytes(&database_end)),
        };
        let count = u64_at(8);
        (mark.bytes(count) == slot).then_some((count, mark))
    }
}

/// The open file.
#[derive(Debug)]
pub(in crate::stores) struct MarkFile {
    file: File,
    count: u64,
    mark: Mark,
    /// Waits for the drive.
    durable: bool,
}

impl MarkFile {
    /// Makes the file, or replaces one that is there, in one step.
    pub fn make(dir: &Path, mark: Mark, durable: bool) -> Result<Self, Fault> {
        let unfinished = dir.join("mark.new");
        let make = || {
            let mut file =
                File::options().read(true).write(true).create(true).truncate(true).open(&unfinished)?;
            file.write_all(&[mark.bytes(2), mark.bytes(1)].concat())?;
            file.sync_all()?;
            fs::rename(&unfinished, dir.join(NAME))?;
            segment::sync_dir(dir)?;
            Ok(file)
        };
        let file = make().map_err(|e: io::Error| unavailable("made", &e))?;
        Ok(MarkFile { file, count: 2, mark, durable })
    }

    /// Opens a file that must be there.
    pub fn open(dir: &Path, durable: bool) -> Result<Self, Fault> {
        let (count, mark) = read(dir)?;
        let file = File::options().read(true).write(true).open(dir.join(NAME));
        let file = file.map_err(|e| unavailable("opened", &e))?;
        Ok(MarkFile { file, count, mark, durable })
    }

    pub fn get(&self) -> &Mark {
        &self.mark
    }

    /// Writes what `change` makes of the mark, durable on return.
    pub fn change(&mut self, change: impl FnOnce(&mut Mark)) -> Result<(), Fault> {
        let mut mark = self.mark.clone();
        change(&mut mark);
        let count = self.count + 1;
        let write = || {
            write_at(&self.file, &mark.bytes(count), count % 2 * SECTOR as u64)?;
            if self.durable { self.file.sync_data() } else { Ok(()) }
        };
        write().map_err(|e| unavailable("written", &e))?;
        (self.count, self.mark) = (count, mark);
        Ok(())
    }
}

/// The mark of a data folder. Changes nothing.
pub(in crate::stores) fn read(dir: &Path) -> Result<(u64, Mark), Fault> {
    let bytes = match segment::read_upto(&dir.join(NAME), 2 * SECTOR) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Err(corrupt("the file mark is missing")),
        read => read.map_err(|e| unavailable("read", &e))?,
    };
    if bytes.len() != 2 * SECTOR {
        return Err(corrupt(format!("the file mark has another length. bytes={}", bytes.len())));
    }
    let (first, second) = bytes.split_at(SECTOR);
    match (Mark::parse(second), Mark::parse(first)) {
        (Some(odd), Some(even)) if odd.0 % 2 == 1 && even.0 % 2 == 0 && odd.0.abs_diff(even.0) == 1 => {
            Ok(if odd.0 > even.0 { odd } else { even })
        }
        _ => Err(corrupt("the file mark does not fit its checks")),
    }
}

/// A number nobody else has. The standard library seeds its hash maps from the system.
fn identity() -> Identity {
    use std::hash::{BuildHasher, RandomState};
    let mut out = Identity::default();
    out[..8].copy_from_slice(&RandomState::new().hash_one(0u8).to_be_bytes());
    out[8..].copy_from_slice(&RandomState::new().hash_one(1u8).to_be_bytes());
    out
}

fn unavailable(what: &str, error: &io::Error) -> Fault {
    Fault::Unavailable { reason: format!("the file mark cannot be {what}. error={error}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(group: u64) -> Mark {
        let archived =
            Tip { group, position: 2 * group, at: Timestamp::from_micros(-7), hash: ChainHash([3; 32]) };
        Mark { frame: 9, ..Mark::new(archived, 4, 5) }
    }

    #[test]
    fn the_later_slot_counts() {
        let dir = tempfile::tempdir().unwrap();
        let first = mark(0);
        let mut file = MarkFile::make(dir.path(), first.clone(), true).unwrap();
        assert_eq!(read(dir.path()).unwrap(), (2, first));
        for group in 1..6 {
            file.change(|mark| mark.archived.group = group).unwrap();
            assert_eq!(read(dir.path()).unwrap().1.archived.group, group);
        }
        let mut file = MarkFile::open(dir.path(), true).unwrap();
        file.change(|mark| mark.epoch = 77).unwrap();
        let found = read(dir.path()).unwrap().1;
        assert_eq!((found.epoch, found.archived.group), (77, 5));
    }

    #[test]
    fn a_flip_of_any_bit_a_cut_or_a_missing_file_is_damage() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = MarkFile::make(dir.path(), mark(1), true).unwrap();
        file.change(|mark| mark.archived.group = 2).unwrap();
        let path = dir.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, bytes).unwrap();
            assert!(matches!(read(dir.path()), Err(Fault::Corrupt { .. })), "bit {bit}");
        }
        for length in [0, 1, SECTOR, whole.len() - 1, whole.len() + 1] {
            fs::write(&path, &[&whole[..], &[0]].concat()[..length]).unwrap();
            assert!(matches!(read(dir.path()), Err(Fault::Corrupt { .. })), "length {length}");
        }
        fs::remove_file(&path).unwrap();
        assert!(matches!(read(dir.path()), Err(Fault::Corrupt { .. })));
    }
}
