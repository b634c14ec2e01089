//! The commit group: everything one flush made durable, as one value. Stores keep these bytes verbatim.
//!
//! ```text
//! group   ┌ header (88) ───────────────────────────────────────────────────────┬ frames ┬ hash (32) ┐
//!         │ version 1 · number 8 · first position 8 · epoch 8 · committed at 8 │        │ blake3 of │
//!         │ frames 4 · records 4 · body length 4 · reserved 11 · previous 32   │        │ all before│
//! frame   ┌ flags 1 · kind 1 · id length 2 · id · first seq 8 · previous group 8 · [due 8] · [key 2+n]
//!         │ records 4 · bytes 4 · record…
//! pruned  ┌ flags 1 (8) · number of the pruning 8 · records 4 · marks 4 · leaf 32… · mark 17…
//! record  ┌ version 1 · seq 8 · at 8 · length 4 · payload · chain hash 32
//! ```
//!
//! A frame is one append. Where records were [pruned](super::pruned), what they leave stands in their place; a group that was
//! written anew for that has version 2. `previous group` is the number of the group that last held the stream (0 for none), so
//! a stream is read backwards from its head without any index of its own. All integers are big-endian; instants
//! are signed microseconds since the Unix epoch.

use super::chain::group_hash;
use super::frame::{DUE_CLEAR, DUE_SET, HAS_KEY, PRUNED, Wanted};
pub use super::frame::{Frame, Frames, Part, Parts};
use super::pruned::Pruned;
use super::reader::{Reader, damaged};
use super::{Append, ChainHash, Due, Epoch, Fault, Position, Seq};
use quorate_core::kernel::ids::{IdempotencyKey, StreamId};
use quorate_core::kernel::time::Timestamp;

/// Version byte of a group as it is committed.
const COMMITTED: u8 = 1;
/// Version byte of a group of a journal that was pruned, and the newest that is read.
pub const GROUP_VERSION: u8 = 2;
/// Bytes of a group before its first frame.
pub const GROUP_HEADER: usize = 1 + 8 + 8 + 8 + 8 + 4 + 4 + 4 + 11 + 32;
/// Bytes of a group after its last frame.
pub const GROUP_TRAILER: usize = 32;

/// What the header of a group says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupHeader {
    /// Its version byte.
    pub version: u8,
    /// Number of the group, from 1 without gaps.
    pub number: u64,
    /// Position of its first record.
    pub first_position: Position,
    /// Epoch of the writer.
    pub epoch: Epoch,
    /// When it was committed.
    pub at: Timestamp,
    /// How many frames follow.
    pub frames: u32,
    /// How many records they hold together.
    pub records: u32,
    /// Bytes of all frames.
    pub body: u32,
    /// Hash of the group before.
    pub previous: ChainHash,
}

impl GroupHeader {
    /// Bytes of the whole group.
    pub fn total_len(&self) -> usize {
        GROUP_HEADER + self.body as usize + GROUP_TRAILER
    }

    /// Position of the last record.
    pub fn last_position(&self) -> Position {
        self.first_position.wrapping_add(u64::from(self.records)).wrapping_sub(1)
    }

    /// Reads a header from the start of `bytes`, which may hold more than the group.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] when the bytes are too short or empty of meaning; [`Fault::NewerVersion`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut r = Reader { bytes, at: 0 };
        let version = r.u8()?;
        if version > GROUP_VERSION {
            return Err(Fault::NewerVersion { found: version.into(), supported: GROUP_VERSION.into() });
        }
        let header = GroupHeader {
            version,
            number: r.u64()?,
            first_position: r.u64()?,
            epoch: r.u64()?,
            at: r.timestamp()?,
            frames: r.u32()?,
            records: r.u32()?,
            body: r.u32()?,
            previous: {
                r.take(11)?;
                r.hash()?
            },
        };
        if version == 0 || header.number == 0 || header.records == 0 || header.frames == 0 {
            return Err(damaged("group header holds zeros"));
        }
        Ok(header)
    }
}

/// Builds one group.
#[derive(Debug)]
pub struct GroupBuilder {
    bytes: Vec<u8>,
    frames: u32,
    records: u32,
}

impl GroupBuilder {
    /// Starts a group.
    pub fn new(
        number: u64,
        first_position: Position,
        epoch: Epoch,
        at: Timestamp,
        previous: &ChainHash,
    ) -> Self {
        Self::of_version(COMMITTED, number, first_position, epoch, at, previous)
    }

    /// Starts a group of a journal that is pruned: what is kept of the groups of `epoch` and `at`, and what the others leave.
    pub fn rewritten(
        number: u64,
        first_position: Position,
        epoch: Epoch,
        at: Timestamp,
        previous: &ChainHash,
    ) -> Self {
        Self::of_version(GROUP_VERSION, number, first_position, epoch, at, previous)
    }

    fn of_version(
        version: u8,
        number: u64,
        first_position: Position,
        epoch: Epoch,
        at: Timestamp,
        previous: &ChainHash,
    ) -> Self {
        let mut bytes = Vec::with_capacity(4096);
        bytes.push(version);
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes.extend_from_slice(&first_position.to_be_bytes());
        bytes.extend_from_slice(&epoch.to_be_bytes());
        bytes.extend_from_slice(&at.as_micros().to_be_bytes());
        bytes.extend_from_slice(&[0; 12 + 11]);
        bytes.extend_from_slice(&previous.0);
        GroupBuilder { bytes, frames: 0, records: 0 }
    }

    /// Adds one append; `previous_group` is the last group that held its stream, 0 for none.
    pub fn push(&mut self, append: &Append, previous_group: u64) {
        self.push_parts(
            (&append.stream, append.expected + 1, previous_group),
            (append.due, append.key.as_ref()),
            (append.count, &append.bytes),
        );
    }

    /// Adds a frame of another group with its records as they are; `previous_group` is the last group that held its stream.
    pub fn push_kept(&mut self, frame: &Frame<'_>, previous_group: u64) {
        self.push_parts(
            (&frame.stream, frame.first_seq, previous_group),
            (frame.due, frame.key.as_ref()),
            (frame.count, frame.record_bytes()),
        );
    }

    /// Adds what records leave that were pruned. Only into a group that is [rewritten](GroupBuilder::rewritten).
    pub fn push_pruned(&mut self, run: &Pruned) {
        let out = &mut self.bytes;
        out.push(PRUNED);
        out.extend_from_slice(&run.pruning.to_be_bytes());
        out.extend_from_slice(&(run.leaves.len() as u32).to_be_bytes());
        out.extend_from_slice(&(run.marks.len() as u32).to_be_bytes());
        run.leaves.iter().for_each(|leaf| out.extend_from_slice(leaf));
        run.marks.iter().for_each(|mark| out.extend_from_slice(&mark.0));
        self.frames += 1;
        self.records += run.leaves.len() as u32;
    }

    fn push_parts(
        &mut self,
        (stream, first_seq, previous_group): (&StreamId, Seq, u64),
        (due, key): (Due, Option<&IdempotencyKey>),
        (count, bytes): (u32, &[u8]),
    ) {
        let flags = match due {
            Due::Unchanged => 0,
            Due::At(_) => DUE_SET,
            Due::Clear => DUE_CLEAR,
        } | if key.is_some() { HAS_KEY } else { 0 };
        let id = stream.id.as_str().as_bytes();
        let out = &mut self.bytes;
        out.extend_from_slice(&[flags, stream.kind.code()]);
        out.extend_from_slice(&(id.len() as u16).to_be_bytes());
        out.extend_from_slice(id);
        out.extend_from_slice(&first_seq.to_be_bytes());
        out.extend_from_slice(&previous_group.to_be_bytes());
        if let Due::At(t) = due {
            out.extend_from_slice(&t.as_micros().to_be_bytes());
        }
        if let Some(key) = key {
            out.extend_from_slice(&(key.as_str().len() as u16).to_be_bytes());
            out.extend_from_slice(key.as_str().as_bytes());
        }
        out.extend_from_slice(&count.to_be_bytes());
        out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        out.extend_from_slice(bytes);
        self.frames += 1;
        self.records += count;
    }

    /// How many records were added.
    pub fn records(&self) -> u32 {
        self.records
    }

    /// Bytes so far, without the trailing hash.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// No frame was added.
    pub fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// Seals the group: fills in the counts and appends the hash.
    pub fn finish(mut self) -> (Vec<u8>, ChainHash) {
        let body = (self.bytes.len() - GROUP_HEADER) as u32;
        self.bytes[33..37].copy_from_slice(&self.frames.to_be_bytes());
        self.bytes[37..41].copy_from_slice(&self.records.to_be_bytes());
        self.bytes[41..45].copy_from_slice(&body.to_be_bytes());
        let hash = group_hash(&self.bytes);
        self.bytes.extend_from_slice(&hash.0);
        (self.bytes, hash)
    }
}

/// A parsed group over borrowed bytes.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// What the header says.
    pub header: GroupHeader,
    body: &'a [u8],
    /// The stored hash over everything before it.
    pub hash: ChainHash,
}

impl<'a> Group<'a> {
    /// Parses the group at the start of `bytes` without checking its hash.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] when the bytes are cut short; [`Fault::NewerVersion`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let header = GroupHeader::parse(bytes)?;
        let end = GROUP_HEADER + header.body as usize;
        if bytes.len() < end + GROUP_TRAILER {
            return Err(damaged(&format!("group is cut short. number={}", header.number)));
        }
        let hash = Reader { bytes, at: end }.hash()?;
        Ok(Group { header, body: &bytes[GROUP_HEADER..end], hash })
    }

    /// Parses and checks the hash over all bytes.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] when cut short or the hash does not fit; [`Fault::NewerVersion`].
    pub fn parse_checked(bytes: &'a [u8]) -> Result<Self, Fault> {
        let group = Self::parse(bytes)?;
        if group_hash(&bytes[..GROUP_HEADER + group.body.len()]) != group.hash {
            return Err(damaged(&format!("group does not fit its hash. number={}", group.header.number)));
        }
        Ok(group)
    }

    /// Everything in it in order: frames, and what pruned records left.
    pub fn parts(&self) -> Parts<'a> {
        Parts::new(&self.header, self.body)
    }

    /// What pruned records left in it, in order.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] when it cannot be read.
    pub fn pruned(&self) -> Result<Vec<Pruned>, Fault> {
        if self.header.version <= COMMITTED {
            return Ok(Vec::new());
        }
        let pruned = |part| match part {
            Ok(Part::Pruned(run)) => Some(Ok(run)),
            Ok(Part::Frame(_)) => None,
            Err(fault) => Some(Err(fault)),
        };
        self.parts().filter_map(pruned).collect()
    }

    /// The frames in order.
    pub fn frames(&self) -> Frames<'a, 'static> {
        Frames::new(&self.header, self.body, Wanted::All)
    }

    /// The frames of one stream in order; the others are stepped over.
    pub fn frames_of<'s>(&self, stream: &'s StreamId) -> Frames<'a, 's> {
        Frames::new(&self.header, self.body, Wanted::Of(stream))
    }

    /// The frames after which nothing was due any more, in order; the others are stepped over.
    pub fn frames_that_settle(&self) -> Frames<'a, 'static> {
        Frames::new(&self.header, self.body, Wanted::Settling)
    }
}

#[cfg(test)]
#[path = "group_test.rs"]
mod tests;
