//! Up to where commits were acknowledged, kept outside of the log, so that the log cannot lose its end unseen.
//!
//! ```text
//! DIR/acknowledged   one sector: magic 8 "quorackd" · log identity 16 · last group 8 · last position 8 · check 32
//! ```
//!
//! It is written after a frame is on disk and before anybody hears of it, and not synced then: the end of the process
//! leaves it as it is, and a loss of power may leave an earlier one. So what it says was true, whenever it was written:
//! a log that ends before it has lost acknowledged groups. It is synced with its name before `FORMAT` gets its check,
//! and before a mark of another identity is made: where those are, one that is missing was taken away. One that is
//! damaged proves nothing and is written anew.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::log::segment::{self, read_upto};
use super::log::{Identity, SECTOR, write_at};
use crate::chain::digest;
use crate::{Fault, Position, Tip};

const MAGIC: &[u8; 8] = b"quorackd";
pub(in crate::stores) const NAME: &str = "acknowledged";

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stores) enum Witness {
    /// It is not there or was never written.
    Missing,
    /// It cannot be read as one of this log.
    Damaged,
    /// Everything up to this group was acknowledged.
    Upto { group: u64, position: Position },
}

/// The open file.
#[derive(Debug)]
pub(in crate::stores) struct Acknowledged {
    file: File,
    identity: Identity,
}

impl Acknowledged {
    /// Opens the file, or makes it, and writes that everything up to `tip` is on disk. On return it is on disk itself.
    pub fn open(dir: &Path, identity: Identity, tip: &Tip) -> Result<Self, Fault> {
        let path = dir.join(NAME);
        let open = || {
            let file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
            let opened = Acknowledged { file, identity };
            opened.write(tip)?;
            if opened.file.metadata()?.len() != SECTOR as u64 {
                // From now on only bytes change, for which there is room already.
                opened.file.set_len(SECTOR as u64)?;
            }
            opened.file.sync_all()?;
            segment::sync_dir(dir)?;
            Ok(opened)
        };
        open().map_err(|e: io::Error| unavailable("opened", &e))
    }

    /// Says that everything up to `tip` is on disk.
    pub fn write(&self, tip: &Tip) -> io::Result<()> {
        write_at(&self.file, &bytes(&self.identity, tip.group, tip.position), 0)
    }
}

/// What the file of this log says. Changes nothing.
pub(in crate::stores) fn read(dir: &Path, identity: &Identity) -> Result<Witness, Fault> {
    let found = match read_upto(&dir.join(NAME), SECTOR) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Witness::Missing),
        read => read.map_err(|e| unavailable("read", &e))?,
    };
    // Made, and the crash came before it was written.
    if found.iter().all(|byte| *byte == 0) {
        return Ok(Witness::Missing);
    }
    let number = |at: usize| found.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    let (Some(group), Some(position)) =
        (number(24).map(u64::from_be_bytes), number(32).map(u64::from_be_bytes))
    else {
        return Ok(Witness::Damaged);
    };
    let fits = bytes(identity, group, position) == found;
    Ok(if fits { Witness::Upto { group, position } } else { Witness::Damaged })
}

fn bytes(identity: &Identity, group: u64, position: Position) -> Vec<u8> {
    let mut out = Vec::with_capacity(SECTOR);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(identity);
    out.extend_from_slice(&group.to_be_bytes());
    out.extend_from_slice(&position.to_be_bytes());
    let check = digest(&out);
    out.extend_from_slice(&check.0);
    out.resize(SECTOR, 0);
    out
}

fn unavailable(what: &str, error: &io::Error) -> Fault {
    Fault::Unavailable { reason: format!("the file {NAME} cannot be {what}. error={error}") }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::ChainHash;
    use quorate_core::kernel::time::Timestamp;

    #[test]
    fn what_was_written_last_is_read_and_anything_else_is_damage() {
        let dir = tempfile::tempdir().unwrap();
        let tip = |group| Tip { group, position: 3 * group, at: Timestamp::MIN, hash: ChainHash::default() };
        let identity = [7; 16];
        assert_eq!(read(dir.path(), &identity).unwrap(), Witness::Missing);
        let file = Acknowledged::open(dir.path(), identity, &tip(1)).unwrap();
        for group in 1..5 {
            file.write(&tip(group)).unwrap();
            assert_eq!(read(dir.path(), &identity).unwrap(), Witness::Upto { group, position: 3 * group });
        }
        assert_eq!(read(dir.path(), &[8; 16]).unwrap(), Witness::Damaged, "of another log");
        let path = dir.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, bytes).unwrap();
            assert_eq!(read(dir.path(), &identity).unwrap(), Witness::Damaged, "bit {bit}");
        }
        for length in [1, 39, 40, SECTOR - 1, SECTOR + 1] {
            fs::write(&path, &[&whole[..], &[0]].concat()[..length]).unwrap();
            assert_eq!(read(dir.path(), &identity).unwrap(), Witness::Damaged, "length {length}");
        }
        for unwritten in [&[][..], &[0; SECTOR]] {
            fs::write(&path, unwritten).unwrap();
            assert_eq!(read(dir.path(), &identity).unwrap(), Witness::Missing);
        }
        Acknowledged::open(dir.path(), identity, &tip(9)).unwrap();
        assert_eq!(read(dir.path(), &identity).unwrap(), Witness::Upto { group: 9, position: 27 });
    }
}
