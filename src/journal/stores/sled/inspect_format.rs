//! What sled 0.34 writes to disk, as far as one must know it to check it before sled does.
//!
//! ```text
//! db        segments of 8 MiB
//! segment   checksum 4 · lsn 8 · stable lsn 8                      (20 bytes, both numbers xored), then messages
//! message   checksum 4 · kind 1 · length · segment number · page   (three variable-width integers), then the body
//! snap.LSN  stable lsn 8 · active segment · pages … · length 8 · checksum 4
//! blobs/LSN checksum 4 · kind 1 · body
//! ```
//!
//! A log sequence number (lsn) is the number of a segment times its size, plus the place in it. Checksums are CRC-32,
//! integers little-endian. A page is a last `Replace` (or `Free`) and the `Link`s after it.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A log sequence number.
pub(in crate::stores) type Lsn = i64;

/// Bytes of a segment; every database of this program has this size.
pub(in crate::stores) const SEGMENT: usize = 8 << 20;
/// Bytes before the first message of a segment.
pub(in crate::stores) const SEGMENT_HEADER: usize = 20;
/// No message starts in this many bytes at the end of a segment.
pub(in crate::stores) const MARGIN: usize = 32;
/// The page of a message that fills a segment up.
pub(in crate::stores) const NO_PAGE: u64 = u64::MAX;

const FLIP: i64 = i64::MAX;

/// What a segment says at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stores) struct SegmentStart {
    pub lsn: Lsn,
    /// Everything up to here was written when the segment was begun.
    pub stable: Lsn,
}

impl SegmentStart {
    /// Reads it; `None` when it does not fit its checksum.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (sum, fields) = bytes.get(..SEGMENT_HEADER)?.split_first_chunk::<4>()?;
        let (lsn, stable) = fields.split_first_chunk::<8>()?;
        let stable: &[u8; 8] = stable.try_into().ok()?;
        let fits = crc32fast::hash(fields) ^ u32::MAX == u32::from_le_bytes(*sum);
        let number = |bytes: &[u8; 8]| Lsn::from_le_bytes(*bytes) ^ FLIP;
        let start = SegmentStart { lsn: number(lsn), stable: number(stable) };
        (fits && start.lsn >= 0 && start.lsn % SEGMENT as Lsn == 0).then_some(start)
    }

    /// The segment number that stands in its messages.
    pub fn number(&self) -> u64 {
        self.lsn.unsigned_abs() / SEGMENT as u64
    }
}

/// What a message does to its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stores) enum Kind {
    /// Nothing.
    Skip,
    /// Nothing, and the segment ends here.
    Cap,
    /// Says up to which lsn a batch must be whole.
    Batch,
    Free,
    Replace,
    Link,
}

/// The fixed part of a message, believed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stores) struct Header {
    sum: u32,
    code: u8,
    /// Bytes of the body.
    body: u64,
    /// The number of the segment it was written into.
    pub number: u64,
    pub page: u64,
    /// Its own bytes.
    size: usize,
}

impl Header {
    /// Reads a header without checking anything but that it is complete.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (sum, rest) = bytes.split_first_chunk::<4>()?;
        let (code, mut rest) = rest.split_first()?;
        let body = varint(&mut rest)?;
        let number = varint(&mut rest)?;
        let page = varint(&mut rest)?;
        let size = bytes.len() - rest.len();
        Some(Header { sum: u32::from_le_bytes(*sum), code: *code, body, number, page, size })
    }

    /// Bytes before the body.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Bytes of the whole message.
    pub fn total(&self) -> Option<usize> {
        usize::try_from(self.body).ok()?.checked_add(self.size)
    }

    pub fn kind(&self) -> Option<Kind> {
        Some(match self.code {
            1 => Kind::Skip,
            2 => Kind::Cap,
            3 => Kind::Batch,
            4 => Kind::Free,
            5..=9 => Kind::Replace,
            10 | 11 => Kind::Link,
            _ => return None,
        })
    }

    /// Its body stands in a file of its own.
    pub fn is_blob(&self) -> bool {
        matches!(self.code, 7 | 9 | 11)
    }

    fn fits(&self, header: &[u8], body: &[u8]) -> bool {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(body);
        hasher.update(&header[4..]);
        hasher.finalize() ^ u32::MAX == self.sum
    }
}

/// A message that fits its checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::stores) struct Message {
    pub header: Header,
    pub kind: Kind,
    pub body: Range<usize>,
}

impl Message {
    /// Reads the message at `at` of a segment, if it is of the segment with this number, or of any.
    pub fn parse(segment: &[u8], at: usize, number: Option<u64>) -> Option<Self> {
        let bytes = segment.get(at..)?;
        let header =
            Header::parse(bytes).filter(|header| number.is_none_or(|number| header.number == number))?;
        let kind = header.kind()?;
        let total = header.total().filter(|total| *total <= bytes.len())?;
        let fits = header.fits(&bytes[..header.size], &bytes[header.size..total]);
        fits.then(|| Message { header, kind, body: at + header.size..at + total })
    }

    /// Reads the message at `at` with one bit of its header put right, if that is all that is wrong with it.
    pub fn mend(segment: &[u8], at: usize) -> Option<Self> {
        let end = segment.len().min(at + MARGIN);
        let mut copy = segment.get(at..end)?.to_vec();
        for bit in 0..copy.len() * 8 {
            copy[bit / 8] ^= 1 << (bit % 8);
            let mended = Header::parse(&copy).and_then(|header| {
                let kind = header.kind()?;
                let total = header.total().filter(|total| *total <= segment.len() - at)?;
                let fits = header.fits(&copy[..header.size], &segment[at + header.size..at + total]);
                fits.then(|| Message { header, kind, body: at + header.size..at + total })
            });
            if mended.is_some() {
                return mended;
            }
            copy[bit / 8] ^= 1 << (bit % 8);
        }
        None
    }

    /// The lsn in the body of a message of kind [`Kind::Batch`], or of one whose body is a blob.
    pub fn pointer(&self, segment: &[u8]) -> Option<Lsn> {
        Some(Lsn::from_le_bytes(*segment.get(self.body.clone())?.first_chunk()?))
    }
}

/// Reads a variable-width integer off the front.
pub(in crate::stores) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first()?;
    let (value, used) = match *first {
        0..=240 => (u64::from(*first), 0),
        241..=248 => (240 + 256 * (u64::from(*first) - 241) + u64::from(*rest.first()?), 1),
        249 => (2288 + 256 * u64::from(*rest.first()?) + u64::from(*rest.get(1)?), 2),
        wide => {
            let width = usize::from(wide) - 247;
            let mut value = [0; 8];
            value[..width].copy_from_slice(rest.get(..width)?);
            (u64::from_le_bytes(value), width)
        }
    };
    *bytes = &rest[used..];
    Some(value)
}

/// Where the parts of a page stand, as a snapshot has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::stores) struct Snapshot {
    /// Everything before this is in it.
    pub stable: Option<Lsn>,
    /// The last `Replace` or `Free` of each page.
    pub bases: Vec<Lsn>,
    /// Page, lsn and place in the file of every message that counts.
    pub parts: Vec<(u64, Lsn, u64)>,
}

impl Snapshot {
    /// Reads the bytes of a snapshot file; `None` when they do not fit their checksum.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (body, tail) = bytes.split_at_checked(bytes.len().checked_sub(12)?)?;
        let sum: &[u8; 4] = tail.last_chunk()?;
        if body.is_empty() || crc32fast::hash(body) != u32::from_le_bytes(*sum) {
            return None;
        }
        let mut rest = body;
        let stable = match lsn(&mut rest)? {
            0 => None,
            negative if negative < 0 => Some(negative),
            shifted => Some(shifted - 1),
        };
        varint(&mut rest)?;
        let mut snapshot = Snapshot { stable, ..Snapshot::default() };
        while let Some((parts, after)) = rest.split_first() {
            rest = after;
            let page = snapshot.bases.len() as u64;
            for part in 0..(*parts).max(1) {
                let lsn = lsn(&mut rest)?;
                if part == 0 {
                    snapshot.bases.push(lsn);
                }
                snapshot.parts.push((page, lsn, place(&mut rest)?));
                if *parts > 0 {
                    varint(&mut rest)?;
                }
            }
        }
        Some(snapshot)
    }
}

fn place(bytes: &mut &[u8]) -> Option<u64> {
    let (kind, rest) = bytes.split_first()?;
    *bytes = rest;
    let at = varint(bytes)?;
    if *kind == 1 {
        lsn(bytes)?;
    }
    (*kind <= 1).then_some(at)
}

fn lsn(bytes: &mut &[u8]) -> Option<Lsn> {
    let (value, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(Lsn::from_le_bytes(*value))
}

/// Does the file of a blob fit its checksum? `None` when there is no such file.
pub(in crate::stores) fn blob_fits(folder: &Path, id: Lsn) -> io::Result<Option<bool>> {
    let bytes = match std::fs::read(blob_path(folder, id)) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let fits = bytes.split_first_chunk::<4>().is_some_and(|(sum, covered)| {
        !covered.is_empty() && crc32fast::hash(covered) == u32::from_le_bytes(*sum)
    });
    Ok(Some(fits))
}

/// Where a blob is kept.
pub(in crate::stores) fn blob_path(folder: &Path, id: Lsn) -> PathBuf {
    folder.join("blobs").join(id.to_string())
}

/// Reads up to `length` bytes of a file from `at`; fewer at its end.
pub(in crate::stores) fn read_at(mut file: &File, at: u64, length: usize) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::with_capacity(length);
    file.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Where sled goes on when the rest of a segment is too small for a message.
pub fn round_up(lsn: Lsn) -> Lsn {
    let left = SEGMENT as Lsn - lsn.rem_euclid(SEGMENT as Lsn);
    if left <= MARGIN as Lsn { lsn + left } else { lsn.max(0) }
}

/// The lsn of a place in the segment of this number.
pub fn lsn_at(number: u64, at: usize) -> Lsn {
    // Numbers come from lsns, so this is in range; a damaged one wraps and is refused as out of order.
    (number as Lsn).wrapping_mul(SEGMENT as Lsn).wrapping_add(at as Lsn)
}
