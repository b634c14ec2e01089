//! The files of the log.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::{Bound, Identity, Place, SECTOR, u64_at, unavailable};
use crate::Fault;

const MAGIC: &[u8; 8] = b"quorlog1";
/// A segment in the making.
const UNFINISHED: &str = "next.tmp";
/// Zeros written at a time, each synced, so that commits beside it wait for little.
const CHUNK: usize = 1 << 20;

/// What the header of a segment says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct SegmentHeader {
    pub number: u64,
    pub size: u64,
    pub identity: Identity,
}

impl SegmentHeader {
    /// Reads the first sector of a segment; `None` when it does not verify.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..SECTOR)?;
        let mut identity = Identity::default();
        identity.copy_from_slice(&bytes[24..40]);
        let header = SegmentHeader { number: u64_at(bytes, 8), size: u64_at(bytes, 16), identity };
        (header.bytes() == bytes).then_some(header)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = vec![0; SECTOR];
        out[..8].copy_from_slice(MAGIC);
        out[8..16].copy_from_slice(&self.number.to_be_bytes());
        out[16..24].copy_from_slice(&self.size.to_be_bytes());
        out[24..40].copy_from_slice(&self.identity);
        let bound = Bound { identity: &self.identity, place: Place { segment: self.number, offset: 0 } };
        let check = bound.sum(&[&out[..40]]);
        out[40..72].copy_from_slice(&check);
        out
    }
}

pub(in super::super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016x}.log"))
}

/// The numbers of the segments there are, ascending.
pub(in super::super) fn numbers(dir: &Path) -> Result<Vec<u64>, Fault> {
    let list = || {
        let mut numbers = Vec::new();
        for item in fs::read_dir(dir)? {
            let name = item?.file_name();
            let number =
                name.to_str().and_then(|name| name.strip_suffix(".log")).filter(|hex| hex.len() == 16);
            numbers.extend(number.and_then(|hex| u64::from_str_radix(hex, 16).ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    };
    match list() {
        Err(e) if ErrorKind::NotFound == io::Error::kind(&e) => {
            Err(Fault::Corrupt { what: format!("the folder of the log is missing. path={}", dir.display()) })
        }
        listed => listed.map_err(|e| unavailable("the folder of the log cannot be listed", &e)),
    }
}

/// Makes a segment. On return its file, its name and its room are on disk.
pub(in super::super) fn create(dir: &Path, header: &SegmentHeader, durable: bool) -> Result<File, Fault> {
    let unfinished = dir.join(UNFINISHED);
    let make = || {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&unfinished)?;
        file.write_all(&header.bytes())?;
        let zeros = vec![0; CHUNK];
        let mut left = (header.size as usize).saturating_sub(SECTOR);
        while left > 0 {
            let some = left.min(CHUNK);
            file.write_all(&zeros[..some])?;
            left -= some;
            if durable && left > 0 {
                file.sync_data()?;
            }
        }
        if durable {
            file.sync_all()?;
        }
        fs::rename(&unfinished, path(dir, header.number))?;
        if durable {
            sync_dir(dir)?;
        }
        Ok(file)
    };
    make().map_err(|e: io::Error| {
        // Gives back what room it took; the error that counts is the first.
        let _ = fs::remove_file(&unfinished);
        unavailable("a file of the log cannot be made", &e)
    })
}

/// Removes the segments below `number`.
pub(in super::super) fn remove_below(dir: &Path, number: u64) -> Result<(), Fault> {
    numbers(dir)?.into_iter().filter(|old| *old < number).try_for_each(|old| remove(dir, old))
}

/// Removes a segment, if it is there.
pub(in super::super) fn remove(dir: &Path, number: u64) -> Result<(), Fault> {
    match fs::remove_file(path(dir, number)) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(unavailable("a file of the log cannot be removed", &e))
        }
        _ => Ok(()),
    }
}

/// The bytes of a file that has at most `length`; one more byte of a longer one, however long it is.
pub(in crate::stores) fn read_upto(path: &Path, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(length as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Makes the names in a folder durable.
pub(in crate::stores) fn sync_dir(dir: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(dir)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}

/// Writes at an offset without moving any cursor others rely on.
pub(in super::super) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::write_all_at(file, bytes, offset);
    #[cfg(not(unix))]
    {
        use std::io::{Seek, SeekFrom};
        let mut file = file;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }
}

/// Whether the file was removed from its folder while it is open.
pub(super) fn is_removed(file: &File) -> io::Result<bool> {
    #[cfg(unix)]
    return Ok(std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) == 0);
    #[cfg(not(unix))]
    {
        let _ = file;
        Ok(false)
    }
}
