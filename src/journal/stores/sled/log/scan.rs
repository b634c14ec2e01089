//! Reads the log and finds its end. Changes nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

use super::frame::{Header, ends_with_seal, read_roll, readable};
use super::segment::{self, SegmentHeader};
use super::{Bound, Identity, Place, SECTOR, is_zero, unavailable};
use crate::group::GroupHeader;
use crate::{ChainHash, Fault};
use quorate_core::kernel::ids::StreamId;

/// Streams named in a message.
const NAMED: usize = 8;
/// Bytes read at a time.
const CHUNK: usize = 64 << 10;
/// Bytes that are read of a file whose header does not say how many it has.
const LONGEST: u64 = 256 << 20;

/// The log behind a place.
#[derive(Debug)]
pub(in super::super) struct Scan {
    /// The sound frames in order.
    pub frames: Vec<FoundFrame>,
    /// Where the next frame goes if there is no trouble; where it stands if there is.
    pub end: Place,
    /// Bytes of the segment of `end`.
    pub size: u64,
    pub trouble: Option<Trouble>,
}

/// One sound frame.
#[derive(Debug)]
pub(in super::super) struct FoundFrame {
    pub place: Place,
    /// Where the next one goes.
    pub end: Place,
    /// Its sync is known to have succeeded.
    pub sealed: bool,
    pub groups: Vec<FoundGroup>,
}

/// One group of a sound frame.
#[derive(Clone, Debug)]
pub(in super::super) struct FoundGroup {
    pub header: GroupHeader,
    pub hash: ChainHash,
    pub bytes: Arc<[u8]>,
}

/// Why the log does not simply go on.
#[derive(Debug)]
pub(in super::super) struct Trouble {
    pub why: String,
    /// It cannot be a write that was never finished.
    pub damage: bool,
    /// Up to where bytes stand behind the end in its segment.
    pub upto: u64,
    pub lost: Lost,
}

/// What stands at and behind a trouble, as far as it can be read.
#[derive(Debug, Default)]
pub(in super::super) struct Lost {
    /// First and last group.
    groups: Option<(u64, u64)>,
    positions: Option<(u64, u64)>,
    streams: BTreeSet<StreamId>,
    /// Something of the log stands behind, readable or not.
    behind: bool,
}

impl Lost {
    fn see_groups(&mut self, first: u64, last: u64) {
        let (low, high) = self.groups.unwrap_or((first, last));
        self.groups = Some((low.min(first), high.max(last)));
    }

    fn see(&mut self, payload: &[u8]) {
        readable(payload, |header, group| {
            let (first, last) = (header.first_position, header.last_position());
            let (low, high) = self.positions.unwrap_or((first, last));
            self.positions = Some((low.min(first), high.max(last)));
            let frames = group.iter().flat_map(|group| group.frames()).map_while(Result::ok);
            self.streams.extend(frames.map(|frame| frame.stream));
        });
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.groups {
            Some((first, last)) => write!(f, "groups {first} to {last}")?,
            None => write!(f, "groups that cannot be read")?,
        }
        if let Some((first, last)) = self.positions {
            write!(f, ", positions {first} to {last}")?;
        }
        for (at, stream) in self.streams.iter().take(NAMED).enumerate() {
            write!(f, "{}{stream}", if at == 0 { ", of " } else { ", " })?;
        }
        if self.streams.len() > NAMED {
            write!(f, " and {} more", self.streams.len() - NAMED)?;
        }
        Ok(())
    }
}

impl Scan {
    /// A log with nothing in it that goes on at `end`.
    pub fn nothing(end: Place) -> Self {
        Scan { frames: Vec::new(), end, size: 0, trouble: None }
    }

    pub fn groups(&self) -> impl Iterator<Item = &FoundGroup> {
        self.frames.iter().flat_map(|frame| &frame.groups)
    }
}

/// Reads the log from a place on, where the group after `follows` is to stand. Groups up to `after` are checked and
/// not kept.
pub(in super::super) fn scan(
    dir: &Path,
    identity: &Identity,
    from: Place,
    follows: Option<(u64, ChainHash)>,
    after: u64,
) -> Result<Scan, Fault> {
    let mut scan = Scan::nothing(from);
    let mut last = follows;
    let (why, bytes) = loop {
        let Some((bytes, length)) = read(dir, scan.end.segment)? else {
            break (Some("a file of the log is missing".to_owned()), Vec::new());
        };
        scan.size = length;
        if let Err(why) = check_header(&bytes, length, scan.end.segment, identity) {
            break (Some(why), bytes);
        }
        match walk(&bytes, identity, after, &mut scan, &mut last) {
            Walked::Rolled(next) => scan.end = Place { segment: next, offset: SECTOR as u64 },
            Walked::Stopped(why) => break (why, bytes),
        }
    };
    let lost = behind(dir, &bytes, identity, scan.end)?;
    let tail = bytes.get(scan.end.offset as usize..).unwrap_or_default();
    let upto = scan.end.offset + tail.iter().rposition(|byte| *byte != 0).map_or(0, |at| at as u64 + 1);
    if why.is_none() && upto == scan.end.offset && !lost.behind {
        return Ok(scan);
    }
    let unfinished = why.is_none() && is_unfinished(tail, identity, scan.end);
    let damage = lost.behind || !unfinished;
    let why = why.unwrap_or_else(|| {
        if damage { "bytes are not what was written" } else { "the last write was not finished" }.to_owned()
    });
    scan.trouble = Some(Trouble { why, damage, upto, lost });
    Ok(scan)
}

/// Whether anything was ever written at a sector.
pub(in super::super) fn is_written(dir: &Path, place: Place) -> Result<bool, Fault> {
    let (bytes, _) = read(dir, place.segment)?.unwrap_or_default();
    let sector = bytes.get(place.offset as usize..).and_then(|rest| rest.get(..SECTOR));
    Ok(sector.is_some_and(|sector| !is_zero(sector)))
}

/// Whether a segment holds nothing but its header. One that is longer than its header says counts as written.
pub(in super::super) fn is_empty(dir: &Path, number: u64) -> Result<bool, Fault> {
    Ok(read(dir, number)?.is_none_or(|(bytes, length)| {
        bytes.len() as u64 == length && bytes.get(SECTOR..).is_none_or(is_zero)
    }))
}

/// The log a segment belongs to.
pub(in super::super) fn identity_of(dir: &Path, number: u64) -> Result<Option<Identity>, Fault> {
    Ok(read(dir, number)?.and_then(|(bytes, _)| SegmentHeader::read(&bytes)).map(|header| header.identity))
}

/// The bytes of a segment, as many as its header says, and the length of its file; `None` when it is missing.
fn read(dir: &Path, number: u64) -> Result<Option<(Vec<u8>, u64)>, Fault> {
    match read_sparse(&segment::path(dir, number)) {
        Ok(read) => Ok(Some(read)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(unavailable("a file of the log cannot be read", &e)),
    }
}

/// Reads a file of which most was never written over. Its zeros are left as the system gives them, so that they take no
/// memory: the room of a segment is larger than everything else that opening reads.
fn read_sparse(path: &Path) -> io::Result<(Vec<u8>, u64)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut first = Vec::new();
    Read::by_ref(&mut file).take(SECTOR as u64).read_to_end(&mut first)?;
    // The length of a damaged file may be anything.
    let said = SegmentHeader::read(&first).map_or(LONGEST, |header| header.size);
    let mut bytes = vec![0; length.min(said) as usize];
    let mut at = first.len().min(bytes.len());
    bytes[..at].copy_from_slice(&first[..at]);
    let mut chunk = vec![0; CHUNK];
    while at < bytes.len() {
        let some = CHUNK.min(bytes.len() - at);
        let count = match file.read(&mut chunk[..some]) {
            Ok(0) => break,
            Ok(count) => count,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        if !is_zero(&chunk[..count]) {
            bytes[at..at + count].copy_from_slice(&chunk[..count]);
        }
        at += count;
    }
    bytes.truncate(at);
    Ok((bytes, length))
}

fn check_header(bytes: &[u8], length: u64, number: u64, identity: &Identity) -> Result<(), String> {
    let header = SegmentHeader::read(bytes).ok_or("the header of a file of the log is damaged")?;
    if header.identity != *identity {
        return Err("a file of the log belongs to another log".into());
    }
    if header.number != number {
        return Err(format!("a file of the log stands under another number. found={}", header.number));
    }
    if header.size != length {
        return Err(format!(
            "a file of the log has another length. expected={}, found={length}",
            header.size
        ));
    }
    Ok(())
}

enum Walked {
    Rolled(u64),
    /// The reason, when it is known to be damage.
    Stopped(Option<String>),
}

fn walk(
    bytes: &[u8],
    identity: &Identity,
    after: u64,
    scan: &mut Scan,
    last: &mut Option<(u64, ChainHash)>,
) -> Walked {
    loop {
        let place = scan.end;
        let bound = Bound { identity, place };
        let Some(rest) = bytes.get(place.offset as usize..).filter(|rest| rest.len() >= SECTOR) else {
            return Walked::Stopped(Some("a segment has no end".into()));
        };
        if let Some(next) = read_roll(bound, &rest[..SECTOR]) {
            return Walked::Rolled(next);
        }
        let Some(header) = Header::read(bound, rest) else { return Walked::Stopped(None) };
        let Some(frame) = rest.get(..header.len() as usize) else {
            return Walked::Stopped(Some("a frame is longer than its segment".into()));
        };
        let Some(groups) = header.groups(bound, frame) else { return Walked::Stopped(None) };
        let mut found = Vec::new();
        for group in groups {
            let fits = last.is_none_or(|(number, hash)| {
                (number + 1, hash) == (group.header.number, group.header.previous)
            });
            if !fits {
                let number = group.header.number;
                return Walked::Stopped(Some(format!("group {number} does not follow the one before it")));
            }
            *last = Some((group.header.number, group.hash));
            found.push((group.header.clone(), group.hash));
        }
        let mut payload = header.payload(frame);
        let groups = found.into_iter().filter_map(|(header, hash)| {
            let (bytes, rest) = payload.split_at_checked(header.total_len())?;
            payload = rest;
            (header.number > after).then(|| FoundGroup { header, hash, bytes: Arc::from(bytes) })
        });
        let groups: Vec<_> = groups.collect();
        scan.end.offset += header.len();
        let sealed = frame.ends_with(&header.seal(bound));
        scan.frames.push(FoundFrame { place, end: scan.end, sealed, groups });
    }
}

/// Can what stands at the end of the log be a write that was cut off? Given that nothing stands behind it.
fn is_unfinished(tail: &[u8], identity: &Identity, place: Place) -> bool {
    let Some(first) = tail.get(..SECTOR) else { return false };
    if is_zero(first) {
        return true;
    }
    let Some(header) = Header::read(Bound { identity, place }, tail) else { return false };
    tail.get(..header.len() as usize)
        .is_some_and(|frame| header.is_unsealed(frame) && header.is_unfinished(frame))
}

/// Looks for everything that is written at and behind the end.
fn behind(dir: &Path, bytes: &[u8], identity: &Identity, end: Place) -> Result<Lost, Fault> {
    let mut lost = Lost::default();
    // What stands at the end itself does not stand behind it.
    let at_end = bytes.get(end.offset as usize..).unwrap_or_default();
    let mut from = end.offset;
    if let Some(header) = Header::read(Bound { identity, place: end }, at_end) {
        lost.see_groups(header.first, header.last());
        lost.see(header.payload(at_end));
        // Its own seal is looked at by itself.
        from += header.len();
    }
    look(bytes, identity, Place { segment: end.segment, offset: from }, &mut lost);
    for number in segment::numbers(dir)?.into_iter().filter(|number| *number > end.segment) {
        let (bytes, _) = read(dir, number)?.unwrap_or_default();
        look(&bytes, identity, Place { segment: number, offset: SECTOR as u64 }, &mut lost);
    }
    Ok(lost)
}

fn look(bytes: &[u8], identity: &Identity, from: Place, lost: &mut Lost) {
    let mut place = from;
    while let Some(rest) = bytes.get(place.offset as usize..).filter(|rest| rest.len() >= SECTOR) {
        let sector = &rest[..SECTOR];
        let bound = Bound { identity, place };
        let mut step = SECTOR as u64;
        if let Some(header) = Header::read(bound, rest) {
            lost.behind = true;
            lost.see_groups(header.first, header.last());
            lost.see(header.payload(rest));
            step = header.len().max(step);
        } else if read_roll(bound, sector).is_some() {
            lost.behind |= place != from;
        } else {
            let seal_of = |sectors: u32| {
                let offset =
                    (place.offset + SECTOR as u64).checked_sub(u64::from(sectors) * SECTOR as u64)?;
                Some(Bound { identity, place: Place { segment: place.segment, offset } })
            };
            lost.behind |= ends_with_seal(sector, seal_of);
        }
        place.offset += step;
    }
}
