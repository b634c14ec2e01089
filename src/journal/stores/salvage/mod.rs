//! Reads a data folder from its raw bytes: everything that fits its hash, and a list of what is missing.
//!
//! ```text
//!  DIR/log · DIR/sled · DIR/fjall ──scan──► groups that fit their hash ──chain──► the line from the first group on
//!                                     └──► what looks like one and does not fit ──► where the gaps are
//! ```
//!
//! Nothing is opened for writing, no database is opened at all, and no lock is taken: a full disk, a read-only mount
//! and a damaged folder can be read. Only places are held in memory; bytes are read when they are asked for, and
//! checked again then.

mod pieces;
mod restore;
mod scan;
mod store;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use self::scan::{Files, Finds, Found, Suspect, unreadable};
use super::heads::{Changes, Entry, Index};
use super::sled::format::{self, Format};
use super::sled::restore::{self as sled_restore, Said};
use super::walk::{GroupBytes, Trails, View};
use crate::group::Group;
use crate::{ChainHash, Epoch, Fault, Mark, Position, Seq, Tip};
use quorate_core::kernel::ids::{IdempotencyKey, StreamId};
use quorate_core::kernel::time::Timestamp;

/// A data folder that is only read. As a [`Store`](crate::Store) it answers every read and refuses writes.
#[derive(Debug)]
pub struct ReadStore {
    dir: PathBuf,
    files: Files,
    /// Every group that fits its hash, in the order of the journal.
    line: Vec<Found>,
    /// What stands where a group is missing and does not fit.
    suspects: BTreeMap<u64, Suspect>,
    index: Index,
    tip: Tip,
    damage: Damage,
    /// Why opening would refuse the folder, as a sentence.
    refusal: Option<String>,
    /// The epoch in force, as far as it is known.
    epoch: Epoch,
    trails: Trails,
}

/// What of a journal is not there any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// The gaps, in order.
    pub gaps: Vec<Gap>,
    /// Entities whose records are not all there, and the first that is missing of each.
    pub streams: BTreeMap<StreamId, Seq>,
    /// Other things that are not as they should be, as sentences.
    pub notes: Vec<String>,
}

/// Groups that are missing in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first group.
    pub first_group: u64,
    /// The last one.
    pub last_group: u64,
    /// Positions of the records that are missing, as far as it is known where they end.
    pub first_position: Position,
    /// The last of them, when it is known.
    pub last_position: Option<Position>,
    /// The file in which a damaged group was found, and its offset; else where the group before it ends.
    pub place: Option<(PathBuf, u64)>,
}

impl Damage {
    /// Is everything there?
    pub fn is_none(&self) -> bool {
        self.gaps.is_empty() && self.streams.is_empty() && self.notes.is_empty()
    }

    /// Positions that are known to be missing.
    pub fn records(&self) -> u64 {
        let count =
            |gap: &Gap| gap.last_position.map_or(0, |last| (last + 1).saturating_sub(gap.first_position));
        self.gaps.iter().map(count).sum()
    }

    /// What is missing, as one sentence; none when nothing is.
    pub fn sentence(&self) -> Option<String> {
        if self.is_none() {
            return None;
        }
        let gap = |gap: &Gap| {
            let upto = gap.last_position.map_or("the end".to_owned(), |last| last.to_string());
            let place = gap.place.as_ref().map_or(String::new(), |(path, offset)| {
                format!(", file={}, offset={offset}", path.display())
            });
            format!(
                "groups={}..{}, positions={}..{upto}{place}",
                gap.first_group, gap.last_group, gap.first_position
            )
        };
        let mut parts: Vec<String> = self.gaps.iter().take(5).map(gap).collect();
        if self.gaps.len() > 5 {
            parts.push(format!("and {} more gaps", self.gaps.len() - 5));
        }
        if !self.streams.is_empty() {
            let names: Vec<String> = self.streams.keys().take(5).map(ToString::to_string).collect();
            let more = self.streams.len().saturating_sub(5);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            parts.push(format!("entities={}{more}", names.join(" ")));
        }
        parts.extend(self.notes.iter().cloned());
        Some(format!("records are missing or damaged. {}", parts.join("; ")))
    }
}

/// Says whether somebody has the folder open, without taking or making its lock.
///
/// # Errors
/// [`Fault::Locked`] when somebody has; [`Fault::Unavailable`] when the lock file cannot be read.
pub fn free(dir: &Path) -> Result<(), Fault> {
    let path = dir.join("LOCK");
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(unreadable(&path, &e)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who holds it is only told, so a text that cannot be read is as good as none.
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim();
            Err(Fault::Locked { holder: if holder.is_empty() { "unknown" } else { holder }.to_owned() })
        }
        Err(TryLockError::Error(e)) => Err(unreadable(&path, &e)),
    }
}

impl ReadStore {
    /// Looks through a data folder that nobody has open.
    ///
    /// # Errors
    /// [`Fault::Missing`], [`Fault::Foreign`], [`Fault::NewerVersion`] and [`Fault::Locked`] as they say;
    /// [`Fault::Unavailable`] when the disk does not answer. Damage is no error: [`ReadStore::damage`] has it.
    pub fn open(dir: &Path) -> Result<Self, Fault> {
        free(dir)?;
        let store = Self::open_held(dir)?;
        // Whoever took the folder meanwhile may have written while it was looked through.
        free(dir)?;
        Ok(store)
    }

    /// As [`ReadStore::open`], for who holds the folder.
    pub(in crate::stores) fn open_held(dir: &Path) -> Result<Self, Fault> {
        let (layout, checked, unnamed) = match format::look(dir)? {
            Format::Nothing => return Err(Fault::Missing { path: dir.display().to_string() }),
            Format::Layout { number, checked } => (number, checked, None),
            Format::Damaged { what, looks_like } => (looks_like, false, Some(what)),
        };
        let (said, torn) = said(dir, layout, checked)?;
        let files = Files::of(dir)?;
        let mut finds = Finds::default();
        for file in 0..files.len() {
            files.scan(file, &mut finds)?;
        }
        finds.found.extend(pieces::assemble(&files, &finds.suspects)?);
        if let Some(end) = said.log_ends {
            // A write that was never finished holds whole groups too, and was never acknowledged.
            let in_log =
                |extent: &scan::Extent| files.segment(extent.file).is_some_and(|n| (n, extent.offset) >= end);
            finds.found.retain(|found| !found.place.iter().any(in_log));
            finds.suspects.retain(|suspect| !in_log(&suspect.place));
        }
        if let Some((path, upto)) = torn {
            let in_torn = |extent: &scan::Extent| files.path(extent.file) == path && extent.offset >= upto;
            finds.found.retain(|found| !found.place.iter().any(in_torn));
            finds.suspects.retain(|suspect| !in_torn(&suspect.place));
        }
        let line = line(finds.found);
        let mut store = ReadStore {
            dir: dir.to_owned(),
            files,
            line,
            suspects: BTreeMap::new(),
            index: Index::default(),
            tip: Tip { position: 0, group: 0, at: Timestamp::MIN, hash: ChainHash::default() },
            damage: Damage::default(),
            refusal: unnamed.or_else(|| said.damage.clone()).or_else(|| said.refusal.clone()),
            epoch: said.archived.as_ref().map_or(0, |(epoch, _)| *epoch),
            trails: Trails::default(),
        };
        store.fill(finds.suspects, said)?;
        Ok(store)
    }

    /// The position of the last record.
    pub fn records(&self) -> Position {
        self.tip.position
    }

    /// What is missing.
    pub fn damage(&self) -> &Damage {
        &self.damage
    }

    /// The epoch in force, as far as it is known.
    pub fn epoch(&self) -> Epoch {
        self.line.last().map_or(self.epoch, |found| self.epoch.max(found.header.epoch))
    }

    /// Why opening the folder would be refused, as a sentence; none when it would be opened as it is. Everything may be
    /// there all the same.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// Reads every group once, in order: what they do to the index, and what is missing between them.
    fn fill(&mut self, suspects: Vec<Suspect>, said: Said) -> Result<(), Fault> {
        let mut revisions: HashMap<StreamId, Seq> = HashMap::new();
        let mut gaps: Vec<Gap> = Vec::new();
        let mut last_place = None;
        for found in &self.line {
            let header = &found.header;
            let number = header.number;
            let expected = (self.tip.group + 1, self.tip.position + 1);
            if number != expected.0 || header.first_position != expected.1 || header.previous != self.tip.hash
            {
                gaps.push(Gap {
                    first_group: expected.0,
                    last_group: (number - 1).max(expected.0),
                    first_position: expected.1,
                    last_position: Some(header.first_position.saturating_sub(1)),
                    place: last_place.take(),
                });
            }
            let bytes = self.files.gather(&found.place)?;
            let group = Group::parse(&bytes)?;
            for frame in group.frames() {
                let frame = frame?;
                let known = revisions.entry(frame.stream.clone()).or_default();
                if frame.first_seq != *known + 1 {
                    self.damage.streams.entry(frame.stream.clone()).or_insert(*known + 1);
                }
                *known = frame.last_seq();
            }
            let mut changes = Changes::default();
            changes.fold(&group, |stream| Ok(self.index.entry(stream).cloned()), |_, _| ())?;
            self.index.apply(changes);
            self.tip = Tip {
                position: header.last_position(),
                group: number,
                at: header.at.max(self.tip.at),
                hash: found.hash,
            };
            last_place = found.place.last().map(|extent| {
                (self.files.path(extent.file).to_owned(), extent.offset + extent.length as u64)
            });
        }
        if let Some((_, archived)) = said.archived {
            let found = self.found(archived.group).map(|found| found.hash);
            if archived.group > self.tip.group {
                gaps.push(Gap {
                    first_group: self.tip.group + 1,
                    last_group: archived.group,
                    first_position: self.tip.position + 1,
                    last_position: Some(archived.position),
                    place: last_place,
                });
            } else if found.is_some_and(|hash| hash != archived.hash) {
                self.damage
                    .notes
                    .push(format!("the mark speaks of another journal. group={}", archived.group));
            }
        }
        let end = gaps.last().map_or(0, |gap| gap.last_group).max(self.tip.group);
        if let Some((group, position)) = said.acknowledged.filter(|(group, _)| *group > end) {
            gaps.push(Gap {
                first_group: end + 1,
                last_group: group,
                first_position: self.tip.position + 1,
                last_position: Some(position),
                place: None,
            });
        }
        self.damage.notes.extend(said.damage);
        self.explain(gaps, suspects)
    }

    /// Says where the missing groups should be, and whose records were in them.
    fn explain(&mut self, mut gaps: Vec<Gap>, suspects: Vec<Suspect>) -> Result<(), Fault> {
        let known = |number: u64| self.found(number).is_some();
        // The next one after the end counts too: a group that was written and does not fit.
        let upto = gaps.last().map_or(0, |gap| gap.last_group).max(self.tip.group + 1);
        let mut wanted = BTreeMap::new();
        for suspect in suspects {
            if !known(suspect.header.number) && suspect.header.number <= upto {
                wanted.entry(suspect.header.number).or_insert(suspect);
            }
        }
        self.suspects = wanted;
        if let Some(last) = self.suspects.get(&(self.tip.group + 1))
            && last.header.previous == self.tip.hash
            && gaps.last().is_none_or(|gap| gap.last_group <= self.tip.group)
        {
            gaps.push(Gap {
                first_group: last.header.number,
                last_group: last.header.number,
                first_position: self.tip.position + 1,
                last_position: Some(last.header.last_position()).filter(|last| *last > self.tip.position),
                place: None,
            });
        }
        for gap in &mut gaps {
            if gap.first_group > gap.last_group {
                continue;
            }
            for (_, suspect) in self.suspects.range(gap.first_group..=gap.last_group) {
                let place = (self.files.path(suspect.place.file).to_owned(), suspect.place.offset);
                if gap.place.as_ref().is_none_or(|_| suspect.header.number == gap.first_group) {
                    gap.place = Some(place);
                }
                let bytes =
                    self.files.read(suspect.place.file, suspect.place.offset, suspect.place.length)?;
                // As far as it can be read: a flipped bit mostly leaves the names as they were.
                let Ok(group) = Group::parse(&bytes) else { continue };
                for frame in group.frames().map_while(Result::ok) {
                    let seq = self.damage.streams.entry(frame.stream).or_insert(frame.first_seq);
                    *seq = (*seq).min(frame.first_seq);
                }
            }
        }
        self.damage.gaps = gaps;
        Ok(())
    }

    fn found(&self, number: u64) -> Option<&Found> {
        let at = self.line.binary_search_by_key(&number, |found| found.header.number).ok()?;
        self.line.get(at)
    }

    fn bytes(&self, found: &Found) -> Result<GroupBytes, Fault> {
        let bytes = self.files.gather(&found.place)?;
        let sound = Group::parse_checked(&bytes).is_ok_and(|group| group.hash == found.hash);
        if !sound {
            // The bytes were sound a moment ago: somebody writes.
            free(&self.dir)?;
        }
        Ok(GroupBytes { sound, ..GroupBytes::whole(bytes.into()) })
    }
}

impl ReadStore {
    /// The bytes of a group that was sound when it was found.
    fn sound(&self, found: &Found) -> Result<GroupBytes, Fault> {
        let bytes = self.bytes(found)?;
        if bytes.sound {
            return Ok(bytes);
        }
        let what = format!("a group has changed while the folder was read. number={}", found.header.number);
        Err(Fault::Corrupt { what })
    }
}

impl View for ReadStore {
    fn tip(&self) -> Tip {
        self.tip.clone()
    }

    fn entry(&self, stream: &StreamId) -> Result<Option<Entry>, Fault> {
        Ok(self.index.entry(stream).cloned())
    }

    fn key(&self, key: &IdempotencyKey) -> Result<Option<StreamId>, Fault> {
        Ok(self.index.key(key).cloned())
    }

    fn pruned(&self, mark: &Mark) -> Result<Option<u64>, Fault> {
        Ok(self.index.pruned(mark))
    }

    fn group(&self, number: u64) -> Result<Option<GroupBytes>, Fault> {
        if let Some(found) = self.found(number) {
            return self.bytes(found).map(Some);
        }
        // Damaged bytes are shown too, so that a check can say which record does not fit.
        let Some(Suspect { place, .. }) = self.suspects.get(&number) else { return Ok(None) };
        let bytes = self.files.read(place.file, place.offset, place.length)?;
        Ok(Some(GroupBytes { sound: false, ..GroupBytes::whole(bytes.into()) }))
    }
}

/// What the marks of a folder of this layout say, and the file behind whose offset nothing was acknowledged.
fn said(dir: &Path, layout: u32, checked: bool) -> Result<(Said, Option<(PathBuf, u64)>), Fault> {
    match layout {
        1 => Ok((sled_restore::said_of_first(dir)?, None)),
        #[cfg(feature = "store-fjall")]
        format::FJALL => super::fjall::said(dir, checked),
        _ => {
            // The others know their formats by themselves.
            let _ = checked;
            Ok((sled_restore::said(dir)?, None))
        }
    }
}

/// One group for each number: those of the longest line from the first group on, then what stands behind the gap.
fn line(found: Vec<Found>) -> Vec<Found> {
    let mut by_number: BTreeMap<u64, Vec<Found>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for group in found {
        if seen.insert(group.hash.0) {
            by_number.entry(group.header.number).or_default().push(group);
        }
    }
    // From the end backwards: how many groups follow each one without a gap.
    let mut depth: HashMap<ChainHash, u64> = HashMap::new();
    let mut longest: HashMap<ChainHash, u64> = HashMap::new();
    for groups in by_number.values().rev() {
        for group in groups {
            let own = longest.get(&group.hash).copied().unwrap_or(0) + 1;
            depth.insert(group.hash, own);
            let best = longest.entry(group.header.previous).or_default();
            *best = own.max(*best);
        }
    }
    let mut line = Vec::new();
    let (mut hash, mut position) = (ChainHash::default(), 0);
    for groups in by_number.into_values() {
        let fits =
            |group: &Found| group.header.previous == hash && group.header.first_position == position + 1;
        // Behind a gap nothing links; what belongs to a journal that ended otherwise stands before it.
        let rank = |group: &Found| (fits(group), depth.get(&group.hash).copied());
        let Some(best) =
            groups.into_iter().max_by_key(rank).filter(|best| best.header.first_position > position)
        else {
            continue;
        };
        (hash, position) = (best.hash, best.header.last_position());
        line.push(best);
    }
    line
}

#[cfg(test)]
#[path = "test.rs"]
mod tests;
