//! The commit group: everything one flush made durable, as one value. Stores keep these bytes verbatim.
//!
//! ```text
//! group   ┌ header (88) ───────────────────────────────────────────────────────┬ frames ┬ hash (32) ┐
//!         │ version 1 · number 8 · first position 8 · epoch 8 · committed at 8 │        │ blake3 of │
//!         │ frames 4 · records 4 · body length 4 · reserved 11 · previous 32   │        │ all before│
//! frame   ┌ flags 1 · kind 1 · id length 2 · id · first seq 8 · previous group 8 · [due 8] · [key 2+n]
//!         │ records 4 · bytes 4 · record…
//! record  ┌ version 1 · seq 8 · at 8 · length 4 · payload · chain hash 32
//! ```
//!
//! A frame is one append. `previous group` is the number of the group that last held the stream (0 for none), so
//! a stream is read backwards from its head without any index of its own. All integers are big-endian; instants
//! are signed microseconds since the Unix epoch.

use super::chain::{group_hash, record_hash};
use super::codec::{RECORD_HEADER, RECORD_TRAILER, RECORD_VERSION};
use super::{Append, ChainHash, Due, Epoch, Fault, Position, Record, Seq};
use crate::core::ids::{EntityId, IdempotencyKey, StreamId, StreamKind};
use crate::core::time::Timestamp;

/// Version byte of a group.
pub const GROUP_VERSION: u8 = 1;
/// Bytes of a group before its first frame.
pub const GROUP_HEADER: usize = 1 + 8 + 8 + 8 + 8 + 4 + 4 + 4 + 11 + 32;
/// Bytes of a group after its last frame.
pub const GROUP_TRAILER: usize = 32;

const DUE_SET: u8 = 1;
const DUE_CLEAR: u8 = 2;
const HAS_KEY: u8 = 4;

/// What the header of a group says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupHeader {
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
        self.first_position + u64::from(self.records) - 1
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
        let mut bytes = Vec::with_capacity(4096);
        bytes.push(GROUP_VERSION);
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
        let flags = match append.due {
            Due::Unchanged => 0,
            Due::At(_) => DUE_SET,
            Due::Clear => DUE_CLEAR,
        } | if append.key.is_some() { HAS_KEY } else { 0 };
        let id = append.stream.id.as_str().as_bytes();
        let out = &mut self.bytes;
        out.extend_from_slice(&[flags, append.stream.kind.code()]);
        out.extend_from_slice(&(id.len() as u16).to_be_bytes());
        out.extend_from_slice(id);
        out.extend_from_slice(&(append.expected + 1).to_be_bytes());
        out.extend_from_slice(&previous_group.to_be_bytes());
        if let Due::At(t) = append.due {
            out.extend_from_slice(&t.as_micros().to_be_bytes());
        }
        if let Some(key) = &append.key {
            out.extend_from_slice(&(key.as_str().len() as u16).to_be_bytes());
            out.extend_from_slice(key.as_str().as_bytes());
        }
        out.extend_from_slice(&append.count.to_be_bytes());
        out.extend_from_slice(&(append.bytes.len() as u32).to_be_bytes());
        out.extend_from_slice(&append.bytes);
        self.frames += 1;
        self.records += append.count;
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

/// One append as it stands in a group, its records not yet taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Whose records.
    pub stream: StreamId,
    /// Seq of the first record.
    pub first_seq: Seq,
    /// The last earlier group that held the stream, 0 for none.
    pub previous_group: u64,
    /// What the append did to the deadline index.
    pub due: Due,
    /// The caller's own name for the request.
    pub key: Option<IdempotencyKey>,
    /// Position of the first record.
    pub first_position: Position,
    /// How many records.
    pub count: u32,
    bytes: &'a [u8],
}

impl Frame<'_> {
    /// Seq of the last record.
    pub fn last_seq(&self) -> Seq {
        self.first_seq + u64::from(self.count) - 1
    }

    /// The stream's chain hash after the last record, as stored.
    pub fn hash(&self) -> Result<ChainHash, Fault> {
        let tail = self.bytes.len().checked_sub(RECORD_TRAILER).ok_or_else(|| damaged("frame is empty"))?;
        Reader { bytes: self.bytes, at: tail }.hash()
    }

    /// Takes the records apart.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] when they do not fit the frame; [`Fault::NewerVersion`] for a newer record.
    pub fn records(&self) -> Result<Vec<Record>, Fault> {
        let mut out = Vec::with_capacity(self.count as usize);
        self.each_record(|record, _| {
            out.push(record);
            Ok(())
        })?;
        Ok(out)
    }

    /// Checks seq order and the chain from `hash`, the stream's hash before this frame; returns the hash after.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] naming the first record that does not fit.
    pub fn verify(&self, mut hash: ChainHash) -> Result<ChainHash, Fault> {
        self.each_record(|record, covered| {
            hash = record_hash(&hash, &self.stream, covered);
            if hash == record.hash {
                return Ok(());
            }
            Err(damaged(&format!(
                "record does not fit its chain. stream={}, seq={}, position={}",
                self.stream, record.seq, record.position
            )))
        })?;
        Ok(hash)
    }

    fn each_record(&self, mut visit: impl FnMut(Record, &[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut r = Reader { bytes: self.bytes, at: 0 };
        for n in 0..u64::from(self.count) {
            let start = r.at;
            let version = r.u8()?;
            if version != RECORD_VERSION {
                return Err(Fault::NewerVersion { found: version.into(), supported: RECORD_VERSION.into() });
            }
            let seq = r.u64()?;
            let at = r.timestamp()?;
            let length = r.u32()? as usize;
            let payload = r.take(length)?.to_vec();
            debug_assert_eq!(r.at - start, RECORD_HEADER + length);
            let covered = &self.bytes[start..r.at];
            let hash = r.hash()?;
            if seq != self.first_seq + n {
                return Err(damaged(&format!("record out of order. stream={}, seq={seq}", self.stream)));
            }
            let settles = self.due == Due::Clear && n + 1 == u64::from(self.count);
            let position = self.first_position + n;
            visit(
                Record { position, stream: self.stream.clone(), seq, at, payload, hash, settles },
                covered,
            )?;
        }
        if r.at == self.bytes.len() { Ok(()) } else { Err(damaged("frame has bytes left over")) }
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

    /// The frames in order.
    pub fn frames(&self) -> Frames<'a> {
        Frames {
            reader: Reader { bytes: self.body, at: 0 },
            left: self.header.frames,
            position: self.header.first_position,
        }
    }
}

/// Iterator over the frames of a group; ends after the first damaged one.
#[derive(Debug)]
pub struct Frames<'a> {
    reader: Reader<'a>,
    left: u32,
    position: Position,
}

impl<'a> Frames<'a> {
    fn read(&mut self) -> Result<Frame<'a>, Fault> {
        let r = &mut self.reader;
        let flags = r.u8()?;
        let code = r.u8()?;
        let kind = StreamKind::from_code(code)
            .ok_or_else(|| damaged(&format!("record of an unknown kind. code={code}")))?;
        let length = r.u16()? as usize;
        let id = EntityId::new(r.text(length)?).map_err(|e| damaged(&e.to_string()))?;
        let first_seq = r.u64()?;
        let previous_group = r.u64()?;
        let due = match flags & (DUE_SET | DUE_CLEAR) {
            0 => Due::Unchanged,
            DUE_SET => Due::At(r.timestamp()?),
            DUE_CLEAR => Due::Clear,
            _ => return Err(damaged("frame flags contradict each other")),
        };
        let key = if flags & HAS_KEY == 0 {
            None
        } else {
            let length = r.u16()? as usize;
            Some(IdempotencyKey::new(r.text(length)?).map_err(|e| damaged(&e.to_string()))?)
        };
        let count = r.u32()?;
        let length = r.u32()? as usize;
        let bytes = r.take(length)?;
        let first_position = self.position;
        self.position += u64::from(count);
        let stream = StreamId::new(kind, id);
        Ok(Frame { stream, first_seq, previous_group, due, key, first_position, count, bytes })
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let frame = self.read();
        if frame.is_err() {
            self.left = 0;
        }
        Some(frame)
    }
}

fn damaged(what: &str) -> Fault {
    Fault::Corrupt { what: what.to_owned() }
}

#[derive(Debug)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Fault> {
        let end = self.at.checked_add(n).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| damaged(&format!("cut short. at_byte={}", self.at)))?;
        let out = &self.bytes[self.at..end];
        self.at = end;
        Ok(out)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    fn u8(&mut self) -> Result<u8, Fault> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_be_bytes)
    }

    fn timestamp(&mut self) -> Result<Timestamp, Fault> {
        self.array().map(i64::from_be_bytes).map(Timestamp::from_micros)
    }

    fn hash(&mut self) -> Result<ChainHash, Fault> {
        self.array().map(ChainHash)
    }

    fn text(&mut self, n: usize) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.take(n)?).map_err(|_| damaged("text is not UTF-8"))
    }
}

#[cfg(test)]
#[path = "group_test.rs"]
mod tests;
