//! Checks the files of a sled database before sled opens them, and writes nothing.
//!
//! sled takes a bad checksum for the end of its log, or of a segment, whatever stands behind it: opening a damaged
//! database rolls it back without a word and clears the rest. So the log is read here first, as sled's recovery
//! would read it:
//!
//! ```text
//!  segments in lsn order   ░░░░░░░░░░░░░░░░░░░░░░░░░▓▓▓▓▓▓
//!                          every message sound       anything: a write that a crash cut short
//!                                                  ▲
//!                                                  durable: kept outside, written after each fdatasync
//! ```
//!
//! A bad place before `durable` is damage, with one exception. sled writes into segments again whose pages all live
//! elsewhere by now. A loss of power in the middle of that leaves a mixture, in which nothing counts any more. Which
//! pages live where is found by the walk, so a bad place is harmless when no message of its segment is needed.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::inspect_format::{
    Header, Kind, Lsn, MARGIN, Message, NO_PAGE, SEGMENT, SEGMENT_HEADER, SegmentStart, Snapshot, blob_fits,
    blob_path, lsn_at, read_at, round_up,
};
use crate::Fault;

/// Bytes that a drive writes whole.
const SECTOR: usize = 512;

/// How far the log of a database reached, and how its file looked then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::stores) struct End {
    /// Every message before this was written; -1 when nothing was.
    pub lsn: Lsn,
    /// Bytes of the file.
    pub length: u64,
    /// Checksum over the starts of all segments.
    pub starts: u32,
}

impl End {
    /// Bytes of [`End::to_bytes`].
    pub const BYTES: usize = 20;

    /// As it is kept.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        out[..8].copy_from_slice(&self.lsn.to_be_bytes());
        out[8..16].copy_from_slice(&self.length.to_be_bytes());
        out[16..].copy_from_slice(&self.starts.to_be_bytes());
        out
    }

    /// As it was kept.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let mut lsn = [0; 8];
        lsn.copy_from_slice(&bytes[..8]);
        let mut length = [0; 8];
        length.copy_from_slice(&bytes[8..16]);
        let mut starts = [0; 4];
        starts.copy_from_slice(&bytes[16..]);
        End {
            lsn: Lsn::from_be_bytes(lsn),
            length: u64::from_be_bytes(length),
            starts: u32::from_be_bytes(starts),
        }
    }
}

/// What was found in a database that may be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// How far its log reaches.
    pub end: End,
    /// A write at the end that a crash cut short, as a sentence.
    pub torn: Option<String>,
    /// The newest snapshot file is damaged. It is a cache: put aside, sled reads its whole log instead.
    pub snapshot_damaged: bool,
}

/// Checks the database in `folder`, which nobody has open. `durable` is what [`end`] answered at the last durable
/// moment; without it, what the segments say of each other decides.
///
/// # Errors
/// [`Fault::Corrupt`] naming file, offset and lsn when opening would lose something; [`Fault::Unavailable`] when the
/// disk does not answer.
pub(super) fn inspect(folder: &Path, durable: Option<End>) -> Result<Report, Fault> {
    let files = Files::open(folder)?;
    let (snapshot, snapshot_damaged) = read_snapshot(folder)?;
    let now = files.end_of_starts();
    let floor = snapshot.stable.unwrap_or(0);
    let tail = files.tail(floor)?;
    let end = End { lsn: tail.reached, ..now };
    let bound = match durable {
        Some(durable) => durable.lsn,
        None => tail.stable.map_or(-1, |stable| stable + 1),
    };
    if tail.reached < bound {
        let (at, why) = tail.stopped.unwrap_or((0, "the segment with this lsn is missing".to_owned()));
        return Err(files.damage(at, tail.reached, &format!("{why}. written_upto={bound}")));
    }
    if floor > round_up(tail.reached) {
        return Err(files.damage(
            now.length,
            tail.reached,
            &format!("the log ends before its snapshot. snapshot={floor}"),
        ));
    }
    let mut walk = Walk::new(&snapshot);
    for (&number, &index) in &files.order {
        let first = lsn_at(number, 0);
        if first + SEGMENT as Lsn > floor && first <= tail.reached {
            walk.segment(&files, number, index, bound)?;
        }
    }
    for index in &files.headless {
        walk.headless(&files, *index)?;
    }
    walk.judge(&files, &tail)?;
    walk.check_snapshot(&files, &snapshot)?;
    // A database that was only opened since has cleared what it does not need, and says so in a snapshot.
    let covered = snapshot.stable.is_some_and(|stable| stable > walk.newest);
    let later = files.order.keys().any(|number| lsn_at(*number, 0) > tail.reached);
    if let Some(durable) = durable.filter(|durable| durable.lsn == tail.reached && !covered && !later)
        && files.starts_until(durable.length)? != Some(durable.starts)
    {
        let what = format!("segments are missing or others. bytes={}, were={}", now.length, durable.length);
        return Err(files.damage(0, bound, &what));
    }
    let torn = tail.stopped.filter(|(at, _)| *at < now.length).map(|(at, why)| {
        format!(
            "the database ends in an unfinished write. file={}, offset={at}, lsn={}, why={why}",
            files.db.display(),
            tail.reached
        )
    });
    Ok(Report { end, torn, snapshot_damaged })
}

/// How far the log of a database reaches that is open and was just flushed. Reads what was written after `since`.
///
/// # Errors
/// [`Fault::Corrupt`] when the log does not reach as far as `since`; [`Fault::Unavailable`] when the disk does not
/// answer.
pub(super) fn end(folder: &Path, since: Option<End>) -> Result<End, Fault> {
    let files = Files::open(folder)?;
    let reached = match since.filter(|since| since.lsn >= 0) {
        // A segment whose pages all live elsewhere by now may have been written into again: then later ones say how far it goes.
        Some(since) if files.passed(since.lsn) => files.tail(0)?.reached,
        Some(since) => files.follow(since.lsn)?.reached,
        None => files.tail(0)?.reached,
    };
    if let Some(since) = since.filter(|since| reached < since.lsn) {
        return Err(files.damage(0, reached, &format!("the log became shorter. written_upto={}", since.lsn)));
    }
    Ok(End { lsn: reached, ..files.end_of_starts() })
}

/// How many segments a file of this length has.
fn segments(length: u64) -> u64 {
    length.div_ceil(SEGMENT as u64)
}

/// The log file and where its segments stand.
struct Files {
    folder: PathBuf,
    db: PathBuf,
    file: Option<File>,
    length: u64,
    starts: u32,
    /// Place in the file of each segment number.
    order: BTreeMap<u64, u64>,
    /// What segments say was written when they were begun.
    stable: Option<Lsn>,
    /// Segments that do not say which they are.
    headless: Vec<u64>,
}

/// Where sled would stop reading.
struct Tail {
    reached: Lsn,
    /// What segments say was written.
    stable: Option<Lsn>,
    /// What stands there, with the offset in the file.
    stopped: Option<(u64, String)>,
    /// It stopped for want of the next segment.
    between: bool,
}

impl Files {
    fn open(folder: &Path) -> Result<Self, Fault> {
        let db = folder.join("db");
        let file = match File::open(&db) {
            Ok(file) => Some(file),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(unreadable(&db, &e)),
        };
        let length = match &file {
            Some(file) => file.metadata().map_err(|e| unreadable(&db, &e))?.len(),
            None => 0,
        };
        let mut files = Files {
            folder: folder.to_owned(),
            db,
            file,
            length,
            starts: 0,
            order: BTreeMap::new(),
            stable: None,
            headless: Vec::new(),
        };
        files.read_starts()?;
        Ok(files)
    }

    fn read_starts(&mut self) -> Result<(), Fault> {
        let mut sum = crc32fast::Hasher::new();
        for index in 0..segments(self.length) {
            let bytes = self.read(index * SEGMENT as u64, SEGMENT_HEADER)?;
            sum.update(&bytes);
            let Some(start) = SegmentStart::parse(&bytes) else {
                self.headless.push(index);
                continue;
            };
            self.stable = self.stable.max(Some(start.stable));
            if let Some(other) = self.order.insert(start.number(), index) {
                let what = format!("two segments have one lsn. other_offset={}", other * SEGMENT as u64);
                return Err(self.damage(index * SEGMENT as u64, start.lsn, &what));
            }
        }
        self.starts = sum.finalize();
        Ok(())
    }

    /// The checksum over the starts of the segments that a file of this length had; `None` when it has fewer now.
    fn starts_until(&self, length: u64) -> Result<Option<u32>, Fault> {
        let mut sum = crc32fast::Hasher::new();
        for index in 0..segments(length) {
            sum.update(&self.read(index * SEGMENT as u64, SEGMENT_HEADER)?);
        }
        Ok((segments(length) <= segments(self.length)).then(|| sum.finalize()))
    }

    fn end_of_starts(&self) -> End {
        End { lsn: -1, length: self.length, starts: self.starts }
    }

    fn read(&self, at: u64, length: usize) -> Result<Vec<u8>, Fault> {
        let Some(file) = &self.file else { return Ok(Vec::new()) };
        read_at(file, at, length).map_err(|e| unreadable(&self.db, &e))
    }

    fn segment(&self, index: u64) -> Result<Vec<u8>, Fault> {
        self.read(index * SEGMENT as u64, SEGMENT)
    }

    /// Where sled would stop: it follows the segments without a gap from the one that was written last for certain.
    fn tail(&self, floor: Lsn) -> Result<Tail, Fault> {
        let low = self.stable.unwrap_or(-1).max(floor).max(0) / SEGMENT as Lsn;
        self.walk_tail(low.unsigned_abs(), 0)
    }

    /// Are there later segments, and none any more with this lsn?
    fn passed(&self, lsn: Lsn) -> bool {
        let number = (lsn / SEGMENT as Lsn).unsigned_abs();
        !self.order.contains_key(&number) && self.order.range(number..).next().is_some()
    }

    /// Where the log ends, given that it reached `lsn`.
    fn follow(&self, lsn: Lsn) -> Result<Tail, Fault> {
        let (number, at) = ((lsn / SEGMENT as Lsn).unsigned_abs(), (lsn % SEGMENT as Lsn) as usize);
        let mut tail = self.walk_tail(number, at)?;
        // Where a segment is full the log ends at the start of the next one, which is only made with the next message.
        if at == 0 && number.checked_sub(1).is_some_and(|full| self.order.contains_key(&full)) {
            tail.reached = tail.reached.max(lsn);
        }
        Ok(tail)
    }

    fn walk_tail(&self, mut number: u64, mut from: usize) -> Result<Tail, Fault> {
        let mut tail = Tail { reached: -1, stable: self.stable, stopped: None, between: true };
        if from > 0 {
            tail.reached = lsn_at(number, from);
        }
        while let Some(index) = self.order.get(&number) {
            let offset = index * SEGMENT as u64;
            let segment = self.segment(*index)?;
            let mut at = from.max(SEGMENT_HEADER);
            loop {
                tail.reached = lsn_at(number, at);
                if at > SEGMENT - MARGIN {
                    break;
                }
                let why = match Message::parse(&segment, at, Some(number)) {
                    None => "a message does not fit its checksum".to_owned(),
                    Some(message) if message.kind == Kind::Cap => break,
                    Some(message) => match self.blob_misfit(&segment, &message)? {
                        Some(why) => why,
                        None => {
                            at = message.body.end;
                            continue;
                        }
                    },
                };
                tail.stopped = Some((offset + at as u64, why));
                tail.between = false;
                return Ok(tail);
            }
            number += 1;
            from = 0;
            tail.reached = lsn_at(number, 0);
        }
        Ok(tail)
    }

    /// Says what is wrong with the blob of a message, if it has one that sled would stop at.
    fn blob_misfit(&self, segment: &[u8], message: &Message) -> Result<Option<String>, Fault> {
        if !message.header.is_blob() {
            return Ok(None);
        }
        let Some(id) = message.pointer(segment) else { return Ok(Some("a blob has no name".into())) };
        let path = blob_path(&self.folder, id);
        let fits = blob_fits(&self.folder, id).map_err(|e| unreadable(&path, &e))?;
        Ok((fits == Some(false))
            .then(|| format!("a blob does not fit its checksum. blob={}", path.display())))
    }

    fn damage(&self, offset: u64, lsn: Lsn, what: &str) -> Fault {
        Fault::Corrupt {
            what: format!(
                "the database would be rolled back if it were opened. file={}, offset={offset}, lsn={lsn}, why={what}",
                self.db.display()
            ),
        }
    }
}

/// What the walk over the segments found out about pages.
struct Walk {
    /// The last `Replace` or `Free` of each page.
    bases: HashMap<u64, Lsn>,
    /// Links of pages that had no base so far.
    orphans: HashMap<u64, (u64, Lsn)>,
    /// Messages whose blob is gone.
    hollow: Vec<(u64, u64, Lsn)>,
    wounds: Vec<Wound>,
    pages: u64,
    /// The last message that does something to a page.
    newest: Lsn,
}

/// A segment in which something does not fit.
struct Wound {
    /// Place of the bad bytes in the file, and of those of its segment.
    offset: u64,
    at: usize,
    lsn: Lsn,
    /// Page and lsn of the sound messages of the segment.
    intact: Vec<(u64, Lsn)>,
    /// The page of the bad message, if its header can be believed.
    page: Option<u64>,
    /// Where the sound messages go on.
    until: usize,
    /// The segment has no start.
    headless: bool,
}

impl Walk {
    fn new(snapshot: &Snapshot) -> Self {
        let bases: HashMap<u64, Lsn> = (0..).zip(snapshot.bases.iter().copied()).collect();
        let pages = bases.len() as u64;
        Walk { bases, orphans: HashMap::new(), hollow: Vec::new(), wounds: Vec::new(), pages, newest: -1 }
    }

    /// Reads one segment as sled's recovery does; what does not fit before `bound` is a wound.
    fn segment(&mut self, files: &Files, number: u64, index: u64, bound: Lsn) -> Result<(), Fault> {
        let segment = files.segment(index)?;
        let offset = index * SEGMENT as u64;
        let mut at = SEGMENT_HEADER;
        while at <= SEGMENT - MARGIN {
            let lsn = lsn_at(number, at);
            let Some(message) = Message::parse(&segment, at, Some(number)) else {
                if lsn < bound {
                    self.wounds.push(wound(&segment, offset, number, at, false));
                }
                return Ok(());
            };
            if message.kind == Kind::Cap {
                return Ok(());
            }
            if let Some(why) = files.blob_misfit(&segment, &message)?.filter(|_| lsn < bound) {
                return Err(files.damage(offset + at as u64, lsn, &why));
            }
            self.apply(files, &segment, &message, lsn, offset + at as u64)?;
            at = message.body.end;
        }
        Ok(())
    }

    fn apply(
        &mut self,
        files: &Files,
        segment: &[u8],
        message: &Message,
        lsn: Lsn,
        offset: u64,
    ) -> Result<(), Fault> {
        let page = message.header.page;
        match message.kind {
            Kind::Skip | Kind::Cap | Kind::Batch => return Ok(()),
            Kind::Replace | Kind::Free => {
                let base = self.bases.entry(page).or_insert(lsn);
                *base = lsn.max(*base);
            }
            Kind::Link => {
                if !self.bases.contains_key(&page) {
                    self.orphans.insert(page, (offset, lsn));
                }
            }
        }
        self.newest = self.newest.max(lsn);
        if message.kind != Kind::Link {
            self.pages = self.pages.max(page.saturating_add(1));
        }
        if message.header.is_blob()
            && let Some(id) = message.pointer(segment)
            && blob_fits(&files.folder, id).map_err(|e| unreadable(&files.db, &e))?.is_none()
        {
            self.hollow.push((offset, page, lsn));
        }
        Ok(())
    }

    /// Looks into a segment that does not say which it is. One of zeros was cleared by sled.
    fn headless(&mut self, files: &Files, index: u64) -> Result<(), Fault> {
        let segment = files.segment(index)?;
        if segment.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let first = (SEGMENT_HEADER..segment.len().saturating_sub(MARGIN))
            .find_map(|at| Some((at, Message::parse(&segment, at, None)?)));
        let number = first.as_ref().map_or(0, |(_, message)| message.header.number);
        let mut wound = wound(&segment, index * SEGMENT as u64, number, 0, true);
        // A start is 20 bytes of one sector, so a write that was cut short leaves it whole or leaves zeros.
        wound.headless = segment.iter().take(SEGMENT_HEADER).any(|byte| *byte != 0) && first.is_some();
        self.wounds.push(wound);
        Ok(())
    }

    fn needs(&self, page: u64, lsn: Lsn) -> bool {
        self.bases.get(&page).is_none_or(|base| lsn >= *base)
    }

    /// Says of the first bad place that is needed what stands there.
    fn judge(&self, files: &Files, tail: &Tail) -> Result<(), Fault> {
        // A segment that was being written again is the next one of the log, and it is missing there.
        let (between, reached) = (tail.between, tail.reached);
        for wound in &self.wounds {
            let why = if let Some((page, lsn)) =
                wound.intact.iter().find(|(page, lsn)| self.needs(*page, *lsn) && *lsn < reached)
            {
                Some(format!("bytes do not fit their checksum. page_needed={page}, page_lsn={lsn}"))
            } else {
                match wound.page {
                    Some(NO_PAGE) => None,
                    Some(page) => {
                        self.needs(page, wound.lsn).then(|| format!("page {page} does not fit its checksum"))
                    }
                    None if wound.headless => Some("a segment does not say which it is".to_owned()),
                    None if wound.at == 0 => None,
                    None => {
                        let sectors = wound.until / SECTOR > wound.at.div_ceil(SECTOR);
                        (!between || !sectors).then(|| "a message does not fit its checksum".to_owned())
                    }
                }
            };
            if let Some(why) = why {
                return Err(files.damage(wound.offset, wound.lsn, &why));
            }
        }
        if let Some((offset, page, lsn)) = self.hollow.iter().find(|(_, page, lsn)| self.needs(*page, *lsn)) {
            return Err(files.damage(*offset, *lsn, &format!("the blob of page {page} is missing")));
        }
        if let Some((page, (offset, lsn))) =
            self.orphans.iter().filter(|(page, _)| !self.bases.contains_key(page)).min_by_key(|(_, at)| **at)
        {
            return Err(files.damage(*offset, *lsn, &format!("what page {page} begins with is missing")));
        }
        match (0..self.pages).find(|page| !self.bases.contains_key(page)) {
            Some(page) => Err(files.damage(0, reached, &format!("page {page} is missing"))),
            None => Ok(()),
        }
    }
}

impl Walk {
    /// Checks that what a snapshot points to is in the segments it had then.
    fn check_snapshot(&self, files: &Files, snapshot: &Snapshot) -> Result<(), Fault> {
        let needed = snapshot.parts.iter().filter(|(page, lsn, _)| self.needs(*page, *lsn));
        for (page, lsn, offset) in needed {
            let number = lsn.unsigned_abs() / SEGMENT as u64;
            if *lsn < 0 || files.order.get(&number) != Some(&(offset / SEGMENT as u64)) {
                return Err(files.damage(*offset, *lsn, &format!("the segment of page {page} is not there")));
            }
        }
        Ok(())
    }
}

/// Finds out what can be known of a bad place and of what stands around it.
fn wound(segment: &[u8], offset: u64, number: u64, bad: usize, headless: bool) -> Wound {
    let mut wound = Wound {
        offset: offset + bad as u64,
        at: bad,
        lsn: lsn_at(number, bad),
        intact: Vec::new(),
        page: None,
        until: segment.len(),
        headless,
    };
    let sound = |at: usize| Message::parse(segment, at, Some(number));
    let mut at = SEGMENT_HEADER;
    let mut behind = false;
    while at <= SEGMENT - MARGIN && at < segment.len() {
        if let Some(message) = sound(at) {
            if behind && wound.until == segment.len() {
                wound.until = at;
            }
            if message.kind == Kind::Cap {
                break;
            }
            if !matches!(message.kind, Kind::Skip | Kind::Batch) {
                wound.intact.push((message.header.page, lsn_at(number, at)));
            }
            at = message.body.end;
            continue;
        }
        if at >= bad {
            behind = true;
        }
        if at == bad && !headless {
            let mended = Message::mend(segment, at).filter(|m| m.header.number == number);
            let header = mended.as_ref().map(|m| m.header).or_else(|| {
                // The header counts when it leads to the next sound message.
                let header = Header::parse(segment.get(at..)?)?;
                let next = at.checked_add(header.total()?)?;
                let leads = next > SEGMENT - MARGIN && next <= SEGMENT || sound(next).is_some();
                (header.number == number && leads).then_some(header)
            });
            if let Some(total) = header.and_then(|header| header.total()) {
                wound.page = header.map(|header| header.page);
                at += total;
                continue;
            }
        }
        match (at + 1..=SEGMENT - MARGIN).find(|next| sound(*next).is_some()) {
            Some(next) => at = next,
            None => break,
        }
    }
    wound
}

/// The newest snapshot, and whether it is damaged.
fn read_snapshot(folder: &Path) -> Result<(Snapshot, bool), Fault> {
    let mut newest: Option<PathBuf> = None;
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((Snapshot::default(), false)),
        Err(e) => return Err(unreadable(folder, &e)),
    };
    for entry in entries {
        let entry = entry.map_err(|e| unreadable(folder, &e))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && !name.contains(".generating") && !name.ends_with(".in___motion") {
            newest = newest.max(Some(entry.path()));
        }
    }
    let Some(path) = newest else { return Ok((Snapshot::default(), false)) };
    let bytes = std::fs::read(&path).map_err(|e| unreadable(&path, &e))?;
    Ok(match Snapshot::parse(&bytes) {
        Some(snapshot) => (snapshot, false),
        None => (Snapshot::default(), true),
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Fault {
    Fault::Unavailable { reason: format!("file cannot be read. path={}, error={error}", path.display()) }
}

#[cfg(test)]
#[path = "inspect_test.rs"]
mod tests;
