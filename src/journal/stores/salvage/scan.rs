//! Finds commit groups in raw bytes, wherever they stand.
//!
//! A header of a group is recognised by its version, its reserved zeros and what can stand in its other fields; its
//! hash decides. So it does not matter whether what is around it can still be read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::chain::group_hash_of;
use crate::frame::PRUNED;
use crate::group::{GROUP_HEADER, GROUP_TRAILER, GROUP_VERSION, GroupHeader};
use crate::stores::lock;
use crate::stores::sled::restore;
use crate::{ChainHash, Fault};
use quorate_core::kernel::ids::StreamKind;

/// Bytes read at a time.
const WINDOW: usize = 4 << 20;
/// Bytes looked at to recognise a header: with the first fields of its first frame.
const LOOK: usize = GROUP_HEADER + 4;
/// Numbers of groups and positions stay below this; above it stand other things.
const HIGHEST: u64 = 1 << 48;
/// Epochs stay below this: a journal that was restored goes on above the seconds since 1970, times 2^20.
const HIGHEST_EPOCH: u64 = 1 << 56;

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Its place in [`Files`].
    pub file: usize,
    pub offset: u64,
    pub length: usize,
}

/// A group that fits its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub header: GroupHeader,
    pub hash: ChainHash,
    /// Where its bytes stand, in order; nearly always one place.
    pub place: Vec<Extent>,
}

/// What looks like a group and does not fit its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suspect {
    pub header: GroupHeader,
    pub place: Extent,
}

/// Everything found.
#[derive(Debug, Default)]
pub(super) struct Finds {
    pub found: Vec<Found>,
    pub suspects: Vec<Suspect>,
}

/// The files of a folder that may hold groups. Read only.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: Vec<(PathBuf, Mutex<File>, u64)>,
}

impl Files {
    /// Opens every file of a data folder that may hold groups; files that are not there are no fault.
    pub fn of(dir: &Path) -> Result<Self, Fault> {
        let mut paths = listed(&dir.join("log"))?;
        for database in ["sled", "ring"] {
            paths.push(dir.join(database).join("db"));
            paths.extend(listed(&dir.join(database).join("blobs"))?);
        }
        #[cfg(feature = "store-fjall")]
        {
            let database = dir.join(crate::stores::fjall::FOLDER);
            paths.extend(
                listed(&database)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "jnl")),
            );
            paths.extend(listed(&database.join("keyspaces").join("1").join("tables"))?);
        }
        let mut files = Files::default();
        for path in paths {
            let opened = File::open(&path).and_then(|mut file| {
                #[cfg(feature = "store-fjall")]
                if path.extension().is_some_and(|extension| extension == "jnl") {
                    return Ok((crate::stores::fjall::inspect::filled_upto(&mut file)?, file));
                }
                let length = file.metadata()?.len();
                Ok((restore::length_said(&mut file, length)?, file))
            });
            match opened {
                Ok((length, file)) => files.files.push((path, Mutex::new(file), length)),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(unreadable(&path, &e)),
            }
        }
        Ok(files)
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    pub fn path(&self, file: usize) -> &Path {
        &self.files[file].0
    }

    /// The number of a segment of the log.
    pub fn segment(&self, file: usize) -> Option<u64> {
        let path = self.path(file);
        let stem = path.file_stem()?.to_str()?;
        (path.extension()? == "log").then(|| u64::from_str_radix(stem, 16).ok())?
    }

    pub fn length(&self, file: usize) -> u64 {
        self.files[file].2
    }

    /// Reads up to `length` bytes; fewer at the end of the file.
    pub fn read(&self, file: usize, offset: u64, length: usize) -> Result<Vec<u8>, Fault> {
        let (path, file, _) = &self.files[file];
        let mut file = lock(file);
        let mut bytes = Vec::with_capacity(length);
        let read = file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| Read::by_ref(&mut *file).take(length as u64).read_to_end(&mut bytes));
        read.map(|_| bytes).map_err(|e| unreadable(path, &e))
    }

    /// The bytes of several places, back to back.
    pub fn gather(&self, place: &[Extent]) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::with_capacity(place.iter().map(|extent| extent.length).sum());
        for extent in place {
            bytes.extend_from_slice(&self.read(extent.file, extent.offset, extent.length)?);
        }
        Ok(bytes)
    }

    /// Does what stands at `offset` end in its own hash?
    fn hash_at(&self, file: usize, offset: u64, length: usize) -> Result<Option<ChainHash>, Fault> {
        let (path, handle, _) = &self.files[file];
        let covered = (length - GROUP_TRAILER) as u64;
        let hash = {
            let mut handle = lock(handle);
            let hash = handle
                .seek(SeekFrom::Start(offset))
                .and_then(|_| group_hash_of(Read::by_ref(&mut *handle).take(covered)));
            hash.map_err(|e| unreadable(path, &e))?
        };
        let trailer = self.read(file, offset + covered, GROUP_TRAILER)?;
        Ok((trailer == hash.0).then_some(hash))
    }

    /// Finds the groups in one file.
    pub fn scan(&self, file: usize, finds: &mut Finds) -> Result<(), Fault> {
        let length = self.length(file);
        let mut base = 0;
        while base + LOOK as u64 <= length {
            let window = self.read(file, base, WINDOW)?;
            if window.len() < LOOK {
                return Ok(());
            }
            let mut at = 0;
            while at + LOOK <= window.len() {
                let Some(header) = recognise(&window[at..]) else {
                    at += 1;
                    continue;
                };
                let (offset, total) = (base + at as u64, header.total_len());
                if offset + total as u64 > length {
                    finds.suspects.push(Suspect {
                        place: Extent { file, offset, length: (length - offset) as usize },
                        header,
                    });
                    at += 1;
                    continue;
                }
                let place = Extent { file, offset, length: total };
                match self.hash_at(file, offset, total)? {
                    Some(hash) => {
                        finds.found.push(Found { header, hash, place: vec![place] });
                        at += total;
                    }
                    None => {
                        finds.suspects.push(Suspect { header, place });
                        at += 1;
                    }
                }
            }
            base += at as u64;
        }
        Ok(())
    }
}

/// The header at the start of the bytes, if it can be one.
fn recognise(bytes: &[u8]) -> Option<GroupHeader> {
    // The cheap signs first: nearly every place is refused by them.
    if !(1..=GROUP_VERSION).contains(&bytes[0]) || bytes[1] != 0 || bytes[2] != 0 || bytes[45..56] != [0; 11]
    {
        return None;
    }
    let header = GroupHeader::parse(bytes).ok()?;
    let (flags, kind) = (bytes[GROUP_HEADER], bytes[GROUP_HEADER + 1]);
    let id = u16::from_be_bytes([bytes[GROUP_HEADER + 2], bytes[GROUP_HEADER + 3]]);
    let begins_with_frame =
        flags < PRUNED && StreamKind::from_code(kind).is_some() && (1..=256).contains(&id);
    // What pruned records left is shorter, and begins with the number of the pruning, which is small.
    let (least, begins) = match header.version {
        1 => (53, begins_with_frame),
        _ => (32, begins_with_frame || flags == PRUNED && kind == 0 && id == 0),
    };
    let fits = header.number < HIGHEST
        && (1..HIGHEST).contains(&header.first_position)
        && header.epoch < HIGHEST_EPOCH
        && header.frames <= header.records
        && u64::from(header.body) > u64::from(header.records) * least
        && begins;
    fits.then_some(header)
}

/// The files of a folder in the order of their names; none when there is no such folder.
fn listed(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(e) => return Err(unreadable(folder, &e)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| unreadable(folder, &e))?;
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Fault {
    Fault::Unavailable { reason: format!("file cannot be read. path={}, error={error}", path.display()) }
}
